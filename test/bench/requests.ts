import { setTimeout as delay } from 'node:timers/promises';
import { type FaultProxy, type RecordedRequest, startFaultProxy } from '../harness/fault-proxy.ts';
import { chartOf, valuesOf } from './chart.ts';
import { type Figure, figure } from './figures.ts';
import { type Ground, Stage } from './stage.ts';

/** Metric 4: what the API server is asked for one changed object, and for a resync with nothing changed. */
export async function requests(ground: Ground): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const idle of ground.options.quick ? [10] : [10, 100, 1_000])
    figures.push(...(await withIdle(ground, idle)));
  return figures;
}

async function withIdle(ground: Ground, idle: number): Promise<Figure[]> {
  const stage = await Stage.open(ground, 'requests');
  const proxy = await startFaultProxy(ground.cluster);
  try {
    await stage.startOperator({ kubeconfigPath: proxy.kubeconfigPath });
    await stage.createApplications('idle', idle, await stage.repository('idle', chartOf(4)));
    const repository = await stage.repository('busy', chartOf(4));
    await stage.createApplications('busy', 1, repository);
    await stage.watch.allReady(idle + 1, 300_000);
    await quiet(proxy);
    const syncs: RecordedRequest[][] = [];
    const resyncs: RecordedRequest[][] = [];
    for (let index = 0; index < 5; index++) {
      const commit = await repository.commit({ 'chart/values.yaml': valuesOf(`commit ${index}`) });
      syncs.push(
        await during(proxy, async () => {
          await stage.requestSync('busy-0', `sync ${index}`);
          await stage.watch.readyAt(stage.namespace, 'busy-0', commit);
        }),
      );
      // Every Application looks at its repository anew; nothing has changed.
      resyncs.push(
        await during(proxy, async () => {
          for (let other = 0; other < Math.min(idle, 10); other++)
            await stage.requestSync(`idle-${other}`, `resync ${index}`);
        }),
      );
    }
    const looked = Math.min(idle, 10);
    const count = (runs: RecordedRequest[][], holds: (request: RecordedRequest) => boolean) =>
      runs.map((run) => run.filter(holds).length);
    const one = (what: string, name: string, values: number[], goal: string, limit: number) =>
      figure({
        metric: `4 (${what}, ${idle})`,
        name,
        unit: 'requests',
        values,
        goal,
        ...(Number.isFinite(limit) ? { met: ({ value }) => value <= limit } : {}),
      });
    const isWrite = (request: RecordedRequest) => !request.dryRun && !isRead(request);
    return [
      one(
        'dry-run',
        'dry-runs for one changed object',
        count(syncs, (each) => each.dryRun),
        '≤ 1',
        1,
      ),
      one(
        'write',
        'object writes for it',
        count(syncs, (each) => isOfObject(each) && isWrite(each)),
        '≤ 1.1',
        1.1,
      ),
      one(
        'read',
        'object reads for it',
        count(syncs, (each) => isOfObject(each) && isRead(each)),
        '0',
        0,
      ),
      {
        ...one(
          'own',
          'bookkeeping writes for it',
          count(syncs, (each) => !isOfObject(each) && isWrite(each)),
          '≤ 7',
          7,
        ),
        more: { what: describe(syncs.at(-1) ?? []) },
      },
      one('resync', `object requests of ${looked} resyncs`, count(resyncs, isOfObject), '0', 0),
      one(
        'resync, own',
        `bookkeeping writes of ${looked} resyncs`,
        count(resyncs, (each) => !isOfObject(each) && isWrite(each)),
        '',
        Number.NaN,
      ),
    ];
  } finally {
    await stage.stop();
    await proxy.stop();
  }
}

/** The requests that the operator sent from now until it fell silent after the work. */
async function during(proxy: FaultProxy, work: () => Promise<void>): Promise<RecordedRequest[]> {
  const before = proxy.requests.length;
  await work();
  await quiet(proxy);
  return proxy.requests.slice(before).filter((request) => !isOfLease(request));
}

/** Waits until the operator has sent nothing but its Lease for a second. */
async function quiet(proxy: FaultProxy): Promise<void> {
  for (;;) {
    const last = proxy.requests.findLast((request) => !isOfLease(request));
    if (last === undefined || performance.now() - last.at > 1_000) return;
    await delay(100);
  }
}

function isOfLease({ path }: RecordedRequest): boolean {
  return path.includes('/leases');
}

function isRead({ verb }: RecordedRequest): boolean {
  return verb === 'get' || verb === 'list' || verb === 'watch' || verb === 'other';
}

/** Neither an Application, nor a target record, nor an event. */
function isOfObject({ path, verb }: RecordedRequest): boolean {
  return (
    verb !== 'other' &&
    !/\/applications|\/promotions|\/configmaps\/towpath-|\/secrets\/towpath-|\/events|\/leases/.test(path)
  );
}

function describe(requests: readonly RecordedRequest[]): string {
  const counts = new Map<string, number>();
  for (const { verb, dryRun, path } of requests) {
    const resource = path.replace(/^.*\/namespaces\/[^/]+\//, '').split('/');
    const what = `${verb}${dryRun ? ' (dry-run)' : ''} ${[resource[0], ...resource.slice(2)].join('/')}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ');
}
