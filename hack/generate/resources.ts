import type { z } from 'zod';
import { applicationSchema } from '../../operator/api/v1alpha1/application.ts';
import { approvalSchema } from '../../operator/api/v1alpha1/approval.ts';
import { environmentSchema } from '../../operator/api/v1alpha1/environment.ts';
import { promotionSchema } from '../../operator/api/v1alpha1/promotion.ts';
import { promotionPolicySchema } from '../../operator/api/v1alpha1/promotion-policy.ts';

export interface PrinterColumn {
  name: string;
  type: 'string' | 'date' | 'integer';
  description: string;
  jsonPath: string;
  /** 1: shown by `kubectl get -o wide` only. */
  priority?: 1;
}

/** What a CRD says beyond its schema. */
export interface Resource {
  schema: z.ZodObject<{ spec: z.ZodType; status: z.ZodType }>;
  names: { kind: string; plural: string; singular: string; shortNames: string[]; categories: string[] };
  scope: 'Namespaced' | 'Cluster';
  description: string;
  columns: PrinterColumn[];
  /** Paths of fields that a field selector may name, besides name and namespace; Kubernetes 1.31 and newer know them. */
  selectable?: string[];
}

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Since when it exists.',
  jsonPath: '.metadata.creationTimestamp',
};

const MESSAGE: PrinterColumn = {
  name: 'Message',
  type: 'string',
  description: 'What is going on, and the next step.',
  jsonPath: '.status.conditions[?(@.type=="Ready")].message',
  priority: 1,
};

export const APPLICATION: Resource = {
  schema: applicationSchema,
  names: {
    kind: 'Application',
    plural: 'applications',
    singular: 'application',
    shortNames: ['tapp'],
    categories: ['gitops'],
  },
  scope: 'Namespaced',
  description:
    'Application brings a Helm chart, a kustomization or plain manifests from a Git repository to the cluster, keeps them there, and says in its status what runs.',
  columns: [
    {
      name: 'Ready',
      type: 'string',
      description: 'Whether what was asked for runs and is healthy.',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    },
    {
      name: 'Sync',
      type: 'string',
      description: 'The worst sync of all environments.',
      jsonPath: '.status.sync',
    },
    {
      name: 'Health',
      type: 'string',
      description: 'The worst health of all environments.',
      jsonPath: '.status.health',
    },
    {
      name: 'Revision',
      type: 'string',
      description: 'The desired revision.',
      jsonPath: '.status.summary.revision',
    },
    {
      name: 'Environments',
      type: 'string',
      description: 'Environments that are Ready at it, of all.',
      jsonPath: '.status.summary.environments',
    },
    AGE,
    MESSAGE,
    {
      name: 'Repository',
      type: 'string',
      description: 'Address of the Git repository.',
      jsonPath: '.spec.source.repoURL',
      priority: 1,
    },
  ],
};

const ENVIRONMENT: Resource = {
  schema: environmentSchema,
  names: {
    kind: 'Environment',
    plural: 'environments',
    singular: 'environment',
    shortNames: ['tenv'],
    categories: ['gitops'],
  },
  scope: 'Cluster',
  description:
    'Environment is a place that Applications are deployed to: a cluster, a namespace there, whose rights a write has, and which Applications may land. The platform makes it, and Applications name it.',
  columns: [
    {
      name: 'Ready',
      type: 'string',
      description: 'Whether Applications can be deployed there.',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    },
    {
      name: 'Cluster',
      type: 'string',
      description: 'Version of Kubernetes that the cluster has.',
      jsonPath: '.status.cluster.version',
    },
    {
      name: 'Applications',
      type: 'integer',
      description: 'Applications that name it.',
      jsonPath: '.status.applications',
    },
    {
      name: 'Frozen',
      type: 'string',
      description: 'Until when nothing new is deployed.',
      jsonPath: '.status.frozenUntil',
    },
    AGE,
    MESSAGE,
  ],
};

const PROMOTION_POLICY: Resource = {
  schema: promotionPolicySchema,
  names: {
    kind: 'PromotionPolicy',
    plural: 'promotionpolicies',
    singular: 'promotionpolicy',
    shortNames: ['tpolicy'],
    categories: ['gitops'],
  },
  scope: 'Namespaced',
  description:
    'PromotionPolicy says in which order the environments of Applications get what is new: what enters a stage has passed the one before.',
  columns: [
    {
      name: 'Ready',
      type: 'string',
      description: 'Whether it holds as it is.',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    },
    {
      name: 'Applications',
      type: 'integer',
      description: 'Applications that it is for.',
      jsonPath: '.status.applications',
    },
    AGE,
    MESSAGE,
  ],
};

export const APPROVAL: Resource = {
  schema: approvalSchema,
  names: {
    kind: 'Approval',
    plural: 'approvals',
    singular: 'approval',
    shortNames: ['tappr'],
    categories: ['gitops'],
  },
  scope: 'Namespaced',
  description:
    "Approval is one person's yes or no to exactly these manifests of an Application in one environment. Who makes it cannot be feigned, it cannot change, and it is used by the deployment that enters by it.",
  columns: [
    {
      name: 'Application',
      type: 'string',
      description: 'The Application.',
      jsonPath: '.spec.application',
    },
    {
      name: 'Environment',
      type: 'string',
      description: 'The Environment.',
      jsonPath: '.spec.environment',
    },
    { name: 'Decision', type: 'string', description: 'Approve or Reject.', jsonPath: '.spec.decision' },
    { name: 'By', type: 'string', description: 'Who decided.', jsonPath: '.spec.by' },
    {
      name: 'Entered',
      type: 'date',
      description: 'Since when these manifests are there: it has been used.',
      jsonPath: '.status.enteredAt',
    },
    AGE,
    {
      name: 'Digest',
      type: 'string',
      description: 'Of the manifests.',
      jsonPath: '.spec.digest',
      priority: 1,
    },
  ],
};

export const PROMOTION: Resource = {
  schema: promotionSchema,
  names: {
    kind: 'Promotion',
    plural: 'promotions',
    singular: 'promotion',
    shortNames: ['tpromo'],
    categories: ['gitops'],
  },
  scope: 'Namespaced',
  description:
    'Promotion is one deployment of an Application to one environment. The operator makes one for each, as its record; persons make those by which they ask for something. It cannot change, nobody deletes it, and its status says what became of it.',
  columns: [
    {
      name: 'Application',
      type: 'string',
      description: 'The Application.',
      jsonPath: '.spec.application',
    },
    {
      name: 'Environment',
      type: 'string',
      description: 'The environment.',
      jsonPath: '.spec.environment',
    },
    { name: 'Revision', type: 'string', description: 'The revision.', jsonPath: '.status.summary.revision' },
    { name: 'Phase', type: 'string', description: 'Where it is.', jsonPath: '.status.phase' },
    { name: 'By', type: 'string', description: 'Who, or what, asked for it.', jsonPath: '.spec.requestedBy' },
    {
      name: 'Started',
      type: 'date',
      description: 'How long ago its first write began.',
      jsonPath: '.status.startedAt',
    },
    {
      name: 'Finished',
      type: 'date',
      description: 'How long ago it ended.',
      jsonPath: '.status.finishedAt',
    },
    { name: 'Type', type: 'string', description: 'What is asked for.', jsonPath: '.spec.type', priority: 1 },
    { name: 'Message', type: 'string', description: 'Why.', jsonPath: '.status.message', priority: 1 },
  ],
  selectable: ['.spec.application', '.spec.environment', '.status.phase'],
};

export const RESOURCES: readonly Resource[] = [
  APPLICATION,
  ENVIRONMENT,
  PROMOTION_POLICY,
  APPROVAL,
  PROMOTION,
];
