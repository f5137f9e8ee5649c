import { z } from 'zod';
import { CommandError } from '../exit-codes.ts';
import type { ApiServer } from './api-server.ts';

/** A kind as a cluster serves it, in one version. */
export interface Resource {
  group: string;
  version: string;
  kind: string;
  plural: string;
  isNamespaced: boolean;
  canBeListed: boolean;
}

/** What a cluster serves, as far as a render and a comparison ask for it. */
export interface Served {
  kubeVersion: string;
  /** `apps/v1` and `apps/v1/Deployment`, as Helm has them. */
  apiVersions: readonly string[];
  /** `group/Kind` → whether its objects have a namespace. */
  scopes: Readonly<Record<string, boolean>>;
  /** In the order in which the cluster prefers their versions. */
  resources: readonly Resource[];
  /** Versions whose aggregated API does not answer: nobody knows their kinds. */
  unknown: readonly string[];
}

const kindSchema = z.object({ kind: z.string().optional() });
const groupsSchema = z.object({
  kind: z.literal('APIGroupDiscoveryList'),
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string().optional() }).optional(),
      versions: z
        .array(
          z.object({
            version: z.string(),
            freshness: z.string().optional(),
            resources: z
              .array(
                z.object({
                  resource: z.string(),
                  responseKind: kindSchema.optional(),
                  scope: z.string().optional(),
                  verbs: z.array(z.string()).default([]),
                  subresources: z.array(z.object({ responseKind: kindSchema.optional() })).default([]),
                }),
              )
              .default([]),
          }),
        )
        .default([]),
    }),
  ),
});
const versionSchema = z.object({ gitVersion: z.string() });

/** KEP-3352, as the operator asks for it. */
const ACCEPT = ['v2', 'v2beta1']
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(',');

/** Asks the cluster what it serves. @throws CommandError */
export async function discover(server: ApiServer): Promise<Served> {
  const [version, ...documents] = await Promise.all([
    server.document('/version'),
    server.document('/api', ACCEPT),
    server.document('/apis', ACCEPT),
  ]);
  const names = new Set<string>();
  const unknown: string[] = [];
  const resources: Resource[] = [];
  for (const { metadata, versions } of documents.flatMap(groupsOf)) {
    const group = metadata?.name ?? '';
    for (const { version, resources: served, freshness } of versions) {
      const name = group === '' ? version : `${group}/${version}`;
      names.add(name);
      if (freshness === 'Stale' && served.length === 0) unknown.push(name);
      for (const { resource, responseKind, scope, verbs, subresources } of served) {
        for (const { responseKind: of } of subresources) if (of?.kind) names.add(`${name}/${of.kind}`);
        if (!responseKind?.kind) continue;
        const { kind } = responseKind;
        names.add(`${name}/${kind}`);
        const isNamespaced = scope !== 'Cluster';
        const canBeListed = verbs.includes('list');
        resources.push({ group, version, kind, plural: resource, isNamespaced, canBeListed });
      }
    }
  }
  const scopes: Record<string, boolean> = {};
  for (const { group, kind, isNamespaced } of resources) scopes[`${group}/${kind}`] ??= isNamespaced;
  const { gitVersion } = versionSchema.parse(version);
  return { kubeVersion: gitVersion, apiVersions: [...names].sort(), scopes, resources, unknown };
}

function groupsOf(document: unknown) {
  const read = groupsSchema.safeParse(document);
  if (read.success) return read.data.items;
  throw new CommandError(
    'This cluster does not tell what it serves in one document: Towpath needs Kubernetes 1.27 or newer.',
  );
}

/** The path of an object, or, without a name, of all objects of its kind; without a namespace of all namespaces. */
export function pathOf(
  { group, version, plural, isNamespaced }: Resource,
  { namespace = '', name = '' }: { namespace?: string; name?: string },
): string {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const within = isNamespaced && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${base}${within}/${plural}${name === '' ? '' : `/${encodeURIComponent(name)}`}`;
}
