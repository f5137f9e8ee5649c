import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startFaultProxy } from '../../../test/harness/fault-proxy.ts';
import { installCRDs } from '../../../test/harness/operator.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { type LedgerRecord, ledgerRecord } from '../../api/v1alpha1/ledger.ts';
import { type Promotion, parsePromotion } from '../../api/v1alpha1/promotion.ts';
import { KubeClient } from '../../kube/client.ts';
import { newLogger } from '../../observe/log.ts';
import { promotionNames } from '../record/promotion-names.ts';
import { type Deployment, newRecord, type TargetRecord } from '../record/record.ts';
import { Ledger, PROMOTIONS } from './ledger.ts';
import { promotionOf, type Recorded } from './promotion-of.ts';

async function newLedger(t: TestContext) {
  const cluster = await useControlPlane();
  await installCRDs(cluster);
  const namespace = await namespaceFor(t, cluster);
  const proxy = await startFaultProxy(cluster);
  const client = KubeClient.fromKubeConfig(proxy.kubeconfigPath);
  const lines: string[] = [];
  const gone: LedgerRecord[] = [];
  const ended: Promotion[] = [];
  let writable = 0;
  const ledger = new Ledger({
    client,
    log: newLogger('info', 'json', (line) => void lines.push(line)),
    onGone: (_, records) => {
      gone.push(...records);
      return Promise.resolve();
    },
    onEnded: (promotion) => void ended.push(promotion),
    onWritable: () => {
      writable += 1;
    },
    now: () => new Date(),
    random: Math.random,
  });
  t.after(async () => {
    ledger.follow();
    await client.close();
    await proxy.stop();
  });
  const idsOf = async () => {
    const { items } = await client.list({ resource: PROMOTIONS, namespace }, {}, {});
    return items.map(({ metadata: { name } }) => Number(name.split('-').at(-1))).sort((a, b) => a - b);
  };
  return { client, ledger, namespace, proxy, lines, gone, ended, idsOf, writable: () => writable };
}

function recorded(namespace: string, id: number): Recorded {
  const digest = `sha256:${'0'.repeat(64)}`;
  const at = new Date(Date.now() - (100 - id) * 60_000).toISOString();
  return {
    target: `${namespace}/web/prod`,
    applicationUID: 'uid',
    id,
    candidate: { id: digest, digest, revision: 'r', ref: 'refs/heads/main' },
    trigger: 'Commit',
    startedAt: at,
    previous: undefined,
    phase: 'Succeeded',
    finishedAt: at,
  };
}

test('D8: what cannot be written down for long fills up no memory, is told once, and the newest of it is written when it can be', async (t) => {
  const { ledger, namespace, proxy, lines, idsOf, writable } = await newLedger(t);
  const refused = proxy.fail({ method: 'POST', path: /\/promotions$/, fault: { status: 403 } });
  const all = Array.from({ length: 14 }, (_, index) => recorded(namespace, index + 1));
  for (const one of all) ledger.record(one);
  const areDropped = () => ledger.unrecorded === 10 && !all.slice(0, 4).some((one) => ledger.isUnderWay(one));
  await eventually(areDropped, { describe: 'the oldest to be dropped' });
  const told = lines.filter((line) => line.includes('cannot be written down'));
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0] ?? '', /raise the quota/);
  refused.remove();
  await eventually(() => ledger.unrecorded === 0, { describe: 'the others to be written' });
  assert.deepEqual(await idsOf(), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  assert.equal(writable(), 1, 'what was dropped is looked for');
});

test('S14: who takes both names of a deployment keeps it out of the ledger by neither, and it is recorded once, whatever becomes of the answer', async (t) => {
  const { client, ledger, namespace, proxy, ended } = await newLedger(t);
  const one = recorded(namespace, 5);
  const path = { resource: PROMOTIONS, namespace };
  const names = promotionNames(one);
  for (const name of names) {
    const { deployment: _, ...spec } = promotionOf(one, name).spec;
    const body = { ...promotionOf(one, name), spec: { ...spec, requestedBy: 'mallory' } };
    await client.create(path, body, {}, {});
  }
  const made = proxy.hold({
    method: 'POST',
    path: /\/promotions$/,
    where: ({ body }) => !names.some((name) => body.includes(`"name":"${name}"`)),
    at: 'response',
  });
  ledger.record(one);
  await made.seen;
  made.drop();
  await eventually(() => ended.length === 1, { describe: 'it to be recorded' });
  const { items } = await client.list(path, {}, {});
  const its = items.flatMap((item) => parsePromotion(item) ?? []).filter(({ spec }) => spec.deployment);
  assert.deepEqual(
    its.map(({ spec, status }) => `${spec.deployment?.id} ${status?.phase}`),
    ['5 Succeeded'],
  );
});

/** Of a target in which the fifth deployment is under way. */
function recordOf(namespace: string, more: Partial<Deployment> = {}): TargetRecord {
  const { candidate: told, startedAt } = recorded(namespace, 5);
  const { published: _, ...candidate } = told;
  const name = `${namespace}/web/prod`;
  const record = newRecord({ id: 'a', name, application: `${namespace}/web`, environment: 'prod' });
  const deployment: Deployment = {
    id: 5,
    candidate: { ...candidate, request: '' },
    trigger: 'Commit',
    generation: 1,
    startedAt,
    clusterStartedAt: startedAt,
    install: false,
    hooks: [],
    deferred: [],
    applied: true,
    ...more,
  };
  return { ...record, deployment };
}

const inShort = ({ type, phase, deployment, last, uid }: LedgerRecord) =>
  type === 'Remove' ? `Remove after ${last}` : `${deployment} ${phase} ${uid}`;

test('A1: what is under way when its target goes is in the archive with that, under the uid of its Promotion', async (t) => {
  const { client, ledger, namespace, gone, ended } = await newLedger(t);
  const record = recordOf(namespace);
  ledger.note(record.target, 'uid', record);
  const path = { resource: PROMOTIONS, namespace, name: 'web-prod-5' };
  const uid = await eventually(
    async () => {
      const there = parsePromotion(await client.get(path, {}));
      return there?.status === undefined ? undefined : there.metadata.uid;
    },
    { describe: 'its Promotion to say so' },
  );
  await ledger.gone(record.target, 'uid', record);
  assert.deepEqual(gone.map(inShort), ['Remove after 5', `5 Superseded ${uid}`]);
  await eventually(() => ended.length === 1, { describe: 'its Promotion to end' });
  assert.equal(ended[0]?.metadata.uid, uid);

  gone.length = 0;
  const promoted = { promotion: 'annas', uid: 'u-1', by: 'anna', skipped: ['windows'] };
  await ledger.gone(record.target, 'uid', recordOf(namespace, { promoted }));
  assert.deepEqual(gone.map(inShort), ['Remove after 5', '5 Superseded u-1']);
  const annas = gone.at(1);
  assert.deepEqual([annas?.promotion, annas?.by, annas?.skippedGates], ['annas', 'anna', ['windows']]);

  gone.length = 0;
  await ledger.gone(
    record.target,
    'uid',
    recordOf(namespace, { outcome: 'Succeeded', finishedAt: annas?.startedAt ?? '' }),
  );
  assert.deepEqual(gone.map(inShort), ['Remove after 5'], 'what has ended is archived by its Promotion');
});

test('D7: a deployment is known to be recorded when its Promotion says how it ended, and for as long as its record has it', async (t) => {
  const { ledger, namespace, proxy, ended } = await newLedger(t);
  const record = recordOf(namespace);
  const { deployment, target } = record;
  assert.ok(deployment !== undefined);
  const isRecorded = () => ledger.isRecorded(target.name, deployment);
  const refused = proxy.fail({ method: 'POST', path: /\/promotions$/, fault: { status: 503 } });
  ledger.note(target, 'uid', record);
  const next = { ...deployment, id: 6, startedAt: new Date().toISOString() };
  const after = { ...record, deployment: next, ended: [{ ...deployment, outcome: 'Failed' as const }] };
  ledger.note(target, 'uid', after);
  await eventually(() => ledger.unrecorded > 0, { describe: 'it to be refused' });
  assert.equal(isRecorded(), false);
  refused.remove();
  await eventually(() => ended.length === 1, { describe: 'its end to be written' });
  assert.equal(isRecorded(), true);
  assert.equal(ledger.nameOf(target.name, deployment), ended[0]?.metadata.name);
  assert.equal(ledger.nameOf(target.name, { ...deployment, startedAt: next.startedAt }), undefined);
  assert.equal(ledger.isRecorded(target.name, { ...deployment, startedAt: next.startedAt }), false);
  ledger.note(target, 'uid', { ...after, ended: [] });
  assert.equal(isRecorded(), false, 'nobody asks any more');
  ledger.found(target.name, [deployment]);
  assert.equal(isRecorded(), true, 'who went through all Promotions found it');
});

test('S14: what stands in place of a Promotion of a person is the record of that one, goes on as it does, and is its end', async (t) => {
  const { client, ledger, namespace, ended, gone } = await newLedger(t);
  const promoted = { promotion: 'annas', uid: 'anna-1', by: 'anna', skipped: ['windows'] };
  const record = recordOf(namespace, { promoted });
  const { deployment, target } = record;
  assert.ok(deployment !== undefined);
  ledger.note(target, 'uid', record);
  assert.equal(
    ledger.isUnderWay({ target: target.name, applicationUID: 'uid', ...deployment }),
    false,
    'its own Promotion tells',
  );
  ledger.record({ ...recorded(namespace, 5), phase: 'Deploying', inPlaceOf: promoted });
  const path = { resource: PROMOTIONS, namespace, name: 'web-prod-5' };
  const found = async () => parsePromotion(await client.get(path, {}).catch(() => undefined));
  await eventually(async () => (await found())?.status?.phase === 'Deploying', { describe: 'it to be made' });
  const finishedAt = new Date().toISOString();
  const after = { ...record, deployment: { ...deployment, outcome: 'Failed' as const, finishedAt } };
  ledger.note(target, 'uid', after);
  const [one] = await eventually(() => ended.length === 1 && ended, { describe: 'its end to be told' });
  assert.equal(one?.spec.requestedBy, 'towpath:Commit', 'nobody makes one in the name of a person');
  const archived = one && ledgerRecord(one);
  const { uid, by, skippedGates, phase } = archived ?? {};
  assert.deepEqual([uid, by, skippedGates, phase], ['anna-1', 'anna', ['windows'], 'Failed']);
  assert.equal(ledger.isRecorded(target.name, deployment), true);
  await ledger.gone(target, 'uid', record);
  assert.deepEqual(gone.map(inShort), ['Remove after 5', '5 Superseded anna-1']);
});

test('S14: the end of what a person asked for is recorded when that Promotion says so, not when it is gone', async (t) => {
  const { ledger, namespace } = await newLedger(t);
  const { deployment, target } = recordOf(namespace);
  assert.ok(deployment !== undefined);
  const object = promotionOf(recorded(namespace, 5), 'annas');
  const status = { deployment: 5, startedAt: deployment.startedAt, phase: 'Succeeded' as const };
  const promotion = parsePromotion({ ...object, metadata: { ...object.metadata, uid: 'anna-1' }, status });
  assert.equal(ledger.isRecorded(target.name, deployment), false);
  assert.ok(promotion);
  ledger.ended(promotion);
  assert.equal(ledger.isRecorded(target.name, deployment), true);
});

test('A1, D8: Applications that had a name one after the other have each deployment of theirs in the ledger, also where both wait for it', async (t) => {
  const { client, ledger, namespace, proxy, ended } = await newLedger(t);
  const first = recordOf(namespace);
  const second = recordOf(namespace, { startedAt: new Date().toISOString() });
  const { deployment, target } = second;
  assert.ok(deployment !== undefined);
  const refused = proxy.fail({ method: 'POST', path: /\/promotions$/, fault: { status: 403 } });
  ledger.note(target, 'first', first);
  await eventually(() => ledger.unrecorded === 1, { describe: 'it to be refused' });
  await ledger.gone(target, 'first', first);
  ledger.note(target, 'second', second);
  await eventually(() => ledger.unrecorded === 2, { describe: 'the other one to be refused' });
  const finishedAt = new Date().toISOString();
  ledger.note(target, 'second', {
    ...second,
    deployment: { ...deployment, outcome: 'Succeeded', finishedAt },
  });
  refused.remove();
  await eventually(() => ended.length === 2, { describe: 'both to be written' });
  const { items } = await client.list({ resource: PROMOTIONS, namespace }, {}, {});
  const its = items.flatMap((item) => parsePromotion(item) ?? []);
  assert.deepEqual(
    its.map(({ spec, status }) => `${spec.deployment?.applicationUID} ${status?.phase}`).sort(),
    ['first Superseded', 'second Succeeded'],
  );
  assert.equal(ledger.isRecorded(target.name, deployment), true);
});

test('D7: what is under way of an Application that goes without the operator ends once, whether its end is heard of or it comes back at once', async (t) => {
  const { client, ledger, namespace, ended } = await newLedger(t);
  const path = { resource: PROMOTIONS, namespace };
  const phases = async () => {
    const { items } = await client.list(path, {}, {});
    return items
      .flatMap((item) => parsePromotion(item) ?? [])
      .map(({ spec, status }) => `${spec.deployment?.applicationUID} ${status?.phase}`)
      .sort();
  };
  const [first, second] = [recordOf(namespace), recordOf(namespace, { startedAt: new Date().toISOString() })];
  ledger.note(first.target, 'first', first);
  await eventually(async () => (await phases()).includes('first Deploying'), { describe: 'it to be told' });
  ledger.note(second.target, 'second', second);
  await eventually(() => ended.length === 1, { describe: 'the first to end' });
  await eventually(async () => (await phases()).includes('second Deploying'), { describe: 'the other one' });
  ledger.left(second.target.name);
  await eventually(() => ended.length === 2, { describe: 'the second to end' });
  assert.deepEqual(await phases(), ['first Superseded', 'second Superseded']);
});

test('A1: where the record of a target is lost, its Promotions say what was the last that its end took away', async (t) => {
  const { ledger, namespace, proxy, gone, ended } = await newLedger(t);
  const { target } = recordOf(namespace);
  for (const id of [9, 10]) ledger.record(recorded(namespace, id));
  ledger.record({ ...recorded(namespace, 99), applicationUID: 'another' });
  await eventually(() => ended.length === 3, { describe: 'them to be written' });
  await ledger.gone(target, 'uid', undefined);
  assert.deepEqual(gone.map(inShort), ['Remove after 10']);
  gone.length = 0;
  proxy.fail({ method: 'GET', path: /\/promotions/, fault: { status: 503 } });
  await ledger.gone(target, 'uid', undefined);
  assert.deepEqual(gone.map(inShort), ['Remove after undefined'], 'nobody is held up by that');
});

test('A1: of a namespace that goes also what no process knows of any more is in the archive', async (t) => {
  const { client, ledger, namespace, gone, ended } = await newLedger(t);
  const configMaps = { resource: { group: '', version: 'v1', plural: 'configmaps' }, namespace };
  const metadata = { name: 'holds', finalizers: ['towpath.test/holds'] };
  await client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata }, {}, {});
  const letGo = () =>
    client.mergePatch({ ...configMaps, name: 'holds' }, { metadata: { finalizers: null } }, {}, {});
  try {
    const resource = { group: '', version: 'v1', plural: 'namespaces' };
    await client.delete({ resource, name: namespace }, {}, {});
    const record = recordOf(namespace);
    await ledger.gone(record.target, 'uid', record);
    await eventually(() => ended.length === 1, { describe: 'its end to be told' });
    assert.deepEqual(gone.map(inShort), ['Remove after 5']);
    const [{ metadata: its, spec, status } = { metadata: undefined }] = ended;
    assert.equal(its?.namespace, namespace);
    assert.deepEqual([spec?.deployment?.id, status?.phase], [5, 'Superseded']);
    assert.match(its?.uid ?? '', /^uid\/prod\/5\//);
  } finally {
    await letGo();
  }
});
