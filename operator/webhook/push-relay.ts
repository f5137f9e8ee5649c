import { membersOf } from '../api/foreign-object.ts';
import type { KubeClient, KubeObject } from '../kube/client.ts';
import { isAlreadyExists, isNotFound } from '../kube/errors.ts';
import { ListWatch } from '../kube/list-watch.ts';
import { sha256 } from '../manifest/digest.ts';

export interface PushRelayOptions {
  client: KubeClient;
  namespace: string;
  /** Told of each push that a replica passed on, by the key of the repository's name. */
  onPush(keys: ReadonlySet<string>): void;
}

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };
const NAME = 'towpath-pushes';
/** An entry is of no use once the leader has seen it; the leader's successor asks every repository anyway. */
const KEPT_MS = 10 * 60_000;
const TIMEOUT_MS = 5_000;

/**
 * Passes a push that arrived at a replica on to the one that leads, by a ConfigMap that all of them watch: one entry
 * for each repository, with the time of its last push. No replica needs to reach another for that, nor to trust what
 * another one sends.
 */
export class PushRelay {
  readonly #options: PushRelayOptions;
  readonly #watch: ListWatch<Readonly<Record<string, string>>>;
  #entries: Readonly<Record<string, string>> = {};

  constructor(options: PushRelayOptions) {
    this.#options = options;
    const { client, namespace } = options;
    this.#watch = new ListWatch({
      client,
      resource: CONFIG_MAPS,
      namespace,
      fieldSelector: `metadata.name=${NAME}`,
      reduce: entriesOf,
      onEvent: ({ type, object }) => this.#take(type === 'Deleted' ? {} : object),
    });
  }

  /** How a repository's name stands in the ConfigMap. */
  static relayKey(name: string): string {
    return sha256(name);
  }

  start(): void {
    this.#watch.start();
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  /** Rejects where it could not be written. */
  async tell(keys: Iterable<string>): Promise<void> {
    const { client, namespace } = this.#options;
    const now = client.now().getTime();
    const old = Object.keys(this.#entries).filter((key) => this.#isOld(key, now));
    // Two pushes in one millisecond are two entries, too.
    const value = `${new Date(now).toISOString()} ${performance.now()}`;
    const data = Object.fromEntries([
      ...old.map((key) => [key, null]),
      ...[...keys].map((key) => [key, value]),
    ]);
    const path = { resource: CONFIG_MAPS, namespace, name: NAME };
    const call = { timeoutMs: TIMEOUT_MS, ungated: true };
    const patch = () => client.mergePatch(path, { data }, {}, call);
    try {
      await patch();
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: NAME, namespace } };
      const collection = { resource: CONFIG_MAPS, namespace };
      await client.create(collection, body, {}, call).catch((failed: unknown) => {
        if (!isAlreadyExists(failed)) throw failed;
      });
      await patch();
    }
  }

  #isOld(key: string, now: number): boolean {
    const at = Date.parse((this.#entries[key] ?? '').split(' ', 1)[0] ?? '');
    return Number.isNaN(at) || now - at > KEPT_MS;
  }

  #take(entries: Readonly<Record<string, string>>): void {
    const before = this.#entries;
    this.#entries = entries;
    const changed = Object.keys(entries).filter((key) => entries[key] !== before[key]);
    if (changed.length > 0) this.#options.onPush(new Set(changed));
  }
}

function entriesOf({ data }: KubeObject): Readonly<Record<string, string>> {
  return membersOf(data) as Readonly<Record<string, string>>;
}
