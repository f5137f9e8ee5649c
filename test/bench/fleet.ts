import { setTimeout as delay } from 'node:timers/promises';
import { Discovery } from '../../operator/kube/discovery.ts';
import { inParallel } from './applications.ts';
import { chartOf } from './chart.ts';
import { type Figure, figure, round } from './figures.ts';
import { type BenchOperator, sumOf } from './operator-process.ts';
import { type Ground, Stage } from './stage.ts';

/** Of a look that ended as planned. */
const LOOKED = { result: ['success', 'requeue_after'] };
/** As many as the operator works on at once. */
const LANES = 32;
/** Writes of its own for each target: finalizer, record before and after, status, event. */
const BOOKKEEPING = 7;
const MIB = 2 ** 20;

/** Metrics 2, 7, 8 and 10: many Applications of one chart, from nothing, at rest, and after a restart. */
export async function fleet(ground: Ground): Promise<Figure[]> {
  const count = ground.options.quick ? 100 : 1_000;
  return [
    ...(await ofSize(ground, { count, objects: 4, environments: 0 })),
    ...(await ofSize(ground, { count, objects: 10, environments: 0 })),
  ];
}

/** The same metrics of Applications that are deployed to three environments each. */
export function fleetInEnvironments(ground: Ground): Promise<Figure[]> {
  return ofSize(ground, { count: ground.options.quick ? 100 : 1_000, objects: 4, environments: 3 });
}

interface Size {
  /** Applications. */
  count: number;
  /** That each has in each of its environments. */
  objects: number;
  /** 0: Applications that name none. */
  environments: number;
}

async function ofSize(ground: Ground, size: Size): Promise<Figure[]> {
  const { count: applications, objects, environments } = size;
  const targets = Math.max(environments, 1);
  const count = applications * targets;
  const { say } = ground.options;
  const stage = await Stage.open(ground, 'fleet');
  try {
    const bare = await roofline(ground, stage, count, objects);
    say(`a bare loop sent ${count} × ${objects} objects in ${(bare / 1000).toFixed(1)} s`);
    let operator = await stage.startOperator();
    await operator.leading();
    await delay(2_000);
    const empty = operator.memory();
    await operator.stop();
    const names = await stage.createEnvironments(environments);
    await stage.createApplications('app', applications, await stage.repository('chart', chartOf(objects)), {
      environments: names,
    });
    operator = await stage.startOperator({ profile: `fleet-${objects}` });
    const beganAt = await operator.leading();
    const syncedAt = await stage.watch.allReady(applications, 900_000);
    const fromNothing = syncedAt - beganAt;
    say(
      `${count} targets with ${objects} objects each were Synced after ${(fromNothing / 1000).toFixed(1)} s`,
    );
    await settled(operator, count);
    const sync = await requestsOf(operator);
    // At rest first: what the syncs left as garbage is collected by then.
    const idle = await idleFigure(operator, count);
    const figures = [
      fromNothingFigure({ count, objects, fromNothing, bare, sync }),
      await memoryFigure(operator, { count, objects, empty }),
      idle,
    ];
    await operator.stop();
    figures.push(await restart(stage, count, objects));
    return figures;
  } finally {
    await stage.stop();
  }
}

function fromNothingFigure(run: {
  count: number;
  objects: number;
  fromNothing: number;
  bare: number;
  sync: Awaited<ReturnType<typeof requestsOf>>;
}): Figure {
  const { count, objects, fromNothing, bare, sync } = run;
  const bookkeeping = (sync.writes - sync.applies) / count;
  // Seven bookkeeping writes at the pace of the bare loop, which sends two requests an object.
  const allowed = 1.5 + BOOKKEEPING / (2 * objects);
  return figure({
    metric: `2 (${count} × ${objects})`,
    name: `${count} targets from nothing`,
    unit: 'ms',
    values: [fromNothing],
    baseline: [bare],
    goal: `ratio ≤ ${round(allowed)} (1.5 and ${BOOKKEEPING} bookkeeping writes)`,
    met: ({ ratio }) => ratio <= allowed && bookkeeping <= BOOKKEEPING,
    more: {
      bookkeepingWritesPerApplication: round(bookkeeping),
      appliesPerObject: round(sync.applies / (count * objects)),
      dryRunsPerObject: round(sync.dryRuns / (count * objects)),
      gets: sync.gets,
      requests: sync.told,
    },
  });
}

async function memoryFigure(
  operator: BenchOperator,
  { count, objects, empty }: { count: number; objects: number; empty: number },
): Promise<Figure> {
  const samples: number[] = [];
  for (let index = 0; index < 5; index++) {
    samples.push(operator.memory() / MIB);
    await delay(1_000);
  }
  const resident = Math.max(...samples) * MIB;
  const metrics = await operator.metrics();
  const inMiB = (name: string) => round(sumOf(metrics, name) / MIB);
  const growth = (resident - empty) / (count * objects);
  return figure({
    metric: `7 (${count} × ${objects})`,
    name: 'resident, operator and engines',
    unit: 'MiB',
    values: samples,
    baseline: [empty / MIB],
    goal: '≤ 350 MiB, ≤ 10 KB an object',
    met: ({ value }) => value <= 350 && growth <= 10_000,
    more: {
      growthBytesPerObject: Math.round(growth),
      node: inMiB('process_resident_memory_bytes'),
      heapUsed: inMiB('nodejs_heap_size_used_bytes'),
      heapTotal: inMiB('nodejs_heap_size_total_bytes'),
      external: inMiB('nodejs_external_memory_bytes'),
    },
  });
}

/** Five of them are a minute: what a timer of a minute or less does at rest is among it, and a repository is asked once an hour. */
const IDLE_SAMPLE_MS = 13_000;
const STILL_WITHIN_MS = 300_000;

async function idleFigure(operator: BenchOperator, count: number): Promise<Figure> {
  const samples: number[] = [];
  const counted = async () => {
    const { writes, dryRuns, gets, told } = await requestsOf(operator);
    return {
      writes,
      dryRuns,
      gets,
      told: new Set(told.split(', ')),
      polls: sumOf(await operator.metrics(), 'towpath_git_polls_total'),
    };
  };
  // What the syncs leave to be told, events say and the archive of the ledger.
  await still(operator, 30_000);
  const before = await counted();
  for (let index = 0; index < 5; index++) {
    const used = operator.cpuSeconds();
    await delay(IDLE_SAMPLE_MS);
    samples.push(((operator.cpuSeconds() - used) / (IDLE_SAMPLE_MS / 1000)) * 100);
  }
  const after = await counted();
  return figure({
    metric: `10 (${count})`,
    name: 'CPU at rest, % of a core',
    unit: '%',
    values: samples,
    goal: '≤ 0.5 %',
    met: ({ value }) => value <= 0.5,
    more: {
      seconds: (5 * IDLE_SAMPLE_MS) / 1000,
      writes: after.writes - before.writes,
      // Sums until then, of what was written meanwhile.
      written: [...after.told.difference(before.told)].join(', '),
      writtenBefore: [...before.told.difference(after.told)].join(', '),
      dryRuns: after.dryRuns - before.dryRuns,
      // Those of a watch that the API server ended, say.
      gets: after.gets - before.gets,
      polls: after.polls - before.polls,
    },
  });
}

/** Waits until the operator has written nothing, but for its Lease, for so many milliseconds. */
export async function still(operator: BenchOperator, during: number): Promise<void> {
  const endsAt = performance.now() + STILL_WITHIN_MS;
  for (let before = -1; ; ) {
    const { writes } = await requestsOf(operator);
    if (writes === before) return;
    if (performance.now() > endsAt) throw new Error('the operator goes on writing');
    before = writes;
    await delay(during);
  }
}

async function restart(stage: Stage, count: number, objects: number): Promise<Figure> {
  const { client, options } = stage.ground;
  const values: number[] = [];
  const baseline: number[] = [];
  const writes: number[] = [];
  let told = '';
  for (let index = 0; index < (options.quick ? 3 : 5); index++) {
    const listedAt = performance.now();
    for (const plural of ['configmaps', 'services', 'serviceaccounts']) {
      const path = { resource: { group: '', version: 'v1', plural }, namespace: stage.namespace };
      await client.list(path, { labelSelector: 'towpath.dev/target' });
    }
    baseline.push(performance.now() - listedAt);
    const operator = await stage.startOperator({ profile: `restart-${objects}` });
    values.push((await settled(operator, count)) - operator.startedAt);
    await delay(1_000);
    const sent = await requestsOf(operator);
    writes.push(sent.writes);
    told = sent.told;
    await operator.stop();
  }
  const written = Math.max(...writes);
  return figure({
    metric: `8 (${count} × ${objects})`,
    name: 'restart to all confirmed',
    unit: 'ms',
    values,
    baseline,
    goal: '≤ 3000 ms, no write',
    met: ({ value }) => value <= 3_000 && written === 0,
    more: { writes: written, requests: told },
  });
}

/** `performance.now()` when every Application was looked at and none waits. */
async function settled(operator: BenchOperator, count: number): Promise<number> {
  const until = performance.now() + 300_000;
  while (performance.now() < until) {
    const metrics = await operator.metrics();
    const isDone = sumOf(metrics, 'controller_runtime_reconcile_total', LOOKED) >= count;
    if (isDone && sumOf(metrics, 'workqueue_depth') === 0) return performance.now();
    await delay(50);
  }
  throw new Error(`not every Application was looked at within 300 s: ${operator.logTail(5)}`);
}

/** The requests since the operator's start, its Lease's left out. */
export async function requestsOf(operator: BenchOperator) {
  const metrics = await operator.metrics();
  const name = 'towpath_writes_total';
  const isDryRun = { dry_run: ['true'] };
  const real = { dry_run: ['false'] };
  const told = [...metrics]
    .filter(([series]) => series.startsWith(name))
    .map(
      ([series, value]) =>
        `${/verb="(\w+)"/.exec(series)?.[1]} ${/resource="([^"]*)"/.exec(series)?.[1]} ${/code="(\d+)"/.exec(series)?.[1]}${series.includes('dry_run="true"') ? ' dry-run' : ''}: ${value}`,
    )
    .filter((text) => !text.includes(' /'))
    .join(', ');
  return {
    writes: sumOf(metrics, name, real) - sumOf(metrics, name, { resource: ['leases'] }),
    applies: sumOf(metrics, name, { ...real, verb: ['apply'] }),
    dryRuns: sumOf(metrics, name, isDryRun),
    gets: sumOf(metrics, 'rest_client_requests_total', { method: ['GET'] }),
    told,
  };
}

/** The same objects sent by a loop that does nothing else: each as a dry-run, then applied. Milliseconds. */
async function roofline(ground: Ground, stage: Stage, count: number, objects: number): Promise<number> {
  const { client } = ground;
  const { namespace } = stage;
  const discovery = new Discovery(client);
  await discovery.refresh();
  const texts = Array.from({ length: count }, (_, index) =>
    bareObjects(namespace, `bare-${index}`, objects),
  ).flat();
  const startedAt = performance.now();
  await inParallel(texts, LANES, async ({ plural, name, text }) => {
    const path = { resource: { group: '', version: 'v1', plural }, namespace, name };
    await client.apply(path, text, {
      fieldManager: 'bare',
      force: false,
      dryRun: true,
      fieldValidation: 'Strict',
    });
    await client.apply(path, text, { fieldManager: 'bare', force: false, fieldValidation: 'Strict' });
  });
  return performance.now() - startedAt;
}

/** What the chart renders, with labels and annotations like those that Towpath sets. */
function bareObjects(namespace: string, release: string, count: number) {
  const settings = Array.from({ length: 10 }, (_, line) => `setting-${line}=0-${line}`).join('\n');
  const of = (plural: string, kind: string, name: string, rest: object) => {
    const labels = {
      'app.kubernetes.io/name': 'bench',
      'app.kubernetes.io/instance': release,
      'bench/target': '0123456789abcdef0123',
    };
    const annotations = { 'bench/owner': `${namespace}/${release}/default /${kind}/${namespace}/${name}` };
    const object = { apiVersion: 'v1', kind, metadata: { name, namespace, labels, annotations }, ...rest };
    return { plural, name, text: JSON.stringify(object) };
  };
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  return [
    of('serviceaccounts', 'ServiceAccount', release, {}),
    of('services', 'Service', release, { spec: { selector: { app: release }, ports } }),
    ...Array.from({ length: count - 2 }, (_, index) =>
      of('configmaps', 'ConfigMap', `${release}-${index}`, { data: { message: `text ${index}`, settings } }),
    ),
  ];
}
