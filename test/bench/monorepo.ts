import { chartOf, valuesOf } from './chart.ts';
import { type Figure, figure, percentile, round } from './figures.ts';
import { requestsOf, still } from './fleet.ts';
import { type BenchOperator, sumOf } from './operator-process.ts';
import { type Ground, Stage } from './stage.ts';

const OBJECTS = 4;
const FILES_PER_APPLICATION = 10;
/** What a commit has all others of the repository write begins after a second, and is over when nothing was for so long. */
const STILL_MS = 2_500;
const SAMPLES = 8;

/** Metric 3: a commit that changes one Application of a repository with all of them, against one by itself (metric 1). */
export async function commitInMonorepo(ground: Ground): Promise<Figure[]> {
  const { quick, say } = ground.options;
  const count = quick ? 100 : 1_000;
  const stage = await Stage.open(ground, 'monorepo');
  try {
    const operator = await stage.startOperator({ profile: 'monorepo' });
    const shared = await stage.repository('shared', filesOf(count));
    await stage.createApplications('app', count, shared, { pathOf });
    const own = await stage.repository('own', chartOf(OBJECTS));
    await stage.createApplications('alone', 1, own);
    await stage.watch.allReady(count + 1, 900_000);
    say(`${count} Applications of one repository with ${count * FILES_PER_APPLICATION} files are Ready`);
    const values: number[] = [];
    const baseline: number[] = [];
    const renders: number[] = [];
    const written: number[] = [];
    for (let index = 0; index < SAMPLES; index++) {
      await still(operator, STILL_MS);
      const alone = await own.commit({ 'chart/values.yaml': valuesOf(`alone ${index}`) });
      const byItself = await untilReady(stage, 'alone-0', alone, index);
      baseline.push(byItself);
      await still(operator, STILL_MS);
      const before = await countsOf(operator);
      const at = (index * 37) % count;
      const commit = await shared.commit({ [`${pathOf(at)}/values.yaml`]: valuesOf(`commit ${index}`) });
      const took = await untilReady(stage, `app-${at}`, commit, index);
      values.push(took);
      say(`commit ${index}: ${took.toFixed(0)} ms, ${byItself.toFixed(0)} ms by itself`);
      await still(operator, STILL_MS);
      const after = await countsOf(operator);
      renders.push(after.renders - before.renders);
      written.push(after.writes - before.writes);
    }
    return [
      figure({
        metric: `3 (${count})`,
        name: `commit for one of ${count} in a repository to Synced`,
        unit: 'ms',
        values,
        baseline,
        goal: '≤ 1.2 times one by itself, exactly one render',
        met: ({ ratio }) => ratio <= 1.2 && renders.every((each) => each === 1),
        more: {
          p99: round(percentile(values, 99)),
          renders: Math.max(...renders),
          writes: Math.max(...written),
        },
      }),
    ];
  } finally {
    await stage.stop();
  }
}

async function untilReady(stage: Stage, name: string, commit: string, index: number): Promise<number> {
  const pushedAt = performance.now();
  await stage.requestSync(name, `${index}`);
  return (await stage.watch.readyAt(stage.namespace, name, commit)) - pushedAt;
}

/** A chart for each, and texts beside it that no chart reads. */
function filesOf(count: number): Record<string, string> {
  const files: Record<string, string> = {};
  for (let index = 0; index < count; index++) {
    const chart = chartOf(OBJECTS, pathOf(index));
    Object.assign(files, chart);
    for (let text = Object.keys(chart).length; text < FILES_PER_APPLICATION; text++)
      files[`docs/${index}/${text}.md`] = `text ${text} of ${index}\n`;
  }
  return files;
}

function pathOf(index: number): string {
  return `apps/${index}`;
}

async function countsOf(operator: BenchOperator): Promise<{ renders: number; writes: number }> {
  const { writes } = await requestsOf(operator);
  return { renders: sumOf(await operator.metrics(), 'towpath_renders_total'), writes };
}
