import { setTimeout as delay } from 'node:timers/promises';
import type { GitRepository } from '../harness/git-repository.ts';
import { chartOf, valuesOf } from './chart.ts';
import { type Figure, figure, round } from './figures.ts';
import { requestsOf } from './fleet.ts';
import { type BenchOperator, sumOf } from './operator-process.ts';
import { type Ground, Stage } from './stage.ts';

const OBJECTS = 3;
const PATIENCE_MS = 900_000;
const MIB = 2 ** 20;

/** What one commit cost until all Applications ran it everywhere. */
interface Cost {
  /** From the commit until the last of them was Ready with it. */
  ms: number;
  /** Of the operator and its engines. */
  cpuSeconds: number;
  peakMiB: number;
  /** Writes of the operator's own, for each Application. */
  own: number;
  /** All requests that are no writes of its own, for each Application. */
  others: number;
}

/**
 * A commit of one chart reaches two environments of many Applications: at once, and then by a policy, of which prod
 * follows staging. Each Application is its own baseline.
 */
export async function promotions(ground: Ground): Promise<Figure[]> {
  const { quick, say } = ground.options;
  const count = quick ? 100 : 1_000;
  const stage = await Stage.open(ground, 'promotions');
  try {
    const environments = await stage.createEnvironments(2);
    const repository = await stage.repository('chart', chartOf(OBJECTS));
    await stage.createApplications('app', count, repository, { environments });
    const operator = await stage.startOperator({ profile: 'promotions' });
    await stage.watch.allReady(count, PATIENCE_MS);
    await quiet(operator);
    say(`${count} Applications are in two environments each`);
    const through = async (message: string) => {
      const cost = await costOf(stage, repository, { count, message });
      say(`${message}: ${(cost.ms / 1000).toFixed(1)} s`);
      return cost;
    };
    const samples = Array.from({ length: quick ? 3 : 1 }, (_, index) => index);
    const without: Cost[] = [];
    for (const index of samples) without.push(await through(`at once ${index}`));
    await govern(stage, environments);
    await quiet(operator);
    const by: Cost[] = [];
    for (const index of samples) by.push(await through(`by a policy ${index}`));
    return figuresOf(count, by, without);
  } finally {
    await stage.stop();
  }
}

/** A stage for each of the Environments, one after the other. */
async function govern({ ground, namespace }: Stage, environments: readonly string[]): Promise<void> {
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/promotionpolicies`;
  const body = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'standard' },
    spec: {
      selector: {},
      stages: environments.map((name, index) => ({
        name: `stage-${index}`,
        environments: [name],
        ...(index === 0 ? {} : { after: [`stage-${index - 1}`] }),
      })),
    },
  };
  const { status, body: text } = await ground.cluster.request('POST', path, { body });
  if (status !== 201) throw new Error(`POST ${path}: ${status} ${text}`);
}

async function costOf(
  stage: Stage,
  repository: GitRepository,
  { count, message }: { count: number; message: string },
): Promise<Cost> {
  const { operator } = stage;
  const before = await sentBy(operator);
  const cpuBefore = operator.cpuSeconds();
  let peak = operator.memory();
  const sampling = setInterval(() => {
    peak = Math.max(peak, operator.memory());
  }, 250);
  try {
    const commit = await repository.commit({ 'chart/values.yaml': valuesOf(message) });
    const committedAt = performance.now();
    await stage.requestSync('app-0', message);
    const readyAt = await stage.watch.allReadyAt(count, commit, PATIENCE_MS);
    await quiet(operator);
    const { own, all } = await sentBy(operator);
    return {
      ms: readyAt - committedAt,
      cpuSeconds: operator.cpuSeconds() - cpuBefore,
      peakMiB: peak / MIB,
      own: (own - before.own) / count,
      others: (all - before.all - (own - before.own)) / count,
    };
  } finally {
    clearInterval(sampling);
  }
}

/** Its Lease's left out. */
async function sentBy(operator: BenchOperator): Promise<{ own: number; all: number }> {
  const { writes, applies, dryRuns, gets } = await requestsOf(operator);
  return { own: writes - applies, all: writes + dryRuns + gets };
}

/** Waits until nothing waits for a look, and nothing was written for two seconds. */
async function quiet(operator: BenchOperator): Promise<void> {
  for (let before = -1; ; ) {
    const { own } = await sentBy(operator);
    const isIdle = sumOf(await operator.metrics(), 'workqueue_depth') === 0;
    if (isIdle && own === before) return;
    before = own;
    await delay(2_000);
  }
}

function figuresOf(count: number, by: readonly Cost[], without: readonly Cost[]): Figure[] {
  const one = (what: string, name: string, unit: string, value: (cost: Cost) => number) =>
    figure({
      metric: `promotion (${what}, ${count})`,
      name,
      unit,
      values: by.map((cost) => round(value(cost))),
      baseline: without.map((cost) => round(value(cost))),
      goal: '',
    });
  return [
    one('time', `a commit through two stages of ${count} Applications`, 'ms', ({ ms }) => ms),
    one('own', 'bookkeeping writes for it, an Application', 'requests', ({ own }) => own),
    one('others', 'other requests for it, an Application', 'requests', ({ others }) => others),
    one('CPU', 'processor time for it, operator and engines', 's', ({ cpuSeconds }) => cpuSeconds),
    one('memory', 'resident at the most, operator and engines', 'MiB', ({ peakMiB }) => peakMiB),
  ];
}
