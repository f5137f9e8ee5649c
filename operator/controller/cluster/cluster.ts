import type { KubeClient } from '../../kube/client.ts';
import { Definitions } from '../../kube/definitions.ts';
import { Discovery } from '../../kube/discovery.ts';
import { Inventory } from './inventory.ts';

export interface ClusterOptions {
  client: KubeClient;
  /** Something of the target changed in the cluster. */
  onChange(targetId: string): void;
  /** The cluster serves other kinds. */
  onKindsChanged(): void;
  /** A definition changed, if only its schema; told a few times for one change. */
  onDefinitionsChanged(): void;
  /** The API server cannot be asked what it serves. */
  onFault(error: unknown): void;
  random(): number;
}

/**
 * One API server that targets are in: what it serves, what they have there, and what time it is there. Applications,
 * records and the Lease may be in another one.
 */
export class Cluster {
  readonly client: KubeClient;
  readonly discovery: Discovery;
  readonly inventory: Inventory;
  readonly #definitions: Definitions;
  readonly #onKindsChanged: () => void;

  constructor({ onChange, onKindsChanged, onDefinitionsChanged, ...options }: ClusterOptions) {
    const { client } = options;
    const discovery = new Discovery(client);
    this.client = client;
    this.discovery = discovery;
    this.inventory = new Inventory({ client, discovery, onChange });
    this.#definitions = new Definitions({ ...options, discovery, onChange: onDefinitionsChanged });
    this.#onKindsChanged = onKindsChanged;
  }

  /** Resolves when it is known what is served; rejects when it is stopped before. */
  async start(): Promise<void> {
    await this.#definitions.start();
    this.discovery.onChange(() => {
      // Watches may have ended.
      this.inventory.watches.onDefinitionsChanged();
      this.#onKindsChanged();
    });
  }

  /** Its own clock: whatever its API server set is compared with this one (A13). */
  now(): Date {
    return this.client.now();
  }

  /** Why it is not known what is served; undefined since it was told once. */
  get problem(): string | undefined {
    return this.#definitions.problem;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#definitions.stop(), this.inventory.stop()]);
  }
}
