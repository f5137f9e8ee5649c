import { createHash } from 'node:crypto';
import { groupKind, idOf, type Manifest, type ObjectId, objectKey } from '../manifest/manifest.ts';

export { idOf } from '../manifest/manifest.ts';

import { type FieldEntry, isOurs, type LiveObject } from './live.ts';

/** What the target record says of an object that this target applied. */
export interface AppliedObject extends ObjectId {
  apiVersion: string;
  uid: string;
  /** Of the manifest as rendered, together with the paths that were left to others. */
  digest: string;
  entry: FieldEntry;
}

/** Why an object is sent: it is not there, the manifest changed, or someone changed the live object. */
export type ApplyReason = 'Create' | 'Update' | 'Drift';

export interface PlannedApply {
  manifest: Manifest;
  reason: ApplyReason;
  /** Paths (JSON pointers) that others decide once the object exists. */
  ignore: readonly string[];
  /** Present where the target's own object is there. */
  live?: LiveObject;
  /** The uid that the record has for it, where it has one. */
  recordedUid?: string;
}

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
}

const KEPT_KINDS = new Set([
  'apiextensions.k8s.io/CustomResourceDefinition',
  '/Namespace',
  '/PersistentVolumeClaim',
]);

/** The digest under which an applied manifest is recorded. */
export function appliedDigest(manifest: Manifest, ignore: readonly string[]): string {
  if (ignore.length === 0) return manifest.digest;
  return createHash('sha256').update(manifest.digest).update(ignore.join('\n')).digest('hex');
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
    const reason = keepReason(live, input);
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

/** Why an object that carries the target's label stays although nothing asks for it; undefined: it may go. */
export function keepReason(live: LiveObject, input: Pick<PlanInput, 'targetId' | 'targetName' | 'prune'>) {
  if (!isOurs(live, input.targetId, input.targetName)) {
    return 'It carries the label of this target, but this target did not apply it: remove the label towpath.dev/target.';
  }
  if (live.prune === 'disabled') return 'Its annotation towpath.dev/prune is "disabled".';
  if (live.keep) return 'Its annotation helm.sh/resource-policy is "keep".';
  if (KEPT_KINDS.has(groupKind(live)) && live.prune !== 'enabled') {
    return `A ${live.kind} is pruned only with the annotation towpath.dev/prune: enabled; delete it by hand if it should go.`;
  }
  if (!input.prune) return 'spec.sync.prune is false; delete it by hand if it should go.';
  return undefined;
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
