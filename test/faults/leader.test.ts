import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseDuration } from '../../operator/api/v1alpha1/duration.ts';
import { FLAGS } from '../../operator/flags.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import type { FileContent } from '../harness/git-repository.ts';
import { fastLease, newStage, type Stage, startOperator } from '../harness/operator.ts';
import { inWords, newProxiedStage, writesOf } from '../harness/proxied-stage.ts';
import type { RequestMatch } from '../harness/recorded-request.ts';
import { always, eventually } from '../harness/wait.ts';
import { eventsOf, toldOf } from '../integration/steps.ts';

const configMap = (name: string, message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {message: "${message}"}\n`;

async function holder(stage: Stage): Promise<string> {
  return stage.kubectl('get', 'lease', 'towpath', '-o', 'jsonpath={.spec.holderIdentity}');
}

/** Name and message of each object of the Application. */
async function messages(stage: Stage): Promise<string> {
  const each = 'jsonpath={range .items[*]}{.metadata.name}={.data.message} {end}';
  const all = await stage.kubectl('get', 'configmaps', '-l', 'towpath.dev/target', '-o', each);
  return all.trim();
}

interface StaleWrite {
  name: string;
  /** The commit whose write is held, and the one that the successor deploys. */
  held: Record<string, FileContent>;
  next: Record<string, FileContent>;
  write: RequestMatch;
  /** What the API server answers to the held write when it goes on. */
  answer: readonly number[];
  outcome: string;
}

/** Each as the leader before would send it, when its successor has gone on. */
const STALE: StaleWrite[] = [
  {
    name: 'an apply onto an object',
    held: { 'web.yaml': configMap('web', 'two') },
    next: { 'web.yaml': configMap('web', 'three') },
    write: { verb: 'apply', path: /\/configmaps\/web\?/, where: ({ dryRun }) => !dryRun },
    answer: [409],
    outcome: 'extra=one web=three',
  },
  {
    name: 'the creation of an object',
    held: { 'new.yaml': configMap('new', 'two') },
    next: { 'new.yaml': configMap('new', 'three') },
    write: { verb: 'apply', path: /\/configmaps\/new\?/, where: ({ dryRun }) => !dryRun },
    answer: [409],
    outcome: 'extra=one new=three web=one',
  },
  {
    name: 'the deletion of an object',
    held: { 'extra.yaml': null },
    next: { 'extra.yaml': configMap('extra', 'three') },
    write: { verb: 'delete', path: /\/configmaps\/extra$/ },
    answer: [409],
    outcome: 'extra=three web=one',
  },
];

for (const stale of STALE) {
  test(`D8: a leader that was stopped and lost its Lease writes nothing more; ${stale.name} that was under way is refused`, (t) =>
    writeTooLate(t, stale));
}

async function writeTooLate(t: TestContext, stale: StaleWrite): Promise<void> {
  const { cluster, proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('web', 'one'), 'extra.yaml': configMap('extra', 'one') },
    flags: fastLease,
  });
  await stage.deployed('web');
  const former = await holder(stage);

  const held = proxy.hold(stale.write);
  await stage.repository.commit(stale.held);
  await stage.requestSync('web');
  const late = await held.seen;
  stage.operator.process.pause();
  await startOperator(t, cluster, stage.namespace, { flags: fastLease });
  await eventually(async () => (await holder(stage)) !== former, { describe: 'another to lead' });
  const third = await stage.repository.commit(stale.next);
  await stage.untilReadyAt('web', third);
  assert.equal(await messages(stage), stale.outcome);

  proxy.forget();
  held.release();
  await eventually(() => late.status !== undefined, { describe: "the former leader's write to be answered" });
  assert.ok(stale.answer.includes(late.status ?? 0), `${late.verb} ${late.path} was answered ${late.status}`);
  stage.operator.process.resume();
  // It has seen that it follows, and has had its time to write.
  await eventually(() => /This process follows/.test(stage.operator.process.logTail(200)), {
    describe: 'the former leader to know that it follows',
  });
  await eventually(() => proxy.find({ path: /leases/ }).length > 2, { describe: 'it to go on' });
  assert.deepEqual(inWords(writesOf(proxy)), []);
  assert.equal(await messages(stage), stale.outcome, "the outcome is the successor's");
  await stage.untilReadyAt('web', third);
}

/** docs/installation.md, "High availability": by the Lease's defaults, from the leader's death on. */
const LED_AGAIN_MS = 20_000;
/** What a leader needs to begin, records read, and to sync what is due. */
const BEGUN_MS = 5_000;

interface LeaseSpec {
  holderIdentity: string;
  leaseDurationSeconds: number;
  leaseTransitions: number;
  acquireTime: string;
  renewTime: string;
}

test('D8: a leader that is killed is followed within 20 s by the flags as they are by default, no sooner than its Lease allows, and what it left is synced', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.deployed('web');
  const follower = await startOperator(t, stage.cluster, stage.namespace);
  const readyz = `${await follower.url('probe')}/readyz`;
  await eventually(async () => (await fetch(readyz)).status === 200, {
    describe: 'the follower to be ready',
  });
  const lease = async () =>
    (JSON.parse(await stage.kubectl('get', 'lease', 'towpath', '-o', 'json')) as { spec: LeaseSpec }).spec;
  let last = await lease();
  const former = last.holderIdentity;
  const durationMs = parseDuration(FLAGS['lease-duration'].default);
  assert.equal(last.leaseDurationSeconds * 1_000, durationMs, 'the Lease is as it is by default');

  const died = performance.now();
  await stage.operator.stop('SIGKILL');
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.requestSync('web');
  const next = await eventually(
    async () => {
      const seen = await lease();
      if (seen.holderIdentity !== former) return seen;
      last = seen;
      return undefined;
    },
    { within: LED_AGAIN_MS, describe: 'the follower to lead' },
  );
  t.diagnostic(`led again after ${Math.round(performance.now() - died)} ms`);
  const waited = Date.parse(next.acquireTime) - Date.parse(last.renewTime);
  assert.ok(waited >= durationMs, `it took the Lease ${waited} ms after its last renewal`);
  assert.notEqual(next.holderIdentity, '', 'nobody gave the Lease up');
  assert.equal(next.leaseTransitions, last.leaseTransitions + 1);
  await stage.untilReadyAt('web', second, LED_AGAIN_MS + BEGUN_MS - (performance.now() - died));
  assert.equal(await messages(stage), 'web=two');
});

test('A7: SIGTERM lets a write that is under way finish, ends with exit code 0 within 10 s, and a successor writes within 2 s of that', async (t) => {
  const { cluster, proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('web', 'one'), 'extra.yaml': configMap('extra', 'one') },
  });
  await stage.deployed('web');
  const former = await holder(stage);
  // Behind a proxy of its own, which tells when it writes.
  const behind = await startFaultProxy(cluster);
  t.after(() => behind.stop());
  const successor = await startOperator(t, stage.cluster, stage.namespace, {
    proxy: behind,
  });
  await successor.url('probe');

  const second = await stage.repository.commit({
    'web.yaml': configMap('web', 'two'),
    'extra.yaml': configMap('extra', 'two'),
  });
  const held = proxy.hold({
    verb: 'apply',
    path: /\/configmaps\/web\?/,
    where: ({ dryRun }) => !dryRun,
  });
  const readyz = `${await stage.operator.url('probe')}/readyz`;
  await stage.requestSync('web');
  const underWay = await held.seen;
  const leader = stage.operator.process;
  const started = performance.now();
  const stopped = leader.stop('SIGTERM');
  await eventually(async () => (await (await fetch(readyz)).text()).includes('Stopping'), {
    every: 10,
    describe: 'it to begin to stop',
  });
  // For longer than it would take if it did not wait.
  await always(
    () => leader.running,
    (isRunning) => assert.ok(isRunning, 'it waits for its write'),
    1_000,
  );
  assert.equal(await holder(stage), former, 'the Lease is kept while a write is under way');
  held.release();
  const how = await leader.ended;
  const ended = performance.now();
  await stopped;
  t.diagnostic(`stopped in ${Math.round(ended - started)} ms: ${how}`);
  assert.ok(ended - started < 10_000, `it took ${ended - started} ms`);
  assert.match(how, /code 0/);
  assert.equal(underWay.status, 200, 'the write under way was let finish');
  const begun = writesOf(proxy).filter(({ at }) => at > started);
  assert.deepEqual(inWords(begun), [], 'no work is begun');

  await eventually(() => writesOf(behind).length > 0, {
    within: 2_000,
    every: 10,
    describe: `the successor to write; it: ${successor.process.logTail(5)}`,
  });
  assert.ok(![former, ''].includes(await holder(stage)));
  await stage.untilReadyAt('web', second);
  assert.equal(await messages(stage), 'extra=two web=two');
});

test('A7: what happened before a SIGTERM is told before the Lease is released', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('web', 'one'), 'extra.yaml': configMap('extra', 'one') },
  });
  await stage.deployed('web');
  await toldOf(stage, 'web', 'Synced');
  const held = proxy.hold({ verb: 'create', path: /\/events/ });
  // Pruned, a warning and Synced, one after the other.
  const twice = configMap('web', 'two').replace('{message:', '{message: "twice", message:');
  await stage.repository.commit({ 'web.yaml': twice, 'extra.yaml': null });
  await stage.requestSync('web');
  await held.seen;
  const readyz = `${await stage.operator.url('probe')}/readyz`;
  const stopped = stage.operator.stop('SIGTERM');
  await eventually(async () => (await (await fetch(readyz)).text()).includes('Stopping'), {
    every: 10,
    describe: 'it to begin to stop',
  });
  held.release();
  await stopped;
  for (const [reason, count] of Object.entries({ Pruned: 1, RenderWarning: 1, Synced: 2 }))
    assert.equal((await eventsOf(stage, 'web', reason)).length, count, reason);
});
