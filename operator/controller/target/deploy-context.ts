import type { HealthState } from '../../api/v1alpha1/application.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { TokenBucket } from '../../kube/token-bucket.ts';
import { sha256 } from '../../manifest/digest.ts';
import type { LiveObject } from '../../manifest/live.ts';
import { type ObjectId, objectKey } from '../../manifest/manifest.ts';
import { isPassedOver } from '../../manifest/never-pruned.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import type { KeptObject } from '../../plan/plan.ts';
import type { Losses } from '../../plan/prune-budget.ts';
import type { Inventory } from '../cluster/inventory.ts';
import type { WatchedKind } from '../cluster/lost-objects.ts';
import type { Deployment, TargetRecord } from '../record/record.ts';
import type { RecordStore } from '../record/store.ts';
import type { Target, TargetSettings } from '../record/target.ts';
import type { Contests } from './drift/contests.ts';
import type { DriftMemory } from './drift/drift-memory.ts';
import type { Moving } from './handover/moving.ts';
import type { Drift } from './words/facts.ts';
import type { Deletions, Unreported } from './words/unreported.ts';

/** What decides how objects are sent. */
export interface DeploySettings extends TargetSettings {
  /** False in mode Manual without a request: differences are told, and nothing is sent. */
  mayWrite: boolean;
  repair: boolean;
}

export interface DeployContext {
  target: Target;
  access: TargetAccess;
  store: RecordStore;
  inventory: Inventory;
  record: TargetRecord;
  settings: DeploySettings;
  /** Repairs of drift that the target may still make: what somebody changes all the time must not flood etcd (A14). */
  repairs: Pick<TokenBucket, 'take' | 'waitMs'>;
  drift: DriftMemory;
  contests: Contests;
  moving: Moving;
  unreported: Unreported;
  /** Shared with all else that takes long. */
  slices: Slices;
  /** By the clock at home: for what is kept there, and told. */
  now(): Date;
  /** By the clock of the target's cluster: for what is compared with times of its objects. */
  clusterNow(): Date;
  signal: AbortSignal;
  /**
   * Resolves, before something is written again, when the access there was found right a moment ago.
   *
   * @throws TowpathError with what is not right any more
   */
  accessChecked(): Promise<void>;
  /** Takes what is being done, for the status of a sync that takes long: a sentence; `atOnce` what is sure to take long. */
  say(doing: string, options?: { atOnce?: boolean }): void;
}

/** How far a deployment is. */
export type Progress =
  | { state: 'Done' }
  /** Everything was sent, or all of the waves up to one (`isPart`); health decides. */
  | { state: 'Waiting'; health: HealthState; message: string; deadline: Date; isPart: boolean }
  | { state: 'TimedOut'; message: string }
  /** An object failed for good, as its own controller says. */
  | { state: 'Degraded'; message: string }
  | PruneHeld
  /** What left Git is going; the rest goes after it. */
  | { state: 'Pruning'; message: string }
  /** Differences that nobody asked to apply (mode Manual). */
  | { state: 'AwaitingSync'; objects: ObjectId[] }
  | { state: 'Drifted' }
  /** Drift that was repaired too often of late; it is left for so long. */
  | { state: 'RepairDelayed'; until: Date };

/** Everything would be deleted, or more than spec.sync.pruneBudget allows, and nobody consented to exactly that. */
export interface PruneHeld {
  state: 'PruneHeld';
  /** Absent where the candidate renders nothing. */
  exceeds?: Losses & { budget: number | string };
  digest: string;
  objects: ObjectId[];
}

export interface Advance {
  progress: Progress;
  kept: KeptObject[];
  drift?: Drift;
}

/**
 * Digest of what decides, beside manifests, what is sent: settings, and which objects other autoscalers scale.
 * Another one asks for a new look at every object.
 */
export function settingsDigest({ settings, record, inventory, access }: DeployContext): string {
  const scaled = [...record.applied.keys()].filter((key) => inventory.isScaled(access.targetId, key));
  const parts = [settings.prune, settings.adopt, settings.ignore, ...scaled.sort()];
  return sha256(JSON.stringify(parts));
}

/** The kinds a candidate has, with their namespaces. */
export function kindsOf(objects: Iterable<ObjectId>): WatchedKind[] {
  const kinds = new Map<string, WatchedKind>();
  for (const { group, kind, namespace } of objects)
    kinds.set(`${group}/${kind}/${namespace}`, { group, kind, namespace });
  return [...kinds.values()];
}

/**
 * Whether everything is as it was last applied, told from the record and the watches alone: no manifest is
 * read, nothing is asked of the API server.
 */
export function isUndisturbed(context: DeployContext): boolean {
  const { record } = context;
  if (record.deployment?.applied !== true || record.settings !== settingsDigest(context)) return false;
  if (!isAsApplied(context)) return false;
  for (const [key, observed] of context.inventory.of(context.access.targetId))
    if (!record.applied.has(key) && !isPassedOver(observed)) return false;
  return true;
}

/** What became of deletions whose answer was lost; those of `planned` are sent again, and answered then. */
export function findDeleted(
  { inventory, access, unreported }: Pick<DeployContext, 'inventory' | 'access' | 'unreported'>,
  as: Deletions,
  planned: readonly LiveObject[],
): void {
  const live = inventory.of(access.targetId);
  const isPlanned = new Set(planned.map(({ uid }) => uid));
  unreported.findDeleted(as, (object) => {
    const found = live.get(objectKey(object));
    return isPlanned.has(object.uid) || (found?.uid === object.uid && !found.deleting);
  });
}

/** Whether every object that was applied is there and has our fields as we sent them. */
export function isAsApplied({ record, inventory, access }: DeployContext): boolean {
  const live = inventory.of(access.targetId);
  for (const [key, applied] of record.applied) {
    const observed = live.get(key);
    if (observed === undefined || observed.deleting || observed.uid !== applied.uid) return false;
    if (observed.entry?.hash !== applied.entry.hash || observed.entry.time !== applied.entry.time)
      return false;
  }
  return true;
}

/** spec.sync.timeout runs from the first write to health; while the Application is suspended it stands still. */
export function deadlineOf({ startedAt, pausedMs = 0 }: Deployment, { timeoutMs }: DeploySettings): Date {
  return new Date(Date.parse(startedAt) + pausedMs + timeoutMs);
}

/** One write for all that changed since the last, or since one that failed: the last of a sync is that of its end. */
export async function saveChanges({ store, record, signal }: DeployContext): Promise<void> {
  if (store.isAhead(record)) await store.save(record, { signal });
}
