import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../kube/client.ts';
import { isConflict } from '../kube/errors.ts';
import type { PlannedApply } from '../manifest/applied.ts';
import { unheldPaths } from '../manifest/decided.ts';
import {
  canonicalJson,
  isRecord,
  type Json,
  parseExact,
  pointerSteps,
  valueAt,
  withoutPaths,
  withValues,
} from '../manifest/exact-json.ts';
import {
  type FieldSet,
  fieldsAt,
  isInsideAtomic,
  mergeFields,
  unnamedIn,
  valuesAt,
} from '../manifest/field-set.ts';
import { fieldManager, ignoredFieldManager } from '../manifest/live.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { type Attempt, find } from './attempt.ts';
import { callOptions, pathOf } from './target.ts';

/** How often an object is read anew whose values somebody changed while they were sent. */
const TRIES = 10;

/**
 * Hands the ignored fields that we own to a second field manager, with the values that they have now. Only
 * then can our own manifest leave them out without the API server taking them away (sync.ignore). Returns the object
 * as it is then: the very same where there were none.
 */
export async function handOver(attempt: Attempt, current: KubeObject): Promise<KubeObject> {
  const { access, planned } = attempt;
  if (planned.ignore.length === 0) return current;
  return sendHeld(attempt, current, (now) => {
    const handed = below(fieldsOf(now, fieldManager(access.targetId)), planned);
    if (isEmpty(handed)) return undefined;
    // An apply replaces the manager's whole set: what it had is sent along.
    mergeFields(handed, fieldsOf(now, ignoredFieldManager(access.targetId)));
    return handed;
  });
}

/**
 * Lets go what the second field manager holds of fields that are no longer ignored, after our own manager took
 * them: else one left out of Git later would stay. What Git does not name stays as it is: leaving a field out
 * never resets it. Returns the object as it is then.
 */
export async function takeBack(attempt: Attempt, current: KubeObject): Promise<KubeObject> {
  const { access, planned } = attempt;
  return sendHeld(attempt, current, (now) => {
    const held = fieldsOf(now, ignoredFieldManager(access.targetId));
    // Nearly always: then the text need not be parsed.
    if (isEmpty(held)) return undefined;
    const still = below(held, planned);
    mergeFields(still, unnamedIn(parseExact(planned.manifest.text), held) ?? {});
    return isDeepStrictEqual(held, still) ? undefined : still;
  });
}

export interface TextOnto {
  text: string;
  /** The text has values of `current`, and is right as long as that is what is there. */
  hasTheirs: boolean;
}

/**
 * The manifest's text as it is applied onto `current`: without the fields that others decide. Of an atomic list
 * or map no part can be left out, as it is owned and applied as a whole: there the text gets the values that
 * others gave those fields.
 */
export function textOnto(current: KubeObject, manifest: Manifest, paths: readonly string[]): TextOnto {
  if (paths.length === 0) return { text: manifest.text, hasTheirs: false };
  const document = parseExact(manifest.text);
  // Of everybody's: what one of them knows in parts is not atomic.
  const fields: FieldSet = {};
  for (const { fieldsV1 } of current.metadata.managedFields ?? [])
    mergeFields(fields, (fieldsV1 ?? {}) as FieldSet);
  const live = current as unknown as Json;
  const values = new Map<string, Json | undefined>();
  const left: string[] = [];
  for (const path of paths) {
    const steps = pointerSteps(path);
    const isWhole = isInsideAtomic(fields, steps, document) || isInsideAtomic(fields, steps, live);
    if (isWhole) values.set(path, valueAt(live, path));
    else left.push(path);
  }
  return { text: withValues(withoutPaths(manifest.text, left), values), hasTheirs: values.size > 0 };
}

function fieldsOf(object: KubeObject, manager: string): FieldSet {
  const entry = object.metadata.managedFields?.find(
    (candidate) => candidate.manager === manager && candidate.operation === 'Apply' && !candidate.subresource,
  );
  return (entry?.fieldsV1 ?? {}) as FieldSet;
}

function isEmpty(fields: FieldSet): boolean {
  return Object.keys(fields).length === 0;
}

function below(fields: FieldSet, { manifest, ignore }: PlannedApply): FieldSet {
  const result: FieldSet = {};
  if (isEmpty(fields)) return result;
  const document = parseExact(manifest.text);
  const unheld = unheldPaths(manifest);
  for (const path of ignore)
    if (!unheld.includes(path)) mergeFields(result, fieldsAt(fields, pointerSteps(path), document) ?? {});
  return result;
}

/**
 * Sends what the second field manager is to hold of the object as it is, where that changes, and returns the object as
 * it is then. The values are those that others decided: one decided since is not to be put back, so that what was read
 * must still be there.
 */
async function sendHeld(
  attempt: Attempt,
  current: KubeObject,
  heldOf: (now: KubeObject) => FieldSet | undefined,
): Promise<KubeObject> {
  for (let now = current, tries = 1; ; tries += 1) {
    const held = heldOf(now);
    if (held === undefined) return now;
    try {
      return await send(attempt, held, now);
    } catch (error) {
      const found = isConflict(error) && tries < TRIES ? await find(attempt) : undefined;
      if (found?.metadata.uid !== current.metadata.uid) throw error;
      now = found;
    }
  }
}

async function send(
  { access, resource, planned: { manifest } }: Attempt,
  fields: FieldSet,
  current: KubeObject,
): Promise<KubeObject> {
  const values = isEmpty(fields) ? {} : valuesAt(fields, current as unknown as Json);
  const { metadata, ...rest } = isRecord(values) ? values : {};
  const { uid, resourceVersion } = current.metadata;
  return access.client.apply(
    pathOf(resource, manifest),
    canonicalJson({
      ...rest,
      apiVersion: manifest.apiVersion,
      kind: manifest.kind,
      metadata: {
        ...(isRecord(metadata) ? metadata : {}),
        name: manifest.name,
        uid,
        resourceVersion,
        ...(resource.namespaced ? { namespace: manifest.namespace } : {}),
      },
    }),
    { fieldManager: ignoredFieldManager(access.targetId), force: true, fieldValidation: 'Strict' },
    callOptions(access),
  );
}
