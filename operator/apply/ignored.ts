import type { KubeObject, Resource } from '../kube/client.ts';
import { canonicalJson, isRecord, type Json, pointerSteps, valueAt } from '../manifest/exact-json.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { fieldManager, ignoredFieldManager } from '../plan/live.ts';
import { callOptions, pathOf, type TargetAccess } from './target.ts';

/**
 * Hands the ignored fields that we own to a second field manager, with the values that they have now. Only
 * then can our own manifest leave them out without the API server taking them away (sync.ignore).
 */
export async function handOver(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  paths: readonly string[],
  current: KubeObject,
): Promise<void> {
  const entry = current.metadata.managedFields?.find(
    (candidate) => candidate.manager === fieldManager(access.targetId) && candidate.operation === 'Apply',
  );
  const owned = paths.filter((path) => ownsPath(entry?.fieldsV1 as Json | undefined, path));
  if (owned.length === 0) return;
  const partial: { [key: string]: Json } = {
    apiVersion: manifest.apiVersion,
    kind: manifest.kind,
    metadata: {
      name: manifest.name,
      uid: current.metadata.uid,
      ...(resource.namespaced ? { namespace: manifest.namespace } : {}),
    },
  };
  for (const path of owned) {
    const value = valueAt(current as unknown as Json, path);
    if (value !== undefined) put(partial, pointerSteps(path), value);
  }
  await access.client.apply(
    pathOf(resource, manifest),
    canonicalJson(partial),
    { fieldManager: ignoredFieldManager(access.targetId), force: true, fieldValidation: 'Strict' },
    callOptions(access),
  );
}

/** Whether a managedFields entry (FieldsV1) holds the path or something below it; list items are not told apart. */
function ownsPath(fields: Json | undefined, path: string): boolean {
  let current = fields;
  for (const step of pointerSteps(path)) {
    if (!isRecord(current)) return false;
    current = current[`f:${step}`];
  }
  return current !== undefined;
}

function put(into: { [key: string]: Json }, steps: string[], value: Json): void {
  const [step, ...rest] = steps;
  if (step === undefined) return;
  if (rest.length === 0) {
    into[step] = value;
    return;
  }
  const child = into[step];
  const next = isRecord(child) ? child : {};
  into[step] = next;
  put(next, rest, value);
}
