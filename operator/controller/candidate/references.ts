import { TowpathError } from '../../api/errors.ts';
import { ANNOTATION_HOSTS } from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isForbidden } from '../../kube/errors.ts';
import { ListWatch } from '../../kube/list-watch.ts';

/** How long a look at an Application waits for what it refers to. */
const FIRST_LIST_MS = 15_000;

/** A Secret or ConfigMap of the Application's own namespace (S2). */
export interface Reference {
  kind: 'Secret' | 'ConfigMap';
  namespace: string;
  name: string;
}

export interface ReferencedContent {
  data: ReadonlyMap<string, Uint8Array>;
  /** What of towpath.dev/hosts stands on it: the hosts that it may be sent to. Undefined: it is bound to none. */
  hosts: string | undefined;
}

interface Watched {
  watch: ListWatch<ReferencedContent>;
  users: Set<string>;
  /** Those who wait for the first list, and so need not be told what is in it. */
  waiting: Set<string>;
}

interface KeyedContent extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

/** Watches, by name, the Secrets and ConfigMaps that Applications refer to; nothing else of their kind. */
export class References {
  readonly #client: KubeClient;
  readonly #onChange: (user: string) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #uses = new Map<string, Set<string>>();

  constructor(client: KubeClient, onChange: (user: string) => void) {
    this.#client = client;
    this.#onChange = onChange;
  }

  /**
   * The contents of what a user (an Application's key) refers to, by `Kind/name`; missing ones are left out.
   * Replaces what the user referred to before. A change, an appearance too, is told through onChange.
   */
  async read(
    user: string,
    references: readonly Reference[],
    signal: AbortSignal,
  ): Promise<Map<string, ReferencedContent>> {
    signal.throwIfAborted();
    const keys = new Set(references.map(referenceKey));
    for (const key of this.#uses.get(user) ?? []) if (!keys.has(key)) this.#release(user, key);
    this.#uses.set(user, keys);
    const contents = new Map<string, ReferencedContent>();
    await Promise.all(
      references.map(async (reference) => {
        const { watch, users, waiting } = this.#watch(reference);
        users.add(user);
        waiting.add(user);
        try {
          await firstList(watch, reference, signal);
        } finally {
          waiting.delete(user);
        }
        const content = watch.get(reference.namespace, reference.name);
        if (content !== undefined) contents.set(`${reference.kind}/${reference.name}`, content);
      }),
    );
    return contents;
  }

  forget(user: string): void {
    for (const key of this.#uses.get(user) ?? []) this.#release(user, key);
    this.#uses.delete(user);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#watched.values()].map(({ watch }) => watch.stop()));
    this.#watched.clear();
  }

  #watch(reference: Reference): Watched {
    const key = referenceKey(reference);
    const existing = this.#watched.get(key);
    if (existing !== undefined) return existing;
    const users = new Set<string>();
    const waiting = new Set<string>();
    const watch = new ListWatch<ReferencedContent>({
      client: this.#client,
      resource: { group: '', version: 'v1', plural: reference.kind === 'Secret' ? 'secrets' : 'configmaps' },
      namespace: reference.namespace,
      fieldSelector: `metadata.name=${reference.name}`,
      reduce: (object) => contentOf(object, reference.kind),
      onEvent: () => {
        for (const user of users) if (!waiting.has(user)) this.#onChange(user);
      },
    });
    const watched = { watch, users, waiting };
    this.#watched.set(key, watched);
    watch.start();
    return watched;
  }

  #release(user: string, key: string): void {
    const watched = this.#watched.get(key);
    watched?.users.delete(user);
    if (watched === undefined || watched.users.size > 0) return;
    this.#watched.delete(key);
    void watched.watch.stop();
  }
}

/** Waits for the first list, but not for ever: without the right to read it, it never comes. */
async function firstList(
  watch: ListWatch<ReferencedContent>,
  reference: Reference,
  signal: AbortSignal,
): Promise<void> {
  const limit = AbortSignal.timeout(FIRST_LIST_MS);
  try {
    await watch.whenSynced(AbortSignal.any([signal, limit]));
    // Lost after the first list: what was read before must not go on working in secret.
    if (isForbidden(watch.lastError)) throw watch.lastError;
  } catch (error) {
    signal.throwIfAborted();
    const { kind, namespace, name } = reference;
    const why = watch.lastError?.message ?? 'no answer';
    throw new TowpathError(
      'Time',
      'ClusterUnreachable',
      `${kind} ${namespace}/${name} cannot be read: ${why}. It is tried again.`,
      { cause: error },
    );
  }
}

function referenceKey(reference: Reference): string {
  return `${reference.kind}/${reference.namespace}/${reference.name}`;
}

function contentOf(object: KeyedContent, kind: Reference['kind']): ReferencedContent {
  const data = new Map<string, Uint8Array>();
  const dataEncoding = kind === 'Secret' ? 'base64' : 'utf8';
  for (const [key, value] of Object.entries(object.data ?? {}))
    data.set(key, Buffer.from(value, dataEncoding));
  for (const [key, value] of Object.entries(object.binaryData ?? {}))
    data.set(key, Buffer.from(value, 'base64'));
  return { data, hosts: object.metadata.annotations?.[ANNOTATION_HOSTS] };
}
