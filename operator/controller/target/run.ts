import type { TowpathError } from '../../api/errors.ts';
import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import { ANNOTATION_SYNC_REQUESTED, LABEL_TARGET } from '../../api/v1alpha1/names.ts';
import type { TargetAccess } from '../../apply/target.ts';
import { asWanted } from '../../health/health.ts';
import type { KubeClient, ServiceAccount } from '../../kube/client.ts';
import { TokenBucket } from '../../kube/token-bucket.ts';
import { isOurs, type LiveObject } from '../../manifest/live.ts';
import { objectKey } from '../../manifest/manifest.ts';
import type { Slices } from '../../observe/slices.ts';
import type { KeptObject } from '../../plan/plan.ts';
import { formerManifests } from '../candidate/former.ts';
import type { Quarantine } from '../candidate/quarantine.ts';
import type { Wanted, WantedCandidates } from '../candidate/wanted.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { WatchedKind } from '../cluster/search.ts';
import { newRecord, type TargetRecord } from '../record/record.ts';
import type { RecordStore } from '../record/store.ts';
import type { Target, TargetIdentity } from '../record/target.ts';
import type { Lookup } from './dependencies.ts';
import type { DeployContext } from './deploy-context.ts';
import { Contests } from './drift/contests.ts';
import { DriftMemory } from './drift/drift-memory.ts';
import { droppedNulls } from './dropped-nulls.ts';
import type { Facts, Standing } from './facts.ts';
import { worstHealth } from './health.ts';
import { Moving } from './moving.ts';
import { handledAs } from './requests.ts';
import type { Unreported } from './unreported.ts';
import type { Wishes } from './wishes.ts';

/** How much drift of one target is repaired at once, and how often after that, if somebody goes on changing it. */
const REPAIRS_AT_ONCE = 60;
const REPAIR_EVERY_MS = 5_000;

export interface Parts {
  /** The API server that Applications, records and the Lease are in. */
  home: KubeClient;
  /** The one that a target's objects are in. */
  clusterOf(target: TargetIdentity): Cluster;
  store: RecordStore;
  wanted: WantedCandidates;
  lookup: Lookup;
  /** As whom another Application deploys, by its key; undefined: as the operator itself, or there is none. */
  accountOf(application: string): ServiceAccount | undefined;
  wishes: Wishes;
  /** An Application may take over now what another one left. */
  onLeft(application: string): void;
  /** Shared with all else that takes long. */
  slices: Slices;
  random(): number;
}

/** What is remembered of a target between two reconciles; nothing here needs to survive a restart. */
export interface Session {
  /** What is wanted could not be begun, for a reason that is not its own. */
  retry?: { inputs: string; error: TowpathError; attempts: number; triedAt: Date; nextAt: Date };
  /** The last failure of the deployment's own; how often it failed stands in the record. */
  failed?: { deployment: number; generation: number; error: TowpathError; nextAt: Date };
  /** A candidate that the API server refused in principle: not asked again before an input changes. */
  refused?: { inputs: string; quarantine: Quarantine };
  /** The candidate and generation that were judged last (mode Manual). */
  judged?: string;
  /** Tries in a row that did not even find out what is wanted. */
  unwatchedTries: number;
  /** The kept manifests were damaged: what is wanted is rendered and accepted again. */
  renderAnew: boolean;
  kept: KeptObject[];
  repairs: TokenBucket;
  drift: DriftMemory;
  contests: Contests;
  unreported: Unreported;
  /** The sync request for which a look went to its end already; it may wait for something still. */
  lookedFor?: string | undefined;
  /** Of which candidate others were told what it wants. */
  toldWishes?: string;
  /** Where a target has objects whose record is lost, as they were found. */
  found?: WatchedKind[];
}

/** The status is what an earlier process told; `unreported` outlives sessions. */
export function newSession({ status }: Application, target: Target, unreported: Unreported): Session {
  return {
    kept: [],
    unwatchedTries: 0,
    renderAnew: false,
    contests: new Contests(),
    unreported,
    drift: new DriftMemory(environmentOf(status, target.environment)?.drift),
    repairs: new TokenBucket(REPAIRS_AT_ONCE, REPAIR_EVERY_MS, performance.now()),
  };
}

/** What a person asks for is done at once. */
const UNBOUNDED = { take: () => true, waitMs: () => 0 };

export interface Run {
  parts: Parts;
  application: Application;
  target: Target;
  session: Session;
  context: DeployContext;
  facts: Facts;
  /** The value of towpath.dev/sync-requested that is not handled yet. */
  request: string | undefined;
  /** Whether this is the first look for it: what waits for its time is tried at once. */
  isAskedNow: boolean;
  wanted?: Wanted;
  /** Why the target's objects cannot be seen; without that nothing is planned. */
  unseen?: TowpathError;
}

export function accessOf(parts: Parts, target: Target, signal: AbortSignal): TargetAccess {
  const { id, name, account, settings } = target;
  const { client, discovery, inventory } = parts.clusterOf(target);
  return {
    client,
    discovery,
    targetId: id,
    targetName: name,
    adopt: settings.adopt,
    isHeld: (object) => holds(parts, object),
    former: formerManifests(parts.store, () => parts.store.get(target), signal),
    observe: (object, resource) => inventory.observe(object, resource, account),
    signal,
    ...(account === undefined ? {} : { as: account }),
  };
}

export function movingOf(parts: Parts, target: Target, access: TargetAccess): Moving {
  return new Moving({
    wishes: parts.wishes,
    owner: target.application,
    access,
    accountOf: parts.accountOf,
    onLeft: parts.onLeft,
  });
}

/**
 * Whether the target that applied an object holds it still. One whose deployment is through has what the record says
 * it applied; one whose record is not here may be of another installation.
 */
function holds({ store }: Parts, object: LiveObject): boolean {
  const record = store.find(object.target);
  if (record?.deployment?.applied !== true) return true;
  return record.applied.has(objectKey(object));
}

/** Where a look begins. */
export const LOOKING: Standing = {
  sync: 'Syncing',
  reason: 'Syncing',
  message: 'Asking the Git server and rendering.',
};

export interface RunInput {
  application: Application;
  target: Target;
  session: Session;
  signal: AbortSignal;
  /** Has the status written at once. */
  tellNow(): void;
}

export function startRun(parts: Parts, input: RunInput): Run {
  const { application, target, session, signal } = input;
  const { metadata, status } = application;
  const { settings } = target;
  const record = parts.store.get(target) ?? newRecord(target);
  const annotation = metadata.annotations[ANNOTATION_SYNC_REQUESTED];
  const isHandled =
    annotation === undefined ||
    handledAs(annotation) === status?.handledSyncRequest ||
    handledAs(annotation) === record.deployment?.request;
  const request = isHandled ? undefined : settings.request;
  const isAskedNow = request !== undefined && request !== session.lookedFor;
  const access = accessOf(parts, target, signal);
  const context: DeployContext = {
    target,
    access,
    store: parts.store,
    inventory: parts.clusterOf(target).inventory,
    record,
    settings: {
      ...settings,
      mayWrite: request !== undefined || settings.mode === 'Automatic',
      repair: request !== undefined || (settings.drift === 'Repair' && settings.mode === 'Automatic'),
    },
    repairs: isAskedNow ? UNBOUNDED : session.repairs,
    drift: session.drift,
    contests: session.contests,
    moving: movingOf(parts, target, access),
    unreported: session.unreported,
    slices: parts.slices,
    now: () => parts.home.now(),
    signal,
    say: (message, { atOnce = false } = {}) => {
      // What a person must mend in the wanted candidate weighs more than how far the one before it got.
      if (facts.standing.remedy === 'Person') return;
      facts.standing = { sync: 'Syncing', reason: 'Syncing', message };
      if (atOnce) input.tellNow();
    },
  };
  const facts = firstFacts(parts, input, record);
  if (status?.observedGeneration !== metadata.generation) session.unreported.warn(droppedNulls(application));
  // What a deployment was begun for was done, also where no status could say so before the process ended.
  if (annotation !== undefined && handledAs(annotation) === record.deployment?.request)
    facts.handledSyncRequest = handledAs(annotation);
  return { parts, application, target, session, context, facts, request, isAskedNow };
}

/** What is known before anything was looked at. */
function firstFacts(
  { home }: Parts,
  { application, target, session }: RunInput,
  record: TargetRecord,
): Facts {
  return {
    application,
    environment: target.environment,
    now: home.now(),
    standing: LOOKING,
    health: { state: application.status?.health ?? 'Missing' },
    objects: record.applied.size,
    kept: session.kept,
    isLookedAt: false,
    ended: [],
  };
}

export function finish(run: Run, requeueAt: Date | undefined): { facts: Facts; requeueAt: Date | undefined } {
  const { context, facts } = run;
  const { record } = context;
  facts.now = context.now();
  facts.objects = record.applied.size;
  facts.ended = [...record.ended, ...(record.deployment?.outcome === undefined ? [] : [record.deployment])];
  facts.health = healthNow(run);
  // Of an Application that is gone nothing is watched any more.
  context.signal.throwIfAborted();
  context.inventory.watches.endUnused(context.access.targetId);
  context.inventory.lookAtPods(context.access.targetId, context.access.as);
  return { facts, requeueAt: requeueAt === NEVER ? undefined : requeueAt };
}

const MISSING = {
  state: 'Missing' as const,
  message: `it does not exist, or lost its label ${LABEL_TARGET}`,
};

/** The worst health of what was applied; what is not there, or no longer ours, is missing. */
export function healthNow({ context, unseen }: Run): Facts['health'] {
  const { record, access, inventory } = context;
  if (unseen !== undefined) return { state: 'Unknown', message: unseen.message };
  if (record.applied.size === 0)
    return { state: record.deployment?.applied === true ? 'Healthy' : 'Missing' };
  const live = inventory.of(access.targetId);
  return worstHealth(
    [...record.applied].map(([key, applied]) => {
      const whyUnseen = inventory.watches.unseen(applied, access.as);
      if (whyUnseen !== undefined)
        return {
          ...applied,
          health: { state: 'Unknown' as const, message: `it cannot be seen: ${whyUnseen}` },
        };
      const observed = live.get(key);
      const isThere =
        observed?.uid === applied.uid ||
        (observed !== undefined && isOurs(observed, access.targetId, access.targetName));
      if (!isThere) return { ...applied, health: MISSING };
      return applied.atRest === true ? { ...applied, health: asWanted(observed) } : observed;
    }),
  );
}

export function blocked(error: TowpathError): Standing {
  return { sync: 'Blocked', reason: error.reason, message: error.message, remedy: error.remedy };
}

/** Further than any timer: look again only when something changes. */
export const NEVER = new Date(8.64e15);
