import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf } from '../harness/operator.ts';
import {
  ANNA,
  BEN,
  configMap,
  installPromotionPolicies,
  newGuardedStage,
  OLGA,
  taken,
} from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';

test('D12, A26, A28: what a person goes back to is held, with Git down, under automatic sync, across restarts and edits, until a person promotes or lets go', async (t) => {
  const { stage, policy, prod, inProd, waiting, runs, asked, promote, until } = await newGuardedStage(t);
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const enter = async (revision: string) => {
    await until(taken(await promote(BEN, await waiting(revision), { skipGates: ['windows'] })), 'Succeeded');
    return inProd(await runs(revision));
  };
  const saidInProd = async () => {
    const { body } = await cluster.request('GET', `/api/v1/namespaces/${prod.namespace}/configmaps/web`);
    return (JSON.parse(body) as { data?: { message: string } }).data?.message;
  };
  const one = await repository.revParse('main');
  const first = await enter(one);
  const two = await repository.commit(configMap('two'));
  await enter(two);

  await stage.git.stop();
  const historyID = first?.history?.[0]?.id;
  const name = taken(await asked(OLGA, { type: 'Rollback', historyID, reason: 'it is slow' }));
  const done = await until(name, 'Succeeded');
  assert.equal(done.status?.revision, one);
  assert.equal(await saidInProd(), 'one');
  const held = await stage.until('web', (of) => inProd(of)?.sync === 'Held', 'prod to be held');
  assert.deepEqual(
    inProd(held)?.history?.map(({ outcome, trigger }) => `${trigger} ${outcome}`),
    ['Rollback Succeeded', 'Promotion Succeeded', 'Promotion Succeeded'],
  );
  assert.match(inProd(held)?.message ?? '', /olga/);

  // Git is back with something newer, the Application is applied again, and the operator is another process.
  await stage.operator.stop('SIGKILL');
  const again = await startGitHttp({ root: repository.root, port: stage.git.port });
  t.after(() => again.stop());
  await repository.commit(configMap('three'));
  const three = await repository.revParse('main');
  await stage.restart();
  await stage.kubectl('label', 'applications.towpath.dev', 'web', 'touched=yes');
  const waitingHeld = await stage.until(
    'web',
    (of) => inProd(of)?.sync === 'Held' && inProd(of)?.desiredRevision === three,
    'prod to be held with something newer',
  );
  assert.equal(inProd(waitingHeld)?.blockedBy?.[0]?.reason, 'Held');
  assert.match(inProd(waitingHeld)?.message ?? '', /kubectl towpath resume/);
  assert.equal(
    conditionOf(waitingHeld, 'Ready')?.status,
    'True',
    'a hold that a person asked for is no fault',
  );
  assert.equal(await saidInProd(), 'one');

  // A Resume names its hold.
  await until(
    taken(await asked(OLGA, { type: 'Resume', promotion: 'another' })),
    'Failed',
    new RegExp(`${name} does`),
  );
  await until(taken(await asked(OLGA, { type: 'Resume', promotion: name })), 'Succeeded');
  await waiting(three);

  // What was left is rejected, until a person promotes it.
  const reverted = await repository.commit(configMap('two'));
  const rejected = await stage.until(
    'web',
    (of) => inProd(of)?.desiredRevision === reverted && inProd(of)?.blockedBy?.[0]?.reason === 'Rejected',
    'what was left to be rejected',
  );
  assert.match(inProd(rejected)?.message ?? '', /olga went back from it .*it is slow/);
  const digest = inProd(rejected)?.desiredDigest ?? '';
  await until(taken(await promote(BEN, digest, { skipGates: ['windows'] })), 'Succeeded');
  assert.equal(await saidInProd(), 'two');

  // What is not kept, or never was, is refused, and the environment held all the same; a Promote ends that.
  const refused = taken(await asked(OLGA, { type: 'Rollback', candidate: `sha256:${'0'.repeat(64)}` }));
  await until(refused, 'Failed', /nothing is kept/);
  await stage.until('web', (of) => inProd(of)?.sync === 'Held', 'prod to be held after that, too');
  const four = await repository.commit(configMap('four'));
  const newest = await stage.until(
    'web',
    (of) => inProd(of)?.desiredRevision === four && inProd(of)?.blockedBy?.[0]?.reason === 'Held',
    'the newest to be held back',
  );
  const annas = taken(await promote(ANNA, inProd(newest)?.desiredDigest ?? ''));
  const gated: Promotion = await until(annas, 'Gated');
  assert.deepEqual(
    gated.status?.blockedBy?.map(({ reason }) => reason),
    ['OutsideWindow'],
    'the hold does not keep out what a person promotes',
  );
  const bens = taken(await promote(BEN, inProd(newest)?.desiredDigest ?? '', { skipGates: ['windows'] }));
  await until(bens, 'Succeeded');
  await eventually(async () => inProd(await stage.get('web'))?.sync === 'Synced', {
    describe: 'the hold to be over',
  });

  // Nothing is written that is suspended, and the Promotion says why it waits.
  await stage.kubectl(
    'patch',
    'applications.towpath.dev',
    'web',
    '--type=merge',
    '-p',
    '{"spec":{"suspend":true}}',
  );
  await stage.until('web', (of) => inProd(of)?.sync === 'Suspended', 'it to be suspended');
  const waits = taken(await asked(OLGA, { type: 'Rollback', historyID }));
  const pending = await until(waits, 'Pending');
  assert.equal(pending.status?.blockedBy?.[0]?.reason, 'Suspended');
  await stage.kubectl(
    'patch',
    'applications.towpath.dev',
    'web',
    '--type=merge',
    '-p',
    '{"spec":{"suspend":false}}',
  );
  await until(waits, 'Succeeded');
  assert.equal(await saidInProd(), 'one');
});

test('A3, A16: who goes back while something is on its way does not wait for that: its hooks end, and it is Superseded', async (t) => {
  const { stage, policy, prod, inProd, waiting, runs, asked, promote, until } = await newGuardedStage(t);
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const one = await repository.revParse('main');
  await until(taken(await promote(BEN, await waiting(one), { skipGates: ['windows'] })), 'Succeeded');
  const first = inProd(await runs(one))?.digest;
  const hook = `apiVersion: batch/v1
kind: Job
metadata:
  name: slow
  annotations: {helm.sh/hook: "pre-upgrade"}
spec:
  template:
    metadata: {annotations: {test.towpath.dev/pod: runs}}
    spec: {restartPolicy: Never, containers: [{name: main, image: example.invalid/main}]}
`;
  const two = await repository.commit({
    ...configMap('two'),
    'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'templates/web.yaml': configMap('two')['web.yaml'],
    'templates/hook.yaml': hook,
  });
  const jobs = async () => {
    const { body } = await cluster.request('GET', `/apis/batch/v1/namespaces/${prod.namespace}/jobs`);
    return (JSON.parse(body) as { items: unknown[] }).items.length;
  };
  t.after(async () => {
    await cluster.request('DELETE', `/apis/batch/v1/namespaces/${prod.namespace}/jobs/slow`);
  });
  const second = await stage.until(
    'web',
    (of) => inProd(of)?.desiredRevision === two && inProd(of)?.blockedBy?.[0]?.reason !== undefined,
    'prod to have the second',
  );
  const bens = taken(
    await promote(BEN, inProd(second)?.desiredDigest ?? '', { skipGates: ['windows', 'order'] }),
  );
  await until(bens, 'Deploying');
  await eventually(async () => (await jobs()) === 1, { describe: 'the hook to run' });
  const asking = performance.now();
  const back = taken(await asked(OLGA, { type: 'Rollback', candidate: first }));
  await until(back, 'Succeeded');
  const tookMs = performance.now() - asking;
  assert.ok(tookMs < 15_000, `${tookMs} ms`);
  await until(bens, 'Superseded');
  await eventually(async () => (await jobs()) === 0, { describe: 'the hook to be ended' });
  assert.equal(inProd(await runs(one))?.sync, 'Held');
});
