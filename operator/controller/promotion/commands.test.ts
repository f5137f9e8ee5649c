import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { installCRDs } from '../../../test/harness/operator.ts';
import { proxiedClient } from '../../../test/harness/proxied-client.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { type Promotion, parsePromotion } from '../../api/v1alpha1/promotion.ts';
import { newLogger } from '../../observe/log.ts';
import { Commands } from './commands.ts';
import { PROMOTIONS } from './ledger.ts';

const { proxy, client } = await proxiedClient();

const PLACE = { group: 'admissionregistration.k8s.io', version: 'v1' };

/** A policy that denies, and is about nothing that there is: who asks is proven as far as the operator can see. */
async function proof(t: TestContext, name: string): Promise<void> {
  const rule = { apiGroups: ['nothing.test'], apiVersions: ['*'], operations: ['*'], resources: ['none'] };
  const made = [
    {
      kind: 'ValidatingAdmissionPolicy',
      plural: 'validatingadmissionpolicies',
      spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'true' }] },
    },
    {
      kind: 'ValidatingAdmissionPolicyBinding',
      plural: 'validatingadmissionpolicybindings',
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ];
  for (const { kind, plural, spec } of made) {
    const resource = { ...PLACE, plural };
    const body = { apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name }, spec };
    await client.create({ resource }, body, {}, {});
    t.after(() => client.delete({ resource, name }, {}, {}));
  }
  // Times of objects are in seconds, and what counts is newer than the policy.
  const second = Math.floor(Date.now() / 1_000);
  await eventually(() => Math.floor(Date.now() / 1_000) > second, { describe: 'the next second' });
}

async function newCommands(t: TestContext, is: 'Started' | 'NotStarted' = 'Started') {
  const cluster = await useControlPlane();
  await installCRDs(cluster);
  const namespace = await namespaceFor(t, cluster);
  await proof(t, namespace);
  const ended: string[] = [];
  const changed: string[] = [];
  const targets = new Set([`${namespace}/web/prod`]);
  const commands = new Commands({
    client,
    namespace,
    policy: namespace,
    log: newLogger('error', 'json', () => undefined),
    isActedOn: () => false,
    onChange: (target) => {
      changed.push(target);
      return targets.has(target);
    },
    onEnded: ({ metadata, status }) => void ended.push(`${metadata.name} ${status?.phase}`),
    onVanished: () => void ended.push('vanished'),
    now: () => new Date(),
    random: Math.random,
  });
  t.after(async () => {
    proxy.clear();
    await commands.stop();
  });
  const ask = (name: string, spec: object) =>
    client.create(
      { resource: PROMOTIONS, namespace },
      {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Promotion',
        metadata: { name },
        spec: { application: 'web', environment: 'prod', requestedBy: 'anna', ...spec },
      },
      {},
      {},
    );
  const became = (name: string, phase: string): Promise<Promotion> =>
    eventually(
      async () => {
        const found = parsePromotion(await client.get({ resource: PROMOTIONS, namespace, name }, {}));
        return found?.status?.phase === phase ? found : undefined;
      },
      { describe: `Promotion ${name} to be ${phase}` },
    );
  if (is === 'Started') {
    await commands.start();
    commands.lead();
  }
  return { commands, target: `${namespace}/web/prod`, targets, changed, ended, ask, is: became };
}

test('D7: what was begun for a person is over when its Application goes, and is in the ledger; what waited waits, and can be taken back', async (t) => {
  const { commands, target, targets, ended, ask, is } = await newCommands(t);
  const candidate = `sha256:${'0'.repeat(64)}`;
  await ask('begun', { type: 'Promote', candidate });
  const [command] = await eventually(
    () => {
      const given = commands.given(target);
      return given.length === 1 ? given : undefined;
    },
    { describe: 'the Promotion to be seen' },
  );
  assert.ok(command);
  const deployment = { id: 4, startedAt: new Date().toISOString() };
  commands.answer(target, { command, phase: 'Verifying', message: '', deployment });
  await is('begun', 'Verifying');
  await ask('waits', { type: 'Promote', candidate });
  await eventually(() => commands.given(target).length === 2, { describe: 'both to be seen' });

  targets.clear();
  commands.gone(target);
  const over = await is('begun', 'Superseded');
  assert.match(over.status?.message ?? '', /Application web, or its environment prod, was deleted/);
  assert.equal(over.status?.deployment, 4);
  assert.ok(over.status?.finishedAt !== undefined);
  await eventually(() => ended.join() === 'begun Superseded', {
    describe: 'its end to be told to the ledger',
  });
  const waits = await is('waits', 'Pending');
  assert.equal(waits.status?.blockedBy?.[0]?.reason, 'ApplicationNotFound');
  await ask('back', { type: 'Cancel', promotion: 'waits' });
  await is('waits', 'Cancelled');
  await is('back', 'Succeeded');
});

test('S14: a Promotion that goes before it ended is looked for: nothing else tells what came of it', async (t) => {
  const { commands, target, ended, ask, is } = await newCommands(t);
  const candidate = `sha256:${'0'.repeat(64)}`;
  const { metadata } = await ask('ends', { type: 'Promote', candidate });
  await ask('vanishes', { type: 'Promote', candidate });
  const given = await eventually(() => commands.given(target).length === 2 && commands.given(target), {
    describe: 'both to be seen',
  });
  const [command] = given;
  assert.ok(command);
  commands.answer(target, { command, phase: 'Superseded', message: '' });
  await is('ends', 'Superseded');
  const path = { resource: PROMOTIONS, namespace: metadata.namespace ?? '', name: 'vanishes' };
  await client.delete(path, {}, {});
  await eventually(() => ended.length === 2, { describe: 'that to be told' });
  assert.deepEqual(ended, ['ends Superseded', 'vanished']);
});

test('D7: the same where it went while no process looked', async (t) => {
  const { commands, target, targets, ended, ask, is } = await newCommands(t);
  await ask('begun', { type: 'Promote', candidate: `sha256:${'0'.repeat(64)}` });
  await eventually(() => commands.given(target).length === 1, { describe: 'the Promotion to be seen' });
  const [command] = commands.given(target);
  assert.ok(command);
  const deployment = { id: 4, startedAt: new Date().toISOString() };
  commands.answer(target, { command, phase: 'Deploying', message: '', deployment });
  await is('begun', 'Deploying');
  commands.follow();
  targets.clear();
  commands.gone(target);
  commands.lead();
  await is('begun', 'Superseded');
  await eventually(() => ended.join() === 'begun Superseded', {
    describe: 'its end to be told to the ledger',
  });
});

test('D7, A26: an operator that has started knows who goes back; while it cannot, that is told, and its end has the target looked at', async (t) => {
  const { commands, target, changed, ask } = await newCommands(t, 'NotStarted');
  await ask('back', { type: 'Rollback', historyID: 1 });
  const lists = proxy.fail({ verb: 'list', path: /\/promotions(\?|$)/, fault: { status: 429 } });
  const proofs = proxy.fail({
    verb: 'list',
    path: /\/validatingadmissionpolicies(\?|$)/,
    fault: { status: 403 },
  });
  await commands.start();
  assert.ok(commands.unknown(target) !== undefined);
  lists.remove();
  await eventually(() => changed.includes(target), { describe: 'the target to be looked at' });
  const other = target.replace('prod', 'staging');
  await eventually(() => commands.unknown(other) === undefined, { describe: 'Promotions to be listed' });
  assert.ok(commands.unknown(target) !== undefined, 'it is not proven who goes back there');
  assert.deepEqual(commands.given(target), []);
  proofs.remove();
  await eventually(() => commands.unknown(target) === undefined, { describe: 'the proof to be seen' });
  assert.deepEqual(
    commands.given(target).map(({ promotion }) => promotion),
    ['back'],
  );
});

test('D7: what is listed is known when it has started; where there is no such kind, nobody asks for anything', async (t) => {
  const { commands, target, ask } = await newCommands(t, 'NotStarted');
  await ask('back', { type: 'Rollback', historyID: 1 });
  await commands.start();
  assert.equal(commands.given(target).length, 1);
  const without = await newCommands(t, 'NotStarted');
  proxy.fail({ verb: 'list', path: /\/promotions(\?|$)/, fault: { status: 404 } });
  await without.commands.start();
  assert.equal(without.commands.unknown(without.target), undefined);
});
