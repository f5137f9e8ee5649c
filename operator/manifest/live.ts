import { createHash } from 'node:crypto';
import { ANNOTATION_OWNER, ANNOTATION_PRUNE, ANNOTATION_WAVE, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import { isController } from './field-managers.ts';
import type { FieldSet } from './field-set.ts';
import { type ObjectId, objectKey } from './manifest.ts';

/** The field manager of a target; two targets that apply one field conflict in the API server itself. */
export function fieldManager(targetId: string): string {
  return `towpath-${targetId}`;
}

/** The second field manager, which holds the fields of `sync.ignore` so that leaving them out resets nothing. */
export function ignoredFieldManager(targetId: string): string {
  return `towpath-${targetId}-ignored`;
}

/** How the field managers begin that make hooks' objects; the deployment and the event follow. */
export const HOOK_MANAGER = 'towpath-hook-';

/** The field manager of the Jobs that a target runs as checks. */
export function checkManager(targetId: string): string {
  return `towpath-check-${targetId}`;
}

/** What the annotation towpath.dev/owner says on an object that the target applied. */
export function ownerAnnotation(targetName: string, object: ObjectId): string {
  return `${targetName} ${objectKey(object)}`;
}

/** A field manager's entry, reduced: it changes exactly when a field of ours was changed or taken away. */
export interface FieldEntry {
  hash: string;
  /** RFC 3339, as the API server wrote it. */
  time: string;
}

/** What is remembered of an object in a cluster. */
export interface LiveObject extends ObjectId {
  apiVersion: string;
  uid: string;
  resourceVersion: string;
  /** Value of the label towpath.dev/target; '' where there is none. */
  target: string;
  owner: string;
  /** Value of the annotation towpath.dev/prune, its beginning at least. */
  prune?: string;
  deleting: boolean;
  /** towpath.dev/wave alone, for the order of deletion. */
  annotations: Readonly<Record<string, string>>;
  /** A Helm hook: run at its time, never part of the inventory. */
  hook: boolean;
  /** For which events Towpath made it as a hook's object. */
  madeFor: readonly string[];
  /** The Job of a check: made by the target, and none of what it applies. */
  check?: true;
  /** Made by a controller, which copied labels of an object of ours to it. */
  byController?: true;
  /** The last deployment of its target that made it as a hook's object; they are counted from 1. */
  madeIn?: number;
  /** Annotated helm.sh/resource-policy: keep. */
  keep: boolean;
  /** The entry of the target's own field manager. */
  entry?: FieldEntry;
  /** Whoever else owns fields, newest first, status writers left out; absent where nobody does. */
  others?: readonly OtherWriter[];
  /** One of all those is no controller: fields of ours may be people's or tools', too. */
  shared?: true;
}

/** Another field manager's entry. */
export interface OtherWriter {
  manager: string;
  /** When it last wrote (RFC 3339); '' where that is not known: what wrote through `scale` has no time. */
  time: string;
  /** Absent for the object itself. */
  subresource?: string;
  /** What it owns, as managedFields has it. */
  fields: FieldSet;
}

/** Of so many others an object is told who they are. */
const OTHERS_KEPT = 5;

const SCALE = 'scale';

/** Shared by all objects without a wave, and by all that are no hooks: thousands of them are remembered. */
const NO_EVENTS: readonly string[] = Object.freeze([]);
const NO_ANNOTATIONS: Readonly<Record<string, string>> = Object.freeze({});

interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  deletionTimestamp?: string;
  ownerReferences?: readonly unknown[];
  managedFields?: {
    manager?: string;
    operation?: string;
    subresource?: string;
    time?: string;
    fieldsV1?: unknown;
  }[];
}

/** Reduces an object (or its PartialObjectMetadata) as the API server sent it. */
export function liveObject(
  kind: { group: string; version: string; kind: string },
  metadata: Metadata,
): LiveObject {
  const target = metadata.labels?.[LABEL_TARGET] ?? '';
  const owner = metadata.annotations?.[ANNOTATION_OWNER] ?? '';
  const prune = metadata.annotations?.[ANNOTATION_PRUNE];
  const wave = metadata.annotations?.[ANNOTATION_WAVE];
  const live: LiveObject = {
    group: kind.group,
    kind: kind.kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    target,
    owner,
    deleting: metadata.deletionTimestamp !== undefined,
    annotations: wave === undefined ? NO_ANNOTATIONS : { [ANNOTATION_WAVE]: wave },
    hook: metadata.annotations?.['helm.sh/hook'] !== undefined,
    madeFor: NO_EVENTS,
    // As Helm reads it.
    keep: metadata.annotations?.['helm.sh/resource-policy']?.trim().toLowerCase() === 'keep',
  };
  if (prune !== undefined) live.prune = prune.slice(0, 20);
  const others: OtherWriter[] = [];
  for (const entry of metadata.managedFields ?? []) {
    // Controllers write status all the time; a change through `scale` is somebody's wish.
    if (entry.subresource === 'status') continue;
    const manager = entry.manager ?? 'unknown';
    if (manager === fieldManager(target) && entry.operation === 'Apply') {
      const hash = createHash('sha256').update(JSON.stringify(entry.fieldsV1)).digest('base64url');
      live.entry = { hash, time: entry.time ?? '' };
    } else if (manager.startsWith(HOOK_MANAGER)) {
      const [, deployment = '0', event = ''] =
        /^(\d{1,10})-(.{1,40})$/.exec(manager.slice(HOOK_MANAGER.length)) ?? [];
      live.madeFor = [...live.madeFor, event];
      live.madeIn = Math.max(live.madeIn ?? 0, Number(deployment));
    } else if (manager === checkManager(target)) {
      live.check = true;
    } else if (manager !== ignoredFieldManager(target)) {
      const { time = '', subresource = '' } = entry;
      others.push({
        manager,
        time,
        fields: (entry.fieldsV1 ?? {}) as FieldSet,
        ...(subresource === '' ? {} : { subresource }),
      });
    }
  }
  // What it applies is that, whoever wrote to it besides.
  if (live.entry !== undefined) delete live.check;
  if (others.some(({ manager, subresource }) => !isController(manager, subresource))) live.shared = true;
  if (others.length > 0)
    live.others = others
      .sort((a, b) => (a.time < b.time ? 1 : -1))
      // Who scaled has no time, and would always be the last.
      .filter((other, index) => index < OTHERS_KEPT || other.subresource === SCALE);
  if (target !== '' && live.entry === undefined && isMadeByController(metadata)) live.byController = true;
  return live;
}

/** Where Kubernetes' controllers say that endpoints are theirs, of which not all have an owner. */
const ENDPOINTS_OF_CONTROLLERS = [
  'endpointslice.kubernetes.io/managed-by',
  'endpoints.kubernetes.io/managed-by',
];

/** Whether somebody set the object's replicas through the subresource for that, as autoscalers do. */
export function wasScaled({ others = [] }: LiveObject): boolean {
  return others.some(({ subresource }) => subresource === SCALE);
}

function isMadeByController({ labels = {}, ownerReferences = [], managedFields = [] }: Metadata): boolean {
  if (ownerReferences.length > 0 || ENDPOINTS_OF_CONTROLLERS.some((label) => label in labels)) return true;
  return (
    managedFields.length > 0 &&
    managedFields.every(({ manager = 'unknown', subresource }) => isController(manager, subresource))
  );
}

/**
 * Whether the target applied this object here (D1): its label, the annotation that names target and object,
 * and its own field manager agree. Someone who copies labels and annotations does not copy the manager.
 */
export function isOurs(live: LiveObject, targetId: string, targetName: string): boolean {
  return (
    live.target === targetId && live.owner === ownerAnnotation(targetName, live) && live.entry !== undefined
  );
}

/** Whether the target made this object as a hook's: label, annotation and a field manager of hooks agree. */
export function isOurHook(live: LiveObject, targetId: string, targetName: string): boolean {
  return (
    live.target === targetId && live.owner === ownerAnnotation(targetName, live) && live.madeFor.length > 0
  );
}

/** Whether the target made this Job to run a check: label, annotation and field manager agree. */
export function isOurCheck(live: LiveObject, targetId: string, targetName: string): boolean {
  return live.target === targetId && live.owner === ownerAnnotation(targetName, live) && live.check === true;
}
