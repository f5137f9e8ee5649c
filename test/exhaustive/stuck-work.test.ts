import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { fastLease, looks, type Stage, startOperator } from '../harness/operator.ts';
import { inWords, newProxiedStage, watchesForApplications, writesOf } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { always, eventually } from '../harness/wait.ts';

/** On SIGUSR2 a callback throws. */
const throwing = module(`
  process.on('SIGUSR2', () => setImmediate(() => { throw new Error('a callback threw'); }));
`);

/**
 * After SIGUSR2 the next thing that is unpacked is not before the next SIGUSR2: a look that waits for kept manifests
 * waits on, whatever interrupts it.
 */
const losing = module(`
  import zlib from 'node:zlib';
  import { syncBuiltinESMExports } from 'node:module';
  const { gunzip } = zlib;
  let state = 'idle';
  let held = () => undefined;
  zlib.gunzip = (...given) => {
    if (state !== 'armed') return gunzip(...given);
    state = 'holding';
    process.stdout.write('kept manifests are held\\\\n');
    held = () => gunzip(...given);
  };
  syncBuiltinESMExports();
  process.on('SIGUSR2', () => {
    if (state === 'idle') state = 'armed';
    else held();
    process.stdout.write('signalled\\\\n');
  });
`);

function module(text: string): string {
  return `data:text/javascript,${encodeURIComponent(text.replaceAll('\\\\n', '\\n'))}`;
}

/** Packed it is large enough to be unpacked in a thread. */
const text = Array.from({ length: 400 }, (_, index) =>
  createHash('sha256').update(`${index}`).digest('hex'),
).join(' ');

function largeConfig(version: string): Record<string, string> {
  return {
    'config.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {version: "${version}", text: "${text}"}\n`,
  };
}

/** Has the next look hang: it is about to put back what somebody changed. */
async function hangLook({ operator, kubectl }: Stage): Promise<void> {
  process.kill(operator.process.pid, 'SIGUSR2');
  await eventually(() => operator.process.logTail(2_000).includes('signalled'));
  await kubectl('patch', 'configmap', 'shop', '--type=merge', '-p', '{"data":{"version":"by hand"}}');
  await eventually(() => operator.process.logTail(2_000).includes('kept manifests are held'), {
    describe: 'the look to hang',
  });
}

test('A5: a look that ignores a change for 30 s is abandoned, told, and writes nothing any more', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: largeConfig('1'), preload: losing });
  await stage.deployed('shop');
  const { process: operator } = stage.operator;
  await hangLook(stage);
  const second = await stage.repository.commit(largeConfig('2'));
  await stage.untilReadyAt('shop', second);
  const events = await eventually(async () => {
    const text = await stage.kubectl(
      'get',
      'events',
      '-o',
      'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}',
    );
    return text.includes('LookAbandoned') ? text : undefined;
  });
  assert.match(
    events,
    /LookAbandoned: A look at Application \S+\/shop went on for 30 s after it was interrupted/,
  );
  const metrics = await stage.operator.metrics();
  assert.match(metrics, /^towpath_looks_abandoned_total 1$/m);

  // The one that was abandoned comes back to life: it was about to put back the first commit.
  proxy.forget();
  process.kill(operator.pid, 'SIGUSR2');
  await eventually(() => operator.logTail(2_000).match(/signalled/g)?.length === 2);
  await always(
    () => inWords(writesOf(proxy)),
    (writes) => assert.deepEqual(writes, []),
    2_000,
    { every: 50 },
  );
  const { status } = await stage.get('shop');
  assert.equal(environmentOf(status)?.revision, second);
  // What it changed in memory is nobody's: the next deployment goes on from the second.
  const third = await stage.repository.commit(largeConfig('3'));
  const after = await stage.untilReadyAt('shop', third);
  const history = environmentOf(after.status)?.history ?? [];
  assert.deepEqual(
    history.slice(0, 2).map(({ revision }) => revision),
    [third, second],
  );
});

test('A5: of an Application that went while a look at it was stuck nothing stays, and its successor is new', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: largeConfig('1'), preload: losing });
  await stage.deployed('shop');
  const { process: operator } = stage.operator;
  await hangLook(stage);
  await stage.kubectl('delete', 'applications.towpath.dev', 'shop', '--wait=false');
  const patch = '{"metadata":{"finalizers":null}}';
  await stage.kubectl('patch', 'applications.towpath.dev', 'shop', '--type=merge', '-p', patch);
  await eventually(async () => /^towpath_looks_abandoned_total 1$/m.test(await stage.operator.metrics()), {
    describe: 'the look to be abandoned',
  });
  process.kill(operator.pid, 'SIGUSR2');
  await eventually(() => operator.logTail(2_000).match(/signalled/g)?.length === 2);
  await eventually(() => watchesForApplications(proxy) === 0, { describe: 'its watches to end' });
  proxy.forget();
  await always(
    () => inWords(writesOf(proxy)),
    (writes) => assert.deepEqual(writes, []),
    2_000,
    { every: 50 },
  );
  assert.equal(watchesForApplications(proxy), 0);
  await stage.deployed('shop');
});

test('A7: after an exception that nobody caught the process ends in order, and the next one writes nothing', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: largeConfig('1'),
    preload: throwing,
    flags: fastLease,
  });
  await stage.deployed('shop');
  const { process: operator } = stage.operator;
  process.kill(operator.pid, 'SIGUSR2');
  assert.equal(await operator.ended, 'operator ended with code 1');
  assert.match(
    operator.logTail(50),
    /"level":"fatal".*"error":"a callback threw".*A defect in Towpath: the process ends, in order/,
  );
  const lease = JSON.parse(await stage.kubectl('get', 'lease', 'towpath', '-o', 'json')) as {
    spec: { holderIdentity?: string };
  };
  assert.equal(lease.spec.holderIdentity ?? '', '', 'the Lease is released');
  proxy.forget();
  const next = await startOperator(t, stage.cluster, stage.namespace, {
    proxy,
  });
  await eventually(async () => (await looks({ operator: next })) > 0, {
    describe: 'a look of the next process',
  });
  assert.deepEqual(inWords(writesOf(proxy)), []);
});
