import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { ListWatch } from '../../kube/list-watch.ts';
import { namespacePath } from './managed-objects.ts';

/** A watch has a connection of its own; beyond so many a namespace is only looked at again in time. */
const MOST_WATCHES = 64;

interface Awaited {
  readonly watch: ListWatch<string>;
  /** What is to be done then, by target. */
  readonly then: Map<string, () => void>;
}

/**
 * Namespaces that are not as targets need them: another label, or their end, is noticed at once, and ends the watch. Who
 * may not watch one gets nothing of it, and looks again in time.
 */
export class AwaitedNamespaces {
  readonly #awaited = new Map<KubeClient, Map<string, Awaited>>();

  /** Does that for a target, once, when the namespace is other than in this answer. */
  await(client: KubeClient, namespace: KubeObject, target: string, then: () => void): void {
    const ofClient = this.#awaited.get(client) ?? new Map<string, Awaited>();
    this.#awaited.set(client, ofClient);
    const { name } = namespace.metadata;
    const awaited = ofClient.get(name);
    if (awaited !== undefined) awaited.then.set(target, then);
    else if (this.#count() < MOST_WATCHES)
      ofClient.set(name, this.#watch(client, namespace, new Map([[target, then]])));
  }

  /** For a target nothing is done any more. */
  forget(target: string): void {
    for (const [client, ofClient] of this.#awaited)
      for (const [name, { then }] of ofClient)
        if (then.delete(target) && then.size === 0) this.#end(client, name);
  }

  async stop(): Promise<void> {
    const all = [...this.#awaited.values()].flatMap((ofClient) => [...ofClient.values()]);
    this.#awaited.clear();
    await Promise.all(all.map(({ watch }) => watch.stop()));
  }

  #count(): number {
    return [...this.#awaited.values()].reduce((sum, { size }) => sum + size, 0);
  }

  #watch(client: KubeClient, from: KubeObject, then: Map<string, () => void>): Awaited {
    const { name } = from.metadata;
    const before = standOf(from);
    const watch = new ListWatch<string>({
      client,
      resource: namespacePath(name).resource,
      fieldSelector: `metadata.name=${name}`,
      metadataOnly: true,
      from,
      reduce: standOf,
      onEvent: ({ type, object }) => {
        if (type !== 'Deleted' && object === before) return;
        this.#end(client, name);
        for (const each of then.values()) each();
      },
      onState: (state) => {
        if (state.state === 'Failing') this.#end(client, name);
      },
    });
    watch.start();
    return { watch, then };
  }

  #end(client: KubeClient, name: string): void {
    const ofClient = this.#awaited.get(client);
    const awaited = ofClient?.get(name);
    ofClient?.delete(name);
    if (ofClient?.size === 0) this.#awaited.delete(client);
    void awaited?.watch.stop();
  }
}

/** All of a namespace that decides whether access may be managed in it. */
function standOf({ metadata: { uid, labels, deletionTimestamp } }: KubeObject): string {
  return JSON.stringify([uid, deletionTimestamp, Object.entries(labels ?? {}).sort()]);
}
