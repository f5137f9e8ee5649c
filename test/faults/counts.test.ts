import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { FaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, isReadyAt, looks, type newStage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { inWords, newProxiedStage, writesOf } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { scaled } from '../harness/slowness.ts';
import { environmentOf } from '../harness/target.ts';
import { always, eventually } from '../harness/wait.ts';

const COUNT = 300;
const INTERVAL_S = 2;
const names = Array.from({ length: COUNT }, (_, index) => `app-${index}`);

const files = (version: number) => ({
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'templates/web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {version: "${version}"}\n`,
});

/** Events are counted, too: any write but the renewals of the Lease. */
const writesAndEventsOf = (proxy: FaultProxy) => [
  ...writesOf(proxy),
  ...proxy.find({ method: ['POST', 'PUT', 'PATCH', 'DELETE'], path: /\/events/ }),
];

/** How often the first thread of a process has gone to sleep. */
function sleepsOf(pid: number): number {
  const [, times] =
    /^voluntary_ctxt_switches:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(times);
}

async function start(t: Parameters<typeof newStage>[0]) {
  // With the Lease as it is by default: a change of leader on a busy machine would be counted too.
  const { proxy, stage } = await newProxiedStage(t, { files: files(1), flags: ['--archive-interval=1s'] });
  return { proxy, stage };
}

test(`${COUNT} Applications of one repository`, async (t) => {
  const { proxy, stage } = await start(t);
  const items = names.map((name) => ({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: stage.namespace },
    spec: { source: { repoURL: stage.repoURL, interval: `${INTERVAL_S}s` } },
  }));
  await stage.apply({ apiVersion: 'v1', kind: 'List', items });
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${stage.namespace}/applications`;
  const revision = await stage.repository.revParse('main');
  const areReady = async () => {
    const { body } = await stage.cluster.request('GET', path);
    const { items } = JSON.parse(body) as { items: Parameters<typeof isReadyAt>[0][] };
    return items.length === COUNT && items.every((application) => isReadyAt(application, revision));
  };
  await eventually(areReady, { within: 300_000, every: 500, describe: `${COUNT} Applications to be Ready` });

  await t.test(
    'A11: they were fetched once, and are asked for once an interval, however many they are',
    async () => {
      const fetches = stage.git.requests.filter(({ method }) => method === 'POST');
      assert.equal(fetches.length, 1, 'one fetch for all');
      const took = await untilPolled(stage, 4);
      // An interval varies by a tenth, so that many do not fall into step.
      assert.ok(
        took > 4 * INTERVAL_S * 0.9 - INTERVAL_S,
        `4 polls in ${took} s are more than one an interval`,
      );
    },
  );

  await t.test('A14: at rest nothing is written, nothing listed, and it sleeps', async (t) => {
    // What was still to be told of the beginning, events above all, is told by now.
    await eventually(
      async () => {
        proxy.forget();
        await untilPolled(stage, 1);
        const isOfLedger = ({ path }: RecordedRequest) => /promotions|towpath-ledger/.test(path);
        return writesAndEventsOf(proxy).length + proxy.find({ where: isOfLedger }).length === 0;
      },
      { describe: 'the operator to be at rest' },
    );
    proxy.forget();
    const { pid } = stage.operator.process;
    const slept = sleepsOf(pid);
    const took = await untilPolled(stage, 4);
    assert.deepEqual(inWords(writesAndEventsOf(proxy)), []);
    assert.deepEqual(inWords(proxy.find({ verb: 'list' })), []);
    const aSecond = (sleepsOf(pid) - slept) / took;
    t.diagnostic(`its thread woke ${aSecond.toFixed(1)} times a second`);
    assert.ok(aSecond < 30, `at rest its thread woke ${aSecond.toFixed(1)} times a second`);
  });

  await t.test('A11: a restart writes nothing, fetches nothing and polls once', async (t) => {
    const asked = stage.git.requests.length;
    await stage.operator.stop('SIGTERM');
    proxy.forget();
    const began = performance.now();
    await stage.restart();
    await eventually(async () => (await looks(stage)) >= COUNT, {
      within: 120_000,
      describe: 'the restarted operator to have looked at all',
    });
    const firstPolls = stage.git.requests.length - asked;
    const intervals = (performance.now() - began) / 1_000 / (INTERVAL_S * 0.9);
    await untilPolled(stage, 2);
    assert.deepEqual(inWords(writesAndEventsOf(proxy)), []);
    const seen = stage.git.requests.slice(asked);
    assert.deepEqual(
      seen.filter(({ method }) => method === 'POST').map(({ url }) => url),
      [],
    );
    assert.ok(
      firstPolls <= 2 + intervals,
      `${firstPolls} requests to Git for one repository in ${intervals.toFixed(1)} intervals`,
    );
    const lists = proxy.find({ verb: 'list' }).length;
    const gets = proxy.find({ verb: 'get' }).length;
    const watches = proxy.find({ verb: 'watch' }).length;
    t.diagnostic(`${lists} lists, ${gets} gets, ${watches} watches`);
    assert.ok(lists + gets + watches < COUNT, 'what a restart asks for does not grow with the Applications');
    assert.ok(await areReady());
  });
});

test('A14: an object that somebody flips 60 times floods neither events nor statuses', async (t) => {
  const { proxy, stage } = await start(t);
  await stage.deployed('web');
  const path = `/api/v1/namespaces/${stage.namespace}/configmaps/web`;
  const version = async () =>
    (JSON.parse((await stage.cluster.request('GET', path)).body) as { data: { version: string } }).data
      .version;
  proxy.forget();
  const began = performance.now();
  for (let flip = 0; flip < 60; flip += 1) {
    const body = { data: { version: `flip-${flip}` } };
    await stage.cluster.request('PATCH', path, { body, contentType: 'application/merge-patch+json' });
    await eventually(async () => (await version()) === '1', { every: 20, describe: `repair ${flip}` });
  }
  const seconds = (performance.now() - began) / 1_000;
  await eventually(async () => environmentOf((await stage.get('web')).status)?.drift?.count === 0, {
    describe: 'the status to be settled',
  });
  await untilPolled(stage, 3);
  const events = proxy.find({ verb: ['create', 'patch', 'update'], path: /\/events/ }).length;
  const statuses = proxy.find({ verb: 'patch', path: /\/applications\/web\/status/ }).length;
  const records = writesOf(proxy).filter(({ path }) => /\/secrets/.test(path)).length;
  const told = `60 repairs in ${seconds.toFixed(1)} s: ${events} writes of events, ${statuses} of the status, ${records} of the record`;
  t.diagnostic(told);
  assert.ok(events <= 15, told);
  // The status tells the second of the last drift, nothing finer.
  assert.ok(statuses <= seconds + 5, told);
});

test('A14: what somebody flips without end is put back ever more slowly, says so, and floods nothing', async (t) => {
  const { proxy, stage } = await start(t);
  const revision = await stage.deployed('web');
  const path = `/api/v1/namespaces/${stage.namespace}/configmaps/web`;
  proxy.forget();
  const began = performance.now();
  const ended = new AbortController();
  const flipping = (async () => {
    for (let flip = 0; !ended.signal.aborted; flip += 1) {
      const body = { data: { version: `flip-${flip}` } };
      await stage.cluster.request('PATCH', `${path}?fieldManager=flipper`, {
        body,
        contentType: 'application/merge-patch+json',
      });
    }
    return performance.now();
  })();
  const told = await stage.until(
    'web',
    (application) => conditionOf(application, 'Ready')?.reason === 'RepairDelayed',
    'the delay to be told',
  );
  assert.match(
    conditionOf(told, 'Ready')?.message ?? '',
    /ConfigMap .*web was changed by flipper again and again/,
  );
  assert.equal(conditionOf(told, 'Reconciling')?.status, 'True');
  // For as long as one repair more takes, whoever looks is told so.
  const seen: (string | undefined)[] = [];
  await always(
    () => stage.get('web'),
    (application) => seen.push(conditionOf(application, 'Ready')?.reason),
    7_000,
    { every: 50 },
  );
  // When it is repaired it is Synced, until the next change is seen.
  const others = seen.filter((reason) => reason !== 'RepairDelayed');
  assert.ok(others.every((reason) => reason === 'Synced') && others.length < seen.length / 5, seen.join());
  ended.abort();
  const seconds = ((await flipping) - began) / 1_000;
  const counted = writesAndEventsOf(proxy).filter(({ userAgent }) => userAgent.startsWith('towpath'));
  const count = (path: RegExp) => counted.filter((one) => path.test(one.path)).length;
  const [tries, records] = [count(/configmaps\/web/), count(/secrets/)];
  // One that meets a version that is older than the flipper's last changes nothing, and is tried again.
  const repairs = counted.filter((one) => /configmaps\/web/.test(one.path) && one.status === 200).length;
  const [statuses, events] = [count(/applications\/web\/status/), count(/\/events/)];
  const all = `${seconds.toFixed(0)} s: ${tries} tries, ${repairs} repairs, ${records} of the record, ${statuses} of the status, ${events} of events`;
  t.diagnostic(all);
  const allowed = 60 + seconds / 5 + 2;
  assert.ok(repairs <= allowed, all);
  assert.ok(tries <= 4 * allowed, all);
  assert.ok(records <= allowed, all);
  assert.ok(statuses <= seconds + 5, all);
  assert.ok(events <= 15, all);
  await stage.untilReadyAt('web', revision, 20_000);
});

test('A12: retries back off, begin when the status says, and start anew when an input changes', async (t) => {
  const { proxy, stage } = await start(t);
  const refusal = {
    verb: 'apply',
    path: /\/configmaps\/web/,
    where: ({ dryRun }: RecordedRequest) => !dryRun,
  } as const;
  const secret = (version: string) =>
    stage.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'values' },
      stringData: { 'values.yaml': `version: ${version}\n` },
    });
  const template = (message: string) => ({
    'templates/web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {version: {{ .Values.version | quote }}, message: ${message}}\n`,
  });
  await secret('one');
  await stage.repository.commit(template('one'));
  const spec = { helm: { valuesFrom: [{ kind: 'Secret', name: 'values' }] } };
  proxy.fail({ ...refusal, fault: { status: 500 } });
  await stage.application('web', spec);
  const tries = () => proxy.find(refusal).map(({ at }) => at);
  const attemptsAre = (holds: (attempts: number) => boolean, what: string, within = 30_000) =>
    stage.until('web', ({ status }) => holds(status?.retry?.attempts ?? Number.NaN), what, within);

  const third = await attemptsAre((attempts) => attempts >= 3, 'the third failure');
  const { nextAt = '', attempts = 0 } = third.status?.retry ?? {};
  await attemptsAre((more) => more > attempts, 'the next failure');
  const at = tries();
  const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  t.diagnostic(`tries after ${gaps.map((gap) => gap.toFixed(0)).join(', ')} ms`);
  for (const [index, gap] of gaps.entries()) {
    const before = gaps[index - 1];
    if (before !== undefined)
      assert.ok(gap > before * 1.3, `each pause is longer than the one before: ${gaps}`);
  }
  // The status has whole seconds; the proxy's clock counts from the start of this process.
  const promised = Date.parse(nextAt);
  const tried = performance.timeOrigin + (at[attempts] ?? Number.NaN);
  t.diagnostic(`promised for ${nextAt}, tried ${tried - promised} ms later`);
  assert.ok(tried >= promised && tried - promised < scaled(2_500), `${tried - promised} ms after ${nextAt}`);

  /** Acts right after a failure with a long pause before it: the next try can only come of what was done. */
  const startsAnew = async (what: string, act: () => Promise<unknown>) => {
    await attemptsAre((attempts) => attempts >= 3, `three failures before ${what}`);
    const before = tries().length;
    const changed = performance.now();
    await act();
    await eventually(() => tries().length > before, {
      within: 2_500,
      describe: `a try after ${what} at once`,
    });
    t.diagnostic(`${what} was tried after ${(performance.now() - changed).toFixed(0)} ms`);
    await attemptsAre((attempts) => attempts <= 2, `the count to start anew after ${what}`, 5_000);
  };
  await startsAnew('a changed Secret', () => secret('two'));
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${stage.namespace}/applications/web`;
  await startsAnew('a changed spec', () =>
    stage.cluster.request('PATCH', path, {
      body: { spec: { revisionHistoryLimit: 9 } },
      contentType: 'application/merge-patch+json',
    }),
  );
  let last = '';
  await startsAnew('a commit', async () => {
    last = await stage.repository.commit(template('two'));
    await stage.requestSync('web');
  });
  proxy.clear();
  const done = await stage.untilReadyAt('web', last);
  assert.equal(done.status?.retry, undefined);
  const data = await stage.kubectl(
    'get',
    'configmap',
    'web',
    '-o',
    'jsonpath={.data.version} {.data.message}',
  );
  assert.equal(data, 'two two');
});

test('A14: an object that comes and goes without end, and is to be left so, is told at a bounded rate', async (t) => {
  const { proxy, stage } = await start(t);
  await stage.deployed('web', { sync: { drift: 'Report' } });
  const path = `/api/v1/namespaces/${stage.namespace}/configmaps/web`;
  const { body } = await stage.cluster.request('GET', path);
  const { metadata } = JSON.parse(body) as { metadata: { labels: Record<string, string> } };
  const label = metadata.labels['towpath.dev/target'];
  proxy.forget();
  const began = performance.now();
  for (let flip = 1; flip <= 1_000; flip += 1) {
    const labels = { 'towpath.dev/target': flip % 2 === 1 ? null : label };
    await stage.cluster.request('PATCH', `${path}?fieldManager=flipper`, {
      body: { metadata: { labels } },
      contentType: 'application/merge-patch+json',
    });
  }
  await stage.until(
    'web',
    (one) => /web was changed by flipper/.test(conditionOf(one, 'Ready')?.message ?? ''),
    'the last of it to be told',
  );
  const seconds = (performance.now() - began) / 1_000;
  const statuses = proxy.find({ verb: 'patch', path: /\/applications\/web\/status/ }).length;
  const all = `1,000 flips in ${seconds.toFixed(1)} s: ${statuses} writes of the status`;
  t.diagnostic(all);
  // 120 at once, two a second, and the looks that other things ask for.
  assert.ok(statuses <= 135 + 3 * seconds, all);
});
