import { ANNOTATION_ADOPT } from '../api/v1alpha1/names.ts';
import { type AppliedObject, appliedDigest, type PlannedApply } from '../manifest/applied.ts';
import { digestOf } from '../manifest/digest.ts';
import { isOurs, type LiveObject } from '../manifest/live.ts';
import { describeObject, idOf, type Manifest, type ObjectId, objectKey } from '../manifest/manifest.ts';
import { isPassedOver, keepReason } from '../manifest/never-pruned.ts';

export interface KeptObject {
  object: ObjectId;
  reason: string;
}

export interface Plan {
  apply: PlannedApply[];
  /** Objects of this target that are no longer desired and may go. */
  prune: LiveObject[];
  kept: KeptObject[];
  /** Names exactly what would be pruned, as `sha256:` and 64 digits: a changed plan has another one. */
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
  /** By object key the Application that takes the object over, should it leave this one. */
  takers?: ReadonlyMap<string, string>;
  ignorePaths(manifest: Manifest): readonly string[];
  /** The plural of a kind that the cluster serves. */
  pluralOf(kind: { group: string; kind: string }): string | undefined;
}

/** Compares what should be with what is; sends nothing, decides everything. */
export function plan(input: PlanInput): Plan {
  return { apply: planObjects(input.desired, input), ...planRemoval(input) };
}

/** The part of a plan that is about some of the desired objects. */
export function planObjects(objects: readonly Manifest[], input: PlanInput): PlannedApply[] {
  return objects.flatMap((manifest) => planObject(manifest, input) ?? []);
}

/** The part of a plan that is about what is there and no longer desired. */
export function planRemoval(input: PlanInput): Omit<Plan, 'apply'> {
  const desired = new Set(input.desired.map(objectKey));
  const leaving = [...input.live].filter(([key, live]) => !desired.has(key) && !isPassedOver(live));
  if (leaving.length === 0) return { prune: [], kept: [], pruneDigest: '' };
  const prune: LiveObject[] = [];
  const kept: KeptObject[] = [];
  const needing = needingObjects(input);
  for (const [key, live] of leaving) {
    const reason =
      keepReason(live, input) ?? takenReason(key, input.takers ?? new Map()) ?? neededReason(live, needing);
    if (reason === undefined) prune.push(live);
    else kept.push({ object: idOf(live), reason });
  }
  return { prune: sortedByKey(prune), kept, pruneDigest: pruneDigest(prune) };
}

function planObject(manifest: Manifest, input: PlanInput): PlannedApply | undefined {
  const key = objectKey(manifest);
  const ignore = input.ignorePaths(manifest);
  const applied = input.applied.get(key);
  const live = input.live.get(key);
  const common = { manifest, ignore, ...(applied === undefined ? {} : { recorded: applied }) };
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

/** Why an object that another Application takes over stays. */
export function takenReason(key: string, takers: ReadonlyMap<string, string>): string | undefined {
  const taker = takers.get(key);
  if (taker === undefined) return undefined;
  return `Application ${taker} has it in Git, and takes it over as it is with ${ANNOTATION_ADOPT}: "true" on it there.`;
}

/** The first desired object that needs a Namespace or a definition, by that one's key. */
function needingObjects({ desired, pluralOf }: PlanInput): ReadonlyMap<string, Manifest> {
  const needing = new Map<string, Manifest>();
  const note = (need: { group: string; kind: string; name: string }, manifest: Manifest) => {
    const key = objectKey({ ...need, namespace: '' });
    if (!needing.has(key)) needing.set(key, manifest);
  };
  for (const manifest of desired) {
    const { group, namespace } = manifest;
    if (namespace !== '') note({ group: '', kind: 'Namespace', name: namespace }, manifest);
    const plural = pluralOf(manifest);
    if (plural !== undefined) note({ ...DEFINITION, name: `${plural}.${group}` }, manifest);
  }
  return needing;
}

const DEFINITION = { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' };

/** Why a Namespace or a definition that left Git stays: what is still in Git would go with it. */
function neededReason(live: LiveObject, needing: ReadonlyMap<string, Manifest>): string | undefined {
  const first = needing.get(objectKey(live));
  if (first === undefined) return undefined;
  return `${describeObject(first)} is still in Git and would go with it: take that out first, or put the ${live.kind} back.`;
}

export function pruneDigest(objects: readonly LiveObject[]): string {
  if (objects.length === 0) return '';
  const lines = sortedByKey(objects).map((object) => `${objectKey(object)} ${object.uid}\n`);
  return digestOf(lines.join(''));
}

function sortedByKey<Item extends ObjectId>(objects: readonly Item[]): Item[] {
  return objects
    .map((object) => ({ object, key: objectKey(object) }))
    .sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ object }) => object);
}
