import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { fastLease, isReadyAt, newStage, type Stage, startOperator } from '../harness/operator.ts';
import { freePort } from '../harness/process.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { eventually } from '../harness/wait.ts';

const NAMES = ['one', 'two', 'three'] as const;
/** The promise of A1, from the fault's end until everything is in sync. */
const CATCH_UP_MS = 40_000;
/** A fault lasts at least this long: past the renew deadline of fastLease, so that the lead is lost too. */
const FAULT_MS = 2_500;

let plane: Promise<ControlPlane> | undefined;
/** One of its own for this file: its etcd is stopped and its history is played with. */
const controlPlane = () => (plane ??= startControlPlane());
after(async () => (await plane)?.stop());

const files = (version: number) =>
  Object.fromEntries(
    NAMES.map((name) => [
      `${name}/object.yaml`,
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {version: "${version}"}\n`,
    ]),
  );

interface Fault {
  name: string;
  begin(proxy: FaultProxy, cluster: ControlPlane): unknown;
  end(proxy: FaultProxy, cluster: ControlPlane): unknown;
  /** Work goes on while it lasts. */
  isBearable?: true;
}

const isAny = { path: /./ };
const clear = (proxy: FaultProxy) => proxy.clear();

const faults: Fault[] = [
  {
    name: 'refuses connections',
    begin: (proxy) => proxy.refuseConnections(),
    end: (proxy) => proxy.acceptConnections(),
  },
  {
    name: 'hangs because etcd does',
    begin: (_, cluster) => cluster.processes.etcd.pause(),
    end: (_, cluster) => cluster.processes.etcd.resume(),
  },
  {
    name: 'never answers what it was asked meanwhile',
    begin: (proxy) => {
      proxy.fail({ ...isAny, fault: 'hang' });
      proxy.stallWatches();
    },
    end: clear,
  },
  {
    name: 'is slow',
    // The Lease is renewed by one request a second at least, by which it is not lost.
    begin: (proxy) => proxy.fail({ ...isAny, fault: { latencyMs: 250 } }),
    end: clear,
    isBearable: true,
  },
  {
    name: 'answers 429 with Retry-After',
    begin: (proxy) => {
      proxy.fail({ ...isAny, fault: { status: 429, retryAfter: 1 } });
      proxy.resetConnections();
    },
    end: clear,
  },
  {
    name: 'answers 500 and 503',
    begin: (proxy) => {
      let count = 0;
      proxy.fail({ where: () => ++count % 2 === 0, fault: { status: 500 } });
      proxy.fail({ ...isAny, fault: { status: 503 } });
      proxy.resetConnections();
    },
    end: clear,
  },
  {
    name: 'resets connections',
    begin: (proxy) => {
      proxy.fail({ ...isAny, fault: 'reset' });
      proxy.resetConnections();
    },
    end: clear,
  },
  {
    name: 'answers watches with 410 Gone',
    begin: (proxy) => {
      proxy.fail({ watch: true, fault: { status: 410 } });
      assert.ok(proxy.expireWatches() > 0, 'there are watches to expire');
    },
    end: clear,
  },
  {
    name: 'sends malformed lines in watches',
    begin: (proxy) => {
      proxy.fail({ watch: true, fault: 'malformed' });
      assert.ok(proxy.injectIntoWatches('{"type":"MODIFIED","object":{') > 0, 'there are watches');
      proxy.injectIntoWatches('null');
    },
    end: (proxy) => {
      proxy.clear();
      proxy.resetConnections();
    },
  },
  {
    name: 'refuses an expired token',
    begin: (proxy) => {
      writeFileSync(proxy.kubeconfigPath, proxy.kubeConfigFor('expired'), { mode: 0o600 });
      // What is refused reads the file again, and finds a token that the API server itself refuses.
      proxy.fail({ ...isAny, fault: { status: 401 }, times: 20 });
      proxy.resetConnections();
    },
    end: (proxy) => {
      proxy.clear();
      writeFileSync(proxy.kubeconfigPath, proxy.kubeConfigText, { mode: 0o600 });
    },
  },
  {
    name: 'has a certificate of another authority',
    begin: (proxy) => proxy.rotateCertificate(),
    end: () => undefined,
  },
];

async function versionOf(stage: Stage, name: string): Promise<string | undefined> {
  const { body } = await stage.cluster.request(
    'GET',
    `/api/v1/namespaces/${stage.namespace}/configmaps/${name}`,
  );
  return (JSON.parse(body) as { data?: { version?: string } }).data?.version;
}

async function start(t: TestContext, flags: readonly string[] = fastLease) {
  const cluster = await controlPlane();
  const { proxy, stage } = await newProxiedStage(t, { cluster, files: files(1), flags });
  for (const name of NAMES) await stage.application(name, { source: { path: name } });
  const first = await stage.repository.revParse('main');
  for (const name of NAMES) {
    await stage.untilReadyAt(name, first);
  }
  return { cluster, proxy, stage };
}

test('A9: ready once the caches are filled, not before, and live while the event loop turns', async (t) => {
  const cluster = await controlPlane();
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  const stage = await newStage(t, { cluster, files: files(1), startOperator: false });
  const held = proxy.hold({ verb: 'list', path: /\/applications(\?|$)/ });
  const port = await freePort();
  const operator = await startOperator(t, cluster, stage.namespace, {
    proxy,
    flags: [...fastLease, `--probe-address=127.0.0.1:${port}`],
  });
  const probe = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  await held.seen;
  assert.equal(await probe('/readyz'), 503);
  assert.equal(await probe('/livez'), 200);
  held.release();
  await eventually(async () => (await probe('/readyz')) === 200, { describe: 'the operator to be ready' });
  // A loop that is stuck answers nothing at all; kubelet takes that for not live.
  operator.process.pause();
  await assert.rejects(fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(1_000) }));
  operator.process.resume();
  await eventually(async () => (await probe('/livez')) === 200, {
    describe: 'the operator to be live again',
  });
});

test('A2: half-open watches are noticed and renewed', async (t) => {
  const { proxy, stage } = await start(t, [...fastLease, '--watch-silence=2s']);
  const stalled = proxy.stallWatches();
  assert.ok(stalled >= 3, `there are watches of Applications, objects and definitions: ${stalled}`);
  // Neither change can be seen otherwise: the drift by a watch of the objects, the suspension by that of Applications.
  await stage.kubectl('patch', 'configmap', 'one', '-p', '{"data":{"version":"mine"}}');
  await stage.application('two', { source: { path: 'two' }, suspend: true });
  await eventually(async () => (await versionOf(stage, 'one')) === '1', {
    describe: 'the drift to be noticed',
  });
  await stage.until('two', ({ status }) => status?.sync === 'Suspended', 'the suspension to be noticed');
});

test('A1: whatever the API server does, the process goes on and catches up within 40 s', async (t) => {
  const { cluster, proxy, stage } = await start(t);
  const { pid } = stage.operator.process;
  let version = 1;
  for (const fault of faults) {
    await t.test(`A1: the API server ${fault.name}`, async (t) => {
      version += 1;
      await eventually(() => proxy.openWatches() >= 4, { describe: 'the watches to be open' });
      await fault.begin(proxy, cluster);
      const revision = await stage.repository.commit(files(version));
      if (fault.isBearable) await inSync(stage, version, revision, performance.now());
      else await delay(FAULT_MS);
      const ended = performance.now();
      await fault.end(proxy, cluster);
      await inSync(stage, version, revision, ended);
      t.diagnostic(`in sync after ${((performance.now() - ended) / 1_000).toFixed(1)} s`);
      assert.equal(stage.operator.process.pid, pid);
      assert.ok(stage.operator.process.running, stage.operator.process.logTail(40));
    });
  }
});

/** All Applications are deployed and Ready within the time promised, counted from `since`. */
async function inSync(stage: Stage, version: number, revision: string, since: number): Promise<void> {
  for (const name of NAMES) {
    await eventually(async () => (await versionOf(stage, name)) === String(version), {
      within: CATCH_UP_MS - (performance.now() - since),
      describe: `${name} to be deployed; operator: ${stage.operator.process.logTail(8)}`,
    });
    await stage.until(
      name,
      (application) => isReadyAt(application, revision),
      `${name} to be in sync`,
      CATCH_UP_MS - (performance.now() - since),
    );
  }
}

/** Questions of one kind that wait for their turn alone: those of a list and watch, in the order asked. */
function bySubject(requests: readonly RecordedRequest[]): Map<string, RecordedRequest[]> {
  const asked = requests.filter(({ verb }) => verb === 'list' || verb === 'watch');
  return Map.groupBy(asked, ({ path, impersonate }) => `${path} ${impersonate}`);
}

const gapsOf = (requests: readonly RecordedRequest[]) =>
  requests.slice(1).map(({ at }, index) => at - (requests[index]?.at ?? at));

test('A1: after 35 s of errors, with the Lease as it is by default, everything is in sync within 40 s', async (t) => {
  const { proxy, stage } = await start(t, []);
  proxy.forget();
  proxy.fail({ ...isAny, fault: { status: 503 } });
  proxy.resetConnections();
  const revision = await stage.repository.commit(files(2));
  await delay(35_000);
  const ended = performance.now();
  const during = [...proxy.requests];
  proxy.clear();
  await inSync(stage, 2, revision, ended);
  const told = `${during.length} requests in 35 s, in sync ${Math.round(performance.now() - ended)} ms later`;
  t.diagnostic(told);
  assert.ok(stage.operator.process.running, stage.operator.process.logTail(40));
  for (const [subject, asked] of bySubject(during)) {
    const gaps = gapsOf(asked);
    t.diagnostic(`${subject}: ${gaps.map((gap) => (gap / 1_000).toFixed(1)).join(' ')} s`);
    assert.ok(asked.length <= 25, `${subject} was asked for ${asked.length} times`);
    assert.ok(Math.max(...gaps) > 1_000, `${subject} is asked for ever more seldom: ${gaps}`);
  }
});

test('A1: what Retry-After says is waited for before the same is asked again', async (t) => {
  const { proxy, stage } = await start(t);
  proxy.forget();
  const retryAfter = 3;
  proxy.fail({ ...isAny, fault: { status: 429, retryAfter } });
  proxy.resetConnections();
  const refused = () => bySubject(proxy.requests.filter(({ status }) => status === 429));
  await eventually(
    () => {
      const subjects = [...refused()];
      const once = subjects.filter(([, asked]) => asked.length < 2).map(([subject]) => subject);
      assert.deepEqual(once, [], 'what was asked only once');
      return subjects.length >= 3;
    },
    { describe: 'Applications, objects and definitions to be asked for again' },
  );
  const subjects = refused();
  const ended = performance.now();
  proxy.clear();
  for (const [subject, asked] of subjects) {
    const gaps = gapsOf(asked);
    t.diagnostic(`${subject}: ${gaps.map((gap) => (gap / 1_000).toFixed(1)).join(' ')} s`);
    for (const gap of gaps) assert.ok(gap >= retryAfter * 1_000 - 50, `${subject} after ${gap} ms`);
  }
  await inSync(stage, 1, await stage.repository.revParse('main'), ended);
});

test('A1: what Retry-After says is waited for before an object is sent again', async (t) => {
  const { proxy, stage } = await start(t, []);
  const retryAfter = 4;
  const path = /\/configmaps\/one\?/;
  const rule = proxy.fail({ verb: 'apply', path, fault: { status: 429, retryAfter } });
  proxy.forget();
  const revision = await stage.repository.commit(files(2));
  await eventually(() => rule.met >= 3, { describe: 'three tries' });
  const asked = proxy.find({ verb: 'apply', path });
  proxy.clear();
  const gaps = gapsOf(asked);
  t.diagnostic(`${gaps.map((gap) => (gap / 1_000).toFixed(1)).join(' ')} s`);
  for (const gap of gaps) assert.ok(gap >= retryAfter * 1_000 - 50, `${gap} ms`);
  await inSync(stage, 2, revision, performance.now());
});
