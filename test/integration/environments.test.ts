import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { always, eventually } from '../harness/wait.ts';
import { toldOf } from './steps.ts';

/** A chart that says in a ConfigMap what values it was rendered with. */
const CHART = {
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'values.yaml': 'from: chart\nsize: 1\nid: 0\n',
  'values-prod.yaml': 'size: 3\n',
  'templates/config.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {values: {{ pick .Values "from" "size" "id" "region" "tier" | toJson | quote }} }\n',
};

async function valuesIn({ cluster }: Stage, { namespace }: Pick<StagedEnvironment, 'namespace'>) {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
  if (status === 404) return undefined;
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { data: { values: string } }).data.values;
}

async function twoEnvironments(t: TestContext, stage: Stage) {
  const staging = await newEnvironment(t, stage, 'staging', { values: { region: 'eu', tier: 'low' } });
  const prod = await newEnvironment(t, stage, 'prod', { values: { region: 'eu', tier: 'high' } });
  return { staging, prod };
}

test('one Application is deployed to each of its environments, each with its own values, and kubectl get says so', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  await stage.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'of-prod' },
    data: { 'values.yaml': 'tier: highest\n' },
  });
  const helm = { values: { from: 'application' } };
  const environments = [
    { name: staging.name, values: { id: '9007199254740993-as-a-number' } },
    {
      name: prod.name,
      valuesFiles: ['values-prod.yaml'],
      valuesFrom: [{ kind: 'ConfigMap', name: 'of-prod' }],
    },
  ];
  // What JSON.stringify cannot write.
  const text = JSON.stringify(environments).replace('"9007199254740993-as-a-number"', '9007199254740993');
  await stage.kubectl('version', '--client');
  const revision = await stage.repository.revParse('main');
  const source = { repoURL: stage.repoURL, interval: '1s' };
  const object = JSON.stringify({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web' },
    spec: { source, helm },
  });
  const whole = object.replace('"helm":', `"environments":${text},"helm":`);
  const applied = await stage.cluster.kubectl(['-n', stage.namespace, 'apply', '-f', '-'], { input: whole });
  assert.equal(applied.code, 0, applied.stderr);
  const ready = await stage.untilReadyAt('web', revision);
  assert.equal(
    await valuesIn(stage, staging),
    '{"from":"application","id":9007199254740993,"region":"eu","size":1,"tier":"low"}',
  );
  assert.equal(
    await valuesIn(stage, prod),
    '{"from":"application","id":0,"region":"eu","size":3,"tier":"highest"}',
  );
  assert.equal(await valuesIn(stage, stage), undefined, 'nothing in its own namespace');
  assert.equal(ready.status?.summary?.environments, '2/2');
  assert.deepEqual(
    ready.status?.environments?.map(({ name, sync, health, objects }) => [name, sync, health, objects]),
    [
      [staging.name, 'Synced', 'Healthy', 1],
      [prod.name, 'Synced', 'Healthy', 1],
    ],
  );
  const table = await stage.kubectl('get', 'tapp', 'web');
  t.diagnostic(table);
  assert.match(
    table,
    /^NAME +READY +SYNC +HEALTH +REVISION +ENVIRONMENTS +AGE\nweb +True +Synced +Healthy +main@\w+ +2\/2/,
  );

  // An Environment's values are inputs of what is deployed there, and nowhere else.
  await stage.kubectl(
    'patch',
    'environment',
    staging.name,
    '--type=merge',
    '-p',
    '{"spec":{"values":{"tier":"lower"}}}',
  );
  await stage.until(
    'web',
    async () => (await valuesIn(stage, staging))?.includes('"tier":"lower"'),
    'the new values',
  );
  const later = await stage.until(
    'web',
    ({ status }) =>
      status?.summary?.environments === '2/2' && environmentOf(status, staging.name)?.history?.length === 2,
    'the second deployment to staging',
  );
  assert.equal(environmentOf(later.status, prod.name)?.history?.length, 1, 'prod was not deployed again');
});

test('S2: an Environment that is missing, or not meant for the namespace, holds up no other, and is noticed when it is there', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  await stage.kubectl(
    'patch',
    'environment',
    prod.name,
    '--type=merge',
    '-p',
    '{"spec":{"allowedNamespaces":["others-*"]}}',
  );
  const missing = `later-${stage.namespace}`;
  const environments = [staging.name, prod.name, missing].map((name) => ({ name }));
  await stage.application('web', { environments });
  const waiting = await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, staging.name)?.sync === 'Synced' && status?.summary?.environments === '1/3',
    'staging to be deployed',
  );
  assert.equal(environmentOf(waiting.status, prod.name)?.blockedBy?.[0]?.reason, 'NamespaceNotAllowed');
  assert.equal(environmentOf(waiting.status, missing)?.blockedBy?.[0]?.reason, 'EnvironmentNotFound');
  assert.equal(conditionOf(waiting, 'Stalled'), undefined, 'others clear it');
  assert.equal(await valuesIn(stage, prod), undefined);
  // Whom it is refused in has answered.
  const asked = await stage.requestSync('web');
  await stage.until('web', ({ status }) => status?.handledSyncRequest === asked, 'the request to be handled');

  await stage.kubectl(
    'patch',
    'environment',
    prod.name,
    '--type=merge',
    '-p',
    `{"spec":{"allowedNamespaces":["${stage.namespace}"]}}`,
  );
  await stage.until('web', ({ status }) => status?.summary?.environments === '2/3', 'prod to be deployed');
  assert.ok((await valuesIn(stage, prod)) !== undefined);
  const later = await newEnvironment(t, stage, 'later');
  assert.equal(later.name, missing);
  await stage.until('web', ({ status }) => status?.summary?.environments === '3/3', 'all to be deployed');
});

test('an Environment that is narrowed keeps what runs there, and nothing new is written until it is wide again', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  await stage.deployed('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  await stage.kubectl(
    'patch',
    'environment',
    prod.name,
    '--type=merge',
    '-p',
    '{"spec":{"allowedNamespaces":[]}}',
  );
  const blocked = await stage.until(
    'web',
    ({ status }) => environmentOf(status, prod.name)?.blockedBy?.[0]?.reason === 'NamespaceNotAllowed',
    'the refusal to be told',
  );
  assert.equal(environmentOf(blocked.status, prod.name)?.health, 'Healthy', 'what runs is looked at');
  const second = await stage.repository.commit({ 'values.yaml': 'from: second\nsize: 1\nid: 0\n' });
  await stage.until(
    'web',
    ({ status }) => environmentOf(status, staging.name)?.revision === second,
    'staging to follow',
  );
  await always(
    () => valuesIn(stage, prod),
    (values) => assert.match(values ?? '', /"from":"chart"/),
    1_500,
  );
  await stage.kubectl(
    'patch',
    'environment',
    prod.name,
    '--type=merge',
    '-p',
    '{"spec":{"allowedNamespaces":["*"]}}',
  );
  await stage.untilReadyAt('web', second);
  assert.match((await valuesIn(stage, prod)) ?? '', /"from":"second"/);
});

test('an Application in several environments is deleted in all of them', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  await stage.deployed('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  await stage.kubectl('delete', 'tapp', 'web', '--timeout=30s');
  assert.equal(await valuesIn(stage, staging), undefined);
  assert.equal(await valuesIn(stage, prod), undefined);
});

/** A chart that a value can make invalid for one environment alone. */
const BREAKABLE = {
  ...CHART,
  'templates/config.yaml': CHART['templates/config.yaml'].replace(
    'kind: ConfigMap\n',
    'kind: ConfigMap\n{{- if eq (toString .Values.size) "3" }}\nimmutable: {{ .Values.from | quote }}\n{{- end }}\n',
  ),
};

test('what one environment refuses in principle is begun in none, and each is told where it is wrong', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  const environments = [{ name: staging.name }, { name: prod.name, valuesFiles: ['values-prod.yaml'] }];
  await stage.deployed('web', { environments });

  for (const [what, files, message] of [
    ['the API server', { ...BREAKABLE, 'values.yaml': 'from: second\nsize: 1\nid: 0\n' }, /immutable/],
    [
      'the engine',
      { ...CHART, 'values.yaml': 'from: other\nsize: 1\nid: 0\n', 'values-prod.yaml': 'size: [\n' },
      /values-prod\.yaml/,
    ],
  ] as const) {
    const revision = await stage.repository.commit(files);
    const refused = await stage.until(
      'web',
      ({ status }) =>
        status?.quarantine?.revision === revision &&
        status.environments?.every(({ sync }) => sync === 'Quarantined'),
      `the refusal by ${what} in both environments`,
    );
    const errors = refused.status?.quarantine?.errors ?? [];
    assert.deepEqual([...new Set(errors.map(({ environment }) => environment))], [prod.name]);
    assert.match(errors[0]?.message ?? '', message);
    const told = environmentOf(refused.status, staging.name)?.message ?? '';
    assert.ok(told.includes(`environment ${prod.name} refuses it`), told);
    assert.match((await valuesIn(stage, staging)) ?? '', /"from":"chart"/);
    assert.equal(environmentOf(refused.status, staging.name)?.history?.length, 1);
  }
  const fixed = await stage.repository.commit({ ...CHART, 'values.yaml': 'from: third\nsize: 1\nid: 0\n' });
  await stage.untilReadyAt('web', fixed);
  assert.match((await valuesIn(stage, staging)) ?? '', /"from":"third"/);
  assert.match((await valuesIn(stage, prod)) ?? '', /"from":"third"/);
});

test('what the state of one environment does not let be deployed there is deployed in the others', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  await stage.deployed('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  await stage.cluster.request(
    'DELETE',
    `/apis/rbac.authorization.k8s.io/v1/namespaces/${prod.namespace}/rolebindings/deployer`,
  );
  const second = await stage.repository.commit({ 'values.yaml': 'from: second\nsize: 1\nid: 0\n' });
  const blocked = await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, staging.name)?.revision === second &&
      environmentOf(status, prod.name)?.sync === 'Blocked',
    'staging to follow and prod to be blocked',
  );
  assert.equal(environmentOf(blocked.status, prod.name)?.blockedBy?.[0]?.reason, 'Forbidden');
  assert.match((await valuesIn(stage, prod)) ?? '', /"from":"chart"/);
});

test('a freeze keeps what is new out until the very time that its status names, and what runs goes on', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  await stage.deployed('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  const freeze = (freezes: readonly object[]) =>
    stage.kubectl(
      'patch',
      'environment',
      prod.name,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { freezes } }),
    );
  await freeze([{ from: '2026-01-01T00:00:00Z', reason: 'an incident' }]);
  const second = await stage.repository.commit({ 'values.yaml': 'from: second\nsize: 1\nid: 0\n' });
  const waiting = await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, staging.name)?.revision === second &&
      environmentOf(status, prod.name)?.sync === 'Waiting',
    'staging to follow and prod to wait',
  );
  const entry = environmentOf(waiting.status, prod.name);
  assert.equal(entry?.blockedBy?.[0]?.reason, 'Frozen');
  assert.match(entry?.blockedBy?.[0]?.message ?? '', /frozen until its freeze is lifted: an incident/);
  assert.equal(entry?.blockedBy?.[0]?.clearsAt, undefined);
  assert.equal(entry?.desiredRevision, second);
  assert.equal(waiting.status?.sync, 'Waiting');
  assert.equal(waiting.status?.summary?.environments, '1/2');
  assert.equal(conditionOf(waiting, 'Ready')?.status, 'True', 'waiting is no fault');
  t.diagnostic(await stage.kubectl('get', 'tapp', 'web', '-o', 'wide'));

  // Drift is repaired, and a request moves nothing.
  await stage.cluster.request('DELETE', `/api/v1/namespaces/${prod.namespace}/configmaps/web`);
  await stage.until('web', async () => (await valuesIn(stage, prod)) !== undefined, 'the repair');
  const asked = await stage.requestSync('web', `${prod.name}=now`);
  await stage.until('web', ({ status }) => status?.handledSyncRequest === asked, 'the request to be handled');
  assert.match((await valuesIn(stage, prod)) ?? '', /"from":"chart"/);

  const until = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 4_000);
  await freeze([{ from: '2026-01-01T00:00:00Z', until: until.toISOString() }]);
  const told = await stage.until(
    'web',
    ({ status }) => environmentOf(status, prod.name)?.blockedBy?.[0]?.clearsAt,
    'when it clears',
  );
  assert.equal(
    Date.parse(environmentOf(told.status, prod.name)?.blockedBy?.[0]?.clearsAt ?? ''),
    until.getTime(),
  );
  const ready = await stage.untilReadyAt('web', second);
  const { startedAt = '' } = environmentOf(ready.status, prod.name)?.history?.[0] ?? {};
  assert.ok(Date.parse(startedAt) >= until.getTime(), `${startedAt} is not before ${until.toISOString()}`);
  assert.ok(Date.parse(startedAt) <= until.getTime() + 2_000, `${startedAt}, of ${until.toISOString()}`);
  assert.match((await valuesIn(stage, prod)) ?? '', /"from":"second"/);
});

test('a suspended Environment writes nothing, and a deletion works all the same', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  await stage.deployed('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  await stage.kubectl('patch', 'environment', prod.name, '--type=merge', '-p', '{"spec":{"suspend":true}}');
  const suspended = await stage.until(
    'web',
    ({ status }) => environmentOf(status, prod.name)?.sync === 'Suspended',
    'prod to be suspended',
  );
  assert.match(environmentOf(suspended.status, prod.name)?.message ?? '', /spec\.suspend to false/);
  const second = await stage.repository.commit({ 'values.yaml': 'from: second\nsize: 1\nid: 0\n' });
  await stage.until(
    'web',
    ({ status }) => environmentOf(status, staging.name)?.revision === second,
    'staging',
  );
  assert.match((await valuesIn(stage, prod)) ?? '', /"from":"chart"/);
  await stage.kubectl('delete', 'tapp', 'web', '--timeout=30s');
  assert.equal(await valuesIn(stage, prod), undefined);
});

test('what an Application depends on has to be Ready in the same environment, and only there', async (t) => {
  const stage = await newStage(t, { files: { ...inFolder('web'), ...inFolder('database') } });
  const { staging, prod } = await twoEnvironments(t, stage);
  const environments = [{ name: staging.name }, { name: prod.name }];
  await stage.application('web', {
    source: { path: 'web' },
    dependsOn: [{ name: 'database' }],
    environments,
  });
  await stage.deployed('database', { source: { path: 'database' }, environments: [{ name: staging.name }] });
  const waiting = await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, staging.name)?.sync === 'Synced' &&
      environmentOf(status, prod.name)?.blockedBy?.[0]?.reason === 'DependencyNotFound',
    'staging to be deployed and prod to wait',
  );
  assert.match(
    environmentOf(waiting.status, prod.name)?.message ?? '',
    new RegExp(`database.* is not deployed to environment ${prod.name}`),
  );
  await stage.application('database', { source: { path: 'database' }, environments });
  await stage.until('web', ({ status }) => status?.summary?.environments === '2/2', 'both');
});

function inFolder(name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(CHART).map(([path, text]) => [
      `${name}/${path}`,
      text.replace('metadata: {name: web}', `metadata: {name: ${name}}`),
    ]),
  );
}

test('A11: a commit that changes nothing of what is deployed is no deployment, and who begins anew neither fetches nor renders it', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  const environments = [{ name: staging.name }, { name: prod.name, valuesFiles: ['values-prod.yaml'] }];
  await stage.deployed('web', { environments });
  const second = await stage.repository.commit({ 'README.md': 'Nothing of the chart.\n' });
  const after = await stage.untilReadyAt('web', second);
  for (const { name } of [staging, prod])
    assert.equal(environmentOf(after.status, name)?.history?.length, 1, name);
  await stage.restart('SIGTERM');
  // Something to look at each of them for.
  for (const { namespace } of [staging, prod])
    await stage.cluster.request('DELETE', `/api/v1/namespaces/${namespace}/configmaps/web`);
  for (const environment of [staging, prod])
    await stage.until('web', async () => (await valuesIn(stage, environment)) !== undefined, 'the repair');
  const metrics = await stage.operator.metrics();
  assert.doesNotMatch(metrics, /^towpath_renders_total.* [1-9]/m);
  assert.doesNotMatch(metrics, /^towpath_git_fetches_total.* [1-9]/m);
});

test('an Environment that is used stays when it is deleted, works, and says who uses it; when nobody does any more, it goes', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  await stage.deployed('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  const until = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 3_000).toISOString().replace('.000', '');
  const frozen = { spec: { freezes: [{ from: '2026-01-01T00:00:00Z', until, reason: 'a test' }] } };
  await stage.kubectl('patch', 'environment', prod.name, '--type=merge', '-p', JSON.stringify(frozen));
  const table = async () => (await stage.kubectl('get', 'environments', prod.name)).split('\n').slice(0, 2);
  await eventually(async () => (await table())[1]?.includes(until), { describe: 'the freeze in the table' });
  t.diagnostic((await table()).join('\n'));
  assert.match(
    (await table()).join('\n'),
    /^NAME +READY +CLUSTER +APPLICATIONS +FROZEN +AGE\n\S+ +True +v1\./,
  );

  await stage.kubectl('delete', 'environment', prod.name, '--wait=false');
  const readyOf = [
    'get',
    'environment',
    prod.name,
    '-o',
    'jsonpath={.status.conditions[?(@.type=="Ready")].message}',
  ];
  await eventually(async () => (await stage.kubectl(...readyOf)).includes(`It has ${stage.namespace}/web.`), {
    describe: 'the Environment to say who uses it',
  });
  const second = await stage.repository.commit({ 'values.yaml': 'from: second\nsize: 1\nid: 0\n' });
  await stage.untilReadyAt('web', second);
  assert.match((await valuesIn(stage, prod)) ?? '', /"from":"second"/);

  // It waits for nothing that came after that.
  await stage.application('late', { environments: [{ name: prod.name }] });
  const isToldOf = (says: RegExp) => (of: Application) =>
    says.test(environmentOf(of.status, prod.name)?.blockedBy?.[0]?.message ?? '');
  const refused = await stage.until('late', isToldOf(/is being deleted, and takes nothing new/), 'a refusal');
  assert.equal(environmentOf(refused.status, prod.name)?.blockedBy?.[0]?.reason, 'EnvironmentNotFound');
  await stage.kubectl('delete', 'tapp', 'web', '--timeout=30s');
  await eventually(
    async () => {
      const path = `/apis/towpath.dev/v1alpha1/environments/${prod.name}`;
      return (await stage.cluster.request('GET', path)).status === 404;
    },
    { describe: 'the Environment to be gone' },
  );
  await stage.until('late', isToldOf(/does not exist: create it/), 'the Environment to be missed');
  assert.equal(await valuesIn(stage, prod), undefined);
});

test('an Environment that only the finalizer of others keeps takes nothing new: nothing is deployed there without ours', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const prod = await newEnvironment(t, stage, 'prod');
  const finalizers = (all: readonly string[]) =>
    stage.kubectl(
      ...['patch', 'environment', prod.name, '--type=merge', '-p'],
      JSON.stringify({ metadata: { finalizers: all } }),
    );
  await finalizers(['example.com/hold']);
  await stage.kubectl('delete', 'environment', prod.name, '--wait=false');
  await stage.application('web', { environments: [{ name: prod.name }] });
  const told = (says: RegExp) =>
    stage.until(
      'web',
      ({ status }) => says.test(environmentOf(status, prod.name)?.blockedBy?.[0]?.message ?? ''),
      `the Application to say ${says}`,
    );
  await told(/is being deleted, and takes nothing new/);
  assert.equal(await valuesIn(stage, prod), undefined);
  await finalizers([]);
  await told(/does not exist: create it/);
});

test('an Environment that is deleted while the first Application is on its way there goes, and nothing is deployed there', async (t) => {
  const { stage, proxy } = await newProxiedStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  const path = `/apis/towpath.dev/v1alpha1/environments/${prod.name}`;
  const held = proxy.hold({ verb: 'patch', path: new RegExp(`${path}$`) });
  await stage.application('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  const isIn = (place: StagedEnvironment, says: RegExp) => (of: Application) =>
    says.test(JSON.stringify(environmentOf(of.status, place.name)));
  await stage.until('web', isIn(staging, /"sync":"Synced"/), 'staging to be deployed');
  assert.equal(await valuesIn(stage, prod), undefined);
  await held.seen;
  await stage.kubectl('delete', 'environment', prod.name, '--timeout=10s');
  held.release();
  await stage.until('web', isIn(prod, /"EnvironmentNotFound"/), 'prod to be missed');
  assert.equal(await valuesIn(stage, prod), undefined);
});

test('what one environment refused in principle stays out of the others when that one goes out of sight, also for a process that begins anew', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const { staging, prod } = await twoEnvironments(t, stage);
  const environments = [{ name: staging.name }, { name: prod.name, valuesFiles: ['values-prod.yaml'] }];
  await stage.deployed('web', { environments });
  const bad = await stage.repository.commit({ ...BREAKABLE, 'values.yaml': 'from: bad\nsize: 1\nid: 0\n' });
  await stage.until(
    'web',
    ({ status }) =>
      status?.quarantine?.revision === bad &&
      status.environments?.every(({ sync }) => sync === 'Quarantined'),
    'the refusal in both',
  );
  const allow = (namespaces: readonly string[]) =>
    stage.kubectl(
      'patch',
      'environment',
      prod.name,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { allowedNamespaces: namespaces } }),
    );
  await allow([]);
  await stage.until(
    'web',
    ({ status }) => environmentOf(status, prod.name)?.blockedBy?.[0]?.reason === 'NamespaceNotAllowed',
    'prod to be refused',
  );
  const isHeldBack = async () => {
    await stage.requestSync('web');
    await always(
      () => valuesIn(stage, staging),
      (values) => assert.match(values ?? '', /"from":"chart"/),
      2_000,
    );
  };
  await isHeldBack();
  await allow([stage.namespace]);
  await stage.until(
    'web',
    ({ status }) => environmentOf(status, prod.name)?.sync === 'Quarantined',
    'prod again',
  );
  await stage.restart();
  await isHeldBack();
  const fixed = await stage.repository.commit({ ...CHART, 'values.yaml': 'from: fixed\nsize: 1\nid: 0\n' });
  await stage.untilReadyAt('web', fixed);
  assert.match((await valuesIn(stage, staging)) ?? '', /"from":"fixed"/);
});

test('S2: an Application is deleted where an Environment does not take it any more, and nothing else is done as the account there', async (t) => {
  const hook =
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: farewell, annotations: {"helm.sh/hook": pre-delete}}\n';
  const stage = await newStage(t, { files: { ...CHART, 'templates/hook.yaml': hook } });
  const { staging, prod } = await twoEnvironments(t, stage);
  const environments = [{ name: staging.name }, { name: prod.name }];
  const allow = (...namespaces: string[]) =>
    stage.kubectl(
      ...['patch', 'environment', prod.name, '--type=merge', '-p'],
      JSON.stringify({ spec: { allowedNamespaces: namespaces } }),
    );
  const hookIn = async ({ namespace }: StagedEnvironment) => {
    const path = `/api/v1/namespaces/${namespace}/configmaps/farewell`;
    return (await stage.cluster.request('GET', path)).status === 200;
  };
  const untilBlocked = () =>
    stage.until(
      'web',
      ({ status }) => environmentOf(status, prod.name)?.blockedBy?.[0]?.reason === 'NamespaceNotAllowed',
      'the refusal to be told',
    );

  await stage.deployed('web', { environments });
  await allow();
  await untilBlocked();
  await stage.kubectl('delete', 'tapp', 'web', '--timeout=30s');
  assert.equal(await valuesIn(stage, prod), undefined, 'what is recorded is deleted');
  assert.ok(await hookIn(staging), 'where it may be it says farewell');
  assert.ok(!(await hookIn(prod)), 'and nothing is made where it may not');
  const [left = ''] = await toldOf(stage, 'web', 'HooksLeft');
  const hookThere = `ConfigMap ${prod.namespace}/farewell (pre-delete)`;
  const { name } = prod;
  assert.ok(left.startsWith(`Deleted from environment ${name} without its hook ${hookThere}: `), left);

  // With its record it lost what to delete there: that is looked for only while it may act as the account.
  await allow(stage.namespace);
  await stage.deployed('web', { environments });
  await allow();
  await untilBlocked();
  const secrets = await stage.kubectl('get', 'secrets', '-o', 'name');
  const records = secrets.split('\n').filter((name) => name.startsWith('secret/towpath-application-'));
  assert.ok(records.length > 0, secrets);
  await stage.kubectl('delete', ...records);
  await stage.restart('SIGKILL');
  await stage.kubectl('delete', 'tapp', 'web', '--wait=false');
  const waiting = await stage.until(
    'web',
    (one) => conditionOf(one, 'Ready')?.reason === 'DeletionFailed',
    'what it waits for to be told',
  );
  const message = conditionOf(waiting, 'Ready')?.message ?? '';
  assert.ok(message.startsWith(`Deleting: Environment ${prod.name} does not take Applications of`), message);
  assert.ok(message.endsWith(`annotate towpath.dev/abandon=${prod.name}.`), message);
  assert.ok((await valuesIn(stage, prod)) !== undefined);
  await allow(stage.namespace);
  await eventually(async () => (await valuesIn(stage, prod)) === undefined, { describe: 'it to be deleted' });
  await stage.kubectl('wait', '--for=delete', 'tapp/web', '--timeout=20s');
});
