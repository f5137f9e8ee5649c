import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, type TestContext, test } from 'node:test';
import type { Cluster } from '../../test/harness/control-plane.ts';
import { type FaultProxy, startFaultProxy } from '../../test/harness/fault-proxy.ts';
import { namespaceFor, useControlPlane } from '../../test/harness/use-control-plane.ts';
import { always, eventually } from '../../test/harness/wait.ts';
import { membersOf } from '../api/foreign-object.ts';
import { KubeClient } from './client.ts';
import { LeaderElection, type LeaderElectionOptions } from './lease.ts';

const LEASES = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' };
const SHORT = { leaseDurationMs: 3000, renewDeadlineMs: 2000, retryPeriodMs: 500 };

let cluster: Cluster;
let proxy: FaultProxy;
let direct: KubeClient;
before(async () => {
  cluster = await useControlPlane();
  proxy = await startFaultProxy(cluster);
  direct = KubeClient.fromKubeConfig(cluster.kubeConfigText);
});
after(async () => {
  await direct.close();
  await proxy.stop();
});

/** A candidate for the Lease `towpath`, and what it told with the times of a monotonic clock. */
function candidate(
  t: TestContext,
  namespace: string,
  identity: string,
  options: Partial<LeaderElectionOptions> = {},
) {
  const own = KubeClient.fromKubeConfig(cluster.kubeConfigText);
  const told: { what: 'started' | 'stopped'; at: number }[] = [];
  const election = new LeaderElection({
    client: own,
    namespace,
    name: 'towpath',
    identity,
    ...SHORT,
    onStartedLeading: () => told.push({ what: 'started', at: performance.now() }),
    onStoppedLeading: () => told.push({ what: 'stopped', at: performance.now() }),
    ...options,
  });
  t.after(async () => {
    proxy.clear();
    await election.stop();
    await own.close();
  });
  return { election, told };
}

async function leaseSpec(namespace: string): Promise<Readonly<Record<string, unknown>>> {
  const { spec } = await direct.get({ resource: LEASES, namespace, name: 'towpath' });
  return membersOf(spec);
}

test('of two candidates one leads, and goes on leading', async (t) => {
  const namespace = await namespaceFor(t);
  const pair = [candidate(t, namespace, 'a'), candidate(t, namespace, 'b')];
  for (const { election } of pair) election.start();
  await eventually(() => pair.some(({ election }) => election.isLeader()));
  await always(
    () => pair.filter(({ election }) => election.isLeader()).length,
    (leaders) => assert.equal(leaders, 1, 'one leads, at every moment'),
    SHORT.leaseDurationMs + 1000,
  );
  assert.equal(pair.flatMap(({ told }) => told).length, 1, 'leadership never moved');
  const spec = await leaseSpec(namespace);
  assert.ok(spec.holderIdentity === 'a' || spec.holderIdentity === 'b');
  assert.equal(spec.leaseDurationSeconds, 3);
});

test('A7: a leader that stops releases the Lease, and the successor leads within 2 s', async (t) => {
  const namespace = await namespaceFor(t);
  const first = candidate(t, namespace, 'first', { leaseDurationMs: 15_000, renewDeadlineMs: 10_000 });
  first.election.start();
  await eventually(() => first.election.isLeader());
  // With its long period the follower would look too late: it has to notice.
  const behind = KubeClient.fromKubeConfig(proxy.kubeConfigText);
  t.after(() => behind.close());
  const second = candidate(t, namespace, 'second', { retryPeriodMs: 60_000, client: behind });
  proxy.forget();
  second.election.start();
  await eventually(() => proxy.find({ verb: 'get', path: /leases/ }).some(({ status }) => status === 200));
  await eventually(() => proxy.openWatches({ path: /leases/ }) > 0);
  await first.election.stop();
  assert.equal(first.election.isLeader(), false);
  assert.deepEqual(
    first.told.map(({ what }) => what),
    ['started', 'stopped'],
  );
  await eventually(() => second.election.isLeader(), { every: 5, within: 2000 });
  const spec = await leaseSpec(namespace);
  assert.equal(spec.holderIdentity, 'second');
  assert.equal(spec.leaseTransitions, 1);
});

test('D8: a leader whose renewals hang stops at its deadline, before anyone else leads', async (t) => {
  const namespace = await namespaceFor(t);
  const behind = KubeClient.fromKubeConfig(proxy.kubeConfigText);
  t.after(() => behind.close());
  const first = candidate(t, namespace, 'first', { client: behind });
  first.election.start();
  await eventually(() => first.election.isLeader());
  const second = candidate(t, namespace, 'second');
  second.election.start();
  const hung = performance.now();
  proxy.fail({ path: /leases/, fault: 'hang' });
  await eventually(() => second.election.isLeader());
  assert.equal(first.election.isLeader(), false);
  const [, stopped] = first.told;
  const [started] = second.told;
  assert.ok(stopped?.what === 'stopped' && started !== undefined);
  assert.ok(stopped.at <= hung + SHORT.renewDeadlineMs + 1000, 'stopped in time');
  assert.ok(stopped.at < started.at, 'never two at once');
  proxy.clear();
  // The first one comes back as a follower.
  await always(
    () => [first.election.isLeader(), second.election.isLeader()],
    (leading) => assert.deepEqual(leading, [false, true], 'the first one leads again'),
    SHORT.leaseDurationMs + 1000,
  );
  assert.deepEqual(
    first.told.map(({ what }) => what),
    ['started', 'stopped'],
  );
});

test('D8: isLeader ends by the clock alone, without any timer or answer', async (t) => {
  const namespace = await namespaceFor(t);
  let skipped = 0;
  const { election, told } = candidate(t, namespace, 'a', { monotonic: () => performance.now() + skipped });
  election.start();
  await eventually(() => election.isLeader());
  skipped = SHORT.renewDeadlineMs;
  assert.equal(election.isLeader(), false);
  assert.deepEqual(
    told.map(({ what }) => what),
    ['started', 'stopped'],
  );
  // Nobody took it meanwhile: it leads again, and says so.
  await eventually(() => election.isLeader());
  assert.deepEqual(
    told.map(({ what }) => what),
    ['started', 'stopped', 'started'],
  );
});

test('D8: a deadline is told also when its timer fires before its time', async (t) => {
  const namespace = await namespaceFor(t);
  const behind = KubeClient.fromKubeConfig(proxy.kubeConfigText);
  t.after(() => behind.close());
  // Timers may be early against the clock by parts of a millisecond; here by 100 ms.
  let renewed = Number.POSITIVE_INFINITY;
  const { election, told } = candidate(t, namespace, 'a', {
    client: behind,
    monotonic: () => performance.now() - (performance.now() - renewed > 1000 ? 100 : 0),
  });
  proxy.fail({ verb: 'update', path: /leases/, fault: 'hang' });
  election.start();
  await eventually(() => told.length === 1);
  renewed = performance.now();
  // Nobody asks isLeader() meanwhile.
  await eventually(() => told.length === 2, { within: SHORT.renewDeadlineMs + 1000 });
  assert.equal(told[1]?.what, 'stopped');
});

test('D8: a leader that was stopped (SIGSTOP) while another took over writes nothing when it goes on', async (t) => {
  const namespace = await namespaceFor(t);
  const child = spawn(process.execPath, [
    join(import.meta.dirname, 'testdata/lease-candidate.ts'),
    cluster.kubeconfigPath,
    namespace,
    'towpath',
    'stopped-one',
  ]);
  t.after(() => child.kill('SIGKILL'));
  const lines = linesOf(child);
  await eventually(() => lines.includes('started'));
  child.stdin.write('first\n');
  await eventually(() => lines.includes('wrote first'));
  const successor = candidate(t, namespace, 'successor');
  successor.election.start();
  child.kill('SIGSTOP');
  await eventually(() => successor.election.isLeader());
  // Waits in the pipe: the very first thing that it does when it goes on.
  child.stdin.write('late\n');
  child.kill('SIGCONT');
  await eventually(() => lines.some((line) => line.startsWith('refused')));
  assert.ok(lines.includes('refused NotLeaderError'), lines.join());
  assert.ok(lines.includes('stopped'));
  assert.ok(successor.election.isLeader());
  const path = { resource: { group: '', version: 'v1', plural: 'configmaps' }, namespace, name: 'written' };
  assert.deepEqual((await direct.get(path)).data, { value: 'first' });
});

test('D8: a Lease given to another by hand ends leadership at the next renewal', async (t) => {
  const namespace = await namespaceFor(t);
  const { election } = candidate(t, namespace, 'a');
  election.start();
  await eventually(() => election.isLeader());
  const path = { resource: LEASES, namespace, name: 'towpath' };
  await direct.mergePatch(path, { spec: { holderIdentity: 'someone', leaseDurationSeconds: 60 } });
  await eventually(() => !election.isLeader());
  assert.equal((await leaseSpec(namespace)).holderIdentity, 'someone');
});

test('A14: who begins to lead is told whether another one led since it last did', async (t) => {
  const namespace = await namespaceFor(t);
  const before: string[] = [];
  let skipped = 0;
  const { election } = candidate(t, namespace, 'a', {
    monotonic: () => performance.now() + skipped,
    onStartedLeading: (led) => before.push(led),
  });
  election.start();
  await eventually(() => before.length === 1);
  skipped += SHORT.renewDeadlineMs;
  assert.equal(election.isLeader(), false, 'nobody takes it meanwhile');
  await eventually(() => before.length === 2);

  const lease = await direct.get({ resource: LEASES, namespace, name: 'towpath' });
  const spec = membersOf(lease.spec);
  // Somebody's whose time is over when it is seen.
  const other = {
    holderIdentity: 'b',
    leaseDurationSeconds: 1,
    leaseTransitions: Number(spec.leaseTransitions) + 1,
  };
  await direct.mergePatch({ resource: LEASES, namespace, name: 'towpath' }, { spec: other });
  await eventually(() => before.length === 3);
  assert.deepEqual(before, ['another, or nobody', 'this process', 'another, or nobody']);
});

test('A1: a leader outlives single failures of its renewals', async (t) => {
  const namespace = await namespaceFor(t);
  const behind = KubeClient.fromKubeConfig(proxy.kubeConfigText);
  t.after(() => behind.close());
  const faults: Error[] = [];
  const { election, told } = candidate(t, namespace, 'a', {
    client: behind,
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 200,
    onFault: (error) => faults.push(error),
  });
  election.start();
  await eventually(() => election.isLeader());
  const rules = (['reset', { status: 500 }, { status: 429 }] as const).map((fault) =>
    proxy.fail({ verb: 'update', path: /leases/, fault, times: 1 }),
  );
  await eventually(() => rules.every(({ met }) => met === 1));
  // The answer to a renewal that was done is lost: the next one meets a newer version of its own.
  const held = proxy.hold({ verb: 'update', path: /leases/, at: 'response' });
  await held.seen;
  held.drop();
  proxy.forget();
  await eventually(() => proxy.find({ verb: 'update', path: /leases/ }).some(({ status }) => status === 200));
  assert.ok(election.isLeader());
  assert.equal(told.length, 1);
  assert.equal(faults.length, 4);
});

test('A13: a follower counts by its own clock: a Lease with times far off is taken when it stands still', async (t) => {
  const namespace = await namespaceFor(t);
  const future = '2199-01-01T00:00:00.000000Z';
  await direct.create(
    { resource: LEASES, namespace },
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'towpath' },
      spec: { holderIdentity: 'gone', leaseDurationSeconds: 2, acquireTime: future, renewTime: future },
    },
  );
  const { election } = candidate(t, namespace, 'a');
  const begun = performance.now();
  election.start();
  await eventually(() => election.isLeader());
  assert.ok(performance.now() - begun >= 2000, 'the holder had its time');
});

function linesOf(child: ChildProcess): string[] {
  const lines: string[] = [];
  if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => lines.push(line));
  return lines;
}
