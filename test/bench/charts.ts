import { type OciRegistry, startOciRegistry } from '../harness/oci-registry.ts';
import { APPLICATIONS, inParallel } from './applications.ts';
import { chartOf, valuesOf } from './chart.ts';
import { type Figure, figure, percentile, round } from './figures.ts';
import { type Ground, Stage } from './stage.ts';

const OBJECTS = 4;
const IDLE = 10;
/** Lines of versions: each stage has its own, so that none sees what another one pushed. */
const FOLLOWED = '1.x';
const SHARED = '2.0.0';

/** Metric 1 for a chart in a registry, and what 1,000 Applications of one ask of that. */
export async function publishedCharts(ground: Ground): Promise<Figure[]> {
  const registry = await startOciRegistry();
  try {
    return [await versionToSynced(ground, registry), ...(await manyOfOne(ground, registry))];
  } finally {
    await registry.stop();
  }
}

/** From a version that the registry has to the status that says Synced; beside it the same by a commit to Git. */
async function versionToSynced(ground: Ground, registry: OciRegistry): Promise<Figure> {
  const stage = await Stage.open(ground, 'chart');
  try {
    await stage.startOperator({ profile: 'charts', flags: [`--ca-file=${registry.caFile}`] });
    await stage.createApplications('idle', IDLE, await stage.repository('idle', chartOf(OBJECTS)));
    const repository = await stage.repository('busy', chartOf(OBJECTS));
    await stage.createApplications('busy', 1, repository);
    await publish(registry, '1.0.0', 'first');
    await createOfChart(stage, 'chart', registry, FOLLOWED);
    await stage.watch.allReady(IDLE + 2, 300_000);
    const values: number[] = [];
    const baseline: number[] = [];
    for (let index = 1; index <= (ground.options.quick ? 20 : 60); index += 1) {
      const commit = await repository.commit({ 'chart/values.yaml': valuesOf(`commit ${index}`) });
      let at = performance.now();
      await stage.requestSync('busy-0', `${index}`);
      baseline.push((await stage.watch.readyAt(stage.namespace, 'busy-0', commit)) - at);
      const version = `1.0.${index}`;
      await publish(registry, version, `version ${index}`);
      at = performance.now();
      await stage.requestSync('chart', `${index}`);
      values.push((await stage.watch.readyAt(stage.namespace, 'chart', version)) - at);
    }
    const p99 = percentile(values, 99);
    return figure({
      metric: '1 (oci)',
      name: `a chart's new version in a registry to Synced, ${IDLE} idle; baseline: a commit to Git`,
      unit: 'ms',
      values,
      baseline,
      goal: 'p50 ≤ 100, p99 ≤ 300',
      met: ({ value }) => value <= 100 && p99 <= 300,
      more: { p99: round(p99) },
    });
  } finally {
    await stage.stop();
  }
}

async function manyOfOne(ground: Ground, registry: OciRegistry): Promise<Figure[]> {
  const count = ground.options.quick ? 100 : 1_000;
  const stage = await Stage.open(ground, 'charts');
  try {
    await publish(registry, SHARED, 'shared');
    await stage.startOperator({ flags: [`--ca-file=${registry.caFile}`] });
    registry.requests.length = 0;
    const began = performance.now();
    const names = Array.from({ length: count }, (_, index) => `of-one-${index}`);
    await inParallel(names, 16, (name) => createOfChart(stage, name, registry, SHARED));
    const took = (await stage.watch.allReadyAt(count, SHARED, 900_000)) - began;
    const all = `${count} Applications of one chart in a registry`;
    return [
      figure({
        metric: `14 (${count})`,
        name: `${all}: fetches of its archive`,
        unit: 'requests',
        values: [registry.count('/blobs/')],
        // Helm's configuration and the archive.
        goal: '≤ 2',
        met: ({ value }) => value <= 2,
      }),
      figure({
        metric: `14 (${count}, time)`,
        name: `${all}: until all are Ready`,
        unit: 'ms',
        values: [took],
        goal: '',
      }),
    ];
  } finally {
    await stage.stop();
  }
}

function createOfChart(stage: Stage, name: string, { url }: OciRegistry, version: string): Promise<unknown> {
  const { namespace } = stage;
  return stage.ground.client.create(
    { resource: APPLICATIONS, namespace },
    {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Application',
      metadata: { name, namespace },
      spec: { helm: { chart: { repoURL: url, name: 'bench', version, interval: '1h' } } },
    },
  );
}

/** The chart of the other measurements, as a version that `helm push` brings. */
async function publish(registry: OciRegistry, version: string, message: string): Promise<void> {
  const files = Object.entries({ ...chartOf(OBJECTS), 'chart/values.yaml': valuesOf(message) });
  const chart = Object.fromEntries(files.map(([path, text]) => [path.replace('chart/', ''), text]));
  await registry.publish({ ...chart, 'Chart.yaml': `apiVersion: v2\nname: bench\nversion: ${version}\n` });
}
