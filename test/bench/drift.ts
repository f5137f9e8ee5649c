import type { KubeObject } from '../../operator/kube/client.ts';
import { ListWatch } from '../../operator/kube/list-watch.ts';
import { chartOf } from './chart.ts';
import { type Figure, figure, percentile, round } from './figures.ts';
import { type Ground, Stage } from './stage.ts';

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };
const GOAL = 'p50 ≤ 50, p99 ≤ 250';

/** Metric 5: from another manager's change of a field to the event that shows it reverted. */
export async function drift(ground: Ground): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const idle of ground.options.quick ? [10] : [10, 100, 1_000])
    figures.push(await withIdle(ground, idle));
  return figures;
}

async function withIdle(ground: Ground, idle: number): Promise<Figure> {
  const { client } = ground;
  const samples = ground.options.quick ? 20 : 60;
  const stage = await Stage.open(ground, 'drift');
  const { namespace } = stage;
  const path = { resource: CONFIG_MAPS, namespace, name: 'app-0-0' };
  const reverts = new Reverts(stage);
  try {
    await stage.startOperator({ profile: `drift-${idle}` });
    await stage.createApplications('app', idle + 1, await stage.repository('chart', chartOf(4)));
    await stage.watch.allReady(idle + 1, 300_000);
    const bare = (index: number) =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'bare', namespace },
        data: { message: `bare ${index}` },
      });
    const values: number[] = [];
    const baseline: number[] = [];
    for (let index = 0; index < samples; index++) {
      const bareAt = performance.now();
      await client.apply({ ...path, name: 'bare' }, bare(index), { fieldManager: 'bare', force: true });
      baseline.push(performance.now() - bareAt);
      const reverted = reverts.next(`mine ${index}`);
      const changedAt = performance.now();
      await client.mergePatch(path, { data: { message: `mine ${index}` } }, { fieldManager: 'kubectl-edit' });
      values.push((await reverted) - changedAt);
    }
    const p99 = percentile(values, 99);
    return figure({
      metric: `5 (${idle})`,
      name: `drift to reverted, ${idle} idle`,
      unit: 'ms',
      values,
      baseline,
      goal: GOAL,
      met: ({ value }) => value <= 50 && p99 <= 250,
      more: { p99: round(p99) },
    });
  } finally {
    await reverts.stop();
    await stage.stop();
  }
}

/** Sees the ConfigMap's message become what it was before. */
class Reverts {
  readonly #watch: ListWatch<string>;
  #waiting: { changed: string; isChanged: boolean; resolve: (at: number) => void } | undefined;

  constructor({ ground, namespace }: Stage) {
    this.#watch = new ListWatch<string>({
      client: ground.client,
      resource: CONFIG_MAPS,
      namespace,
      fieldSelector: 'metadata.name=app-0-0',
      reduce: (object: KubeObject) => String((object.data as { message?: string } | undefined)?.message),
      onEvent: ({ object }) => {
        const waiting = this.#waiting;
        if (waiting === undefined) return;
        if (object === waiting.changed) waiting.isChanged = true;
        else if (waiting.isChanged) waiting.resolve(performance.now());
      },
    });
    this.#watch.start();
  }

  /** `performance.now()` of the event that shows another message again after `changed` was seen. */
  next(changed: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error('the change was not reverted within 30 s')), 30_000);
      this.#waiting = {
        changed,
        isChanged: false,
        resolve: (at) => {
          clearTimeout(limit);
          resolve(at);
        },
      };
    });
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }
}
