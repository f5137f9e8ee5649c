import { z } from 'zod';
import { LABEL_TARGET } from '../../operator/api/v1alpha1/names.ts';
import { isOurs, type LiveObject } from '../../operator/manifest/live.ts';
import { idOf, objectKey } from '../../operator/manifest/manifest.ts';
import { isPassedOver, keepReason } from '../../operator/manifest/never-pruned.ts';
import type { ApiServer } from '../cluster/api-server.ts';
import { pathOf, type Resource, type Served } from '../cluster/discovery.ts';
import { inParallel } from '../cluster/in-parallel.ts';
import type { Compared, Difference } from './compare.ts';
import { metadataOf } from './live.ts';

const listSchema = z.object({
  metadata: z.object({ continue: z.string().optional() }).optional(),
  // Of a kind with none some API servers write null.
  items: z.array(z.record(z.string(), z.unknown())).nullish(),
});

const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/**
 * What an Application applied and its files do not make any more, as far as the user may list it. Only the operator's
 * record names it all, but the status counts it: what is not found is told as unknown, and where all is rendered
 * nothing is searched for.
 *
 * @param running how many objects the status counts; undefined where it does not.
 */
export async function leftovers(
  compared: Compared,
  served: Served,
  running: number | undefined,
): Promise<{ differences: Difference[]; unknown: string[] }> {
  const { application, places, targetId, targetName } = compared;
  let missing = running ?? 0;
  for (const { resource, live } of places)
    if (
      resource !== undefined &&
      live !== undefined &&
      isOurs(metadataOf(resource, live), targetId, targetName)
    )
      missing -= 1;
  if (missing <= 0) return { differences: [], unknown: [] };
  const rendered = new Set(places.map(({ manifest }) => objectKey(manifest)));
  const { prune } = application.spec.sync;
  const differences: Difference[] = [];
  for (const live of await labelled(compared, served)) {
    if (rendered.has(objectKey(live)) || isPassedOver(live) || !isOurs(live, targetId, targetName)) continue;
    missing -= 1;
    const kept = keepReason(live, { targetId, targetName, prune });
    const object = idOf(live);
    differences.push(
      kept === undefined
        ? { change: 'Deleted', object, message: 'The files of the clone do not make it any more.' }
        : { change: 'Kept', object, message: kept },
    );
  }
  const how = missing === 1 ? '1 object that runs was' : `${missing} objects that run were`;
  const unknown =
    missing <= 0
      ? []
      : [
          `${how} not found with your rights to list: whether a sync deletes ${missing === 1 ? 'it' : 'them'} is not known.`,
        ];
  return { differences, unknown };
}

/** All objects with the target's label, once each. */
async function labelled(compared: Compared, { resources }: Served): Promise<LiveObject[]> {
  const { landing, places } = compared;
  const namespaces = new Set([landing.namespace]);
  for (const { manifest } of places) if (manifest.namespace !== '') namespaces.add(manifest.namespace);
  const preferred = new Map<string, Resource>();
  for (const resource of resources) {
    const { group, kind, canBeListed } = resource;
    if (canBeListed && !preferred.has(`${group}/${kind}`)) preferred.set(`${group}/${kind}`, resource);
  }
  const found = await inParallel([...preferred.values()], async (resource) => {
    const everywhere = await listed(compared, resource, '');
    if (everywhere !== undefined || !resource.isNamespaced) return everywhere ?? [];
    const each = await inParallel([...namespaces], (namespace) => listed(compared, resource, namespace), 2);
    return each.flatMap((items) => items ?? []);
  });
  const byUid = new Map(found.flat().map((live) => [live.uid, live]));
  return [...byUid.values()];
}

/** Undefined where the user may not list them, or the cluster does not answer. */
async function listed(
  { server, targetId }: { server: ApiServer; targetId: string },
  resource: Resource,
  namespace: string,
): Promise<LiveObject[] | undefined> {
  const found: LiveObject[] = [];
  let next: string | undefined = '';
  while (next !== undefined) {
    const query = new URLSearchParams({ labelSelector: `${LABEL_TARGET}=${targetId}`, limit: '500' });
    if (next !== '') query.set('continue', next);
    const path = `${pathOf(resource, { namespace })}?${query.toString()}`;
    const { status, text } = await server.send(path, { accept: METADATA_ONLY });
    if (status !== 200) return undefined;
    const { items, metadata } = listSchema.parse(JSON.parse(text));
    found.push(...(items ?? []).map((item) => metadataOf(resource, item)));
    next = metadata?.continue || undefined;
  }
  return found;
}
