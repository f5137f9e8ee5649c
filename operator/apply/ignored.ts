import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, Resource } from '../kube/client.ts';
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
import { callOptions, pathOf, type TargetAccess } from './target.ts';

/**
 * Hands the ignored fields that we own to a second field manager, with the values that they have now. Only
 * then can our own manifest leave them out without the API server taking them away (sync.ignore). Answers whether
 * there were any.
 */
export async function handOver(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  paths: readonly string[],
  current: KubeObject,
): Promise<boolean> {
  const handed = below(fieldsOf(current, fieldManager(access.targetId)), paths, manifest);
  if (Object.keys(handed).length === 0) return false;
  // An apply replaces the manager's whole set: what it had is sent along.
  mergeFields(handed, fieldsOf(current, ignoredFieldManager(access.targetId)));
  await send(access, resource, manifest, handed, current);
  return true;
}

/**
 * Lets go what the second field manager holds of fields that are no longer ignored, after our own manager took
 * them: else one left out of Git later would stay. What Git does not name stays as it is: leaving a field out
 * never resets it. Returns the object as it is then.
 */
export async function takeBack(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  paths: readonly string[],
  current: KubeObject,
): Promise<KubeObject> {
  const held = fieldsOf(current, ignoredFieldManager(access.targetId));
  // Nearly always: then the text need not be parsed.
  if (Object.keys(held).length === 0) return current;
  const still = below(held, paths, manifest);
  mergeFields(still, unnamedIn(parseExact(manifest.text), held) ?? {});
  if (isDeepStrictEqual(held, still)) return current;
  return send(access, resource, manifest, still, current);
}

/**
 * The manifest's text as it is applied onto `current`: without the fields that others decide. Of an atomic list
 * or map no part can be left out, as it is owned and applied as a whole: there the text gets the values that
 * others gave those fields.
 */
export function textWithout(manifest: Manifest, paths: readonly string[], current: KubeObject): string {
  if (paths.length === 0) return manifest.text;
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
  return withValues(withoutPaths(manifest.text, left), values);
}

function fieldsOf(object: KubeObject, manager: string): FieldSet {
  const entry = object.metadata.managedFields?.find(
    (candidate) => candidate.manager === manager && candidate.operation === 'Apply' && !candidate.subresource,
  );
  return (entry?.fieldsV1 ?? {}) as FieldSet;
}

function below(fields: FieldSet, paths: readonly string[], manifest: Manifest): FieldSet {
  const result: FieldSet = {};
  if (Object.keys(fields).length === 0) return result;
  const document = parseExact(manifest.text);
  const unheld = unheldPaths(manifest);
  for (const path of paths)
    if (!unheld.includes(path)) mergeFields(result, fieldsAt(fields, pointerSteps(path), document) ?? {});
  return result;
}

async function send(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  fields: FieldSet,
  current: KubeObject,
): Promise<KubeObject> {
  const isEmpty = Object.keys(fields).length === 0;
  const values = isEmpty ? {} : valuesAt(fields, current as unknown as Json);
  const { metadata, ...rest } = isRecord(values) ? values : {};
  return access.client.apply(
    pathOf(resource, manifest),
    canonicalJson({
      ...rest,
      apiVersion: manifest.apiVersion,
      kind: manifest.kind,
      metadata: {
        ...(isRecord(metadata) ? metadata : {}),
        name: manifest.name,
        uid: current.metadata.uid,
        ...(resource.namespaced ? { namespace: manifest.namespace } : {}),
      },
    }),
    { fieldManager: ignoredFieldManager(access.targetId), force: true, fieldValidation: 'Strict' },
    callOptions(access),
  );
}
