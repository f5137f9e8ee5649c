import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { newEnvironment } from '../harness/environments.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf } from '../harness/operator.ts';
import {
  ANNA,
  ask,
  BEN,
  configMap,
  installPromotionPolicies,
  letCommand,
  neverReady,
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
  const desired = async (revision: string) => {
    const told = await stage.until(
      'web',
      (of) => inProd(of)?.desiredRevision === revision && of.status?.source?.revision === revision,
      `prod to have ${revision.slice(0, 7)}`,
    );
    return told.status?.source?.candidate ?? '';
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
  // Nor is going back a way in for what is new: that takes other rights, and gates.
  const neverRan = { type: 'Rollback', candidate: inProd(newest)?.desiredDigest };
  await until(taken(await asked(OLGA, neverRan)), 'Failed', /never ran in environment .*: promote them/);
  assert.equal(await saidInProd(), 'two');
  // Promoting what runs there lets go, too, and past no gate of what is newer.
  const there = taken(await promote(ANNA, digest));
  await until(
    there,
    'Succeeded',
    /^It runs there already, by deployment \d+\. The hold of Promotion .* ends/,
  );
  await stage.until(
    'web',
    (of) => inProd(of)?.sync === 'Waiting' && inProd(of)?.blockedBy?.[0]?.reason === 'OutsideWindow',
    'the newest to wait for its window alone',
  );
  await until(taken(await asked(OLGA, neverRan)), 'Failed');
  await stage.until('web', (of) => inProd(of)?.sync === 'Held', 'prod to be held once more');
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

  // What the API server refuses is told, and holds all the same.
  const web = `/api/v1/namespaces/${prod.namespace}/configmaps/web`;
  const merge = { contentType: 'application/merge-patch+json' };
  await cluster.request('PATCH', web, { body: { immutable: true }, ...merge });
  const toTwo = { type: 'Rollback', candidate: digest };
  const impossible = taken(await asked(OLGA, toTwo));
  await until(impossible, 'Failed', /^Going back to revision .* is refused: .*immutable/);
  const kept = await stage.until('web', (of) => inProd(of)?.sync === 'Held', 'prod to be held as it was');
  assert.match(inProd(kept)?.message ?? '', new RegExp(impossible));
  assert.equal(await saidInProd(), 'one');
  await cluster.request('DELETE', web, { body: {} });
  await eventually(async () => (await saidInProd()) === 'one', { describe: 'what was deleted to be back' });
  await until(taken(await asked(OLGA, toTwo)), 'Succeeded');
  assert.equal(await saidInProd(), 'two');

  // What does not become healthy fails; what it needs is there later, and it is tried once more.
  const slow = neverReady['slow.yaml'].replace('{no: such-node}', `{only: ${namespace}}`);
  const five = await repository.commit({ 'slow.yaml': slow });
  const bad = await desired(five);
  await until(taken(await promote(BEN, bad, { skipGates: ['windows', 'order'] })), 'Failed');
  const six = await repository.commit({ ...configMap('six'), 'slow.yaml': '' });
  await until(
    taken(await promote(BEN, await desired(six), { skipGates: ['windows', 'order'] })),
    'Succeeded',
  );
  const failing = taken(await asked(OLGA, { type: 'Rollback', candidate: bad }));
  const failed = await until(failing, 'Failed', /did not become healthy|Not healthy in time/);
  const stuck = await stage.until('web', (of) => inProd(of)?.sync === 'Failed', 'prod to say so');
  assert.match(conditionOf(stuck, 'Stalled')?.message ?? '', /did not become healthy/);
  const { body: nodes } = await cluster.request('GET', '/api/v1/nodes');
  const [node] = (JSON.parse(nodes) as { items: { metadata: { name: string } }[] }).items;
  const labels = { metadata: { labels: { only: namespace } } };
  await cluster.request('PATCH', `/api/v1/nodes/${node?.metadata.name}`, { body: labels, ...merge });
  const mended = await until(taken(await asked(OLGA, { type: 'Retry', promotion: failing })), 'Succeeded');
  assert.equal(mended.status?.deployment, (failed.status?.deployment ?? 0) + 1);
  const last = await stage.until('web', (of) => inProd(of)?.sync === 'Held', 'the hold to go on');
  assert.match(inProd(last)?.message ?? '', new RegExp(failing));

  // What nothing but the hold keeps out enters at once: of who ended that nothing is left which would take it back some day.
  const seven = await repository.commit(configMap('seven'));
  await stage.kubectl('patch', 'promotionpolicies.towpath.dev', 'standard', '--type=json', '-p', NO_WINDOW);
  await stage.until(
    'web',
    (of) =>
      inProd(of)?.desiredRevision === seven &&
      inProd(of)
        ?.blockedBy?.map(({ reason }) => reason)
        .join() === 'Held',
    'the newest to be kept out by the hold alone',
  );
  await until(
    taken(await promote(ANNA, inProd(last)?.digest ?? '')),
    'Succeeded',
    new RegExp(`^It runs there already, by deployment \\d+\\. The hold of Promotion ${failing} ends`),
  );
  await runs(seven);
});

const NO_WINDOW = JSON.stringify([{ op: 'remove', path: '/spec/stages/1/gates' }]);
const LONG = JSON.stringify({ spec: { sync: { timeout: '5m' } } });
const VERIFY = JSON.stringify([{ op: 'add', path: '/spec/stages/1/verify', value: { for: '1h' } }]);

/** Of an Application that names no environment, and goes on with what ran before. */
const isTakenBack =
  (revision: string) =>
  ({ status }: Application): boolean => {
    const entry = environmentOf(status, 'default');
    return entry?.sync === 'Waiting' && entry.revision === revision;
  };

/** Runs until somebody ends it. */
const HOOK = `apiVersion: batch/v1
kind: Job
metadata:
  name: slow
  annotations: {helm.sh/hook: "pre-install,pre-upgrade,pre-rollback"}
spec:
  template:
    metadata: {annotations: {test.towpath.dev/pod: runs}}
    spec: {restartPolicy: Never, containers: [{name: main, image: example.invalid/main}]}
`;
const CHART = 'apiVersion: v2\nname: web\nversion: 1.0.0\n';

test('A3, A8, A16: who goes back, or takes back, while something is on its way does not wait for that: its hooks end, and what is taken back is neither failed nor rejected, and comes back when a person promotes it', async (t) => {
  const guarded = await newGuardedStage(t);
  const { stage, policy, prod, inProd, waiting, runs, asked, promote, cancel, until } = guarded;
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const other = await newEnvironment(t, stage, 'other');
  await letCommand(cluster, namespace, OLGA, 'default', ['rollback']);
  await letCommand(cluster, namespace, OLGA, other.name, ['rollback', 'promote']);
  await stage.kubectl('patch', 'applications.towpath.dev', 'web', '--type=merge', '-p', LONG);
  const jobs = async (where: string) => {
    const { body } = await cluster.request('GET', `/apis/batch/v1/namespaces/${where}/jobs`);
    const { items } = JSON.parse(body) as { items: { metadata: { uid: string } }[] };
    return items.map(({ metadata }) => metadata.uid);
  };
  const hook = async (where: string, count: number) => {
    const describe = `${count} hooks to run in ${where}`;
    await eventually(async () => (await jobs(where)).length === count, { describe });
    return jobs(where);
  };
  for (const where of [prod.namespace, other.namespace, namespace])
    t.after(() => cluster.request('DELETE', `/apis/batch/v1/namespaces/${where}/jobs/slow`));
  const one = await repository.revParse('main');
  await until(taken(await promote(BEN, await waiting(one), { skipGates: ['windows'] })), 'Succeeded');
  const first = inProd(await runs(one))?.digest;
  await stage.deployed('free', { sync: { timeout: '5m' } });
  const two = await repository.commit({
    ...configMap('two'),
    'Chart.yaml': CHART,
    'templates/web.yaml': configMap('two')['web.yaml'],
    'templates/hook.yaml': HOOK,
  });

  // What no person asked for: it does not come back by itself, also not because somebody asks for a sync.
  await hook(namespace, 1);
  const own = { application: 'free', environment: 'default', promotion: 'free-default-2' };
  const recalled = taken(
    await ask(cluster, namespace, OLGA, { ...own, type: 'Cancel', reason: 'wrong day' }),
  );
  await until(recalled, 'Succeeded', /goes back to revision/);
  await until('free-default-2', 'Cancelled', /^olga took it back .*wrong day/);
  await hook(namespace, 0);
  await stage.requestSync('free');
  const waits = environmentOf((await stage.until('free', isTakenBack(one), 'it to wait')).status, 'default');
  assert.equal(waits?.blockedBy?.[0]?.reason, 'Cancelled');
  assert.deepEqual(
    waits?.history?.map(({ outcome, trigger }) => `${trigger} ${outcome}`),
    ['Rollback Succeeded', 'Commit Cancelled', 'Commit Succeeded'],
  );

  // With nothing to go back to.
  await stage.application('late', { environments: [{ name: other.name }], sync: { timeout: '5m' } });
  await hook(other.namespace, 1);
  const its = { application: 'late', environment: other.name, promotion: `late-${other.name}-1` };
  const stopped = taken(await ask(cluster, namespace, OLGA, { ...its, type: 'Cancel' }));
  await until(stopped, 'Succeeded', /stays as far as that got. Nothing passed there/);
  await hook(other.namespace, 0);
  await stage.until('late', ({ status }) => status?.sync === 'Waiting', 'it to stay as it is');
  await until(its.promotion, 'Cancelled');

  const enters = async () => {
    const told = await stage.until(
      'web',
      (of) => inProd(of)?.desiredRevision === two && inProd(of)?.blockedBy?.[0]?.reason !== undefined,
      'prod to have the second',
    );
    const digest = inProd(told)?.desiredDigest ?? '';
    const bens = taken(await promote(BEN, digest, { skipGates: ['windows', 'order'] }));
    await until(bens, 'Deploying');
    return { name: bens, digest, hooks: await hook(prod.namespace, 1) };
  };
  const { name: mistaken, hooks } = await enters();
  // What makes no sense is refused while the hook runs, which goes on.
  for (const [type, words] of [
    ['Retry', /has deployed nothing/],
    ['Resume', /Nothing is held there/],
  ] as const)
    await until(taken(await asked(OLGA, { type, promotion: mistaken })), 'Failed', words);
  await until(mistaken, 'Deploying');
  assert.deepEqual(await jobs(prod.namespace), hooks);
  await until(taken(await cancel(OLGA, mistaken)), 'Succeeded');
  await until(mistaken, 'Cancelled', /^olga took it back/);
  await hook(prod.namespace, 0);
  const after = await stage.until(
    'web',
    (of) => inProd(of)?.revision === one && inProd(of)?.blockedBy?.[0]?.reason === 'Cancelled',
    'prod to be as it was',
  );
  assert.equal(inProd(after)?.sync, 'Waiting');
  assert.equal(conditionOf(after, 'Stalled')?.message.includes(prod.name) ?? false, false);

  const { name: bens, digest: second } = await enters();
  const asking = performance.now();
  const back = taken(await asked(OLGA, { type: 'Rollback', candidate: first }));
  await until(back, 'Succeeded');
  const tookMs = performance.now() - asking;
  assert.ok(tookMs < 15_000, `${tookMs} ms`);
  await until(bens, 'Superseded');
  await hook(prod.namespace, 0);
  await stage.until('web', (of) => inProd(of)?.sync === 'Held', 'prod to be held');

  // Let go at once, while a hook of going back runs, which goes on; who goes back from that ends it.
  const forth = taken(await asked(OLGA, { type: 'Rollback', candidate: second }));
  const going = await hook(prod.namespace, 1);
  await until(
    taken(await asked(OLGA, { type: 'Resume', promotion: forth })),
    'Succeeded',
    /follows its source/,
  );
  await until(forth, 'Deploying');
  assert.deepEqual(await jobs(prod.namespace), going);
  await until(taken(await asked(OLGA, { type: 'Rollback', candidate: first })), 'Succeeded');
  await until(forth, 'Superseded');
  await hook(prod.namespace, 0);
  await stage.until('web', (of) => inProd(of)?.sync === 'Held', 'prod to be held again');

  // What is verified, past the hold; what is newer enters elsewhere as usual.
  await stage.kubectl('patch', 'promotionpolicies.towpath.dev', 'standard', '--type=json', '-p', VERIFY);
  const three = await repository.commit({
    'templates/web.yaml': configMap('three')['web.yaml'],
    'templates/hook.yaml': '',
  });
  for (const name of ['free', 'late']) await stage.untilReadyAt(name, three);
  const told = await stage.until(
    'web',
    (of) => inProd(of)?.desiredRevision === three,
    'prod to have the third',
  );
  const digest = inProd(told)?.desiredDigest ?? '';
  for (const _ of ['once', 'once more']) {
    const verified = taken(await promote(BEN, digest, { skipGates: ['windows', 'order'] }));
    await until(verified, 'Verifying');
    // Who promotes it as well is told what becomes of it, and not that it is done.
    const joined = taken(await promote(ANNA, digest));
    await until(joined, 'Verifying', /^It runs there already, by deployment \d+, and is verified/);
    await until(taken(await cancel(ANNA, verified)), 'Succeeded');
    for (const name of [verified, joined]) await until(name, 'Cancelled', /^anna took it back/);
    const { status } = await stage.until(
      'web',
      (of) => inProd(of)?.sync === 'Held' && inProd(of)?.revision === one,
      'prod to be back',
    );
    const entry = environmentOf(status, prod.name);
    // What olga held is held again.
    assert.deepEqual(
      entry?.blockedBy?.map(({ reason }) => reason).filter((reason) => ['Held', 'Rejected'].includes(reason)),
      ['Held'],
    );
    assert.equal(entry?.history?.[1]?.outcome, 'Cancelled');
  }

  // While it is being removed nothing goes on, and what was under way is taken back at once.
  const four = await repository.commit({
    'templates/web.yaml': configMap('four')['web.yaml'],
    'templates/hook.yaml': HOOK,
  });
  const under = await stage.until(
    'web',
    (of) => inProd(of)?.desiredRevision === four,
    'prod to have the fourth',
  );
  const fourth = inProd(under)?.desiredDigest ?? '';
  const left = taken(await promote(BEN, fourth, { skipGates: ['windows', 'order'] }));
  await hook(prod.namespace, 1);
  const web = `/api/v1/namespaces/${prod.namespace}/configmaps/web`;
  const finalizers = (names: readonly string[]) =>
    cluster.request('PATCH', web, {
      body: { metadata: { finalizers: names } },
      contentType: 'application/merge-patch+json',
    });
  await finalizers(['example.com/hold']);
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
  await stage.until('web', (of) => conditionOf(of, 'Reconciling')?.reason === 'Deleting', 'it to be removed');
  const late = taken(await asked(OLGA, { type: 'Rollback', candidate: first }));
  assert.equal((await until(late, 'Pending', /being removed/)).status?.blockedBy?.[0]?.reason, 'Deleting');
  await until(taken(await cancel(ANNA, left)), 'Succeeded', /being removed/);
  await until(left, 'Cancelled', /^anna took it back/);
  await finalizers([]);
  await stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/web', '--timeout=20s');
});
