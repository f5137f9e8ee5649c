import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sha256Name } from '../../operator/manifest/digest.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, fastLease, isReadyAt, type Stage, startOperator } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { useControlPlane } from '../harness/use-control-plane.ts';
import { always, eventually } from '../harness/wait.ts';

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;

async function start(t: TestContext) {
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('one') },
    flags: fastLease,
  });
  return { proxy, stage };
}

test('D8: a status write that lands late changes nothing that was written since', async (t) => {
  const { proxy, stage } = await start(t);
  await stage.deployed('web');
  const held = proxy.hold({ verb: 'patch', path: /applications\/web\/status/ });
  await stage.repository.commit({ 'web.yaml': configMap('two') });
  const late = await held.seen;
  const third = await stage.repository.commit({ 'web.yaml': configMap('three') });
  await stage.requestSync('web');
  await stage.untilReadyAt('web', third);
  held.release();
  await eventually(() => late.status !== undefined, { describe: 'the late write to land' });
  assert.equal(late.status, 409);
  assert.ok(isReadyAt(await stage.get('web'), third));
});

test('D11: a write that lands while its Application is deleted leaves nothing behind', async (t) => {
  const { proxy, stage } = await start(t);
  const held = proxy.hold({ verb: 'apply', path: /configmaps\/web/, where: ({ dryRun }) => !dryRun });
  await stage.application('web');
  await held.seen;
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
  const isGone = async () =>
    (await stage.kubectl('get', 'applications.towpath.dev', 'web', '--ignore-not-found', '-o', 'name')) ===
    '';
  // However long the write takes, the Application is there until it is known how it ended.
  await always(isGone, (gone) => assert.equal(gone, false, 'the write was not waited for'), 3_000);
  held.release();
  await eventually(isGone, { describe: 'the Application to be gone' });
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '--ignore-not-found', '-o', 'name'), '');
});

test('A5: with a kind that cannot be listed, suspend and what Git has are told all the same', async (t) => {
  const { proxy, stage } = await start(t);
  await stage.repository.commit({
    'secret.yaml': 'apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {a: b}\n',
  });
  await stage.deployed('web');
  await stage.operator.stop('SIGTERM');
  const rule = proxy.fail({
    verb: 'list',
    path: /\/secrets/,
    where: ({ impersonate }) => impersonate !== '',
    fault: { status: 500 },
  });
  await stage.restart();
  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  const blind = await stage.until(
    'web',
    ({ status }) => status?.sync === 'Blocked' && status.source?.revision === second,
    'the refusal beside the new commit',
  );
  assert.match(conditionOf(blind, 'Ready')?.message ?? '', /list Secret/);
  assert.equal(blind.status?.health, 'Unknown');
  await stage.application('web', { suspend: true });
  await stage.until('web', ({ status }) => status?.sync === 'Suspended', 'the suspension');
  rule.remove();
  await stage.application('web', { suspend: false });
  await stage.untilReadyAt('web', second);
});

test('A2: objects that cannot be seen for a minute are Unknown, not as healthy as they were', async (t) => {
  const { proxy, stage } = await start(t);
  const first = await stage.deployed('web');
  const rules = (['list', 'watch'] as const).map((verb) =>
    proxy.fail({ verb, path: /\/configmaps/, fault: { status: 500 } }),
  );
  proxy.resetConnections();
  const unknown = await stage.until('web', ({ status }) => status?.health === 'Unknown', 'Unknown', 100_000);
  assert.equal(conditionOf(unknown, 'Ready')?.reason, 'Unknown');
  assert.match(conditionOf(unknown, 'Ready')?.message ?? '', /ConfigMap .*web: it cannot be seen/);
  for (const rule of rules) rule.remove();
  await stage.untilReadyAt('web', first);
});

test('D7: chunks of manifests that no record names go when an operator begins to lead', async (t) => {
  const { stage } = await start(t);
  await stage.deployed('web');
  const installation = sha256Name(`${stage.namespace}/towpath`);
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'towpath-application-left-1', labels: { 'towpath.dev/manifests': installation } },
    data: { 'o.0': 'bGVmdA==' },
  });
  await stage.restart('SIGTERM');
  await eventually(
    async () =>
      (await stage.kubectl(
        'get',
        'secret',
        'towpath-application-left-1',
        '--ignore-not-found',
        '-o',
        'name',
      )) === '',
    { describe: 'the chunk to be deleted' },
  );
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  await stage.until(
    'web',
    async () => (await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}')) === 'one',
    'what is named to be there still',
  );
});

test('A7: SIGTERM ends an operator that still waits for the API server with exit code 0', async (t) => {
  const cluster = await useControlPlane();
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  proxy.refuseConnections();
  const operator = await startOperator(t, cluster, 'towpath-system', {
    kubeconfigPath: proxy.kubeconfigPath,
  });
  await eventually(() => /it is tried again/.test(operator.process.logTail(20)), {
    describe: 'the first failure to be logged',
  });
  await operator.stop('SIGTERM');
  assert.match(await operator.process.ended, /code 0/);
});

interface Ground {
  proxy: FaultProxy;
  stage: Stage;
  /** Somebody deletes the object. */
  drop(): Promise<unknown>;
  /** Lets the answer to its apply come. */
  release(): void;
  /** Lets the watch list again, which it is to do from the beginning. */
  mend(): void;
}

/** Waits until the operator was told by its watch of all that happened before: it repairs what came after. */
async function untilTold(stage: Stage): Promise<void> {
  await stage.kubectl('patch', 'configmap', 'clock', '-p', '{"data":{"message":"changed"}}');
  const message = () => stage.kubectl('get', 'configmap', 'clock', '-o', 'jsonpath={.data.message}');
  await eventually(async () => (await message()) === 'clock', { describe: 'a later change to be repaired' });
}

/** How the operator comes to know that an object is gone, the answer to whose apply is held. */
const DELETIONS: { name: string; lists: boolean; learn(ground: Ground): Promise<void> }[] = [
  {
    name: 'the watch tells so before the answer to the apply comes',
    lists: true,
    learn: async ({ stage, drop, release }) => {
      await drop();
      await untilTold(stage);
      release();
    },
  },
  {
    name: 'it came and went between two lists, before the answer to the apply comes',
    lists: false,
    learn: async ({ stage, drop, release, mend }) => {
      await drop();
      mend();
      await untilTold(stage);
      release();
    },
  },
  {
    name: 'it came and went between two lists, after the answer to the apply came',
    lists: false,
    learn: async ({ stage, drop, release, mend }) => {
      release();
      await stage.until('web', ({ status }) => environmentOf(status)?.objects === 2, 'both to be told');
      await drop();
      mend();
    },
  },
];

for (const { name, lists, learn } of DELETIONS) {
  test(`D6: an object that is deleted while it is applied is missed, and put back: ${name}`, async (t) => {
    const { proxy, stage } = await newProxiedStage(t, {
      files: {
        'web/web.yaml': configMap('one'),
        'clock/clock.yaml': configMap('clock').replace('web', 'clock'),
      },
      flags: fastLease,
    });
    await stage.deployed('clock', { source: { path: 'clock' } });
    await stage.deployed('web', { source: { path: 'web' } });
    const held = proxy.hold({
      at: 'response',
      verb: 'apply',
      path: /configmaps\/late/,
      where: ({ dryRun }) => !dryRun,
    });
    const rule = lists
      ? undefined
      : proxy.fail({ verb: 'list', path: /\/configmaps\?/, fault: { status: 500 } });
    if (!lists) assert.ok(proxy.expireWatches({ path: /\/configmaps\?/ }) > 0);
    const revision = await stage.repository.commit({
      'web/late.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n',
    });
    await held.seen;
    await learn({
      proxy,
      stage,
      drop: () => stage.kubectl('delete', 'configmap', 'late'),
      release: () => held.release(),
      mend: () => rule?.remove(),
    });
    const isThere = async () =>
      (await stage.kubectl('get', 'configmap', 'late', '--ignore-not-found', '-o', 'name')) !== '';
    await eventually(isThere, { describe: 'the object to be put back' });
    await stage.untilReadyAt('web', revision);
  });
}
