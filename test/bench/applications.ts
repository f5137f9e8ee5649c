import type { KubeClient, KubeObject } from '../../operator/kube/client.ts';
import { ListWatch } from '../../operator/kube/list-watch.ts';

export const APPLICATIONS = { group: 'towpath.dev', version: 'v1alpha1', plural: 'applications' };

interface State {
  /** That all of its environments run; undefined where they differ. */
  revision: string | undefined;
  isReady: boolean;
  message: string;
}

interface Status {
  sync?: string;
  conditions?: { type: string; status: string; message: string }[];
  environments?: { name: string; revision?: string }[];
}

/** Follows the Applications of a namespace as a user would: by a watch on their status. */
export class ApplicationWatch {
  readonly #watch: ListWatch<State>;
  readonly #waiting = new Set<() => void>();
  #ready = 0;

  constructor(client: KubeClient, namespace: string) {
    this.#watch = new ListWatch<State>({
      client,
      resource: APPLICATIONS,
      namespace,
      reduce: stateOf,
      onEvent: ({ type, object, previous }) => {
        this.#ready += (type !== 'Deleted' && object.isReady ? 1 : 0) - (previous?.isReady === true ? 1 : 0);
        for (const look of this.#waiting) look();
      },
    });
    this.#watch.start();
  }

  get ready(): number {
    return this.#ready;
  }

  /** Resolves with `performance.now()` of the event that tells that the Application is Ready at the revision. */
  readyAt(namespace: string, name: string, revision: string, withinMs = 60_000): Promise<number> {
    return this.#until(
      () => {
        const state = this.#watch.get(namespace, name);
        return state?.isReady === true && state.revision === revision;
      },
      withinMs,
      () =>
        `${name} to be Ready at ${revision}; its state is ${JSON.stringify(this.#watch.get(namespace, name))}`,
    );
  }

  /** Resolves with `performance.now()` of the event that made the last of so many Applications Ready. */
  allReady(count: number, withinMs: number): Promise<number> {
    return this.#until(
      () => this.#ready >= count,
      withinMs,
      () => {
        const other = [...this.#watch.values()].find((state) => !state.isReady);
        return `${count} Applications to be Ready; ${this.#ready} are, and one is ${JSON.stringify(other)}`;
      },
    );
  }

  /** The same of Applications that are Ready at a revision. */
  allReadyAt(count: number, revision: string, withinMs: number): Promise<number> {
    return this.#until(
      () => this.countReadyAt(revision) >= count,
      withinMs,
      () => `${count} Applications to be Ready at ${revision}; ${this.countReadyAt(revision)} are`,
    );
  }

  countReadyAt(revision: string): number {
    const isThere = (state: State) => state.isReady && state.revision === revision;
    return [...this.#watch.values()].filter(isThere).length;
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  #until(holds: () => boolean, withinMs: number, describe: () => string): Promise<number> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(performance.now());
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`waited ${withinMs / 1000} s for ${describe()}`));
      }, withinMs);
      this.#waiting.add(look);
      look();
    });
  }
}

function stateOf(object: KubeObject): State {
  const status = (object.status ?? {}) as Status;
  const ready = status.conditions?.find((condition) => condition.type === 'Ready');
  const [revision, ...others] = new Set(status.environments?.map((environment) => environment.revision));
  return {
    revision: others.length === 0 ? revision : undefined,
    isReady: ready?.status === 'True' && status.sync === 'Synced',
    message: ready?.message ?? '',
  };
}

export interface NewApplication {
  name: string;
  namespace: string;
  repoURL: string;
  path?: string;
  interval?: string;
  annotations?: Record<string, string>;
  /** Names of Environments; left out: none. */
  environments?: readonly string[];
}

export function applicationOf(options: NewApplication): object {
  const {
    name,
    namespace,
    repoURL,
    path = 'chart',
    interval = '1h',
    annotations = {},
    environments,
  } = options;
  return {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace, annotations },
    spec: {
      source: { repoURL, path, interval },
      ...(environments === undefined ? {} : { environments: environments.map((env) => ({ name: env })) }),
    },
  };
}

/** Runs `work` over the items, so many at once. */
export async function inParallel<Item>(
  items: Iterable<Item>,
  lanes: number,
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const queue = [...items].values();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
