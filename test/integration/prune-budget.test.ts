import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { conditionOf } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { configMap, messageOf, newSteps, reasonOf, type Steps, type TestObject } from './steps.ts';

const many = (prefix: string, count: number, data = { key: 'value' }) =>
  Array.from({ length: count }, (_, index) => configMap(`${prefix}-${index}`, data));

const planOf = ({ status }: Application) => environmentOf(status)?.pendingPrune;

function held({ stage }: Steps, name: string): Promise<Application> {
  return stage.until(name, (one) => reasonOf(one) === 'PruneHeld', `${name} to ask for consent`);
}

function consent({ stage }: Steps, name: string, digest = ''): Promise<string> {
  return stage.kubectl(
    ...['annotate', '--overwrite', 'applications.towpath.dev', name],
    `towpath.dev/prune-consent=default=${digest}`,
  );
}

/** The names of the ConfigMaps with that beginning. */
async function mapsOf({ stage }: Steps, prefix: string): Promise<string[]> {
  const names = await stage.kubectl('get', 'configmaps', '-o', 'jsonpath={.items[*].metadata.name}');
  return names.split(' ').filter((name) => name.startsWith(`${prefix}-`));
}

test('D3: a commit that loses more than spec.sync.pruneBudget', async (t) => {
  const steps = await newSteps(t);
  const { stage, deploy, push, change, ready, live } = steps;

  await t.test('of 10 objects to 2: nothing is written before consent to exactly that plan', async () => {
    await deploy('ten', many('ten', 10));
    const commit = await push('ten', many('ten', 2, { key: 'new' }));
    const told = await held(steps, 'ten');
    const { digest = '', count, objects = [] } = planOf(told) ?? {};
    assert.match(
      messageOf(told),
      new RegExp(
        `^Revision main@${commit.slice(0, 7)} loses 8 of 10 objects; pruneBudget is 50% \\(5\\)\\. Correct Git, raise it, or annotate: towpath\\.dev/prune-consent=default=${digest}$`,
      ),
    );
    assert.equal(conditionOf(told, 'Stalled')?.status, 'True');
    assert.equal(told.status?.sync, 'Blocked');
    assert.equal(count, 8);
    assert.deepEqual(
      objects.map(({ name }) => name),
      many('ten', 10)
        .slice(2)
        .map(({ metadata }) => metadata.name),
    );
    assert.equal((await live('configmap', 'ten-0'))?.data?.['key'], 'value', 'nor is anything else of it');

    // A plan that changed: what was consented to is not what would go now.
    const next = await push('ten', many('ten', 3, { key: 'new' }));
    const changed = await stage.until(
      'ten',
      (one) => planOf(one)?.count === 7,
      'the plan of the next commit',
    );
    assert.notEqual(planOf(changed)?.digest, digest);
    await consent(steps, 'ten', digest);
    const request = await stage.requestSync('ten');
    const still = await stage.until('ten', ({ status }) => status?.handledSyncRequest === request, 'a look');
    assert.equal(reasonOf(still), 'PruneHeld');
    assert.equal((await mapsOf(steps, 'ten')).length, 10);

    await consent(steps, 'ten', planOf(changed)?.digest);
    const done = await ready('ten', next);
    assert.equal(planOf(done), undefined);
    assert.deepEqual(await mapsOf(steps, 'ten'), ['ten-0', 'ten-1', 'ten-2']);
  });

  await t.test('what is renamed is no loss, and half of the objects may go', async () => {
    await deploy('names', many('old', 6));
    await change('names', many('new', 6));
    assert.deepEqual(await mapsOf(steps, 'old'), []);
    await change('names', many('new', 3));
    assert.equal((await mapsOf(steps, 'new')).length, 3);
  });

  await t.test('what Git corrects, or a raised budget allows, needs no consent', async () => {
    await deploy('raised', many('raised', 4), { sync: { pruneBudget: 2 } });
    await push('raised', many('raised', 1));
    const told = await held(steps, 'raised');
    assert.match(messageOf(told), / loses 3 of 4 objects; pruneBudget is 2\. Correct Git, raise it, or /);
    const uid = (await live('configmap', 'raised-3'))?.metadata.uid;
    const corrected = await change('raised', many('raised', 4, { key: 'corrected' }));
    assert.equal(planOf(corrected), undefined);
    assert.equal((await live('configmap', 'raised-3'))?.metadata.uid, uid);
    const less = await push('raised', many('raised', 1));
    await held(steps, 'raised');
    await stage.application('raised', { source: { path: 'raised' }, sync: { pruneBudget: '75%' } });
    await ready('raised', less);
    assert.deepEqual(await mapsOf(steps, 'raised'), ['raised-0']);
  });

  await t.test('a sync that is asked for in mode Manual is no consent', async () => {
    const sync = { mode: 'Manual' };
    await deploy('asked', many('asked', 4));
    await stage.application('asked', { source: { path: 'asked' }, sync });
    await push('asked', many('asked', 1));
    await stage.until('asked', (one) => reasonOf(one) === 'AwaitingSync', 'the wait for a request');
    await stage.requestSync('asked');
    const told = await held(steps, 'asked');
    assert.equal((await mapsOf(steps, 'asked')).length, 4);
    await consent(steps, 'asked', planOf(told)?.digest);
    await stage.until('asked', (one) => reasonOf(one) === 'Synced', 'the consented sync');
    assert.deepEqual(await mapsOf(steps, 'asked'), ['asked-0']);
  });

  await t.test('what spec.sync.prune kept so far is held where it would all go at once', async () => {
    await deploy('kept', many('kept', 4), { sync: { prune: false } });
    await change('kept', many('kept', 1));
    assert.equal((await mapsOf(steps, 'kept')).length, 4);
    await stage.application('kept', { source: { path: 'kept' }, sync: { prune: true } });
    const told = await held(steps, 'kept');
    assert.equal(planOf(told)?.count, 3);
    await consent(steps, 'kept', planOf(told)?.digest);
    await stage.until('kept', (one) => reasonOf(one) === 'Synced', 'the consented pruning');
    assert.deepEqual(await mapsOf(steps, 'kept'), ['kept-0']);
  });
});

test('D3, D7: what began with consent goes on without a new one, also after the operator was killed', async (t) => {
  const steps = await newSteps(t);
  const { stage, deploy, push, ready, live } = steps;
  const labels = { app: 'crane' };
  const crane: TestObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'crane' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'example.com/crane:1' }] } },
    },
  };
  const account: TestObject = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'crane' } };
  const secret: TestObject = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'crane' } };
  await deploy('crane', [crane, account, secret, configMap('stays')]);
  const finalizers = (names: string[] | null) =>
    stage.kubectl(
      ...['patch', 'deployment', 'crane', '--type=merge', '-p'],
      JSON.stringify({ metadata: { finalizers: names } }),
    );
  await finalizers(['example.com/held']);
  const commit = await push('crane', [configMap('stays')]);
  const told = await held(steps, 'crane');
  await consent(steps, 'crane', planOf(told)?.digest);
  await stage.until('crane', (one) => reasonOf(one) === 'Pruning', 'pruning to wait for the Deployment');
  await stage.restart('SIGKILL');
  await stage.until('crane', (one) => reasonOf(one) === 'Pruning', 'the next process to wait');
  assert.ok(await live('serviceaccount', 'crane'));
  await finalizers(null);
  await ready('crane', commit);
  assert.equal(await live('serviceaccount', 'crane'), undefined);
  assert.equal(await live('secret', 'crane'), undefined);
});
