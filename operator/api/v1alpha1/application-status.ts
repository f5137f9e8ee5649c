import { z } from 'zod';
import { CHART_VERSION_LIMIT, REVISION_LIMIT } from './revision.ts';
import { namedList, orderedList, text } from './schema.ts';

/**
 * Maxima of what a status lists, over the whole Application; boundStatus cuts to them. With the maxima of
 * the fields they keep every status below 256 KiB.
 */
export const STATUS_LIMITS = {
  bytes: 256 * 1024,
  message: 256,
  /** Of summary.revision. */
  summary: 80,
  handledSyncRequest: 256,
  environments: 64,
  history: 200,
  historyMessage: 128,
  /** Each environment is named. */
  quarantineErrors: 64,
  quarantineErrorsOfOne: 20,
  kept: 15,
  pendingPruneObjects: 20,
  changedObjects: 20,
  changedChart: 64,
  blockedBy: 64,
  blockedByOfOne: 8,
  waiting: 16,
  waitingOfOne: 4,
  waitingObjects: 16,
  waitingObjectsOfOne: 4,
} as const;

/** From worst to best: the sync of an Application is the worst of its environments'. */
export const SYNC_STATES = [
  'Failed',
  'Quarantined',
  'OutOfSync',
  'Blocked',
  'Syncing',
  'Held',
  'Waiting',
  'Suspended',
  'Synced',
] as const;
export const OUTCOMES = ['Succeeded', 'Failed', 'Superseded', 'RolledBack', 'Cancelled'] as const;
export const TRIGGERS = ['Commit', 'Spec', 'Manual', 'Rollback', 'Promotion'] as const;
/** From worst to best: the health of an Application is the worst of its environments'. */
export const HEALTH_STATES = [
  'Degraded',
  'Missing',
  'Unknown',
  'Progressing',
  'Suspended',
  'Healthy',
] as const;

const time = (description: string) => z.iso.datetime({ offset: true }).max(35).meta({ description });
const message = (description: string) => text(STATUS_LIMITS.message, description);
/** As `revisionOf` makes it. */
const revision = (description: string) => text(REVISION_LIMIT, description);
const candidate = text(
  71,
  'Digest of everything that goes into the manifests: sha256: and 64 hexadecimal digits.',
);
const chart = text(96, 'Name and version of the chart.');
export const chartDigest = text(
  71,
  'Of a chart that spec.helm.chart names, SHA-256 of its archive: sha256: and 64 hexadecimal digits.',
);
const appVersion = text(48, 'The version of the application that the chart names.');
const digest = text(71, 'SHA-256 of the manifests that were applied: sha256: and 64 hexadecimal digits.');
const ref = text(96, 'The ref it came from, in full: refs/heads/main. A longer name is cut.');
const environmentName = text(63, 'Name of the environment.').min(1);
const count = (description: string) => z.int().min(0).max(1_000_000_000).meta({ description });
const syncState = z.enum(SYNC_STATES);
const healthState = z.enum(HEALTH_STATES);

export const objectReference = z
  .object({
    group: text(253, 'API group; "" for the core group.'),
    kind: text(63, 'Kind.'),
    namespace: text(63, 'Namespace; "" outside namespaces.'),
    name: text(253, 'Name.'),
  })
  .meta({ description: 'The object.' });

export const changedObjectSchema = z.object({
  change: z.enum(['Added', 'Changed', 'Pruned']).meta({ description: 'What becomes of it.' }),
  ...objectReference.shape,
});

/** What a candidate changes there, but for the commits. */
export const changedFields = {
  added: count('Objects that come.').optional(),
  changed: count('Objects whose manifest is another one.').optional(),
  pruned: count('Objects that go.').optional(),
  objects: orderedList(changedObjectSchema, STATUS_LIMITS.changedObjects, 'The first of them.').optional(),
  chart: z
    .object({
      from: text(96, 'The chart that runs, or ran.').optional(),
      to: text(96, 'The chart that comes.').optional(),
    })
    .meta({ description: 'The chart, from and to.' })
    .optional(),
};

export const conditionSchema = z.object({
  type: text(63, 'Ready, Reconciling or Stalled; of an Application also Promoted.').min(1),
  status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether it holds.' }),
  observedGeneration: z
    .int()
    .min(0)
    .meta({ description: 'The generation of the spec that it was judged for.' })
    .optional(),
  lastTransitionTime: time('Since when it has this status.'),
  reason: text(63, 'Why, in one CamelCase word; the reference lists them.').min(1),
  message: message('Why, in a sentence that names the next step.'),
});

/** What the status of each kind of ours begins with. */
export const judgedFields = {
  observedGeneration: z
    .int()
    .min(0)
    .meta({ description: 'The generation of the spec that this status is about.' })
    .optional(),
  conditions: namedList(
    conditionSchema,
    8,
    'Ready; and, only while true, Reconciling and Stalled. Of an Application also Promoted: every environment has the newest candidate that was accepted.',
    'type',
  ).optional(),
};

export const historyEntrySchema = z.object({
  id: z.int().min(1).meta({ description: 'Counts the deployments to this environment.' }),
  revision: revision(
    'The commit; of spec.helm.chart its version, with values files from Git both: 6.7.0@ and the commit.',
  ),
  candidate: candidate.optional(),
  ref: ref.optional(),
  chart: chart.optional(),
  chartDigest: chartDigest.optional(),
  appVersion: appVersion.optional(),
  digest: digest.optional(),
  outcome: z.enum(OUTCOMES).meta({ description: 'How it ended; absent while it runs.' }).optional(),
  trigger: z.enum(TRIGGERS).meta({ description: 'What asked for it.' }),
  startedAt: time('When its first write began.'),
  finishedAt: time('When its outcome was decided.').optional(),
  message: text(STATUS_LIMITS.historyMessage, 'Why it ended so.').optional(),
});

export const blockedBySchema = z.object({
  reason: text(63, 'What it waits for, in one CamelCase word.').min(1),
  message: message('What it waits for, and what clears it.'),
  since: time('Since when it waits for that.').optional(),
  clearsAt: time(
    'When that may clear by itself at the earliest, where time helps: it is tried again then.',
  ).optional(),
});

const waitingSchema = z.object({
  revision: revision('The commit.'),
  digest: text(71, 'SHA-256 of its manifests there, which an Approval or a Promotion names.').min(1),
  changes: z
    .object({
      ...changedFields,
      objects: orderedList(
        changedObjectSchema,
        STATUS_LIMITS.waitingObjectsOfOne,
        'The first of them.',
      ).optional(),
    })
    .meta({ description: 'What they would change there, as changes of the entry says it of the newest.' })
    .optional(),
});

export const environmentStatusSchema = z.object({
  name: environmentName,
  sync: syncState.meta({ description: 'Whether the environment has what Git says.' }).optional(),
  health: healthState.meta({ description: 'Health of what runs, the worst of its objects.' }).optional(),
  message: message('What is going on, and the next step.').optional(),
  revision: revision('The commit, or version of the chart, that runs.').optional(),
  desiredRevision: revision('The commit, or version of the chart, that should run.').optional(),
  chart: chart.optional(),
  appVersion: appVersion.optional(),
  digest: digest.optional(),
  desiredDigest: text(
    71,
    'While something newer waits: SHA-256 of the manifests that wait, which is what an Approval is about.',
  ).optional(),
  changes: z
    .object(changedFields)
    .meta({
      description:
        'While something newer waits at a gate: what its manifests, those of desiredDigest, would change there.',
    })
    .optional(),
  waiting: orderedList(
    waitingSchema,
    STATUS_LIMITS.waitingOfOne,
    'What else waits to be promoted there, and may be approved as well: first what runs in another environment, and the newest first.',
  ).optional(),
  objects: count('How many objects the environment has of this Application.').optional(),
  drift: z
    .object({
      count: count('How many objects differ from Git now because others changed them.'),
      lastAt: time('When the last such change was made.').optional(),
      lastBy: text(64, 'The field manager that made it, where Kubernetes knows it.').optional(),
      lastObject: text(128, 'The object it was made to: kind and namespace/name.').optional(),
    })
    .meta({ description: 'Changes by others to fields that Git decides.' })
    .optional(),
  pendingPrune: z
    .object({
      digest: text(
        71,
        'Digest of the plan; the annotation towpath.dev/prune-consent names it, in full, to consent.',
      ),
      count: count('How many objects the plan deletes.'),
      objects: orderedList(
        objectReference,
        STATUS_LIMITS.pendingPruneObjects,
        'The first of them.',
      ).optional(),
    })
    .meta({ description: 'A deletion that waits for consent.' })
    .optional(),
  lastSyncedAt: time('When the environment last became Synced.').optional(),
  blockedBy: orderedList(blockedBySchema, STATUS_LIMITS.blockedByOfOne, 'What it waits for.').optional(),
  history: orderedList(
    historyEntrySchema,
    STATUS_LIMITS.history,
    'Deployments to this environment, newest first.',
  ).optional(),
});

const quarantineErrorSchema = z.object({
  environment: environmentName.optional(),
  alone: z
    .boolean()
    .meta({ description: 'Whether it says nothing of the other environments, which go on.' })
    .optional(),
  object: objectReference.optional(),
  file: text(256, 'Path within the repository, where known.').optional(),
  line: z.int().min(0).meta({ description: 'Line in the file, from 1, where known.' }).optional(),
  message: message('What is wrong.'),
});

export const applicationStatusSchema = z.object({
  ...judgedFields,
  sync: syncState.meta({ description: 'The worst sync of all environments.' }).optional(),
  health: healthState.meta({ description: 'The worst health of all environments.' }).optional(),
  summary: z
    .object({
      revision: text(
        STATUS_LIMITS.summary,
        "The desired revision: branch@7 digits, tag, or 7 digits; the chart's version where spec.helm.chart names one, before them where there are values files. A longer name is cut.",
      ).optional(),
      environments: text(16, 'Environments that are Ready at it / all.').optional(),
    })
    .meta({ description: 'For people.' })
    .optional(),
  source: z
    .object({
      revision: revision(
        'The commit, in full; of spec.helm.chart its version, with values files from Git both: 6.7.0@ and the commit.',
      ).optional(),
      chart: z
        .object({
          repoURL: text(256, 'Address of the repository. A longer one is cut.'),
          name: text(96, 'Name of the chart.'),
          version: text(CHART_VERSION_LIMIT, 'Its version.'),
          digest: chartDigest,
        })
        .meta({ description: 'The chart that spec.helm.chart names, as it was fetched.' })
        .optional(),
      candidate: candidate.optional(),
      ref: ref.optional(),
      message: message('First line of the commit message.').optional(),
      author: text(128, 'Author of the commit.').optional(),
      committedAt: time('When it was committed.').optional(),
    })
    .meta({ description: 'The newest revision that the source has.' })
    .optional(),
  handledSyncRequest: text(
    STATUS_LIMITS.handledSyncRequest,
    'The last value of the annotation towpath.dev/sync-requested that was acted on. Of a longer one, its beginning and a digest.',
  ).optional(),
  retry: z
    .object({
      attempts: count('How many tries have failed.'),
      nextAt: time('When the next try begins.').optional(),
      environment: environmentName.optional(),
    })
    .meta({ description: 'Present while something is tried again.' })
    .optional(),
  quarantine: z
    .object({
      revision: revision('The commit.'),
      candidate: candidate.optional(),
      errors: orderedList(
        quarantineErrorSchema,
        STATUS_LIMITS.quarantineErrors,
        'The first errors.',
      ).optional(),
      total: count('How many errors there are.'),
    })
    .meta({ description: 'A candidate that was refused, with its errors.' })
    .optional(),
  kept: orderedList(
    z.object({
      environment: environmentName.optional(),
      object: objectReference,
      reason: message('Why it was kept.'),
    }),
    STATUS_LIMITS.kept,
    'Objects that left Git and were not pruned: the first of them.',
  ).optional(),
  keptTotal: count('How many objects were kept.').optional(),
  environments: namedList(
    environmentStatusSchema,
    STATUS_LIMITS.environments,
    'The Application in each of its environments.',
  ).optional(),
});
