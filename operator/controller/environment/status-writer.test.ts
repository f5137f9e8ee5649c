import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { installCRDs } from '../../../test/harness/operator.ts';
import { useControlPlane } from '../../../test/harness/use-control-plane.ts';
import { always, eventually } from '../../../test/harness/wait.ts';
import { TowpathError } from '../../api/errors.ts';
import { KubeClient, type KubeObject } from '../../kube/client.ts';
import { GivenAccess } from '../../kube/credentials.ts';
import { Environments } from './environments.ts';
import { EnvironmentStatusWriter } from './status-writer.ts';

const BEFORE = {
  conditions: [
    {
      type: 'Ready',
      status: 'True',
      reason: 'Available',
      message: 'Applications can be deployed here.',
      observedGeneration: 1,
      lastTransitionTime: '2026-11-01T00:00:00Z',
    },
  ],
  cluster: { reachable: true },
};

/** All installations that hold an Environment are there. */
const NOTHING_LEFT = { leftOf: () => [], onLeftTaken: () => assert.fail('nothing was left') };

/** Of a server that answers each request with an object. */
async function clientAnsweredBy(
  t: TestContext,
  answer: (path: string, body: string) => KubeObject,
): Promise<KubeClient> {
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => response.end(JSON.stringify(answer(request.url ?? '', text))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = { server: `http://127.0.0.1:${port}`, proxyUrl: undefined, tls: {}, headers: [] };
  const client = new KubeClient(new GivenAccess(access));
  t.after(async () => {
    await client.close();
    server.close();
  });
  return client;
}

/** Hears of what failed, and has the test fail of it; what its end breaks off is none. */
function faultsOf(t: TestContext): (name: string, error: unknown) => void {
  const faults: string[] = [];
  t.after(() => assert.deepEqual(faults, []));
  return (_, error) => faults.push(String(error));
}

test('A6: an Environment that is stored and cannot be read says so on itself, in place of what it said before', async (t) => {
  const onFault = faultsOf(t);
  const patches: { path: string; body: { status: { conditions: object[] } } }[] = [];
  const metadata = { name: 'eu', uid: 'u', resourceVersion: '7', generation: 2 };
  const object: KubeObject & { status: object } = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Environment',
    metadata,
    status: BEFORE,
  };
  const client = await clientAnsweredBy(t, (path, body) => {
    patches.push({ path, body: JSON.parse(body) });
    return object;
  });
  const errors = ['spec.freezes[0].from: must be a time', 'spec.access: must name one'];
  const writer = new EnvironmentStatusWriter({
    client,
    get: () => ({ object, environment: undefined, errors }),
    names: () => ['eu'],
    isUsed: () => false,
    isOurs: () => true,
    isShared: false,
    finalizer: 'towpath.dev/test',
    ...NOTHING_LEFT,
    factsOf: () => assert.fail('nothing of it is known'),
    onWritten: () => undefined,
    onHeld: () => undefined,
    onDone: () => undefined,
    onFault,
    random: Math.random,
  });
  t.after(() => writer.follow());
  writer.lead();
  await eventually(async () => patches.length === 1, { describe: 'the status to be written' });
  const [{ path, body } = assert.fail()] = patches;
  assert.match(path, /\/environments\/eu\/status/);
  const why = {
    reason: 'EnvironmentInvalid',
    message: `Environment eu cannot be read, and nothing is written there; correct it: ${errors.join('; ')}`,
  };
  assert.deepEqual(
    body.status.conditions.map((condition) => {
      const {
        observedGeneration: _,
        lastTransitionTime: __,
        ...told
      } = { ...BEFORE.conditions[0], ...condition };
      return told;
    }),
    [
      { type: 'Ready', status: 'False', ...why },
      { type: 'Stalled', status: 'True', ...why },
    ],
  );
});

test('A14: two installations that each know something else of one Environment do not answer each other for ever', async (t) => {
  const onFault = faultsOf(t);
  const cluster = await useControlPlane();
  await installCRDs(cluster);
  const name = `shared-${randomBytes(5).toString('hex')}`;
  const path = '/apis/towpath.dev/v1alpha1/environments';
  const spec = { allowedNamespaces: ['*'], access: { serviceAccountName: 'deployer' } };
  const kind = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Environment' };
  const created = await cluster.request('POST', path, { body: { ...kind, metadata: { name }, spec } });
  assert.equal(created.status, 201, created.body);
  t.after(() => cluster.request('DELETE', `${path}/${name}`));

  /** Of whose Applications, and nobody else's, what it says is about. */
  const installation = async (of: string) => {
    let users = `of ${of}`;
    let writes = 0;
    const client = KubeClient.fromKubeConfig(cluster.kubeconfigPath);
    const environments = new Environments({
      client,
      log: pino({ enabled: false }),
      onChange: () => undefined,
      onListed: () => undefined,
      onTold: (told) => writer.due(told),
    });
    const writer: EnvironmentStatusWriter = new EnvironmentStatusWriter({
      client,
      get: (one) => environments.get(one),
      names: () => [name],
      isUsed: () => false,
      isOurs: (one) => one === name,
      isShared: true,
      finalizer: `towpath.dev/${of}`,
      ...NOTHING_LEFT,
      factsOf: () => ({
        stand: undefined,
        homeVersion: 'v1.37.2',
        deletion: new TowpathError('Person', 'EnvironmentInUse', `Applications ${users} deploy there.`),
      }),
      onWritten: (object) => {
        writes += 1;
        environments.takeIn(object);
      },
      onHeld: () => undefined,
      onDone: () => undefined,
      onFault,
      random: Math.random,
    });
    await environments.start();
    writer.lead();
    t.after(async () => {
      writer.follow();
      await environments.stop();
      await client.close();
    });
    const saysNow = (other: string) => {
      users = other;
      writer.due(name);
    };
    const message = () => environments.get(name)?.environment?.status?.conditions?.[0]?.message ?? '';
    return { writes: () => writes, message, saysNow };
  };
  const [one, other] = [await installation('one'), await installation('other')];
  await eventually(() => one.writes() >= 1 && other.writes() >= 1, { describe: 'both to have said theirs' });
  await always(
    () => one.writes() + other.writes(),
    (writes) => assert.ok(writes <= 4, `${writes} writes`),
    1_000,
  );
  one.saysNow('of nobody else');
  await eventually(() => /of nobody else/.test(other.message()), {
    describe: 'news to be told all the same',
  });
});

test('an Environment that comes into use gets our finalizer before anything is told, and who waited for that hears of it', async (t) => {
  const onFault = faultsOf(t);
  const told: string[] = [];
  const metadata = { name: 'eu', uid: 'u', resourceVersion: '7', finalizers: ['example.com/other'] };
  const object: KubeObject = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Environment', metadata };
  const client = await clientAnsweredBy(t, (_, body) => {
    told.push(body);
    return object;
  });
  const writer = new EnvironmentStatusWriter({
    client,
    get: () => ({ object, environment: undefined, errors: [] }),
    names: () => ['eu'],
    isUsed: () => true,
    isOurs: () => false,
    isShared: false,
    finalizer: 'towpath.dev/test',
    ...NOTHING_LEFT,
    factsOf: () => assert.fail('it is not ours to tell of'),
    onWritten: () => told.push('taken in'),
    onHeld: (name) => told.push(`${name} is held`),
    onDone: (name) => told.push(`nothing is left of ${name}`),
    onFault,
    random: Math.random,
  });
  t.after(() => writer.follow());
  writer.lead();
  await eventually(() => told.length >= 4, { describe: 'the finalizer to be told' });
  const patch = { metadata: { resourceVersion: '7', finalizers: ['example.com/other', 'towpath.dev/test'] } };
  assert.deepEqual(told.slice(0, 4), [
    JSON.stringify(patch),
    ...['taken in', 'eu is held'],
    // Also where the answer was lost and the next try found nothing to write.
    'nothing is left of eu',
  ]);
});

test('an Environment that is being deleted is let go of for installations that there are no more, and for nobody else', async (t) => {
  const onFault = faultsOf(t);
  const told: string[] = [];
  const metadata = { name: 'eu', uid: 'u', resourceVersion: '7' };
  const finalizers = ['towpath.dev/used-by-gone', 'example.com/other', 'towpath.dev/used-by-other'];
  const kind = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Environment' };
  const going = { deletionTimestamp: '2026-12-01T10:00:00Z' };
  const stays: KubeObject = { ...kind, metadata: { ...metadata, name: 'us', finalizers } };
  let goes: KubeObject = { ...kind, metadata: { ...metadata, ...going, finalizers } };
  const client = await clientAnsweredBy(t, (path, body) => {
    told.push(`${path.split('/').at(-1)?.split('?')[0]} ${body}`);
    goes = { ...goes, metadata: { ...goes.metadata, finalizers: finalizers.slice(1) } };
    return goes;
  });
  const writer = new EnvironmentStatusWriter({
    client,
    get: (name) => ({ object: name === 'eu' ? goes : stays, environment: undefined, errors: [] }),
    names: () => ['us', 'eu'],
    isUsed: () => false,
    isOurs: () => false,
    isShared: false,
    finalizer: 'towpath.dev/test',
    leftOf: (all) => all.filter((one) => one === 'towpath.dev/used-by-gone'),
    onLeftTaken: (name, left) => told.push(`${name} has ${left.join()} no more`),
    factsOf: () => assert.fail('it is not ours to tell of'),
    onWritten: () => undefined,
    onHeld: () => assert.fail('we do not hold it'),
    onDone: (name) => told.push(`nothing is left of ${name}`),
    onFault,
    random: Math.random,
  });
  t.after(() => writer.follow());
  writer.lead();
  await eventually(() => told.length >= 4, { describe: 'the finalizer to go' });
  const patch = { metadata: { resourceVersion: '7', finalizers: finalizers.slice(1) } };
  assert.deepEqual(told.toSorted(), [
    'eu has towpath.dev/used-by-gone no more',
    `eu ${JSON.stringify(patch)}`,
    'nothing is left of eu',
    'nothing is left of us',
  ]);
});
