import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/wait.ts';
import { configMap, messageOf, newSteps, reasonOf, type TestObject, toldOf } from './steps.ts';

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

test('what a Service asks for and another one has', async (t) => {
  const { stage, push, deploy, change, live } = await newSteps(t);

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

  await t.test('the guards of pruning hold: what may not be pruned keeps its port', async () => {
    const kept = { 'towpath.dev/prune': 'disabled' };
    const made = await deploy('guarded', [service('guarded-old', nodePort(30460), kept)]);
    const { uid } = (await live('service', 'guarded-old'))?.metadata ?? {};
    await push('guarded', [service('guarded-new', nodePort(30460))]);
    const told = await stage.until('guarded', ({ status }) => status?.sync === 'Blocked', 'the refusal');
    assert.equal(reasonOf(told), 'AlreadyAllocated');
    assert.equal((await live('service', 'guarded-old'))?.metadata.uid, uid);
    assert.equal(
      told.status?.environments?.[0]?.history?.length,
      made.status?.environments?.[0]?.history?.length,
    );
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
