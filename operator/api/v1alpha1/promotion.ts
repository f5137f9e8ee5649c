import { z } from 'zod';
import {
  blockedBySchema,
  changedFields,
  chartDigest,
  judgedFields,
  STATUS_LIMITS,
} from './application-status.ts';
import { API_VERSION } from './names.ts';
import { metadataSchema } from './resource.ts';
import { REVISION_LIMIT } from './revision.ts';
import { matches, objectName, orderedList, ruled, text } from './schema.ts';

export const PROMOTION_TYPES = ['Promote', 'Rollback', 'Resume', 'Retry', 'Cancel'] as const;

/** Gates that a person may pass by, as spec.skipGates names them. */
export const SKIPPABLE_GATES = ['soak', 'windows', 'approvals', 'checks', 'freeze', 'order'] as const;

/** In which a Promotion is under way; one without a phase was just made, and is as Pending as one that says so. */
export const UNFINISHED_PHASES = ['Pending', 'Gated', 'Deploying', 'Verifying'] as const;
/** In which it ended: its status changes no more. */
export const FINISHED_PHASES = ['Succeeded', 'Failed', 'RolledBack', 'Superseded', 'Cancelled'] as const;
export const PROMOTION_PHASES = [...UNFINISHED_PHASES, ...FINISHED_PHASES] as const;

/** Selects those that are under way, also such as have no status yet: a field that is not there reads as ''. */
export const UNFINISHED_SELECTOR = FINISHED_PHASES.map((phase) => `status.phase!=${phase}`).join(',');

/** What spec.requestedBy of the operator's own begins with: no name of a person does. */
export const REQUESTED_BY_OPERATOR = 'towpath:';

/** Maxima of a Promotion's status. */
export const PROMOTION_LIMITS = {
  approvals: 32,
  changedObjects: STATUS_LIMITS.changedObjects,
  blockedBy: 16,
  reason: 512,
} as const;

const time = (description: string) => z.iso.datetime({ offset: true }).max(35).meta({ description });
const fullDigest = (description: string) =>
  ruled(
    text(71, description),
    matches('^sha256:[0-9a-f]{64}$', 'must be a digest in full: sha256: and 64 hexadecimal digits'),
  );

/** Also `default`, which an Application without environments has. */
const anyEnvironment = ruled(
  text(63, 'Name of the environment; default of an Application that names none.').min(1),
  matches(
    '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    'must be the name of an environment: lower-case letters, digits and "-", beginning and ending with a letter or digit',
  ),
);

const deploymentSchema = z.object({
  applicationUID: text(64, 'Uid of the Application: one that is made anew under its name is another.').min(1),
  id: z.int().min(1).meta({ description: 'Which deployment to this environment, as the history counts.' }),
  startedAt: time('When it began.'),
});

const specSchema = ruled(
  z.object({
    type: z.enum(PROMOTION_TYPES).meta({
      description:
        'Promote: deploy a candidate. Rollback: go back to one, and hold there. Resume: let go of such a hold. Retry: deploy once more what Failed. Cancel: take back what waits or is under way.',
    }),
    application: objectName('Name of the Application, in the same namespace.', 53),
    environment: anyEnvironment,
    candidate: fullDigest(
      'What to deploy: the digest of its manifests there (desiredDigest or digest in status.environments[] of the Application), which means these bytes and no others; or the id of the candidate (status.source.candidate), which means what it came to there last.',
    ).exactOptional(),
    historyID: z
      .int()
      .min(1)
      .meta({
        description:
          'What to deploy: what that deployment deployed, by its id in status.environments[].history.',
      })
      .exactOptional(),
    promotion: objectName('Name of the Promotion that a Resume, Retry or Cancel is about.').exactOptional(),
    skipGates: z
      .array(z.enum(SKIPPABLE_GATES))
      .max(SKIPPABLE_GATES.length)
      .refine((gates) => new Set(gates).size === gates.length, { message: 'every gate may occur once' })
      .meta({
        description: 'Gates that it does not wait for. Needs the verb override.',
        listType: 'set',
      })
      .default([]),
    reason: text(PROMOTION_LIMITS.reason, 'Why, for those who read it later.').exactOptional(),
    requestedBy: text(
      256,
      'Who asks: the name by which the API server knows who makes this. It fills that in where it has mutating policies, and proves it everywhere. Of those that the operator makes: towpath: and what asked for the deployment.',
    ).min(1),
    deployment: deploymentSchema
      .meta({ description: 'Of those that the operator makes, the deployment that they record.' })
      .exactOptional(),
  }),
  {
    rule: 'self == oldSelf',
    message: 'a Promotion cannot change, because it records what was asked for: make another one',
  },
  {
    rule: "(self.type in ['Promote', 'Rollback']) ? (has(self.candidate) != has(self.historyID) && !has(self.promotion)) : (has(self.promotion) && !has(self.candidate) && !has(self.historyID))",
    message:
      'Promote and Rollback need one of candidate and historyID, what to deploy; Resume, Retry and Cancel need promotion, what they are about, and neither of these',
    holds: ({ type, candidate, historyID, promotion }) =>
      type === 'Promote' || type === 'Rollback'
        ? (candidate === undefined) !== (historyID === undefined) && promotion === undefined
        : promotion !== undefined && candidate === undefined && historyID === undefined,
  },
  {
    rule: "self.type == 'Promote' || !has(self.skipGates) || size(self.skipGates) == 0",
    message: 'skipGates is for a Promote: a Rollback waits for none, and the others deploy nothing new',
    fieldPath: '.skipGates',
    holds: ({ type, skipGates }) => type === 'Promote' || skipGates.length === 0,
  },
);

const fromTo = (what: string, max: number) =>
  z
    .object({
      from: text(max, `The ${what} that runs, or ran.`).optional(),
      to: text(max, `The ${what} that comes.`).optional(),
    })
    .meta({ description: `The ${what}, from and to.` });

const changesSchema = z.object({ ...changedFields, revision: fromTo('revision', REVISION_LIMIT).optional() });

const approvalSchema = z.object({
  name: text(253, 'Name of the Approval.').optional(),
  by: text(256, 'Who gave it.'),
  at: time('When.').optional(),
});

const inPlaceOfSchema = z.object({
  promotion: text(253, 'Name of the Promotion that is gone.'),
  uid: text(64, 'Its uid.'),
  requestedBy: text(256, 'Who made it, as the API server proved then.'),
  skipGates: z
    .array(z.enum(SKIPPABLE_GATES))
    .max(SKIPPABLE_GATES.length)
    .meta({ description: 'Gates that it passed by.', listType: 'set' })
    .exactOptional(),
});

export const promotionStatusSchema = z.object({
  ...judgedFields,
  phase: z
    .enum(PROMOTION_PHASES)
    .meta({
      description:
        'Where it is. Under way: Pending, Gated, Deploying, Verifying. Ended: Succeeded, Failed, RolledBack (what came of it failed to verify, and was taken back), Superseded (something newer took its place), Cancelled. Absent: it was just made.',
    })
    .optional(),
  message: text(STATUS_LIMITS.message, 'Why, and the next step.').optional(),
  blockedBy: orderedList(blockedBySchema, PROMOTION_LIMITS.blockedBy, 'What it waits for.').optional(),
  approvals: orderedList(
    approvalSchema,
    PROMOTION_LIMITS.approvals,
    'Approvals that count for it, or by which it entered.',
  ).optional(),
  changes: changesSchema.meta({ description: 'What it changes there.' }).optional(),
  requestedAt: time('When it was asked for.').optional(),
  startedAt: time('When its first write began.').optional(),
  deployedAt: time('When all of it was applied and healthy.').optional(),
  finishedAt: time('When it ended.').optional(),
  deployment: z
    .int()
    .min(1)
    .meta({ description: 'Which deployment to this environment it is, as the history counts.' })
    .optional(),
  digest: text(71, 'SHA-256 of the manifests there: sha256: and 64 hexadecimal digits.').optional(),
  chart: text(96, 'Name and version of the chart.').optional(),
  appVersion: text(48, 'The version of the application that the chart names.').optional(),
  chartDigest: chartDigest.optional(),
  revision: text(
    REVISION_LIMIT,
    'The commit; of spec.helm.chart its version, with values files from Git both: 6.7.0@ and the commit.',
  ).optional(),
  summary: z
    .object({
      revision: text(
        STATUS_LIMITS.summary,
        "branch@7 digits, tag, or 7 digits; the chart's version where spec.helm.chart names one.",
      ).optional(),
    })
    .meta({ description: 'For people.' })
    .optional(),
  previous: z
    .object({
      revision: text(REVISION_LIMIT, 'The commit, or version of the chart.').optional(),
      digest: text(71, 'SHA-256 of the manifests.').optional(),
    })
    .meta({ description: 'What ran before.' })
    .optional(),
  inPlaceOf: inPlaceOfSchema
    .meta({
      description:
        'The Promotion of a person that had this deployment, and is gone: the operator made this one in place of it, by its own record.',
    })
    .optional(),
});

/** One deployment to one environment, as the operator records it, or as a person asks for it. */
export const promotionSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Promotion'),
  metadata: metadataSchema.extend({ namespace: z.string() }),
  spec: specSchema.meta({ description: 'What is asked for, and by whom.' }),
  status: promotionStatusSchema.meta({ description: 'What became of it.' }).exactOptional(),
});

export type Promotion = z.output<typeof promotionSchema>;
export type PromotionStatus = z.output<typeof promotionStatusSchema>;
export type PromotionPhase = (typeof PROMOTION_PHASES)[number];
export type FinishedPhase = (typeof FINISHED_PHASES)[number];
export type SkippableGate = (typeof SKIPPABLE_GATES)[number];

/** Reads an object as a Promotion; undefined where it is none. A status that cannot be read is left out. */
export function parsePromotion(object: unknown): Promotion | undefined {
  const parsed = promotionSchema.safeParse(object);
  if (parsed.success) return parsed.data;
  const isStatus = parsed.error.issues.every(({ path }) => path[0] === 'status');
  if (!isStatus || typeof object !== 'object' || object === null) return undefined;
  const { status: _, ...rest } = { status: undefined, ...object };
  return promotionSchema.safeParse(rest).data;
}

/** Whether it has come to its end. */
export function isFinished(phase: PromotionPhase | undefined): phase is FinishedPhase {
  return FINISHED_PHASES.some((one) => one === phase);
}
