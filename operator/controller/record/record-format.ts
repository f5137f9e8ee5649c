/** A record as it stands in its Secret: what is read is compared with a schema before anything in it is believed. */

import { z } from 'zod';
import { OUTCOMES, TRIGGERS } from '../../api/v1alpha1/application-status.ts';
import type { AppliedObject } from '../../manifest/applied.ts';
import { HOOK_DELETE_POLICIES, HOOK_EVENTS, type Manifest, objectKey } from '../../manifest/manifest.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import type { Cancelled } from '../../promote/cancelled.ts';
import { CHECK_OUTCOMES, type CheckRun } from '../../promote/checks.ts';
import type { Verify } from '../../promote/verify.ts';
import type { Accepted, ApplicationRecord } from './application-record.ts';
import type { BasePin } from './base-pins.ts';
import type { ChartPin, PublishedChart } from './chart-pins.ts';
import type { Candidate, Deployed, Deployment, TargetRecord } from './record.ts';

/**
 * Of the layout of all that a record's Secrets hold. What is written in another one is not trusted and counts as lost:
 * what it described is found again by its marks on the objects. A field that can be left out comes without another
 * version: a build that does not know it, after a rollback, reads what it knows, and a hold is not lost with it.
 */
const RECORD_VERSION = 3;

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const count = z.int().min(0);

const identity = { group: z.string(), kind: z.string(), namespace: z.string(), name: z.string() };

const publishedSchema = z.object({
  repository: z.string(),
  name: z.string(),
  version: z.string(),
  digest: hex,
}) satisfies z.ZodType<PublishedChart>;

const candidateOfAll = {
  id: digest,
  request: hex,
  revision: z.string(),
  ref: z.string(),
  commit: z.object({ message: z.string(), author: z.string(), committedAt: z.string() }).exactOptional(),
  chart: z.string().exactOptional(),
  published: publishedSchema.exactOptional(),
  appVersion: z.string().exactOptional(),
};

const chartSchema = publishedSchema.extend({
  range: z.string().exactOptional(),
}) satisfies z.ZodType<ChartPin>;

const baseSchema = z.object({
  repository: z.string(),
  ref: z.string(),
  commit: z.string().regex(/^[0-9a-f]{40}$/),
  name: z.string(),
  revision: z.string().exactOptional(),
}) satisfies z.ZodType<BasePin>;

const acceptedSchema = z.object({
  ...candidateOfAll,
  verified: hex.exactOptional(),
  inputs: hex,
  order: count,
  environments: z.record(
    z.string(),
    z.object({ digest, reads: z.record(z.string(), z.string()).exactOptional() }),
  ),
}) satisfies z.ZodType<Accepted>;

const deployedSchema = z.object({ ...candidateOfAll, digest }) satisfies z.ZodType<Deployed>;

const candidateKeySchema = z.string().regex(/^sha256:[0-9a-f]{64} sha256:[0-9a-f]{64}$/);

const verifySchema = z.object({
  forMs: z.number().min(0),
  onFailure: z.enum(['Rollback', 'Keep']),
  checks: z.array(z.string()).exactOptional(),
  ms: z.number().min(0),
  since: z.string().exactOptional(),
  comingUpSince: z.string().exactOptional(),
  outcome: z.enum(['Passed', 'Failed']).exactOptional(),
  endedAt: z.string().exactOptional(),
  wentBack: z.literal('Impossible').exactOptional(),
}) satisfies z.ZodType<Verify>;

const rejectedSchema = z.array(
  z.object({ digest, why: z.string(), at: z.string(), candidate: digest.exactOptional() }),
);
const holdSchema = z.object({
  promotion: z.string(),
  uid: z.string(),
  by: z.string(),
  since: z.string(),
  refused: z.literal(true).exactOptional(),
});
const takenBack = {
  digest,
  promotion: z.string(),
  by: z.string(),
  at: z.string(),
  candidate: digest.exactOptional(),
};
const cancelledSchema = z.object({
  ...takenBack,
  earlier: z.array(z.object(takenBack)).exactOptional(),
}) satisfies z.ZodType<Cancelled>;

const waitingSchema = z.object({ id: digest, digest, asked: hex });

const deploymentSchema = z.object({
  id: count,
  candidate: deployedSchema,
  trigger: z.enum(TRIGGERS),
  generation: count,
  startedAt: z.string(),
  clusterStartedAt: z.string(),
  install: z.boolean(),
  hooks: z.array(z.string()),
  deferred: z.array(z.string()),
  from: z.array(z.string()).exactOptional(),
  baseline: z.object({ objects: count, coming: z.record(z.string(), count) }).exactOptional(),
  consented: z.array(z.string()).exactOptional(),
  applied: z.boolean(),
  outcome: z.enum(OUTCOMES).exactOptional(),
  finishedAt: z.string().exactOptional(),
  verify: verifySchema.exactOptional(),
  passed: z
    .object({
      stage: z.string(),
      asked: z.string(),
      soakMs: count.exactOptional(),
      checks: z.array(z.string()).exactOptional(),
    })
    .exactOptional(),
  promoted: z
    .object({
      promotion: z.string(),
      uid: z.string(),
      by: z.string(),
      skipped: z.array(z.string()).exactOptional(),
    })
    .exactOptional(),
  approvals: z.array(z.object({ name: z.string(), by: z.string(), at: z.string() })).exactOptional(),
  displaced: z
    .object({
      waiting: z.array(waitingSchema).exactOptional(),
      hold: holdSchema.exactOptional(),
      rejected: rejectedSchema.exactOptional(),
      cancelled: cancelledSchema.exactOptional(),
    })
    .exactOptional(),
  pausedAt: z.string().exactOptional(),
  pausedMs: z.number().exactOptional(),
  attempts: count.exactOptional(),
  exhausted: z.boolean().exactOptional(),
  reason: z.string().exactOptional(),
  message: z.string().exactOptional(),
}) satisfies z.ZodType<Deployment>;

const kindSchema = z.object({ group: z.string(), kind: z.string(), namespace: z.string() });

const appliedSchema = z.object({
  ...identity,
  apiVersion: z.string(),
  uid: z.string(),
  digest: hex,
  entry: z.object({ hash: z.string(), time: z.string() }),
  atRest: z.literal(true).exactOptional(),
  larger: z.object({ git: z.string(), live: z.string() }).exactOptional(),
}) satisfies z.ZodType<AppliedObject>;

const checkRunSchema = z.object({
  check: z.string(),
  template: hex,
  run: count,
  startedAt: z.string(),
  ended: z
    .object({ outcome: z.enum(CHECK_OUTCOMES), at: z.string(), why: z.string().exactOptional() })
    .exactOptional(),
  tries: count.exactOptional(),
}) satisfies z.ZodType<CheckRun>;

/** The lists without bound are compared entry by entry. */
const targetSchema = z.object({
  version: z.literal(RECORD_VERSION),
  target: z.object({
    id: z.string().regex(/^[0-9a-f]{20}$/),
    name: z.string(),
    application: z.string(),
    environment: z.string(),
  }),
  cluster: z.string().exactOptional(),
  account: z.string().exactOptional(),
  managedRole: z.string().exactOptional(),
  kinds: z.array(z.unknown()),
  applied: z.array(z.unknown()),
  deployment: deploymentSchema.exactOptional(),
  ended: z.array(deploymentSchema),
  lastId: count.exactOptional(),
  pending: z.object({ id: digest, digest, generation: count.exactOptional() }).exactOptional(),
  waiting: z.array(waitingSchema).exactOptional(),
  asks: z.array(z.object({ asked: hex, digest })).exactOptional(),
  soak: z
    .object({
      digest,
      ms: z.number().min(0),
      since: z.string().exactOptional(),
      comingUpSince: z.string().exactOptional(),
      changedSince: z.string().exactOptional(),
      broken: z.literal(true).exactOptional(),
    })
    .exactOptional(),
  checks: z.object({ digest, runs: z.array(checkRunSchema), request: hex.exactOptional() }).exactOptional(),
  rejected: rejectedSchema.exactOptional(),
  hold: holdSchema.exactOptional(),
  cancelled: cancelledSchema.exactOptional(),
  answered: z
    .array(
      z.object({
        uid: z.string(),
        phase: z.enum(['Succeeded', 'Failed', 'Cancelled']),
        message: z.string(),
      }),
    )
    .exactOptional(),
  governed: z.literal(true).exactOptional(),
  inherited: z.literal(true).exactOptional(),
  took: z.record(z.string(), count).exactOptional(),
  whole: z.literal(true).exactOptional(),
  ran: z.array(candidateKeySchema),
  succeeded: candidateKeySchema.exactOptional(),
  handledRequest: hex.exactOptional(),
  used: z
    .array(
      z.object({
        approval: z.string(),
        deployment: count,
        at: z.string(),
        counted: z.literal(true).exactOptional(),
      }),
    )
    .exactOptional(),
  abandoned: hex.exactOptional(),
  ending: z.literal(true).exactOptional(),
  settings: z.string(),
});

const applicationSchema = z.object({
  version: z.literal(RECORD_VERSION),
  application: z.string(),
  order: count,
  candidates: z.array(z.unknown()),
  charts: z.array(chartSchema).exactOptional(),
  bases: z.array(baseSchema).exactOptional(),
});

/** What `readApplication` reads. */
export function writtenApplication(record: ApplicationRecord): unknown {
  return { version: RECORD_VERSION, ...record };
}

/** @throws where it is no record of an Application, or one of another version or shape */
export async function readApplication(written: unknown, slices: Slices): Promise<ApplicationRecord> {
  const { version: _, candidates, ...record } = applicationSchema.parse(written);
  return { ...record, candidates: await allOf(acceptedSchema, candidates, slices) };
}

/** What `readTarget` reads. */
export function writtenTarget(record: TargetRecord): unknown {
  const { deployment, ended, pending, applied, ...asItIs } = record;
  return {
    version: RECORD_VERSION,
    ...asItIs,
    ...(deployment === undefined ? {} : { deployment: writtenDeployment(deployment) }),
    ended: ended.map(writtenDeployment),
    ...(pending === undefined ? {} : { pending: writtenPending(pending) }),
    applied: [...applied.values()],
  };
}

/** A whole candidate serves as what waits, too. */
function writtenPending({ id, digest, generation }: NonNullable<TargetRecord['pending']>) {
  return { id, digest, ...(generation === undefined ? {} : { generation }) };
}

/** A whole candidate serves as what is deployed, too; its Application's record has the rest. */
function writtenDeployment({ candidate, ...deployment }: Deployment): Deployment {
  const {
    inputs: _,
    reads: __,
    charts: ___,
    bases: ____,
    verified: _____,
    ...deployed
  }: Deployed & Partial<Candidate> = candidate;
  return { ...deployment, candidate: deployed };
}

/** @throws where it is no record of a target, or one of another version or shape */
export async function readTarget(written: unknown, slices: Slices): Promise<TargetRecord> {
  const { version: _, kinds, applied, ...record } = targetSchema.parse(written);
  const objects = await allOf(appliedSchema, applied, slices);
  return {
    ...record,
    kinds: await allOf(kindSchema, kinds, slices),
    applied: new Map(objects.map((object) => [objectKey(object), object])),
  };
}

/** What is to be told of a record of another version; undefined for one of ours. */
export function versionMismatch(written: unknown): string | undefined {
  const found = z.object({ version: z.unknown() }).safeParse(written);
  if (!found.success || found.data.version === undefined) return 'it has no version';
  if (found.data.version === RECORD_VERSION) return undefined;
  const { version } = found.data;
  const its = typeof version === 'number' ? `version ${version}` : 'a version that is no number';
  return `it has ${its}, and ${RECORD_VERSION} is known`;
}

/** A kept manifest but for its text, which stands by itself. */
export type DescribedManifest = Omit<Manifest, 'text'>;

const manifestSchema = z.strictObject({
  ...identity,
  apiVersion: z.string(),
  digest: hex,
  annotations: z.record(z.string(), z.string()),
  file: z.string().exactOptional(),
  hook: z
    .strictObject({
      events: z.array(z.enum(HOOK_EVENTS)),
      weight: z.number(),
      deletePolicies: z.array(z.enum(HOOK_DELETE_POLICIES)),
    })
    .exactOptional(),
}) satisfies z.ZodType<DescribedManifest>;

const describedSchema = z.strictObject({ objects: z.array(z.unknown()), hooks: z.array(z.unknown()) });

/** @throws where a candidate's manifests are not described so */
export async function readDescribed(
  written: unknown,
  slices: Slices,
): Promise<{ objects: DescribedManifest[]; hooks: DescribedManifest[] }> {
  const { objects, hooks } = describedSchema.parse(written);
  return {
    objects: await allOf(manifestSchema, objects, slices),
    hooks: await allOf(manifestSchema, hooks, slices),
  };
}

const placeSchema = z.tuple([z.string(), z.strictObject({ secret: z.string(), bytes: count })]);
const indexSchema = z.strictObject({
  places: z.array(z.unknown()),
  /** The data keys that a candidate needs, by their position among the places. */
  manifests: z.array(z.tuple([digest, z.array(count)])),
});
const elsewhereSchema = z.strictObject({ at: z.string() });

/** @throws where it is no index */
export async function readIndex(written: unknown, slices: Slices) {
  const { places, manifests } = indexSchema.parse(written);
  return { places: await allOf(placeSchema, places, slices), manifests };
}

/** The chunk that has the index; undefined where the text is the index itself. */
export function indexElsewhere(written: unknown): string | undefined {
  const found = elsewhereSchema.safeParse(written);
  return found.success ? found.data.at : undefined;
}

/** So many entries are compared before it is asked whether there is time left in this turn. */
const AT_ONCE = 20;

async function allOf<Entry>(
  schema: z.ZodType<Entry>,
  entries: readonly unknown[],
  slices: Slices,
): Promise<Entry[]> {
  const read: Entry[] = [];
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    const pause = slices.pause();
    if (pause !== undefined) await pause;
    for (const entry of entries.slice(at, at + AT_ONCE)) read.push(schema.parse(entry));
  }
  return read;
}
