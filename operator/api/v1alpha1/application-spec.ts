import { z } from 'zod';
import { durationField, parseDuration } from './duration.ts';
import { helmSchema, valuesSource } from './helm-spec.ts';
import {
  avoids,
  environmentName,
  intOrString,
  matches,
  namedList,
  objectName,
  orderedList,
  repositoryPath,
  ruled,
  text,
  valuesField,
  withoutEcho,
} from './schema.ts';
import { VERSION_RANGE } from './version-range.ts';

const VERSION_RANGE_EXPECTED = 'must be a range of semantic versions, like 1.x, ^1.2 or ">=1.2 <2"';

const REF_FIELDS = ['branch', 'tag', 'semver', 'commit'] as const;

// The rules of git check-ref-format that a mistyped name breaks; Git itself has the last word.
const REF_NAME_REFUSED = '^[-/.]|^refs/|\\.\\.|//|@\\{|[ ~^:?*\\[\\\\\\x00-\\x1f\\x7f]|/$|\\.$|\\.lock$';
const refName = (kind: string, prefix: string) =>
  ruled(
    text(250, `The ${kind} to follow, without ${prefix} before it.`).min(1),
    avoids(REF_NAME_REFUSED, `must be the name of a ${kind} as Git allows it, without ${prefix} before it`),
  );

const ref = ruled(
  z.object({
    branch: refName('branch', 'refs/heads/').exactOptional(),
    tag: refName('tag', 'refs/tags/').exactOptional(),
    semver: ruled(
      text(
        128,
        'A range of semantic versions, as Helm has them; the highest tag inside it is followed. Pre-releases only where the range names one: ">=1.0.0-0 <2" includes 2.0.0-rc.1, ">=1.0.0-0 <2.0.0-0" does not.',
      ).min(1),
      matches(VERSION_RANGE, VERSION_RANGE_EXPECTED),
    ).exactOptional(),
    commit: ruled(
      text(40, 'The full id of one commit, which is then never left.'),
      matches('^[0-9a-f]{40}$', 'must be the full id of a commit: 40 lower-case hexadecimal digits'),
    ).exactOptional(),
  }),
  {
    rule: `[${REF_FIELDS.map((field) => `has(self.${field})`).join(', ')}].filter(named, named).size() == 1`,
    message:
      'must name exactly one of branch, tag, semver and commit; leave ref out to follow the default branch of the remote',
    holds: (value) => REF_FIELDS.filter((field) => value[field] !== undefined).length === 1,
  },
).meta({
  description:
    'What to follow: exactly one of branch, tag, semver and commit. Without it: the HEAD of the remote.',
});

const REPO_URL_RULES = [
  matches(
    '^((https?|ssh)://[^-/][^/]*/.|[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9._-]*:.)',
    'must be the address of a Git repository: https://host/path, http://host/path, ssh://user@host/path or user@host:path',
  ),
  avoids(
    '[ ?#\\x00-\\x1f\\x7f]',
    'must not have a query, a fragment, spaces or control characters: remove what begins with "?" or "#"',
  ),
  avoids(
    '^(https?://[^/]*@|ssh://[^/@]*:[^/]*@)',
    'must not carry credentials: put username and password into a Secret of this namespace and name it in spec.source.secretRef',
  ),
];

const sourceSchema = ruled(
  z.object({
    repoURL: text(
      1024,
      'Address of the Git repository: https://, http://, ssh:// or user@host:path. It carries no credentials.',
    ).min(1),
    ref: ref.exactOptional(),
    path: repositoryPath(
      'Folder of the chart, kustomization or manifests, relative to the root of the repository; never left, also not by a symlink.',
      'relative',
    ).default('.'),
    secretRef: z
      .object({ name: objectName('Name of the Secret.') })
      .meta({
        description:
          'Secret of the same namespace with the credentials. Keys: username and password; bearerToken; identity, known_hosts and, for an encrypted key, password; ca.crt; tls.crt and tls.key.',
      })
      .exactOptional(),
    interval: durationField(
      'How often the remote is asked for new commits. Applications that share a repository share the shortest interval.',
      '1s',
      '24h',
    ).default('1m'),
  }),
  ...withoutEcho('repoURL', ...REPO_URL_RULES),
);

const environmentSchema = z.object({
  name: environmentName('Name of the Environment.'),
  path: repositoryPath('In place of spec.source.path: a Kustomize overlay, say.', 'relative').exactOptional(),
  ref: ref
    .meta({ description: 'In place of spec.source.ref: exactly one of branch, tag, semver and commit.' })
    .exactOptional(),
  valuesFiles: orderedList(
    repositoryPath('Path of a values file.', 'rooted'),
    64,
    'Values files, the later wins; they win over all of spec.helm. Relative to the path of this environment; with a "/" before it, relative to the root of the repository.',
  ).exactOptional(),
  valuesFrom: orderedList(
    valuesSource,
    32,
    'Values from ConfigMaps and Secrets of the namespace of the Application, the later wins; they win over valuesFiles.',
  ).exactOptional(),
  values: valuesField('Values, which win over all others. At most 256 KiB as JSON.').exactOptional(),
});

const retriesSchema = ruled(
  z.object({
    limit: z
      .int()
      .min(0)
      .max(100)
      .meta({ description: 'How often a failed sync of a candidate is tried again.' })
      .default(5),
    backoff: durationField(
      'Wait before the first retry; each further wait is twice as long.',
      '100ms',
      '1h',
    ).default('5s'),
    maxBackoff: durationField('The longest wait between two retries.', '100ms', '24h').default('3m'),
  }),
  {
    rule: 'duration(self.backoff) <= duration(self.maxBackoff)',
    message: 'backoff must not be longer than maxBackoff',
    fieldPath: '.backoff',
    holds: ({ backoff, maxBackoff }) => {
      // A duration that does not parse was reported at its own field.
      try {
        return parseDuration(backoff) <= parseDuration(maxBackoff);
      } catch {
        return true;
      }
    },
  },
);

const ignoreSchema = z.object({
  group: text(253, 'API group of the object; "" for the core group.').default(''),
  kind: text(63, 'Kind of the object.').min(1),
  name: text(253, 'Name of the object.').min(1),
  namespace: text(63, 'Namespace of the object. Default: the one the Application deploys to.')
    .min(1)
    .exactOptional(),
  paths: orderedList(
    ruled(
      text(256, 'JSON pointer (RFC 6901) to a field.'),
      matches('^(/([^~/]|~0|~1)+)+$', 'must be a JSON pointer to a field, like /spec/replicas'),
      avoids(
        '^/(apiVersion|kind|status)(/|$)|^/metadata(/name|/namespace|/labels|/annotations)?$|^/metadata/(labels|annotations)/towpath[.]dev~1',
        'must not name the identity or the status of the object, nor all its labels or annotations, nor those of towpath.dev; name a field of its spec or data, or one label or annotation',
      ),
    ),
    32,
    'The fields that others decide.',
  ).min(1),
});

const PERCENTAGE = '^([1-9]|[1-9][0-9]|100)%$';

const pruneBudget = ruled(
  intOrString(
    'How many objects may be lost at once: a number, or a percentage of those that there are, rounded up. Lost is what is deleted without anything new of its kind in its place. Above it, and where a candidate renders nothing, consent is asked for (annotation towpath.dev/prune-consent).',
  ),
  {
    rule: `type(self) == int ? self >= 1 && self <= 1000000 : self.matches(r'${PERCENTAGE}')`,
    message:
      'must be a number of objects from 1 on, without quotes, or a percentage from 1% to 100%; to have nothing deleted at all, set prune to false',
    // Linear: an expression of ours, which looks at five characters.
    holds: (value) =>
      typeof value === 'number' ? value >= 1 && value <= 1_000_000 : new RegExp(PERCENTAGE).test(value),
  },
).default('50%');

const syncSchema = z.object({
  mode: z
    .enum(['Automatic', 'Manual'])
    .meta({
      description:
        'Manual: differences are reported, and applied on request only (annotation towpath.dev/sync-requested).',
    })
    .default('Automatic'),
  prune: z
    .boolean()
    .meta({ description: 'Whether objects that are no longer in Git are deleted.' })
    .default(true),
  pruneBudget,
  drift: z
    .enum(['Repair', 'Report'])
    .meta({ description: 'What becomes of changes that others make to fields that Git decides.' })
    .default('Repair'),
  timeout: durationField(
    'From the first write to Healthy; past it the deployment has failed.',
    '1s',
    '24h',
  ).default('5m'),
  retries: retriesSchema
    .meta({
      description:
        'Retries of failures of the candidate itself. A cluster or Git server out of reach is tried for ever.',
    })
    .prefault({}),
  ignore: orderedList(
    ignoreSchema,
    64,
    'Fields that others decide once the object exists. Leaving a field out of Git never resets it.',
  ).exactOptional(),
});

const CHART = 'has(self.helm) && has(self.helm.chart)';
const NO_VALUES_FILES =
  '(!has(self.helm) || !has(self.helm.valuesFiles) || size(self.helm.valuesFiles) == 0) && (!has(self.environments) || self.environments.all(one, !has(one.valuesFiles) || size(one.valuesFiles) == 0))';

const specSchema = z.object({
  source: sourceSchema
    .meta({
      description:
        'Where the manifests come from. Beside spec.helm.chart: where values files come from; without any it may be left out.',
    })
    .exactOptional(),
  helm: helmSchema
    .meta({
      description:
        'How a Helm chart is rendered. What renders is detected: Chart.yaml, kustomization.yaml, else plain manifests.',
    })
    .exactOptional(),
  serviceAccountName: objectName(
    'ServiceAccount of this namespace whose rights every write has. Where none is named: towpath.',
  ).exactOptional(),
  environments: namedList(
    environmentSchema,
    64,
    'The Environments to deploy to, each with what is different there. Left out: one environment, default: this cluster, this namespace, with the rights of serviceAccountName.',
  )
    .min(1)
    .exactOptional(),
  sync: syncSchema
    .meta({ description: 'How the cluster is brought to what Git says, and kept there.' })
    .prefault({}),
  dependsOn: namedList(
    z.object({
      name: objectName('Name of an Application in the same namespace.', 53),
      version: ruled(
        text(
          128,
          'A range of semantic versions, as Helm has them, in which the version of the chart is to be that it runs there. Without it any will do.',
        ).min(1),
        matches(VERSION_RANGE, VERSION_RANGE_EXPECTED),
      ).exactOptional(),
    }),
    32,
    'Applications that must be Ready in the same environment before anything new of this one enters it.',
  ).exactOptional(),
  deletionPolicy: z
    .enum(['Prune', 'Orphan'])
    .meta({
      description:
        'What becomes of the objects when the Application is deleted: Prune deletes them, Orphan leaves them.',
    })
    .default('Prune'),
  revisionHistoryLimit: z
    .int()
    .min(1)
    .max(200)
    .meta({ description: 'How many deployments the status lists.' })
    .default(10),
  suspend: z
    .boolean()
    .meta({ description: 'Whether all writes are suspended. Deleting the Application still works.' })
    .default(false),
});

export const applicationSpecSchema = ruled(
  specSchema,
  {
    rule: `has(self.source) || (${CHART})`,
    message: 'must have a source, which names a Git repository, or helm.chart, which names a published chart',
    holds: ({ source, helm }) => source !== undefined || helm?.chart !== undefined,
  },
  {
    rule: `has(self.source) || (${NO_VALUES_FILES})`,
    message:
      'valuesFiles are read from the Git repository in source: name it, or write values or valuesFrom in their place',
    fieldPath: '.helm',
    holds: ({ source, helm, environments = [] }) =>
      source !== undefined || [helm, ...environments].every((one) => (one?.valuesFiles ?? []).length === 0),
  },
  {
    rule: 'has(self.source) || !has(self.environments) || self.environments.all(one, !has(one.ref))',
    message: 'a ref of an environment is one of the Git repository in source: name that, or leave ref out',
    fieldPath: '.environments',
    holds: ({ source, environments = [] }) =>
      source !== undefined || environments.every(({ ref }) => ref === undefined),
  },
  {
    rule: `!(${CHART}) || ((!has(self.source) || self.source.path == '.' || self.source.path == '') && (!has(self.environments) || self.environments.all(one, !has(one.path))))`,
    message:
      'path is where a chart, kustomization or manifests are in the Git repository, and helm.chart names a published chart in place of them: leave path out, in environments too; values files are named from the root of the repository',
    fieldPath: '.source',
    holds: ({ source, helm, environments = [] }) =>
      helm?.chart === undefined ||
      (['.', '', undefined].includes(source?.path) && environments.every(({ path }) => path === undefined)),
  },
);
