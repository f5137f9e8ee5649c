import { z } from 'zod';
import { judgedFields } from './application-status.ts';
import { gatesSchema } from './gates.ts';
import { API_VERSION } from './names.ts';
import { describeIssue, metadataSchema } from './resource.ts';
import {
  avoids,
  environmentName,
  matches,
  objectName,
  orderedList,
  ruled,
  text,
  valuesField,
} from './schema.ts';

/** Where an Application lands that its Environment says nothing else of. */
export const DEFAULT_NAMESPACE = '{namespace}-{environment}';
/** The ClusterRole that managed access is bound to where an Environment names none. */
export const DEFAULT_CLUSTER_ROLE = 'edit';

const clusterSchema = z.object({
  kubeConfig: z
    .object({
      secretRef: z
        .object({
          name: objectName('Name of the Secret.'),
          key: ruled(
            text(253, 'The key whose text is the kubeconfig.').min(1),
            matches('^[-._a-zA-Z0-9]+$', 'must be a key of a Secret: letters, digits, "-", "_" and "."'),
          ).default('kubeconfig'),
        })
        .meta({ description: 'Secret in the namespace of the operator.' }),
    })
    .meta({
      description: 'How the cluster is reached: by a kubeconfig with a token or a client certificate in it.',
    }),
});

const accessSchema = ruled(
  z.object({
    serviceAccountName: objectName(
      'ServiceAccount in the target namespace of the target cluster, made by the platform, whose rights every write has.',
    ).exactOptional(),
    clusterRole: objectName(
      'Access that Towpath manages: the namespace, the ServiceAccount towpath in it, and a RoleBinding to this ClusterRole.',
    ).exactOptional(),
    clusterScoped: orderedList(
      z.object({
        group: text(253, 'API group; "" for the core group.').default(''),
        kind: text(63, 'Kind.').min(1),
      }),
      64,
      'Kinds outside namespaces that Applications may have objects of here. It needs serviceAccountName, whose rights decide.',
    ).exactOptional(),
  }),
  {
    rule: 'has(self.serviceAccountName) != has(self.clusterRole)',
    message:
      'must name exactly one of serviceAccountName and clusterRole; leave access out for clusterRole: edit',
    holds: ({ serviceAccountName, clusterRole }) =>
      (serviceAccountName === undefined) !== (clusterRole === undefined),
  },
  {
    rule: '!has(self.clusterScoped) || has(self.serviceAccountName)',
    message: 'clusterScoped needs serviceAccountName: managed access has rights in its namespace only',
    fieldPath: '.clusterScoped',
    holds: ({ clusterScoped, serviceAccountName }) =>
      clusterScoped === undefined || serviceAccountName !== undefined,
  },
);

const NAMESPACE_PATTERN = '^[-*a-z0-9]+$';

const namespacesSchema = {
  allowedNamespaces: orderedList(
    ruled(
      text(63, 'Name of a namespace; "*" in it stands for anything.').min(1),
      matches(
        NAMESPACE_PATTERN,
        'must be the name of a namespace, in which "*" stands for anything: shop, team-* or *',
      ),
    ),
    256,
    'The namespaces whose Applications may deploy here. None: nobody.',
  ).exactOptional(),
  namespaceSelector: z
    .object({
      matchLabels: z
        .record(z.string(), z.string())
        .meta({
          description: 'Labels that the namespace has, all of them.',
          textMap: { maxLength: 63 },
          maxProperties: 32,
        })
        .exactOptional(),
    })
    .meta({ description: 'In place of allowedNamespaces: by the labels of the namespace.' })
    .exactOptional(),
};

const YEAR = '[12][0-9]{3}';
const LEAP_YEAR = '([12][0-9](0[48]|[2468][048]|[13579][26])|(1[26]|2[048])00)';
const DATE = `(${YEAR}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|${LEAP_YEAR}-02-29)`;
const MINUTES = '([01][0-9]|2[0-3]):[0-5][0-9]';

/** A time of RFC 3339. The format date-time of the API server takes others, too, which nobody can compare. */
const time = (description: string) =>
  ruled(
    text(35, description),
    matches(
      `^${DATE}T${MINUTES}:[0-5][0-9]([.][0-9]{1,9})?(Z|[-+]${MINUTES})$`,
      'must be a time with its zone: 2026-12-20T00:00:00Z or 2026-12-20T01:00:00+01:00',
    ),
  );

export const freezeSchema = ruled(
  z.object({
    from: time('When it begins.'),
    until: time('When it ends. Without it: until it is taken out.').exactOptional(),
    reason: text(128, 'Why; told with everything that waits for it.').exactOptional(),
  }),
  {
    rule: '!has(self.until) || timestamp(self.from) < timestamp(self.until)',
    message: 'until must be after from',
    fieldPath: '.until',
    holds: ({ from, until }) => until === undefined || Date.parse(from) < Date.parse(until),
  },
);

const specSchema = ruled(
  z.object({
    cluster: clusterSchema
      .meta({ description: 'The cluster. Without it: the one that the operator runs in. It cannot change.' })
      .exactOptional(),
    namespace: ruled(
      text(
        63,
        'Where an Application lands: {namespace} and {name} stand for its own, {environment} for the name of this Environment. It cannot change.',
      ).min(1),
      matches(
        '^([a-z0-9]|\\{(namespace|name|environment)\\})(([-a-z0-9]|\\{(namespace|name|environment)\\})*([a-z0-9]|\\{(namespace|name|environment)\\}))?$',
        'must be the name of a namespace, in which {namespace}, {name} and {environment} may stand',
      ),
      {
        rule: 'self == oldSelf',
        message:
          'cannot change, because objects would be left behind there: make another Environment and have Applications name that',
      },
    ).default(DEFAULT_NAMESPACE),
    access: accessSchema
      .meta({
        description:
          "Whose rights a write has: never the operator's own. Without it: access that Towpath manages, with the ClusterRole edit.",
      })
      .exactOptional(),
    ...namespacesSchema,
    allowedRepositories: orderedList(
      ruled(
        text(1024, 'Address of repositories; "*" stands for anything but "/", "**" for anything.').min(1),
        avoids('[ ?#\\x00-\\x1f\\x7f]', 'must have no query, fragment, spaces or control characters'),
      ),
      256,
      'The repositories that may be deployed from here. Left out: any. None: no repository.',
    ).exactOptional(),
    requirePolicy: z
      .boolean()
      .meta({
        description:
          'Whether an Application must be in a stage of exactly one PromotionPolicy to be deployed here.',
      })
      .default(false),
    values: valuesField(
      'Values for every chart here; those of Applications win over them. At most 256 KiB as JSON.',
    ).exactOptional(),
    freezes: orderedList(
      freezeSchema,
      64,
      'Times in which nothing new is deployed here. What has its first write goes on, and so do repairs and deletions.',
    ).exactOptional(),
    gates: gatesSchema
      .meta({
        description:
          'What has to be the case before anything new is deployed here, whatever Applications and policies say.',
      })
      .exactOptional(),
    suspend: z
      .boolean()
      .meta({
        description: 'Whether all writes here are suspended. Deleting an Application still works.',
      })
      .default(false),
  }),
  {
    rule: 'has(self.allowedNamespaces) != has(self.namespaceSelector)',
    message:
      'must name exactly one of allowedNamespaces and namespaceSelector: allowedNamespaces: ["*"] allows all',
    holds: ({ allowedNamespaces, namespaceSelector }) =>
      (allowedNamespaces === undefined) !== (namespaceSelector === undefined),
  },
  {
    rule: 'has(self.cluster) == has(oldSelf.cluster) && (!has(self.cluster) || self.cluster == oldSelf.cluster)',
    message:
      'cluster cannot change, because objects would be left behind there: make another Environment and have Applications name that',
  },
);

const foundTime = (description: string) => z.iso.datetime({ offset: true }).max(35).meta({ description });
const count = (description: string) => z.int().min(0).max(1_000_000_000).meta({ description });

export const environmentResourceStatusSchema = z.object({
  ...judgedFields,
  cluster: z
    .object({
      version: text(64, 'Version of Kubernetes that it told last.').optional(),
      uid: text(64, 'By which it is known: the uid of its namespace kube-system.').optional(),
      reachable: z.boolean().meta({ description: 'Whether its API server answers.' }).optional(),
      context: text(253, 'The context of the kubeconfig that is used.').optional(),
      credentialExpiresAt: foundTime('When the certificate or token of the kubeconfig expires.').optional(),
    })
    .meta({ description: 'The cluster, as it was found.' })
    .optional(),
  frozenUntil: text(
    35,
    'Present while a freeze holds: when it ends (RFC 3339), or "lifted" for one without an end.',
  ).optional(),
  applications: count(
    'Applications that are deployed there, or may be: those that it refuses do not count.',
  ).optional(),
  objects: count('Objects that they have here.').optional(),
});

/** The Environment as the API server has it. */
export const environmentSchema = ruled(
  z.object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal('Environment'),
    metadata: metadataSchema,
    spec: specSchema.meta({ description: 'What the platform offers, and to whom.' }),
    status: environmentResourceStatusSchema.meta({ description: 'What is the case.' }).exactOptional(),
  }),
  {
    rule: `self.metadata.name.size() <= 63 && !self.metadata.name.contains('.') && self.metadata.name != 'default'`,
    message:
      'metadata.name must have at most 63 characters, no ".", and not be default, which is what an Application without environments has',
    holds: ({ metadata }) => environmentName('').safeParse(metadata.name).success,
  },
);

export type Environment = z.output<typeof environmentSchema>;
export type EnvironmentSpec = z.output<typeof specSchema>;
export type EnvironmentResourceStatus = z.output<typeof environmentResourceStatusSchema>;
export type Freeze = z.output<typeof freezeSchema>;

/** What an Environment's spec.namespace makes of the names of an Application; a namespace can be called so or not. */
export function namespaceBy(
  pattern: string,
  names: { readonly namespace: string; readonly name: string; readonly environment: string },
): string {
  return pattern
    .replaceAll('{namespace}', names.namespace)
    .replaceAll('{name}', names.name)
    .replaceAll('{environment}', names.environment);
}

export type ParsedEnvironment = { ok: true; environment: Environment } | { ok: false; errors: string[] };

/** Reads an object as an Environment; a status that cannot be read is left out. Each error begins with the field. */
export function parseEnvironment(object: unknown): ParsedEnvironment {
  const parsed = environmentSchema.safeParse(object);
  if (parsed.success) return { ok: true, environment: parsed.data };
  const { issues } = parsed.error;
  if (issues.every(({ path }) => path[0] === 'status') && typeof object === 'object' && object !== null) {
    const { status: _, ...rest } = { status: undefined, ...object };
    return parseEnvironment(rest);
  }
  return { ok: false, errors: issues.map(describeIssue) };
}
