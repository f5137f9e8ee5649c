import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOTATION_SYNC_REQUESTED } from '../../operator/api/v1alpha1/names.ts';
import { conditionOf, fastLease, lookedAt, looks, newStage, type Stage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { inWords, newProxiedStage, writesOf } from '../harness/proxied-stage.ts';
import { always, eventually } from '../harness/wait.ts';
import { toldOf } from './steps.ts';

const configMap = (name: string, message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  message: "${message}"\n`;

/** Needs a node: with a nodeSelector that none has, it never becomes ready. */
const deployment = (name: string, selector = '') =>
  `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      ${selector === '' ? '' : `nodeSelector: {where: ${selector}}`}
      containers: [{name: main, image: example.com/main:1}]
`;

const isReady = (application: Parameters<Parameters<Stage['until']>[1]>[0]) =>
  conditionOf(application, 'Ready')?.status === 'True';

async function messageOf(stage: Stage, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${stage.namespace}/configmaps/${name}`;
  const { status, body } = await stage.cluster.request('GET', path);
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { data?: { message?: string } }).data?.message ?? '';
}

test('suspend stops all writes; without it, what was pushed meanwhile is deployed', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('web', 'one') },
  });
  await stage.application('web');
  await stage.until('web', isReady, 'web to be Ready');
  await stage.application('web', { suspend: true });
  const suspended = await stage.until('web', ({ status }) => status?.sync === 'Suspended', 'Suspended');
  assert.equal(conditionOf(suspended, 'Ready')?.reason, 'Suspended');
  assert.equal(conditionOf(suspended, 'Stalled'), undefined);
  proxy.forget();
  const asked = stage.git.requests.length;
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  // Git was asked about the commit, and the Application looked at with the change and a request before it.
  await eventually(() => stage.git.requests.length >= asked + 2, { describe: 'two polls' });
  await lookedAt(stage, 'web');
  assert.equal(await messageOf(stage, 'web'), 'mine');
  const writes = writesOf(proxy).filter(({ path }) => !path.endsWith('/applications/web/status'));
  assert.deepEqual(inWords(writes), []);
  await stage.application('web', { suspend: false });
  await stage.untilReadyAt('web', second);
  assert.equal(await messageOf(stage, 'web'), 'two');
});

test('an Application is not judged by refs that are older than itself', async (t) => {
  const stage = await newStage(t, { files: { 'one/web.yaml': configMap('one', 'one') } });
  await stage.application('one', { source: { path: 'one', interval: '1h' } });
  await stage.until('one', isReady, 'the first Application');
  await stage.repository.commit({ 'two/web.yaml': configMap('two', 'two') });
  await stage.application('two', { source: { path: 'two', interval: '1h' } });
  await stage.until('two', isReady, 'the second Application');
});

test('in mode Manual differences are reported, and applied when a sync is asked for', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.application('web', { sync: { mode: 'Manual' } });
  const waiting = await stage.until('web', ({ status }) => status?.sync === 'OutOfSync', 'OutOfSync');
  assert.equal(conditionOf(waiting, 'Ready')?.reason, 'AwaitingSync');
  assert.equal(conditionOf(waiting, 'Stalled'), undefined);
  assert.equal((await stage.cluster.kubectl(['-n', stage.namespace, 'get', 'configmap', 'web'])).code, 1);
  const value = await stage.requestSync('web');
  const synced = await stage.until('web', isReady, 'the requested sync');
  assert.equal(synced.status?.handledSyncRequest, value);
  assert.equal(synced.status?.environments?.[0]?.history?.[0]?.trigger, 'Manual');
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.until(
    'web',
    ({ status }) => status?.sync === 'OutOfSync' && status.source?.revision === second,
    'the difference',
  );
  assert.equal(await messageOf(stage, 'web'), 'one');
  await stage.requestSync('web');
  await stage.untilReadyAt('web', second);
  assert.equal(await messageOf(stage, 'web'), 'two');
});

test('a sync request that is too long for the status is acted on once', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.application(
    'web',
    { sync: { mode: 'Manual' } },
    { [ANNOTATION_SYNC_REQUESTED]: 'x'.repeat(400) },
  );
  const synced = await stage.until('web', isReady, 'the requested sync');
  assert.match(synced.status?.handledSyncRequest ?? '', /^x+… [0-9a-f]{12}$/);
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.until(
    'web',
    ({ status }) => status?.sync === 'OutOfSync' && status.source?.revision === second,
    'the difference to wait',
  );
  assert.equal(await messageOf(stage, 'web'), 'one');
});

test('with drift: Report a change is told with object, field manager and time, and left alone until asked', async (t) => {
  const files = { 'web.yaml': configMap('web', 'one'), 'other.yaml': configMap('other', 'one') };
  const stage = await newStage(t, { files });
  await stage.application('web', { sync: { drift: 'Report' } });
  await stage.until('web', isReady, 'web to be Ready');
  await stage.kubectl(
    'patch',
    'configmap',
    'web',
    '--field-manager=somebody',
    '-p',
    '{"data":{"message":"mine"}}',
  );
  const reported = await stage.until('web', ({ status }) => status?.sync === 'OutOfSync', 'OutOfSync');
  const { drift } = reported.status?.environments?.[0] ?? {};
  assert.equal(drift?.count, 1);
  assert.equal(drift?.lastBy, 'somebody');
  assert.equal(drift?.lastObject, `ConfigMap ${stage.namespace}/web`);
  assert.ok(Date.parse(drift?.lastAt ?? '') > 0);
  assert.equal(conditionOf(reported, 'Ready')?.reason, 'OutOfSync');
  assert.equal(await messageOf(stage, 'web'), 'mine');
  await stage.kubectl('delete', 'configmap', 'other');
  const both = await stage.until(
    'web',
    ({ status }) => status?.environments?.[0]?.drift?.count === 2,
    'the deletion to be told',
  );
  const { drift: latest } = both.status?.environments?.[0] ?? {};
  assert.equal(latest?.lastObject, `ConfigMap ${stage.namespace}/other`);
  assert.equal(latest?.lastBy, undefined);
  assert.match(
    conditionOf(both, 'Ready')?.message ?? '',
    /other was deleted, or lost its label towpath.dev\/target \(1 more object differs\)/,
  );
  await stage.requestSync('web');
  await stage.until('web', isReady, 'the repair');
  assert.equal(await messageOf(stage, 'web'), 'one');
  const reports = (await toldOf(stage, 'web', 'DriftReported', 2)).join('\n');
  assert.match(reports, /^ConfigMap .*web was changed by somebody and is left so/m);
  assert.match(reports, /^ConfigMap .*other was deleted/m);
  const repairs = (await toldOf(stage, 'web', 'DriftRepaired', 2)).join('\n');
  assert.match(repairs, /^ConfigMap .*web was put back to what Git says after a change by somebody\.$/m);
  assert.match(repairs, /^ConfigMap .*other was put back to what Git says\.$/m);
});

test('dependsOn waits for the other to be Ready, and names a cycle', async (t) => {
  const stage = await newStage(t, {
    files: { 'database/db.yaml': configMap('db', 'one'), 'web/web.yaml': configMap('web', 'one') },
  });
  await stage.application('web', { source: { path: 'web' }, dependsOn: [{ name: 'database' }] });
  const blocked = await stage.until('web', ({ status }) => status?.sync === 'Blocked', 'Blocked');
  assert.equal(blocked.status?.environments?.[0]?.blockedBy?.[0]?.reason, 'DependencyNotFound');
  assert.match(blocked.status?.environments?.[0]?.message ?? '', /database.*does not exist/);
  assert.equal(conditionOf(blocked, 'Stalled'), undefined);
  await stage.application('database', { source: { path: 'database' } });
  await stage.until('web', isReady, 'web to follow its database', 15_000);

  await stage.application('database', { source: { path: 'database' }, dependsOn: [{ name: 'web' }] });
  const cycle = await stage.until(
    'database',
    (application) => conditionOf(application, 'Stalled')?.status === 'True',
    'the cycle',
    15_000,
  );
  assert.equal(conditionOf(cycle, 'Stalled')?.reason, 'DependencyCycle');
  assert.match(conditionOf(cycle, 'Stalled')?.message ?? '', /database → web → database/);
});

test('history: A, B, A are three deployments; one that is overtaken is Superseded', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'A') } });
  const a = await stage.deployed('web');
  const b = await stage.repository.commit({ 'web.yaml': configMap('web', 'B') });
  await stage.untilReadyAt('web', b);
  const again = await stage.repository.commit({ 'web.yaml': configMap('web', 'A') });
  await stage.untilReadyAt('web', again);
  const stuck = await stage.repository.commit({ 'stuck.yaml': deployment('stuck', 'nowhere') });
  await stage.until(
    'web',
    ({ status }) => status?.environments?.[0]?.revision === stuck && status.sync === 'Syncing',
    'the stuck deployment to run',
  );
  const fix = await stage.repository.commit({ 'stuck.yaml': null });
  const done = await stage.untilReadyAt('web', fix);
  assert.deepEqual(
    done.status?.environments?.[0]?.history?.map((entry) => [entry.id, entry.revision, entry.outcome]),
    [
      [5, fix, 'Succeeded'],
      [4, stuck, 'Superseded'],
      [3, again, 'Succeeded'],
      [2, b, 'Succeeded'],
      [1, a, 'Succeeded'],
    ],
  );
});

test('a deployment that is not healthy in time has Failed; a later recovery changes the health, not its outcome', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': deployment('web', 'nowhere') } });
  await stage.application('web', { sync: { timeout: '3s' } });
  const failed = await stage.until('web', ({ status }) => status?.sync === 'Failed', 'the time-out');
  assert.equal(conditionOf(failed, 'Stalled')?.reason, 'TimedOut');
  assert.match(conditionOf(failed, 'Stalled')?.message ?? '', /within 3s.*web/);
  assert.equal(failed.status?.environments?.[0]?.history?.[0]?.outcome, 'Failed');
  await stage.kubectl('scale', 'deployment', 'web', '--replicas=0');
  const recovered = await stage.until('web', isReady, 'the recovery');
  assert.equal(recovered.status?.environments?.[0]?.history?.[0]?.outcome, 'Failed');
});

test('D2: a render of nothing, a vanished path and a deleted branch prune nothing; consent to the exact plan does', async (t) => {
  const stage = await newStage(t, { files: { 'app/web.yaml': configMap('web', 'one'), 'README.md': 'x' } });
  await stage.repository.branch('release');
  await stage.application('web', { source: { path: 'app', ref: { branch: 'release' } } });
  await stage.until('web', isReady, 'web to be Ready');
  const first = await stage.repository.revParse('release');

  await stage.repository.commit({ 'app/web.yaml': '# nothing left\n' }, { branch: 'release' });
  const held = await stage.until(
    'web',
    ({ status }) => status?.environments?.[0]?.pendingPrune,
    'the held prune',
  );
  assert.equal(conditionOf(held, 'Stalled')?.reason, 'PruneHeld');
  assert.equal(held.status?.environments?.[0]?.pendingPrune?.count, 1);
  assert.equal(await messageOf(stage, 'web'), 'one');
  assert.equal(held.status?.environments?.[0]?.revision, first, 'the last good one is what runs');
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  await stage.until('web', async () => (await messageOf(stage, 'web')) === 'one', 'it to be enforced still');

  await stage.repository.commit({ app: null }, { branch: 'release' });
  const vanished = await stage.until(
    'web',
    ({ status }) => status?.sync === 'Quarantined',
    'the vanished path',
  );
  assert.equal(conditionOf(vanished, 'Stalled')?.reason, 'PathNotFound');
  assert.equal(await messageOf(stage, 'web'), 'one');

  await stage.repository.deleteRef('refs/heads/release');
  const gone = await stage.until(
    'web',
    (application) => conditionOf(application, 'Stalled')?.reason === 'RefNotFound',
    'the deleted branch',
  );
  assert.match(conditionOf(gone, 'Stalled')?.message ?? '', /release/);
  assert.equal(await messageOf(stage, 'web'), 'one');

  await stage.repository.branch('release');
  await stage.until('web', isReady, 'the branch to be back');
  await stage.repository.commit({ 'app/web.yaml': '# nothing left\n' }, { branch: 'release' });
  const again = await stage.until(
    'web',
    ({ status }) => status?.environments?.[0]?.pendingPrune,
    'the held prune again',
  );
  await stage.kubectl(
    'annotate',
    'applications.towpath.dev',
    'web',
    'towpath.dev/prune-consent=default=000000000000',
  );
  const digest = again.status?.environments?.[0]?.pendingPrune?.digest;
  const request = await stage.requestSync('web');
  const refused = await stage.until(
    'web',
    ({ status }) => status?.handledSyncRequest === request,
    'a look that saw the wrong consent',
  );
  assert.equal(conditionOf(refused, 'Stalled')?.reason, 'PruneHeld');
  assert.equal(refused.status?.environments?.[0]?.pendingPrune?.digest, digest);
  assert.equal(await messageOf(stage, 'web'), 'one');
  await stage.kubectl(
    'annotate',
    '--overwrite',
    'applications.towpath.dev',
    'web',
    `towpath.dev/prune-consent=default=${digest}`,
  );
  const pruned = await stage.until('web', isReady, 'the consented prune');
  assert.equal(pruned.status?.environments?.[0]?.objects, 0);
  assert.equal((await stage.cluster.kubectl(['-n', stage.namespace, 'get', 'configmap', 'web'])).code, 1);
});

test('D2: a force-push is a candidate like any other: deployed, and held where it would delete everything', async (t) => {
  const stage = await newStage(t, {
    files: { 'web.yaml': configMap('web', 'one'), 'gone.yaml': configMap('gone', 'one') },
  });
  const root = await stage.deployed('web');
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.untilReadyAt('web', second);

  // History is rewritten: the branch goes back, and on to a commit that does not descend from what runs.
  await stage.repository.branch('main', root);
  await stage.untilReadyAt('web', root);
  const other = await stage.repository.commit({ 'web.yaml': configMap('web', 'three'), 'gone.yaml': null });
  const done = await stage.untilReadyAt('web', other);
  assert.equal(await messageOf(stage, 'web'), 'three');
  assert.equal(await stage.kubectl('get', 'configmap', 'gone', '--ignore-not-found', '-o', 'name'), '');
  assert.deepEqual(
    done.status?.environments?.[0]?.history?.map((entry) => [entry.revision, entry.outcome]),
    [other, root, second, root].map((revision) => [revision, 'Succeeded']),
  );

  const nothing = await stage.repository.commit({ 'web.yaml': null, README: 'nothing' });
  const held = await stage.until('web', ({ status }) => status?.environments?.[0]?.pendingPrune, 'the guard');
  assert.equal(held.status?.source?.revision, nothing);
  assert.equal(await messageOf(stage, 'web'), 'three');
});

test('while the Application is suspended, spec.sync.timeout stands still', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': deployment('web', 'nowhere') }, flags: fastLease });
  const sync = { timeout: '3s' };
  await stage.application('web', { sync });
  const stuck = await stage.until(
    'web',
    ({ status }) => status?.sync === 'Syncing' && (status.environments?.[0]?.objects ?? 0) > 0,
    'the deployment to be under way',
  );
  await stage.application('web', { sync, suspend: true });
  await stage.until('web', ({ status }) => status?.sync === 'Suspended', 'Suspended');
  await stage.restart();
  await eventually(async () => (await looks(stage)) > 0, {
    describe: 'the restarted operator to look at it',
  });
  // Longer than the time-out, by the clock of whoever waits for it.
  await always(
    () => stage.get('web'),
    ({ status }) => assert.equal(status?.sync, 'Suspended'),
    3_500,
    { every: 50 },
  );
  await stage.application('web', { sync, suspend: false });
  // It has time left: else it would be told to have failed before anything else.
  const again = await stage.until(
    'web',
    (one) => one.status?.sync === 'Syncing' && conditionOf(one, 'Ready')?.reason === 'Progressing',
    'it to go on waiting',
  );
  assert.deepEqual(again.status?.environments?.[0]?.history, stuck.status?.environments?.[0]?.history);
  const failed = await stage.until('web', ({ status }) => status?.sync === 'Failed', 'the time-out', 15_000);
  assert.equal(conditionOf(failed, 'Stalled')?.reason, 'TimedOut');
});

test('a restart neither fetches nor renders nor writes what is unchanged, also with random values', async (t) => {
  const stage = await newStage(t, {
    files: {
      'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'templates/config.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: {{ randAlphaNum 12 }} }\n',
    },
    flags: fastLease,
  });
  await stage.application('web');
  await stage.until('web', isReady, 'web to be Ready');
  const live = async () => {
    const path = `/api/v1/namespaces/${stage.namespace}/configmaps/web`;
    const object: unknown = JSON.parse((await stage.cluster.request('GET', path)).body);
    return object;
  };
  const [before, message] = [await live(), await messageOf(stage, 'web')];
  const { status } = await stage.get('web');
  const asked = stage.git.requests.length;
  await stage.restart();
  await eventually(async () => (await looks(stage)) > 0, {
    describe: 'the restarted operator to look at it',
  });
  await untilPolled(stage, 2);
  assert.deepEqual(await live(), before, 'not even its resourceVersion is another');
  assert.deepEqual((await stage.get('web')).status, status);
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  await stage.until(
    'web',
    async () => (await messageOf(stage, 'web')) === message,
    'drift to be repaired with the same random value',
  );
  assert.equal(stage.git.requests.slice(asked).filter((request) => request.method === 'POST').length, 0);
  assert.equal(
    (await stage.get('web')).status?.environments?.[0]?.history?.length,
    status?.environments?.[0]?.history?.length,
  );
});

test('a commit that changes nothing is told with its own message, also after a restart', async (t) => {
  const stage = await newStage(t, { files: { 'web/web.yaml': configMap('web', 'one') }, flags: fastLease });
  await stage.application('web', { source: { path: 'web' } });
  await stage.until('web', isReady, 'web to be Ready');
  const messages: string[] = [];
  const seen = async (revision: string) => {
    const { status } = await stage.until('web', (one) => one.status?.source?.revision === revision, revision);
    messages.push(status?.source?.message ?? '');
  };
  await seen(await stage.repository.commit({ 'docs/a.md': 'a' }, 'Only docs'));
  await stage.restart();
  await stage.requestSync('web');
  await stage.until('web', ({ status }) => status?.handledSyncRequest !== undefined, 'the request');
  messages.push((await stage.get('web')).status?.source?.message ?? '');
  await seen(await stage.repository.commit({ 'docs/a.md': 'b' }, 'More docs'));
  assert.deepEqual(messages, ['Only docs', 'Only docs', 'More docs']);
});

test('values from ConfigMaps and Secrets are waited for, noticed when they appear and when they change', async (t) => {
  const stage = await newStage(t, {
    files: {
      'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'templates/config.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: {{ .Values.message | quote }} }\n',
    },
  });
  await stage.application('web', { helm: { valuesFrom: [{ kind: 'Secret', name: 'shared' }] } });
  const waiting = await stage.until('web', ({ status }) => status?.sync === 'Blocked', 'Blocked');
  assert.equal(conditionOf(waiting, 'Ready')?.reason, 'SecretMissing');
  assert.equal(conditionOf(waiting, 'Stalled'), undefined);
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shared' },
    stringData: { 'values.yaml': 'message: first\n' },
  });
  await stage.until('web', isReady, 'web to be Ready', 10_000);
  assert.equal(await messageOf(stage, 'web'), 'first');
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shared' },
    stringData: { 'values.yaml': 'message: second\n' },
  });
  await stage.until(
    'web',
    async () => (await messageOf(stage, 'web')) === 'second',
    'the changed Secret',
    10_000,
  );
});

test('A14: a chart that renders what it is rendered with does not keep its status from being told', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: {
      'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'templates/config.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: circle}\ndata: {values.yaml: "count: {{ add1 (.Values.count | default 0) }}"}\n',
    },
  });
  // Where a look takes long, each breaks off itself by what it changes.
  proxy.fail({ verb: 'patch', path: /\/secrets\//, fault: { latencyMs: 2_500 } });
  proxy.fail({ verb: 'create', path: /\/secrets/, fault: { latencyMs: 2_500 } });
  await stage.application('web', {
    helm: { valuesFrom: [{ kind: 'ConfigMap', name: 'circle', optional: true }] },
  });
  const [told] = await toldOf(stage, 'web', 'RenderWarning');
  assert.match(told ?? '', /ConfigMap .*circle is rendered, and spec\.helm\.valuesFrom reads it/);
  proxy.clear();
  const count = async () =>
    Number(/\d+/.exec(await stage.kubectl('get', 'configmap', 'circle', '-o', 'jsonpath={.data}'))?.[0]);
  await eventually(async () => (await count()) > 8, { describe: 'the first rounds' });
  const { status } = await stage.until('web', (one) => one.status?.sync === 'Synced', 'a status', 10_000);
  assert.ok((status?.environments?.[0]?.history?.length ?? 0) > 1);
});

test('deletionPolicy Orphan leaves the objects, free for others to adopt', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.application('web', { deletionPolicy: 'Orphan' });
  await stage.until('web', isReady, 'web to be Ready');
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=20s');
  assert.equal(await messageOf(stage, 'web'), 'one');
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.metadata.labels}'), '');
  await stage.application('other');
  const refused = await stage.until('other', ({ status }) => status?.sync === 'Blocked', 'the refusal');
  assert.match(
    conditionOf(refused, 'Ready')?.message ?? '',
    /ConfigMap .*web was applied by another Application, which may be gone\. Take it over with .*adopt/,
  );
  await stage.application('other', {}, { 'towpath.dev/adopt': 'true' });
  await stage.until('other', isReady, 'the other Application to adopt it');
});

test('D11: abandoned, an Application goes at once, and its objects are released', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.application('web');
  await stage.until('web', isReady, 'web to be Ready');
  // Without its rights it cannot prune, and says so with the way out.
  await stage.kubectl('delete', 'rolebinding', 'towpath');
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
  const stalled = await stage.until(
    'web',
    (application) => conditionOf(application, 'Stalled')?.reason === 'DeletionFailed',
    'the failed deletion to be told',
  );
  assert.match(conditionOf(stalled, 'Stalled')?.message ?? '', /forbidden.*towpath\.dev\/abandon=default/s);
  // What a release needs, and no deletion.
  await stage.kubectl('create', 'role', 'labels', '--verb=get,list,watch,patch', '--resource=configmaps');
  await stage.kubectl(
    ...['create', 'rolebinding', 'labels', '--role=labels'],
    `--serviceaccount=${stage.namespace}:towpath`,
  );
  await stage.kubectl('annotate', 'applications.towpath.dev', 'web', 'towpath.dev/abandon=default');
  await stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/web', '--timeout=20s');
  assert.equal(await messageOf(stage, 'web'), 'one');
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.metadata.labels}'), '');
  assert.equal(await stage.kubectl('get', 'secrets', '-l', 'towpath.dev/record', '-o', 'name'), '');
});
