import { type LiveObject, liveObject, ownerAnnotation } from '../../operator/manifest/live.ts';
import { describeObject, type Manifest } from '../../operator/manifest/manifest.ts';
import { type ApiServer, wordsIn } from '../cluster/api-server.ts';
import { pathOf, type Resource, type Served } from '../cluster/discovery.ts';
import { inParallel } from '../cluster/in-parallel.ts';
import { isObject, parseJson } from '../text/exact.ts';

/** A rendered object, and what is in its place in the cluster. */
export interface Place {
  manifest: Manifest;
  /** Undefined where the cluster does not serve its kind. */
  resource: Resource | undefined;
  /** The object that is there, as parseJson has it; undefined where none is, or where that is not known. */
  live: Record<string, unknown> | undefined;
  /** Why it is not known what is there. */
  unknown?: string;
}

/** Looks at what is in the place of each object. */
export function placesOf(server: ApiServer, served: Served, objects: readonly Manifest[]): Promise<Place[]> {
  return inParallel(objects, async (manifest) => {
    const resource = resourceOf(served, manifest);
    if (resource === undefined) return { manifest, resource, live: undefined };
    const { status, text } = await server.send(pathOf(resource, manifest));
    if (status === 404) return { manifest, resource, live: undefined };
    const live = status === 200 ? parseJson(text) : undefined;
    if (isObject(live)) return { manifest, resource, live };
    const unknown = `${describeObject(manifest)} cannot be read: ${wordsIn(text, status)}`;
    return { manifest, resource, live: undefined, unknown };
  });
}

function resourceOf({ resources }: Served, { group, kind, apiVersion }: Manifest): Resource | undefined {
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  return resources.find((one) => one.group === group && one.kind === kind && one.version === version);
}

/** What tells whose a live object is. */
export function metadataOf(
  { group, version, kind }: Pick<Resource, 'group' | 'version' | 'kind'>,
  live: Record<string, unknown>,
): LiveObject {
  // As an API server sends it.
  return liveObject({ group, version, kind }, live['metadata'] as Parameters<typeof liveObject>[1]);
}

/** The id of a target, from an object that says to be its; undefined where there is none. */
export function targetIdIn(places: readonly Place[], targetName: string): string | undefined {
  for (const { manifest, resource, live } of places) {
    if (resource === undefined || live === undefined) continue;
    const { owner, target } = metadataOf(resource, live);
    if (target !== '' && owner === ownerAnnotation(targetName, manifest)) return target;
  }
  return undefined;
}
