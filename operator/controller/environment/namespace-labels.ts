import type { KubeClient } from '../../kube/client.ts';
import { ListWatch } from '../../kube/list-watch.ts';

const NAMESPACES = { group: '', version: 'v1', plural: 'namespaces' };

type Labels = Readonly<Record<string, string>>;

/** Those of a namespace, or why they are not known. */
export type KnownLabels = { readonly labels: Labels } | { readonly problem: string };

export interface NamespaceLabelsOptions {
  client: KubeClient;
  /** Those of a namespace are others by now, as `isOther` tells of each label. */
  onChange(isOther: (label: string) => boolean): void;
  /** They are known, those of all namespaces. */
  onListed(): void;
  /** They may be others by now, as `stale` says, or are known again. */
  onStale(): void;
}

/** The labels of the namespaces at home, for Environments that go by them; without any it watches nothing. */
export class NamespaceLabels {
  readonly #watch: ListWatch<Labels>;
  readonly #byName = new Map<string, Labels>();
  #isStarted = false;

  constructor({ client, onChange, onListed, onStale }: NamespaceLabelsOptions) {
    this.#watch = new ListWatch<Labels>({
      client,
      resource: NAMESPACES,
      metadataOnly: true,
      reduce: ({ metadata }) => Object.freeze({ ...metadata.labels }),
      onEvent: ({ type, name, object }) => {
        const before = this.#byName.get(name);
        if (type === 'Deleted') this.#byName.delete(name);
        else this.#byName.set(name, object);
        const after = this.#byName.get(name);
        if (this.#watch.synced) onChange((label) => before?.[label] !== after?.[label]);
      },
      onListed,
      onStale,
    });
  }

  /** From now on they are known, or why they are not. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#watch.start();
  }

  of(namespace: string): KnownLabels {
    if (this.#watch.synced) return { labels: this.#byName.get(namespace) ?? {} };
    return { problem: this.#watch.lastError?.message ?? 'they are not listed yet' };
  }

  /** Why they may be others by now: they could be listed, and cannot be any more. */
  get stale(): string | undefined {
    const { stale } = this.#watch;
    return stale && `namespaces cannot be listed: ${stale.message}`;
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }
}
