import type { KubeObject } from '../../operator/kube/client.ts';
import { ListWatch } from '../../operator/kube/list-watch.ts';
import { APPLICATIONS, applicationOf, inParallel } from '../bench/applications.ts';
import { chartOf, valuesOf } from '../bench/chart.ts';
import type { Stage } from '../bench/stage.ts';
import type { GitRepository } from '../harness/git-repository.ts';
import { environmentOf } from '../harness/target.ts';

/** Among which the Applications are shared out: a commit is news to all of one. */
const REPOSITORIES = 10;
export const OBJECTS = 4;
const POLL_INTERVAL = '10s';
const LANES = 16;
const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };

interface State {
  revision: string | undefined;
  isReady: boolean;
  /** What a person is asked to do; undefined: nothing. */
  stalled: string | undefined;
}

interface Status {
  sync?: string;
  conditions?: { type: string; status: string; message: string }[];
  environments?: { name: string; revision?: string }[];
}

/** A repository, and what its head says. */
interface Line {
  repository: GitRepository;
  revision: string;
  message: string;
}

/** Many Applications of a few repositories, as their users see them. */
export class Fleet {
  /** What a person was asked to do, by message, and how often: in a soak nobody has done anything wrong. */
  readonly complaints = new Map<string, number>();
  readonly #stage: Stage;
  readonly #count: number;
  readonly #lines: Line[];
  readonly #watch: ListWatch<State>;

  private constructor(stage: Stage, count: number, lines: Line[]) {
    this.#stage = stage;
    this.#count = count;
    this.#lines = lines;
    this.#watch = new ListWatch<State>({
      client: stage.ground.client,
      resource: APPLICATIONS,
      namespace: stage.namespace,
      reduce: stateOf,
      onEvent: ({ type, object, previous }) => {
        const { stalled } = object;
        if (type === 'Deleted' || stalled === undefined || stalled === previous?.stalled) return;
        this.complaints.set(stalled, (this.complaints.get(stalled) ?? 0) + 1);
      },
    });
    this.#watch.start();
  }

  static async create(stage: Stage, count: number): Promise<Fleet> {
    const lines: Line[] = [];
    for (let index = 0; index < REPOSITORIES; index++) {
      const repository = await stage.repository(`soak-${index}`, chartOf(OBJECTS));
      lines.push({ repository, revision: await repository.revParse('main'), message: 'first' });
    }
    const fleet = new Fleet(stage, count, lines);
    const { client } = stage.ground;
    const { namespace } = stage;
    await inParallel(Array(count).keys(), LANES, (index) => {
      const repoURL = stage.url(fleet.#lineOf(index).repository);
      const application = applicationOf({
        name: `app-${index}`,
        namespace,
        repoURL,
        interval: POLL_INTERVAL,
      });
      return client.create({ resource: APPLICATIONS, namespace }, application);
    });
    return fleet;
  }

  /** A commit that changes one object of every Application of a repository. */
  async commit(turn: number): Promise<void> {
    const line = this.#lineOf(turn);
    const message = `turn ${turn}`;
    line.revision = await line.repository.commit({ 'chart/values.yaml': valuesOf(message) });
    line.message = message;
  }

  /** What somebody changes by hand of one Application. */
  async drift(application: number): Promise<void> {
    const path = { resource: CONFIG_MAPS, namespace: this.#stage.namespace, name: `app-${application}-0` };
    const body = { data: { message: 'by hand' } };
    await this.#stage.ground.client.mergePatch(path, body, { fieldManager: 'kubectl-edit' });
  }

  /** Undefined where every Application is Ready at its repository's head, and what runs says so; else what is amiss. */
  async amiss(): Promise<string | undefined> {
    for (let index = 0; index < this.#count; index++) {
      const state = this.#watch.get(this.#stage.namespace, `app-${index}`);
      if (state?.isReady !== true || state.revision !== this.#lineOf(index).revision)
        return `app-${index} is ${JSON.stringify(state)}, its repository at ${this.#lineOf(index).revision}`;
    }
    const list = await this.#stage.ground.client.list(
      { resource: CONFIG_MAPS, namespace: this.#stage.namespace },
      { labelSelector: 'app.kubernetes.io/name=bench' },
    );
    const messages = new Map(list.items.map((item) => [item.metadata?.name, messageOf(item)]));
    if (messages.size !== this.#count * (OBJECTS - 2)) return `there are ${messages.size} ConfigMaps`;
    for (let index = 0; index < this.#count; index++) {
      const says = messages.get(`app-${index}-0`);
      if (says !== this.#lineOf(index).message) return `the ConfigMap of app-${index} says ${says}`;
    }
    return undefined;
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  #lineOf(index: number): Line {
    const line = this.#lines[index % this.#lines.length];
    if (line === undefined) throw new Error('there is no repository');
    return line;
  }
}

function stateOf(object: KubeObject): State {
  const status = (object.status ?? {}) as Status;
  const { conditions = [], sync } = status;
  const of = (type: string) => conditions.find((condition) => condition.type === type);
  const stalled = of('Stalled');
  return {
    revision: environmentOf(status)?.revision,
    isReady: of('Ready')?.status === 'True' && sync === 'Synced',
    stalled: stalled?.status === 'True' ? stalled.message : undefined,
  };
}

function messageOf(object: KubeObject): string | undefined {
  return (object.data as { message?: string } | undefined)?.message;
}
