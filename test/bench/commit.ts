import { buildEngine } from '../../hack/build-engine.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { Discovery } from '../../operator/kube/discovery.ts';
import { Renderer } from '../../operator/render/renderer.ts';
import { type Repository, Sources } from '../../operator/source/sources.ts';
import type { GitRepository } from '../harness/git-repository.ts';
import { inParallel } from './applications.ts';
import { chartOf, valuesOf } from './chart.ts';
import { type Figure, figure, percentile, round } from './figures.ts';
import { type Ground, Stage } from './stage.ts';

const OBJECTS = 4;

/** Metric 1: from a push to the status that says Synced, with other Applications idle beside it. */
export async function commitToSynced(ground: Ground): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const idle of ground.options.quick ? [10] : [10, 100, 1_000])
    figures.push(await withIdle(ground, idle));
  return figures;
}

async function withIdle(ground: Ground, idle: number): Promise<Figure> {
  const samples = ground.options.quick ? 20 : 60;
  const stage = await Stage.open(ground, 'commit');
  const script = await BareScript.open(ground, stage);
  try {
    await stage.startOperator({ profile: `commit-${idle}` });
    const others = await stage.repository('idle', chartOf(OBJECTS));
    await stage.createApplications('idle', idle, others);
    const repository = await stage.repository('busy', chartOf(OBJECTS));
    await stage.createApplications('busy', 1, repository);
    await stage.watch.allReady(idle + 1, 300_000);
    const values: number[] = [];
    const baseline: number[] = [];
    for (let index = 0; index < samples; index++) {
      baseline.push(await script.run(`script ${index}`));
      const commit = await repository.commit({ 'chart/values.yaml': valuesOf(`commit ${index}`) });
      const pushedAt = performance.now();
      await stage.requestSync('busy-0', `${index}`);
      values.push((await stage.watch.readyAt(stage.namespace, 'busy-0', commit)) - pushedAt);
    }
    const p99 = percentile(values, 99);
    return figure({
      metric: `1 (${idle})`,
      name: `commit to Synced, ${idle} idle`,
      unit: 'ms',
      values,
      baseline,
      goal: 'p50 ≤ 100, p99 ≤ 300',
      met: ({ value }) => value <= 100 && p99 <= 300,
      more: { p99: round(p99) },
    });
  } finally {
    await script.stop();
    await stage.stop();
  }
}

/** What the work costs without an operator: fetch, render, and send every object once. */
class BareScript {
  readonly #client: KubeClient;
  readonly #stage: Stage;
  readonly #repository: GitRepository;
  readonly #remote: Repository;
  readonly #sources: Sources;
  readonly #renderer: Renderer;
  readonly #discovery: Discovery;

  private constructor(
    parts: { client: KubeClient; stage: Stage; repository: GitRepository; sources: Sources },
    renderer: Renderer,
    discovery: Discovery,
  ) {
    this.#client = parts.client;
    this.#stage = parts.stage;
    this.#repository = parts.repository;
    this.#sources = parts.sources;
    this.#remote = parts.sources.watch(
      'script',
      { url: parts.stage.url(parts.repository) },
      3_600_000,
      () => {},
    );
    this.#renderer = renderer;
    this.#discovery = discovery;
  }

  static async open({ client }: Ground, stage: Stage): Promise<BareScript> {
    const repository = await stage.repository('script', chartOf(OBJECTS));
    const sources = new Sources({ allowLoopback: true });
    const discovery = new Discovery(client);
    await discovery.refresh();
    const renderer = new Renderer({ enginePath: await buildEngine() });
    const script = new BareScript({ client, stage, repository, sources }, renderer, discovery);
    await script.run('warm');
    return script;
  }

  /** Milliseconds for one commit. */
  async run(message: string): Promise<number> {
    const { namespace } = this.#stage;
    await this.#repository.commit({ 'chart/values.yaml': valuesOf(message) });
    const startedAt = performance.now();
    await this.#remote.poll();
    const tree = await this.#remote.open(this.#remote.resolve({}));
    const { objects } = await this.#renderer.render(tree, {
      path: 'chart',
      namespace,
      releaseName: 'script',
      capabilities: {
        kubeVersion: this.#discovery.kubeVersion(),
        apiVersions: this.#discovery.apiVersions(),
      },
      scopes: this.#discovery.scopes(),
      labels: {},
      owner: `${namespace}/script/default`,
    });
    await inParallel(objects, 16, async (manifest) => {
      const resource = await this.#discovery.ensure(manifest.group, manifest.kind);
      if (resource === undefined) throw new Error(`no kind ${manifest.kind}`);
      const write = { fieldManager: 'script', force: true };
      await this.#client.apply({ resource, namespace, name: manifest.name }, manifest.text, write);
    });
    return performance.now() - startedAt;
  }

  async stop(): Promise<void> {
    await this.#renderer.stop();
    await this.#sources.stop();
  }
}
