import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { ANNOTATION_VERSION } from '../../operator/api/v1alpha1/names.ts';
import { UPGRADE_RIGHTS } from '../../operator/kube/rights.ts';
import {
  anotherSecond,
  laterChart,
  newReleases,
  type Releases,
  untilItLooked,
} from '../harness/chart-releases.ts';
import { newEnvironment } from '../harness/environments.ts';
import { helm } from '../harness/helm.ts';
import {
  conditionOf,
  fastLease,
  installCRDs,
  newStage,
  type RunningOperator,
  type Stage,
  startOperator,
  timesLogged,
} from '../harness/operator.ts';
import { freePort } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

let on: Releases;
before(async () => {
  on = await newReleases();
});

const WEB = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: there}\n';
const CLASS = 'apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: of-web}\nvalue: 7\n';
const CHANGED = WEB.replace('there', 'changed');

const definition = async () =>
  JSON.parse(await on.kubectl('get', 'crd', 'applications.towpath.dev', '-o', 'json')) as {
    metadata: { annotations: Record<string, string> };
    spec: { versions: { additionalPrinterColumns: { name: string }[] }[] };
  };

const AGE = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** Makes the definition look like one of another version: with that annotation, and one column. */
async function makeDefinitionOf(version: string): Promise<void> {
  const operations = [
    { op: 'add', path: '/spec/versions/0/additionalPrinterColumns', value: [AGE] },
    { op: 'add', path: '/metadata/annotations', value: { [ANNOTATION_VERSION]: version } },
  ];
  await on.kubectl(
    'patch',
    'crd',
    'applications.towpath.dev',
    '--type=json',
    '--patch',
    JSON.stringify(operations),
  );
}

test('I3: upgrade and rollback change no object of users, uninstalling deletes none, a reinstall elsewhere goes on', async (t) => {
  const namespace = await on.newNamespace(t, 'towpath-system');
  const elsewhere = await on.newNamespace(t, 'platform');
  const files = { 'web.yaml': WEB, 'class.yaml': CLASS };
  const stage = await newStage(t, { cluster: on.cluster, files, startOperator: false });
  await letWriteClasses(stage);
  const towpath = { name: 'towpath', namespace };
  await on.release('install', towpath);
  let operator = await on.run(t, towpath);
  await stage.deployed('web');
  const before = await on.objectsOf(stage);
  for (const one of ['ConfigMap web', 'Application web', 'RoleBinding towpath', 'PriorityClass of-web'])
    assert.ok(one in before, one);

  const next = async (what: string) => {
    await operator.stop();
    operator = await on.run(t, towpath);
    await untilItLooked(operator);
    assert.deepEqual(await on.objectsOf(stage), before, what);
  };
  await on.release('upgrade', { ...towpath, chart: laterChart(), values: { log: { level: 'debug' } } });
  await next('after the upgrade');
  await on.release('rollback', towpath, '1');
  await next('after the rollback');

  await operator.stop();
  await on.release('uninstall', towpath);
  assert.deepEqual(await on.objectsOf(stage), before, 'after uninstalling');

  const again = { name: 'gitops', namespace: elsewhere };
  await on.release('install', { ...again, values: { installation: 'towpath-system/towpath' } });
  await untilItLooked(await on.run(t, again));
  const after = await on.objectsOf(stage);
  assert.equal(after['ConfigMap web'], before['ConfigMap web'], 'installed elsewhere');
  await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': CHANGED }));
  await on.release('uninstall', again);
});

test('I2: upgraded as the docs say, to a chart with a value that is new, it keeps the values that were set; a rollback brings all back', async (t) => {
  const towpath = { name: 'towpath', namespace: await on.newNamespace(t, 'valued') };
  const where = ['--namespace=valued', `--kubeconfig=${on.cluster.kubeconfigPath}`];
  await on.release('install', {
    ...towpath,
    values: { log: { level: 'debug' }, labels: { team: 'platform' } },
  });
  const manifest = async () => (await helm('get', 'manifest', 'towpath', ...where)).stdout;
  const before = await manifest();
  assert.match(before, /--log-level=debug/);

  const chart = withNewValue(laterChart());
  const upgrade = ['upgrade', 'towpath', chart, ...where];
  assert.notEqual((await helm(...upgrade, '--reuse-values')).code, 0, 'Helm knows no value that is new');
  const upgraded = await helm(...upgrade, '--reset-then-reuse-values');
  assert.equal(upgraded.code, 0, upgraded.stderr);
  const after = await manifest();
  assert.match(after, /text: of the next release/);
  for (const kept of [/--log-level=debug/, /team: "?platform/, /app.kubernetes.io\/version: "?0\.2\.0/])
    assert.match(after, kept);
  await on.kubectl('get', 'configmap', 'later', '-n', 'valued');

  await on.release('rollback', towpath, '1');
  assert.equal(await manifest(), before);
  assert.equal((await on.cluster.kubectl(['get', 'configmap', 'later', '-n', 'valued'])).code, 1);
  await on.release('uninstall', towpath);
});

/** A chart with one value more, which a template needs. */
function withNewValue(chart: string): string {
  appendFileSync(join(chart, 'values.yaml'), '\nlater:\n  text: of the next release\n');
  const path = join(chart, 'values.schema.json');
  const schema = JSON.parse(readFileSync(path, 'utf8')) as { properties: object };
  Object.assign(schema.properties, { later: { type: 'object', required: ['text'] } });
  writeFileSync(path, JSON.stringify(schema));
  writeFileSync(
    join(chart, 'templates/later.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\ndata: {text: {{ .Values.later.text }}}\n',
  );
  return chart;
}

test('I2: the leader brings its definitions up to its version, never down, and not where that is switched off', async (t) => {
  await installCRDs(on.cluster);
  const wanted = (await definition()).metadata.annotations[ANNOTATION_VERSION];
  t.after(() => installCRDs(on.cluster));
  const namespace = await on.newNamespace(t, 'definitions');
  const columns = async () => (await definition()).spec.versions[0]?.additionalPrinterColumns?.length ?? 0;
  const installed = { name: 'towpath', namespace };
  await on.release('install', installed);
  const stage = await newStage(t, { cluster: on.cluster, files: { 'web.yaml': WEB }, startOperator: false });
  await makeDefinitionOf('0.0.1');

  const first = await on.run(t, installed);
  await stage.deployed('web');
  assert.equal((await definition()).metadata.annotations[ANNOTATION_VERSION], wanted);
  assert.ok((await columns()) > 1);
  assert.match(readFileSync(first.logPath, 'utf8'), /brought up to this version/);
  await first.stop();

  // A build between releases.
  await makeDefinitionOf(String(wanted));
  const rebuilt = await on.run(t, installed);
  await untilItLooked(rebuilt);
  assert.ok((await columns()) > 1, 'a schema that changed while the version did not');
  await rebuilt.stop();

  // `helm rollback` to an earlier build of the same version: what it would drop of objects is more than it brings.
  await makeDefinitionOf(String(wanted));
  const later = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/later';
  const field = [{ op: 'add', path: later, value: { type: 'string' } }];
  await on.kubectl('patch', 'crd', 'applications.towpath.dev', '--type=json', '-p', JSON.stringify(field));
  const earlier = await on.run(t, installed);
  await untilItLooked(earlier);
  assert.equal(await columns(), 1, 'a definition with a field that this build lacks stays');
  assert.match(readFileSync(earlier.logPath, 'utf8'), /v1alpha1\.spec\.later/);
  await earlier.stop();

  await makeDefinitionOf('99.0.0');
  const older = await on.run(t, installed);
  await untilItLooked(older);
  assert.equal((await definition()).metadata.annotations[ANNOTATION_VERSION], '99.0.0');
  await older.stop();

  await makeDefinitionOf('0.0.1');
  await on.release('upgrade', { ...installed, values: { crds: { upgrade: false } } });
  const switchedOff = await on.run(t, installed);
  await untilItLooked(switchedOff);
  assert.equal((await definition()).metadata.annotations[ANNOTATION_VERSION], '0.0.1');
  assert.equal((await stage.get('web')).metadata.name, 'web');
  await switchedOff.stop();
  await on.release('uninstall', installed);
  assert.match(await on.kubectl('get', 'applications.towpath.dev', 'web', '-n', stage.namespace), /web/);
});

const ENVIRONMENTS = 'environments.towpath.dev';
/** As the docs have it. */
const APPLY = /kubectl apply --server-side --force-conflicts -f charts\/towpath\/crds/;

/** An installation that a release without Environments left behind: their definition is not there. */
async function installedBefore(t: TestContext, name: string, values: object) {
  await installCRDs(on.cluster);
  t.after(() => installCRDs(on.cluster));
  const installed = { name: 'towpath', namespace: await on.newNamespace(t, name) };
  await on.release('install', { ...installed, values: { ...values, impersonate: ['towpath', 'deployer'] } });
  await on.kubectl('delete', 'crd', ENVIRONMENTS, '--timeout=30s');
  const stage = await newStage(t, { cluster: on.cluster, files: { 'web.yaml': WEB }, startOperator: false });
  return { installed, stage };
}

test('I2: an upgrade brings the kind that the release before did not have, which Helm does not', async (t) => {
  const { installed, stage } = await installedBefore(t, 'before', {});
  await on.release('upgrade', { ...installed, values: { impersonate: ['towpath', 'deployer'] } });
  const operator = await on.run(t, installed);
  await eventually(async () => (await on.cluster.kubectl(['get', ENVIRONMENTS])).code === 0, {
    describe: 'Environments to be served',
  });
  const staging = await newEnvironment(t, stage, 'staging');
  await stage.deployed('web', { environments: [{ name: staging.name }] });
  const can = (verb: string, name: string) => {
    const as = `--as=system:serviceaccount:${installed.namespace}:towpath-operator`;
    return on.cluster.kubectl(['auth', 'can-i', verb, name, as]).then(({ stdout }) => stdout.trim());
  };
  assert.equal(await can('create', `crd/${ENVIRONMENTS}`), 'yes');
  for (const other of ['crd', 'crd/applications.towpath.dev', 'crd/others.example.com'])
    assert.equal(await can('create', other), 'no', other);
  assert.equal(await can('delete', `crd/${ENVIRONMENTS}`), 'no');
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=30s');
  await operator.stop();
  await on.release('uninstall', installed);
});

test('I2: without the definition of Environments, and no right to make it, Applications without environments work, and it says what to apply', async (t) => {
  const { installed, stage } = await installedBefore(t, 'without', { crds: { upgrade: false } });
  const operator = await on.run(t, installed);
  await stage.deployed('web');
  await stage.application('to-staging', { environments: [{ name: `staging-${stage.namespace}` }] });
  const told = await stage.until(
    'to-staging',
    (one) => conditionOf(one, 'Ready')?.reason === 'EnvironmentsUnknown',
    'the Application to be told',
  );
  assert.match(conditionOf(told, 'Ready')?.message ?? '', APPLY);
  await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': CHANGED }));
  assert.equal(timesLogged(operator, APPLY), 1, logOf(operator));

  await installCRDs(on.cluster);
  await newEnvironment(t, stage, 'staging');
  await stage.untilReadyAt('to-staging', await stage.repository.revParse('main'));
  await stage.kubectl('delete', 'applications.towpath.dev', '--all', '--timeout=30s');
  await operator.stop();
  await on.release('uninstall', installed);
});

test('I2: a definition that could not be brought up is tried again, without a restart', async (t) => {
  await installCRDs(on.cluster);
  t.after(() => installCRDs(on.cluster));
  const namespace = await on.newNamespace(t, 'refused');
  const installed = { name: 'towpath', namespace };
  await on.release('install', installed);
  // Also where this test fails: those after it would find its installation.
  t.after(() => on.release('uninstall', installed, '--ignore-not-found'));
  const role = ['clusterrole', 'refused:towpath'];
  const patchRole = (...operations: object[]) =>
    on.kubectl('patch', ...role, '--type=json', '-p', JSON.stringify(operations));
  const right = UPGRADE_RIGHTS.find(({ verbs }) => verbs.includes('patch')) ?? assert.fail();
  const { rules } = JSON.parse(await on.kubectl('get', ...role, '-o', 'json')) as {
    rules: { resources: string[]; verbs: string[] }[];
  };
  const index = rules.findIndex(({ resources, verbs }) =>
    isDeepStrictEqual([resources, verbs], [right.resources, right.verbs]),
  );
  const path = `/rules/${index}`;
  await patchRole({ op: 'remove', path });
  await makeDefinitionOf('0.0.1');
  const operator = await on.run(t, installed);
  await eventually(() => /could not be brought up to this version/.test(logOf(operator)), {
    describe: 'the refusal to be told',
  });
  await patchRole({ op: 'add', path, value: rules[index] });
  await eventually(async () => (await definition()).metadata.annotations[ANNOTATION_VERSION] !== '0.0.1', {
    describe: 'the definition to be brought up',
  });
  await operator.stop();
  await on.release('uninstall', installed);
});

test('of two installations for the same Applications the younger one does nothing and says so, until the older goes', async (t) => {
  const stage = await newStage(t, { cluster: on.cluster, files: { 'web.yaml': WEB }, startOperator: false });
  const older = { name: 'towpath', namespace: await on.newNamespace(t, 'older') };
  const younger = { name: 'towpath', namespace: await on.newNamespace(t, 'younger') };
  await on.newNamespace(t, 'nobody');
  await on.release('install', { ...older, values: { watchNamespace: 'nobody' } });
  await anotherSecond();
  await on.release('install', { ...younger, values: { watchNamespace: stage.namespace } });

  // Apart they go together.
  const apart = await on.run(t, younger);
  await untilReady(apart);
  await stage.deployed('web');

  // The older one comes to look after the same.
  await on.release('upgrade', { ...older, values: { watchNamespace: '' } });
  await eventually(() => /looks after the Applications of all namespaces/.test(logOf(apart)), {
    describe: 'the younger one to give way',
  });
  const probe = `127.0.0.1:${await freePort()}`;
  const waiting = await on.run(t, younger, `--probe-address=${probe}`);
  const ready = await eventually(
    async () => {
      const response = await fetch(`http://${probe}/readyz`);
      const text = await response.text();
      return text.includes('namespace older') ? { status: response.status, text } : undefined;
    },
    { describe: 'the younger one to say for whom it waits' },
  );
  assert.equal(ready.status, 503);
  assert.match(ready.text, /give each a namespace of its own \(watchNamespace\)/);
  const [, advice = ''] = /If that one is gone, .*: kubectl (delete \S+ -l \S+)/.exec(ready.text) ?? [];
  const first = await on.run(t, older);
  await untilReady(first);
  assert.doesNotMatch(logOf(waiting), /This process leads/);

  await first.stop();
  assert.doesNotMatch(logOf(waiting), /This process leads/, 'a restart of the older one is no gap');
  // What it says takes away all that would be in the way of the one that waits.
  await on.kubectl(...advice.split(' '));
  await untilReady(waiting);
  const left = 'validatingadmissionpolicies,validatingadmissionpolicybindings,clusterrolebindings';
  const ofOlder = ['-l', 'towpath.dev/installed-in=older', '-o', 'name'];
  assert.equal(await on.kubectl('get', left, ...ofOlder), '');
  assert.notEqual(await on.kubectl('get', left, '-l', 'towpath.dev/installed-in=younger', '-o', 'name'), '');
  await on.release('uninstall', older);
  await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': CHANGED }));
  await on.release('uninstall', younger);
});

test('an installation that runs from source counts as younger: it gives way to one that comes later, and waits while that is there', async (t) => {
  const files = { 'web.yaml': WEB };
  const stage = await newStage(t, { cluster: on.cluster, files, flags: fastLease });
  await stage.deployed('web');
  // It has no ClusterRole of the chart that would say since when it is there.
  const installed = { name: 'towpath', namespace: await on.newNamespace(t, 'installed') };
  // By its id what the one from source deployed is its own.
  const values = { watchNamespace: stage.namespace, installation: `${stage.namespace}/towpath` };
  await on.release('install', { ...installed, values });
  assert.match(await stage.operator.process.ended, /code 1/);
  assert.match(logOf(stage.operator), /The installation in namespace installed looks after the Applications/);

  const again = await startOperator(t, on.cluster, stage.namespace, { flags: fastLease });
  await eventually(() => /The installation in namespace installed/.test(logOf(again)), {
    describe: 'it to say for whom it waits',
  });
  const first = await on.run(t, installed);
  await untilReady(first);
  const second = await stage.repository.commit({ 'web.yaml': CHANGED });
  await stage.untilReadyAt('web', second);
  assert.doesNotMatch(logOf(again), /This process leads/);

  await on.release('uninstall', installed);
  await first.stop();
  await untilReady(again);
  await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': WEB }));
});

test('two installations of one namespace, each with a namespace to watch, both work', async (t) => {
  const namespace = await on.newNamespace(t, 'shared');
  const files = { 'web.yaml': WEB };
  const [first, second] = [
    await newStage(t, { cluster: on.cluster, files, startOperator: false }),
    await newStage(t, { cluster: on.cluster, files, startOperator: false }),
  ];
  const installed = async (name: string, stage: Stage) => {
    await on.release('install', { name, namespace, values: { watchNamespace: stage.namespace } });
    const operator = await on.run(t, { name, namespace });
    await untilReady(operator);
    await stage.deployed('web');
    return operator;
  };
  const one = await installed('towpath', first);
  const other = await installed('shop', second);
  for (const stage of [first, second])
    await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': CHANGED }));

  // D8: what it watches is no part of its Lease, so a replica with the flags of before holds back the next one.
  await on.release('uninstall', { name: 'towpath', namespace });
  await one.stop();
  await on.release('upgrade', { name: 'shop', namespace, values: { watchNamespace: '' } });
  const next = await on.run(t, { name: 'shop', namespace });
  await untilReady(next);
  assert.doesNotMatch(logOf(next), /This process leads/);
  await other.stop();
  await second.untilReadyAt('web', await second.repository.commit({ 'web.yaml': WEB }));
  await on.release('uninstall', { name: 'shop', namespace });
});

/** What stands in no namespace is written by who has a ClusterRole. */
async function letWriteClasses({ kubectl, namespace }: Stage): Promise<void> {
  const resource = '--resource=priorityclasses.scheduling.k8s.io';
  await kubectl('create', 'clusterrole', 'classes', '--verb=*', resource);
  const subject = `--serviceaccount=${namespace}:towpath`;
  await kubectl('create', 'clusterrolebinding', 'classes', '--clusterrole=classes', subject);
}

function logOf({ logPath }: RunningOperator): string {
  return readFileSync(logPath, 'utf8');
}

const untilReady = (operator: RunningOperator) =>
  eventually(async () => (await fetch(`${await operator.url('probe')}/readyz`)).status === 200, {
    describe: 'the operator to be ready',
  });
