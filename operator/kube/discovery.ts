import { setTimeout as delay } from 'node:timers/promises';
import type { KubeClient } from './client.ts';
import { UnreachableError } from './errors.ts';
import type { Resource } from './objects.ts';
import { unlessAborted } from './unless-aborted.ts';

interface ResponseKind {
  group?: string;
  version?: string;
  kind?: string;
}

interface ResourceDocument {
  resource: string;
  responseKind?: ResponseKind;
  scope?: 'Namespaced' | 'Cluster';
  verbs?: string[];
  subresources?: { responseKind?: ResponseKind }[];
}

interface GroupDocument {
  metadata?: { name?: string };
  versions?: { version: string; resources?: ResourceDocument[]; freshness?: 'Current' | 'Stale' }[];
}

/** One version of one group. */
interface GroupVersion {
  group: string;
  version: string;
  resources: Resource[];
  /** Kinds of resources and subresources, as Helm counts them. */
  kinds: string[];
  /** Its aggregated API does not answer, and nothing is known of its kinds. */
  isUnknown: boolean;
}

interface Snapshot {
  /** What it was made of, document by document. */
  of: readonly GroupVersion[][];
  /** Groups as the server orders them, each one's versions in its order of preference. */
  groupVersions: GroupVersion[];
  byKind: Map<string, Resource[]>;
  kubeVersion: string;
  /** `apps/v1` and `apps/v1/Deployment`. */
  names: ReadonlySet<string>;
}

/** KEP-3352; v2 since Kubernetes 1.30, v2beta1 since 1.27. */
const ACCEPT = ['v2', 'v2beta1']
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(',');
/** How often a kind that stays unknown may ask the server again. */
const UNKNOWN_KIND_MS = 1000;
const POLL_MS = 100;
/** For so long what is not served any more counts as served for charts that ask. */
const LEAVING_MS = 20_000;

/**
 * Which kinds the API server has now, from its aggregated discovery documents. A broken aggregated API keeps the
 * kinds it had and touches no other.
 */
export class Discovery {
  readonly #client: KubeClient;
  readonly #listeners = new Set<() => void>();
  /** What was read of each document: the documents themselves are several times as large, and there are many clusters. */
  readonly #documents = new Map<string, { etag: string | undefined; groupVersions: GroupVersion[] }>();
  #snapshot: Snapshot = { of: [], groupVersions: [], byKind: new Map(), kubeVersion: '', names: new Set() };
  /** What was served, and is not any more, with when that was found; for a while it counts as served. */
  readonly #leaving = new Map<string, number>();
  #left: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #invalid = true;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Asks the server now; callers that come meanwhile share one request. @throws ApiError, UnreachableError */
  refresh(signal?: AbortSignal): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return unlessAborted(this.#refreshing, signal);
  }

  /** What is known may be outdated (a CRD came, changed or went): the next `ensure` of an unknown kind asks at once. */
  invalidate(): void {
    this.#invalid = true;
  }

  /** The kind as served, in the version given or else in the one that the server prefers. */
  resourceFor(group: string, kind: string, version?: string): Resource | undefined {
    const served = this.#snapshot.byKind.get(`${group}/${kind}`);
    return version === undefined ? served?.[0] : served?.find((resource) => resource.version === version);
  }

  /**
   * Like `resourceFor`, but asks the server where the kind is unknown (A10): at most once a second, at once after
   * `invalidate`. With `waitMs` it goes on asking that long, for a CRD that has just been established.
   */
  async ensure(
    group: string,
    kind: string,
    version?: string,
    { waitMs = 0, signal }: { waitMs?: number; signal?: AbortSignal } = {},
  ): Promise<Resource | undefined> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const cached = this.resourceFor(group, kind, version);
      if (cached !== undefined) return cached;
      const waiting = performance.now() < deadline;
      if (waiting || this.#invalid || performance.now() - this.#refreshedAt >= UNKNOWN_KIND_MS) {
        // A refresh under way may have asked before the CRD came.
        if (this.#refreshing !== undefined) await this.refresh(signal);
        await this.refresh(signal);
      }
      const found = this.resourceFor(group, kind, version);
      if (found !== undefined || !waiting) return found;
      await delay(POLL_MS, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** Every resource served, in every version. */
  resources(): Resource[] {
    return this.#snapshot.groupVersions.flatMap(({ resources }) => resources);
  }

  /**
   * `apps/v1` and `apps/v1/Deployment`, sorted: what Helm puts into .Capabilities.APIVersions. What ceased to be served
   * a moment ago is among them still: a definition that is replaced, or the other one of two API servers of which one
   * is newer, must not take away what runs.
   */
  apiVersions(): string[] {
    return [...new Set([...this.#snapshot.names, ...this.#leaving.keys()])].sort();
  }

  /** Whether a name is among `apiVersions`; undefined where its aggregated API does not answer, so that nobody knows. */
  serves(name: string): boolean | undefined {
    if (this.#snapshot.names.has(name) || this.#leaving.has(name)) return true;
    return this.unknown().some((version) => name.startsWith(`${version}/`)) ? undefined : false;
  }

  /** The versions (`example.com/v1`) of which no kind is known because their aggregated API does not answer. */
  unknown(): string[] {
    return this.#snapshot.groupVersions.flatMap((each) => (each.isUnknown ? [nameOf(each)] : []));
  }

  /** `v1.37.2`; '' before the first refresh. */
  kubeVersion(): string {
    return this.#snapshot.kubeVersion;
  }

  /** `group/Kind` → whether its objects live in namespaces. */
  scopes(): Record<string, boolean> {
    const scopes: Record<string, boolean> = {};
    for (const [name, [preferred]] of this.#snapshot.byKind) {
      if (preferred !== undefined) scopes[name] = preferred.namespaced;
    }
    return scopes;
  }

  /** Calls back after each refresh that changed something; returns how to end that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #refresh(): Promise<void> {
    const wasInvalid = this.#invalid;
    this.#invalid = false;
    this.#refreshedAt = performance.now();
    try {
      const [core, named, version] = await Promise.all([
        this.#document('/api'),
        this.#document('/apis'),
        this.#client.version(),
      ]);
      const before = this.#snapshot;
      if (before.of[0] === core && before.of[1] === named && before.kubeVersion === version.gitVersion)
        return;
      const of = [core, named];
      const groupVersions = of.flat();
      const names = namesOf(groupVersions);
      const next = {
        of,
        groupVersions,
        byKind: byKind(groupVersions),
        kubeVersion: version.gitVersion,
        names,
      };
      const changed =
        next.kubeVersion !== before.kubeVersion ||
        JSON.stringify(groupVersions) !== JSON.stringify(before.groupVersions);
      this.#snapshot = next;
      if (!changed) return;
      this.#noteLeaving(before.names, names);
      this.#tell();
    } catch (error) {
      this.#invalid ||= wasInvalid;
      this.#refreshedAt = Number.NEGATIVE_INFINITY;
      throw error;
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #noteLeaving(before: ReadonlySet<string>, names: ReadonlySet<string>): void {
    for (const name of names) this.#leaving.delete(name);
    const now = performance.now();
    for (const name of before) if (!names.has(name)) this.#leaving.set(name, now);
    if (this.#leaving.size > 0) this.#left ??= setTimeout(() => this.#forgetLeft(), LEAVING_MS).unref();
  }

  /** What is still gone by now has gone, and that is a change, too. */
  #forgetLeft(): void {
    this.#left = undefined;
    const due = performance.now() - LEAVING_MS + POLL_MS;
    for (const [name, since] of this.#leaving) if (since <= due) this.#leaving.delete(name);
    if (this.#leaving.size > 0) this.#left = setTimeout(() => this.#forgetLeft(), LEAVING_MS / 4).unref();
    this.#tell();
  }

  /** One of the two documents; unchanged ones cost the server only a 304. */
  async #document(path: '/api' | '/apis'): Promise<GroupVersion[]> {
    const cached = this.#documents.get(path);
    const answer = await this.#client.getPath(path, { accept: ACCEPT, ifNoneMatch: cached?.etag });
    if (answer.status === 304 && cached !== undefined) return cached.groupVersions;
    const document: { kind?: string; items?: GroupDocument[] } = parseDocument(path, answer.text);
    if (document.kind !== 'APIGroupDiscoveryList') {
      throw new Error('The API server has no aggregated discovery; Towpath needs Kubernetes 1.27 or newer.');
    }
    const etag = answer.headers.etag;
    const groupVersions = groupVersionsOf(document.items ?? [], this.#snapshot.groupVersions);
    this.#documents.set(path, { etag: typeof etag === 'string' ? etag : undefined, groupVersions });
    return groupVersions;
  }
}

function parseDocument(path: string, text: string): { kind?: string; items?: GroupDocument[] } {
  try {
    return JSON.parse(text);
  } catch {
    throw new UnreachableError('Malformed', `The discovery document ${path} is not JSON.`);
  }
}

/** A stale version (its aggregated API does not answer) keeps what was known of it. */
function groupVersionsOf(groups: GroupDocument[], before: GroupVersion[]): GroupVersion[] {
  return groups.flatMap((document) => {
    const group = document.metadata?.name ?? '';
    return (document.versions ?? []).map(({ version, resources = [], freshness }) => {
      const cached = before.find((candidate) => candidate.group === group && candidate.version === version);
      if (freshness === 'Stale' && resources.length === 0 && cached !== undefined) return cached;
      return {
        ...groupVersionOf(group, version, resources),
        isUnknown: freshness === 'Stale' && resources.length === 0,
      };
    });
  });
}

function nameOf({ group, version }: GroupVersion): string {
  return group === '' ? version : `${group}/${version}`;
}

function namesOf(groupVersions: readonly GroupVersion[]): Set<string> {
  return new Set(
    groupVersions.flatMap((each) => [nameOf(each), ...each.kinds.map((kind) => `${nameOf(each)}/${kind}`)]),
  );
}

function groupVersionOf(
  group: string,
  version: string,
  documents: ResourceDocument[],
): Omit<GroupVersion, 'isUnknown'> {
  const kinds = new Set<string>();
  const resources: Resource[] = [];
  for (const { resource, responseKind, scope, verbs = [], subresources = [] } of documents) {
    for (const sub of subresources) if (sub.responseKind?.kind) kinds.add(sub.responseKind.kind);
    const kind = responseKind?.kind;
    if (!kind) continue;
    kinds.add(kind);
    resources.push({ group, version, plural: resource, kind, namespaced: scope !== 'Cluster', verbs });
  }
  return { group, version, resources, kinds: [...kinds] };
}

function byKind(groupVersions: GroupVersion[]): Map<string, Resource[]> {
  const index = new Map<string, Resource[]>();
  for (const resource of groupVersions.flatMap(({ resources }) => resources)) {
    const key = `${resource.group}/${resource.kind}`;
    index.set(key, [...(index.get(key) ?? []), resource]);
  }
  return index;
}
