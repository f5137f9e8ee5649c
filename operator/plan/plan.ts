import { createHash } from 'node:crypto';
import { type AppliedObject, appliedDigest, type PlannedApply } from '../manifest/applied.ts';
import { keepReason } from '../manifest/keep.ts';
import { isOurs, type LiveObject } from '../manifest/live.ts';
import {
  describeObject,
  groupKind,
  idOf,
  type Manifest,
  type ObjectId,
  objectKey,
} from '../manifest/manifest.ts';

export interface KeptObject {
  object: ObjectId;
  reason: string;
}

export interface Plan {
  apply: PlannedApply[];
  /** Objects of this target that are no longer desired and may go. */
  prune: LiveObject[];
  kept: KeptObject[];
  /** Names exactly what would be pruned: a changed plan has another one. */
  pruneDigest: string;
}

export interface PlanInput {
  targetId: string;
  /** `<namespace>/<application>/<environment>` */
  targetName: string;
  desired: readonly Manifest[];
  applied: ReadonlyMap<string, AppliedObject>;
  live: ReadonlyMap<string, LiveObject>;
  prune: boolean;
  ignorePaths(manifest: Manifest): readonly string[];
  /** The plural of a kind that the cluster serves. */
  pluralOf(kind: { group: string; kind: string }): string | undefined;
}

/** Compares what should be with what is; sends nothing, decides everything. */
export function plan(input: PlanInput): Plan {
  const result: Plan = { apply: [], prune: [], kept: [], pruneDigest: '' };
  const desired = new Set<string>();
  for (const manifest of input.desired) {
    desired.add(objectKey(manifest));
    const planned = planObject(manifest, input);
    if (planned !== undefined) result.apply.push(planned);
  }
  for (const [key, live] of input.live) {
    if (desired.has(key) || live.deleting || live.hook) continue;
    const reason = keepReason(live, input) ?? neededReason(live, input);
    if (reason === undefined) result.prune.push(live);
    else result.kept.push({ object: idOf(live), reason });
  }
  result.prune.sort(byKey);
  result.pruneDigest = pruneDigest(result.prune);
  return result;
}

function planObject(manifest: Manifest, input: PlanInput): PlannedApply | undefined {
  const key = objectKey(manifest);
  const ignore = input.ignorePaths(manifest);
  const applied = input.applied.get(key);
  const live = input.live.get(key);
  const common = { manifest, ignore, ...(applied === undefined ? {} : { recordedUid: applied.uid }) };
  if (live === undefined || live.deleting || !isOurs(live, input.targetId, input.targetName)) {
    return { ...common, reason: applied === undefined ? 'Create' : 'Drift' };
  }
  if (applied === undefined || applied.digest !== appliedDigest(manifest, ignore)) {
    return { ...common, live, reason: 'Update' };
  }
  const same =
    live.uid === applied.uid &&
    live.entry?.hash === applied.entry.hash &&
    live.entry.time === applied.entry.time;
  return same ? undefined : { ...common, live, reason: 'Drift' };
}

/** Why a Namespace or a definition that left Git stays: what is still in Git would go with it. */
function neededReason(live: LiveObject, { desired, pluralOf }: PlanInput): string | undefined {
  let needs: (manifest: Manifest) => boolean;
  if (groupKind(live) === '/Namespace') needs = ({ namespace }) => namespace === live.name;
  else if (groupKind(live) === 'apiextensions.k8s.io/CustomResourceDefinition')
    needs = (manifest) => `${pluralOf(manifest)}.${manifest.group}` === live.name;
  else return undefined;
  const needing = desired.find(needs);
  if (needing === undefined) return undefined;
  return `${describeObject(needing)} is still in Git and would go with it: take that out first, or put the ${live.kind} back.`;
}

export function pruneDigest(objects: readonly LiveObject[]): string {
  if (objects.length === 0) return '';
  const hash = createHash('sha256');
  for (const object of [...objects].sort(byKey)) hash.update(`${objectKey(object)} ${object.uid}\n`);
  return hash.digest('hex').slice(0, 12);
}

function byKey(a: ObjectId, b: ObjectId): number {
  const left = objectKey(a);
  const right = objectKey(b);
  return left < right ? -1 : left > right ? 1 : 0;
}
