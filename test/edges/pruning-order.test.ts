import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { conditionOf } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import {
  configMap,
  messageOf,
  newSteps,
  reasonOf,
  type Steps,
  type TestObject,
} from '../integration/steps.ts';

const unique = randomBytes(4).toString('hex');
const group = `canal-${unique}.example.com`;

const definition: TestObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `locks.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { kind: 'Lock', plural: 'locks', singular: 'lock' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};
const account: TestObject = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'lock-keeper' } };
const role: TestObject = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: { name: 'lock-keeper' },
  rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
} as TestObject;
const keeper: TestObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'lock-keeper' },
  spec: {
    selector: { matchLabels: { app: 'lock-keeper' } },
    template: {
      metadata: { labels: { app: 'lock-keeper' } },
      spec: { serviceAccountName: 'lock-keeper', containers: [{ name: 'k', image: 'example.com/keeper:1' }] },
    },
  },
};
const lock: TestObject = { apiVersion: `${group}/v1`, kind: 'Lock', metadata: { name: 'upper' } };
const whole = [account, role, keeper, lock, configMap('stays')];

/** What of the operator and its rights is still there and not going. */
async function standing({ live }: Steps): Promise<string[]> {
  const found = await Promise.all(
    (['deployment', 'serviceaccount', 'role'] as const).map(async (kind) => {
      const object = await live(kind, 'lock-keeper');
      return object !== undefined && object.metadata.deletionTimestamp === undefined ? [kind] : [];
    }),
  );
  return found.flat();
}

const all = ['deployment', 'serviceaccount', 'role'];

test('D15: no operator goes before its custom resource, and no rights before what needs them', async (t) => {
  const steps = await newSteps(t);
  const { stage, deploy, push, live } = steps;
  await stage.apply(definition);
  t.after(() => stage.kubectl('delete', 'crd', definition.metadata.name, '--wait=false'));
  const serviceAccountName = await steps.admin(t);
  // That much of it goes is not what this is about.
  const sync = { pruneBudget: '100%' };
  const locks = `locks.${group}`;
  const hold = (finalizers: string[] | null) =>
    stage.kubectl(
      'patch',
      locks,
      'upper',
      '--type=merge',
      '-p',
      JSON.stringify({ metadata: { finalizers } }),
    );
  const waiting = (name: string) =>
    stage.until(name, (one) => reasonOf(one) === 'Pruning', 'pruning to wait for the Lock');
  const goesOnAfterKill = async (commit: string) => {
    await stage.restart('SIGKILL');
    await stage.until('gone', (one) => reasonOf(one) === 'Pruning', 'the next process to wait');
    assert.deepEqual(await standing(steps), all);
    await hold(null);
    await stage.untilReadyAt('gone', commit);
    assert.deepEqual(await standing(steps), []);
  };

  await t.test('the rest waits, the status says for what, and goes on when it is gone', async () => {
    await deploy('gone', whole, { serviceAccountName, sync });
    await hold(['example.com/held']);
    const commit = await push('gone', [configMap('stays')]);
    const told = await waiting('gone');
    assert.match(messageOf(told), /^Revision \S+ is applied\. Pruning: 4 objects are left; waiting for Lock/);
    assert.match(messageOf(told), /\S+\/upper to go\. Where it stays, look at its finalizers\.$/);
    assert.equal(conditionOf(told, 'Ready')?.status, 'False');
    assert.equal(conditionOf(told, 'Reconciling')?.status, 'True');
    assert.equal(told.status?.health, 'Progressing', 'the Lock is going, and nothing is missing');
    assert.deepEqual(await standing(steps), all);
    await hold(null);
    await stage.untilReadyAt('gone', commit);
    assert.deepEqual(await standing(steps), []);
    assert.ok(await live('configmap', 'stays'));
  });

  await t.test('also when the operator was killed in between, and its next start goes on', async () => {
    await deploy('gone', whole, { serviceAccountName, sync });
    await hold(['example.com/held']);
    const commit = await push('gone', [configMap('stays')]);
    await waiting('gone');
    await goesOnAfterKill(commit);
  });

  await t.test('also with consent to delete everything, which is asked for once', async () => {
    await deploy('gone', whole, { serviceAccountName, sync });
    await hold(['example.com/held']);
    const commit = await push('gone', []);
    const held = await stage.until('gone', (one) => reasonOf(one) === 'PruneHeld', 'the plan');
    const digest = environmentOf(held.status)?.pendingPrune?.digest;
    await stage.kubectl('annotate', 'application', 'gone', `towpath.dev/prune-consent=default=${digest}`);
    await waiting('gone');
    await goesOnAfterKill(commit);
    assert.equal(await live('configmap', 'stays'), undefined);
  });

  await t.test('A5: a newer commit takes over at once, and may want the rest back', async () => {
    await deploy('gone', whole, { serviceAccountName, sync });
    await hold(['example.com/held']);
    await push('gone', [configMap('stays')]);
    await waiting('gone');
    const uid = (await live('deployment', 'lock-keeper'))?.metadata.uid;
    await push('gone', [account, role, keeper, configMap('stays', { is: 'newer' })]);
    await eventually(async () => (await live('configmap', 'stays'))?.data?.['is'] === 'newer', {
      describe: 'the newer commit to be applied',
    });
    await hold(null);
    await stage.until('gone', (one) => reasonOf(one) === 'Synced', 'the newer commit to be Synced');
    assert.equal((await live('deployment', 'lock-keeper'))?.metadata.uid, uid, 'it was never deleted');
    assert.equal(await live(locks, 'upper'), undefined);
  });

  await t.test('the deletion of the Application goes in the same order', async () => {
    await deploy('gone', whole, { serviceAccountName, sync });
    await hold(['example.com/held']);
    await stage.kubectl('delete', 'application', 'gone', '--wait=false');
    await stage.until('gone', (one) => messageOf(one).includes('waiting for Lock'), 'the deletion to wait');
    assert.deepEqual(await standing(steps), all);
    await hold(null);
    await eventually(async () => (await live('application', 'gone')) === undefined, {
      describe: 'the Application to go',
    });
    assert.deepEqual(await standing(steps), []);
  });
});
