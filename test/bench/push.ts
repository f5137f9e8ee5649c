import { setTimeout as delay } from 'node:timers/promises';
import { deliver, webhookDeliveries } from '../harness/webhook-delivery.ts';
import { chartOf, valuesOf } from './chart.ts';
import { type Figure, figure, percentile, round } from './figures.ts';
import { type BenchOperator, startOperator } from './operator-process.ts';
import { type Ground, Stage } from './stage.ts';

const OBJECTS = 4;
const IDLE = 100;
const SECRET = 'a secret of more than 16 characters';
/** A repository is asked once in a second, however often it is pushed to. */
const BETWEEN_MS = 1_100;

/** Metric 1 by webhook: from the delivery of a push to the status that says Synced, at each replica. */
export async function pushToSynced(ground: Ground): Promise<Figure[]> {
  const stage = await Stage.open(ground, 'push');
  let follower: BenchOperator | undefined;
  try {
    const leader = await stage.startOperator({ profile: 'push' });
    await leader.leading();
    follower = await startOperator({
      kubeconfigPath: ground.cluster.kubeconfigPath,
      namespace: stage.namespace,
    });
    await putSecret(ground, stage);
    await stage.createApplications('idle', IDLE, await stage.repository('idle', chartOf(OBJECTS)));
    const repository = await stage.repository('busy', chartOf(OBJECTS));
    await stage.createApplications('busy', 1, repository);
    await stage.watch.allReady(IDLE + 1, 300_000);
    const { host, pathname } = new URL(stage.url(repository));
    const { GitHub } = webhookDeliveries({ host, path: pathname.slice(1) }, SECRET);
    if (GitHub === undefined) throw new Error('there is no delivery of GitHub');
    const figures: Figure[] = [];
    for (const [where, operator] of [
      ['leader', leader],
      ['follower', follower],
    ] as const) {
      const url = await operator.url('webhook');
      const values: number[] = [];
      for (let index = 0; index < (ground.options.quick ? 20 : 60); index += 1) {
        await delay(BETWEEN_MS);
        const commit = await repository.commit({ 'chart/values.yaml': valuesOf(`${where} ${index}`) });
        const pushedAt = performance.now();
        const { status } = await deliver(url, GitHub);
        if (status !== 200) throw new Error(`the ${where} answered ${status}`);
        values.push((await stage.watch.readyAt(stage.namespace, 'busy-0', commit)) - pushedAt);
      }
      figures.push(figureOf(where, values));
    }
    return figures;
  } finally {
    await follower?.stop();
    await stage.stop();
  }
}

function figureOf(where: string, values: readonly number[]): Figure {
  const p99 = percentile(values, 99);
  return figure({
    metric: `1 (push, ${where})`,
    name: `delivery at the ${where} to Synced, ${IDLE} idle`,
    unit: 'ms',
    values,
    goal: 'p50 ≤ 100, p99 ≤ 300',
    met: ({ value }) => value <= 100 && p99 <= 300,
    more: { p99: round(p99) },
  });
}

async function putSecret(ground: Ground, { namespace }: Stage): Promise<void> {
  const { code, stderr } = await ground.cluster.kubectl([
    ...['-n', namespace, 'create', 'secret', 'generic', 'towpath-webhooks'],
    `--from-literal=github=${SECRET}`,
  ]);
  if (code !== 0) throw new Error(`kubectl create secret: ${stderr}`);
}
