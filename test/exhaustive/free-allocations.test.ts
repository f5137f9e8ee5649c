import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, messageOf, newSteps, reasonOf, type TestObject, toldOf } from '../integration/steps.ts';

const selector = { app: 'ferry' };

function service(name: string, spec: object, annotations: Record<string, string> = {}): TestObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, annotations }, spec: { selector, ...spec } };
}

const nodePort = (port: number) => ({ type: 'NodePort', ports: [{ name: 'web', port: 80, nodePort: port }] });

/** Each of what only one Service can have, with the fields of a live one that tell it. */
const HELD: Record<string, { spec: object; has(spec: Record<string, unknown>): boolean }> = {
  'a nodePort': {
    spec: nodePort(30444),
    has: ({ ports }) => (ports as { nodePort: number }[])[0]?.nodePort === 30444,
  },
  'a nodePort of UDP': {
    spec: { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30445 }] },
    has: ({ ports }) => (ports as { nodePort: number }[])[0]?.nodePort === 30445,
  },
  'a clusterIP': {
    spec: { clusterIP: '10.96.201.1', ports: [{ port: 80 }] },
    has: ({ clusterIP }) => clusterIP === '10.96.201.1',
  },
  'a port for health checks': {
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 30446,
      ports: [{ port: 80 }],
    },
    has: ({ healthCheckNodePort }) => healthCheckNodePort === 30446,
  },
};

interface Moved {
  name: string;
  port?: number;
  wave?: number;
}

test('what a Service asks for and another one has', async (t) => {
  const { stage, push, deploy, change, live, admin } = await newSteps(t);

  for (const [index, [what, { spec, has }]] of Object.entries(HELD).entries()) {
    await t.test(`a Service that is renamed keeps ${what}: the old one goes first, by itself`, async () => {
      const application = `rename-${index}`;
      const [before, after] = [`old-${index}`, `new-${index}`];
      await push(application, [configMap(`stays-${index}`), service(before, spec)]);
      await stage.application(application, { source: { path: application } });
      await eventually(() => live('service', before), { describe: before });
      const commit = await push(application, [configMap(`stays-${index}`), service(after, spec)]);
      const found = await eventually(() => live('service', after), { describe: after });
      assert.ok(has(found.spec ?? {}), JSON.stringify(found.spec));
      assert.equal(await live('service', before), undefined);
      await toldOf(stage, application, 'Pruned');
      const { status } = await stage.until(
        application,
        (now) => now.status?.source?.revision === commit,
        'v2',
      );
      assert.equal(status?.quarantine, undefined);
    });
  }

  await t.test('a port moves from a Service that stays to another one', async () => {
    await deploy('moves', [service('moves-a', nodePort(30450))]);
    await change('moves', [service('moves-a', nodePort(30451)), service('moves-b', nodePort(30450))]);
    const { spec = {} } = (await live('service', 'moves-b')) ?? {};
    assert.equal((spec['ports'] as { nodePort: number }[])[0]?.nodePort, 30450);
  });

  const portOf = async (name: string) =>
    ((await live('service', name))?.spec?.['ports'] as { nodePort: number }[] | undefined)?.[0]?.nodePort;
  const waved = (wave: number) => ({ 'towpath.dev/wave': `${wave}` });
  const balancer = (port: number) => ({ ...nodePort(port), type: 'LoadBalancer' });

  /** Each Service with the port it has, the one it gets, and its wave: no name after which they would be sent in order. */
  const MOVES: Record<string, { before: Moved[]; after: Moved[] }> = {
    'two Services swap their ports': {
      before: [
        { name: 'a', port: 30661 },
        { name: 'b', port: 30662 },
      ],
      after: [
        { name: 'a', port: 30662 },
        { name: 'b', port: 30661 },
      ],
    },
    'two Services swap their ports, each in a wave of its own': {
      before: [
        { name: 'a', port: 30663 },
        { name: 'b', port: 30664 },
      ],
      after: [
        { name: 'a', port: 30664 },
        { name: 'b', port: 30663, wave: 5 },
      ],
    },
    'three Services pass their ports on in a ring': {
      before: [
        { name: 'a', port: 30665 },
        { name: 'b', port: 30666 },
        { name: 'c', port: 30667 },
      ],
      after: [
        { name: 'a', port: 30666 },
        { name: 'b', port: 30667 },
        { name: 'c', port: 30665 },
      ],
    },
    'three Services pass their ports on in a row, and the last one is a new one': {
      before: [
        { name: 'b', port: 30668 },
        { name: 'c', port: 30669 },
      ],
      after: [
        { name: 'a', port: 30668 },
        { name: 'b', port: 30669, wave: 1 },
        { name: 'c', port: 30670, wave: 2 },
      ],
    },
    'a Service of a later wave has the port that a new one asks for': {
      before: [{ name: 'b', port: 30671, wave: 5 }],
      after: [
        { name: 'a', port: 30671 },
        { name: 'b', port: 30672, wave: 5 },
      ],
    },
    'a Service of a later wave gives its port up for none': {
      before: [{ name: 'b', port: 30673, wave: 5 }],
      after: [
        { name: 'a', port: 30673 },
        { name: 'b', wave: 5 },
      ],
    },
  };

  for (const [index, [what, { before, after }]] of Object.entries(MOVES).entries()) {
    await t.test(`${what}, in one commit`, async () => {
      const application = `ports-${index}`;
      const nameOf = ({ name }: Moved) => `${application}-${name}`;
      const objectsOf = (all: Moved[]) =>
        all.map((one) => {
          const spec = one.port === undefined ? { ports: [{ name: 'web', port: 80 }] } : nodePort(one.port);
          return service(nameOf(one), spec, waved(one.wave ?? 0));
        });
      await deploy(application, objectsOf(before));
      const uids = await Promise.all(
        before.map(async (one) => (await live('service', nameOf(one)))?.metadata.uid),
      );
      await change(application, objectsOf(after));
      for (const one of after) assert.equal(await portOf(nameOf(one)), one.port, one.name);
      assert.deepEqual(
        await Promise.all(before.map(async (one) => (await live('service', nameOf(one)))?.metadata.uid)),
        uids,
        'nothing was deleted for it',
      );
      // What was between leaves no trace: what goes out of Git later goes.
      await change(application, objectsOf(after.map(({ name, wave = 0 }) => ({ name, wave }))));
      for (const one of after) assert.equal(await portOf(nameOf(one)), undefined, one.name);
    });
  }

  await t.test('load balancers swap their ports, and keep theirs', async () => {
    const both = (one: number, other: number) => [
      service('balanced-a', balancer(one)),
      service('balanced-b', balancer(other)),
    ];
    const commit = await push('balanced', both(30674, 30675));
    await stage.application('balanced', { source: { path: 'balanced' } });
    await stage.until('balanced', ({ status }) => status?.source?.revision === commit, 'v1');
    await eventually(async () => (await portOf('balanced-b')) === 30675);
    await push('balanced', both(30675, 30674));
    await eventually(
      async () => (await portOf('balanced-a')) === 30675 && (await portOf('balanced-b')) === 30674,
    );
    const { spec } = (await live('service', 'balanced-a')) ?? {};
    assert.equal(spec?.['type'], 'LoadBalancer');
  });

  await t.test('an address of a Service that is made anew goes to another one', async () => {
    const address = (ip: string) => ({ clusterIP: ip, ports: [{ name: 'web', port: 80 }] });
    const replaced = { 'towpath.dev/replace': 'true' };
    const [one, other] = ['10.96.202.1', '10.96.202.2'];
    await deploy('anew', [service('anew-b', address(one), { ...replaced, ...waved(3) })]);
    await change('anew', [
      service('anew-a', address(one)),
      service('anew-b', address(other), { ...replaced, ...waved(3) }),
    ]);
    assert.equal((await live('service', 'anew-a'))?.spec?.['clusterIP'], one);
    assert.equal((await live('service', 'anew-b'))?.spec?.['clusterIP'], other);
  });

  await t.test('nobody gives anything up for a change that would be refused all the same', async () => {
    const ports = (one: number, other: number, more: object = {}) => [
      service('vain-a', { ...nodePort(one), ...more }),
      service('vain-b', nodePort(other)),
    ];
    await deploy('vain', ports(30676, 30677));
    const { resourceVersion } = (await live('service', 'vain-b'))?.metadata ?? {};
    await push('vain', ports(30677, 30676, { clusterIP: '10.96.203.1' }));
    await stage.until('vain', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
    assert.equal((await live('service', 'vain-b'))?.metadata.resourceVersion, resourceVersion);
  });

  await t.test('the default PriorityClass is renamed, and being the default moves', async (t) => {
    const serviceAccountName = await admin(t);
    const named = (name: string) => `${stage.namespace}-${name}`;
    const priority = (name: string, fields: { globalDefault?: boolean }, more: object = {}): TestObject => ({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: named(name), ...more },
      value: 100,
      ...fields,
    });
    const isDefault = async (name: string) => {
      const found = await live('priorityclass', named(name));
      return found === undefined ? 'gone' : (found as { globalDefault?: boolean }).globalDefault === true;
    };
    await deploy('classes', [configMap('classes'), priority('old', { globalDefault: true })], {
      serviceAccountName,
    });
    await change('classes', [configMap('classes'), priority('new', { globalDefault: true })]);
    assert.deepEqual([await isDefault('old'), await isDefault('new')], ['gone', true]);
    const later = { annotations: waved(4) };
    await change('classes', [
      priority('another', { globalDefault: true }),
      priority('new', { globalDefault: false }, later),
    ]);
    assert.deepEqual([await isDefault('new'), await isDefault('another')], [false, true]);
    await change('classes', [priority('new', { globalDefault: true }), priority('another', {}, later)]);
    assert.deepEqual([await isDefault('new'), await isDefault('another')], [true, false]);
    const kept = { annotations: { 'towpath.dev/prune': 'disabled' } };
    await change('classes', [configMap('classes'), priority('new', { globalDefault: true }, kept)]);
    await push('classes', [configMap('classes'), priority('last', { globalDefault: true })]);
    const told = await stage.until('classes', ({ status }) => status?.sync === 'Blocked', 'the refusal');
    assert.equal(reasonOf(told), 'AlreadyAllocated');
    assert.match(messageOf(told), /new is already marked as default.* take globalDefault off that one/);
    assert.equal(await isDefault('new'), true, 'the guards of pruning hold');
    await change('classes', [
      priority('new', { globalDefault: false }, kept),
      priority('last', { globalDefault: true }),
    ]);
    assert.deepEqual([await isDefault('new'), await isDefault('last')], [false, true]);
    t.after(() => stage.kubectl('delete', 'priorityclass', named('new'), named('last')));
  });

  await t.test('the guards of pruning hold: what may not be pruned keeps its port', async () => {
    const kept = { 'towpath.dev/prune': 'disabled' };
    const made = await deploy('guarded', [service('guarded-old', nodePort(30460), kept)]);
    const { uid } = (await live('service', 'guarded-old'))?.metadata ?? {};
    await push('guarded', [service('guarded-new', nodePort(30460))]);
    const told = await stage.until('guarded', ({ status }) => status?.sync === 'Blocked', 'the refusal');
    assert.equal(reasonOf(told), 'AlreadyAllocated');
    assert.equal((await live('service', 'guarded-old'))?.metadata.uid, uid);
    assert.equal(environmentOf(told.status)?.history?.length, environmentOf(made.status)?.history?.length);
  });

  await t.test('nothing goes for a Service that would be refused all the same', async () => {
    await deploy('wrong', [service('wrong-old', nodePort(30465))]);
    const wrong = { ...nodePort(30465), sessionAffinity: 'No' };
    await push('wrong', [service('wrong-new', wrong)]);
    await stage.until('wrong', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
    assert.ok(await live('service', 'wrong-old'));
  });

  await t.test('the port of a stranger is waited for, and taken when it goes', async () => {
    await stage.apply({
      ...service('stranger', nodePort(30555)),
      metadata: { name: 'stranger', namespace: stage.namespace },
    });
    await push('waits', [configMap('waits'), service('waits', nodePort(30555))]);
    await stage.application('waits', { source: { path: 'waits' } });
    const told = await stage.until('waits', ({ status }) => status?.sync === 'Blocked', 'the refusal');
    assert.equal(reasonOf(told), 'AlreadyAllocated');
    assert.match(messageOf(told), /nodePort: .*30555.*already allocated/);
    assert.match(messageOf(told), /have the Service that holds it give it up, or ask for another in Git\.$/);
    await stage.kubectl('delete', 'service', 'stranger');
    await stage.until('waits', ({ status }) => status?.sync === 'Synced', 'the port', 12_000);
    assert.ok(await live('service', 'waits'));
  });

  await t.test('a quota that the commit itself would free is told as such', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'few', namespace: stage.namespace },
    };
    await deploy('quota', [configMap('quota-old')]);
    const [, used = '0'] =
      /(\d+)/.exec(await stage.kubectl('get', 'configmaps', '-o', 'go-template={{len .items}}')) ?? [];
    await stage.apply({ ...quota, spec: { hard: { 'count/configmaps': used } } });
    await eventually(async () => {
      const counted = await stage.kubectl('get', 'resourcequota', 'few', '-o', 'jsonpath={.status.used}');
      return counted.includes(used);
    });
    const commit = await push('quota', [configMap('quota-new')]);
    const told = await stage.until('quota', ({ status }) => status?.sync === 'Blocked', 'the refusal');
    assert.equal(reasonOf(told), 'QuotaExceeded');
    assert.match(
      messageOf(told),
      /ConfigMap \S+quota-old leaves Git with this commit, and counts until it is through/,
    );
    await stage.kubectl('delete', 'resourcequota', 'few');
    await stage.untilReadyAt('quota', commit);
  });
});
