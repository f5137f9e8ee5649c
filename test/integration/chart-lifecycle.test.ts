import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ANNOTATION_VERSION } from '../../operator/api/v1alpha1/names.ts';
import { CHART, podsOf, type Rendered, valuesFile } from '../harness/chart.ts';
import type { Cluster } from '../harness/cluster.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { helm } from '../harness/helm.ts';
import {
  fastLease,
  installCRDs,
  looks,
  newStage,
  type RunningOperator,
  type Stage,
  startOperator,
} from '../harness/operator.ts';
import { kubeconfigOf } from '../harness/operator-rights.ts';
import { freePort, temporaryDirectory } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

// Definitions change and installations meet here, which other test files would notice.
let cluster: Cluster;
before(async () => {
  cluster = await startControlPlane({ nodes: 1 });
});

const WEB = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: there}\n';
const CHANGED = WEB.replace('there', 'changed');
const LOOPBACK = { git: { allowLoopback: true }, replicaCount: 0 };

interface Release {
  name: string;
  namespace: string;
  values?: object;
  chart?: string;
  kubeconfig?: string;
}

/** Runs helm for a release, and expects it to succeed. */
async function release(
  verb: 'install' | 'upgrade' | 'uninstall' | 'rollback',
  what: Release,
  ...more: string[]
) {
  const { name, namespace, values = {}, chart = CHART, kubeconfig = cluster.kubeconfigPath } = what;
  const of =
    verb === 'install' || verb === 'upgrade'
      ? [chart, `--values=${valuesFile({ ...LOOPBACK, ...values })}`]
      : [];
  const { code, stderr } = await helm(
    verb,
    name,
    ...of,
    ...more,
    `--namespace=${namespace}`,
    `--kubeconfig=${kubeconfig}`,
  );
  assert.equal(code, 0, `helm ${verb}: ${stderr}`);
}

/** Starts what a node would run of a release: with its flags, and with the rights of its ServiceAccount. */
async function run(
  t: TestContext,
  { name, namespace }: Pick<Release, 'name' | 'namespace'>,
  ...more: string[]
): Promise<RunningOperator> {
  const found = await kubectl(
    'get',
    'deployments',
    '-n',
    namespace,
    '-l',
    `app.kubernetes.io/instance=${name}`,
    '-o',
    'json',
  );
  const [pod] = podsOf((JSON.parse(found) as { items: Rendered[] }).items);
  assert.ok(pod !== undefined);
  const ofThePod = /^--([a-z]+-address|cache-directory)=/;
  const flags = (pod.spec.containers[0]?.args ?? []).filter((arg) => !ofThePod.test(arg));
  const watches = flags.some((flag) => flag.startsWith('--watch-namespace=')) ? [] : ['--watch-namespace='];
  return startOperator(t, cluster, namespace, {
    kubeconfigPath: await kubeconfigOf(cluster, namespace, String(pod.spec['serviceAccountName'])),
    flags: [...flags, ...watches, ...fastLease, ...more],
  });
}

async function kubectl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args);
  assert.equal(code, 0, stderr);
  return stdout;
}

const untilItLooked = (operator: RunningOperator) =>
  eventually(async () => (await looks({ operator })) > 0, { describe: 'a look at the Application' });

/** uid and resourceVersion of every object of users in a namespace, the Applications themselves included. */
async function objectsOf({ namespace }: Stage): Promise<Record<string, string>> {
  const kinds = 'applications.towpath.dev,configmaps,serviceaccounts,rolebindings,services,deployments';
  const { items } = JSON.parse(await kubectl('get', kinds, '-n', namespace, '-o', 'json')) as {
    items: { kind: string; metadata: { name: string; uid: string; resourceVersion: string } }[];
  };
  return Object.fromEntries(
    items.map(({ kind, metadata }) => [
      `${kind} ${metadata.name}`,
      `${metadata.uid} ${metadata.resourceVersion}`,
    ]),
  );
}

/** A copy of the chart as a later release would bring it. */
function laterChart(): string {
  const chart = join(temporaryDirectory('later-chart'), 'towpath');
  cpSync(CHART, chart, { recursive: true });
  const path = join(chart, 'Chart.yaml');
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll('0.1.0', '0.2.0'));
  return chart;
}

async function newNamespace(t: TestContext, name: string): Promise<string> {
  await kubectl('create', 'namespace', name);
  t.after(() => cluster.kubectl(['delete', 'namespace', name, '--wait=false']));
  return name;
}

const definition = async () =>
  JSON.parse(await kubectl('get', 'crd', 'applications.towpath.dev', '-o', 'json')) as {
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
  await kubectl(
    'patch',
    'crd',
    'applications.towpath.dev',
    '--type=json',
    '--patch',
    JSON.stringify(operations),
  );
}

test('I3: upgrade and rollback change no object of users, uninstalling deletes none, a reinstall elsewhere goes on', async (t) => {
  const namespace = await newNamespace(t, 'towpath-system');
  const elsewhere = await newNamespace(t, 'platform');
  const stage = await newStage(t, { cluster, files: { 'web.yaml': WEB }, startOperator: false });
  const towpath = { name: 'towpath', namespace };
  await release('install', towpath);
  let operator = await run(t, towpath);
  await stage.deployed('web');
  const before = await objectsOf(stage);
  assert.ok('ConfigMap web' in before && 'Application web' in before);

  const next = async (what: string) => {
    await operator.stop();
    operator = await run(t, towpath);
    await untilItLooked(operator);
    assert.deepEqual(await objectsOf(stage), before, what);
  };
  await release('upgrade', { ...towpath, chart: laterChart(), values: { log: { level: 'debug' } } });
  await next('after the upgrade');
  await release('rollback', towpath, '1');
  await next('after the rollback');

  await operator.stop();
  await release('uninstall', towpath);
  assert.deepEqual(await objectsOf(stage), before, 'after uninstalling');

  const again = { name: 'gitops', namespace: elsewhere };
  await release('install', { ...again, values: { installation: 'towpath-system/towpath' } });
  await untilItLooked(await run(t, again));
  const after = await objectsOf(stage);
  assert.equal(after['ConfigMap web'], before['ConfigMap web'], 'installed elsewhere');
  await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': CHANGED }));
  await release('uninstall', again);
});

test('I2: the leader brings its definitions up to its version, never down, and not where that is switched off', async (t) => {
  await installCRDs(cluster);
  const wanted = (await definition()).metadata.annotations[ANNOTATION_VERSION];
  t.after(() => installCRDs(cluster));
  const namespace = await newNamespace(t, 'definitions');
  const columns = async () => (await definition()).spec.versions[0]?.additionalPrinterColumns?.length ?? 0;
  const installed = { name: 'towpath', namespace };
  await release('install', installed);
  const stage = await newStage(t, { cluster, files: { 'web.yaml': WEB }, startOperator: false });
  await makeDefinitionOf('0.0.1');

  const first = await run(t, installed);
  await stage.deployed('web');
  assert.equal((await definition()).metadata.annotations[ANNOTATION_VERSION], wanted);
  assert.ok((await columns()) > 1);
  assert.match(readFileSync(first.logPath, 'utf8'), /brought up to this version/);
  await first.stop();

  await makeDefinitionOf('99.0.0');
  const older = await run(t, installed);
  await untilItLooked(older);
  assert.equal((await definition()).metadata.annotations[ANNOTATION_VERSION], '99.0.0');
  await older.stop();

  await makeDefinitionOf('0.0.1');
  await release('upgrade', { ...installed, values: { crds: { upgrade: false } } });
  const switchedOff = await run(t, installed);
  await untilItLooked(switchedOff);
  assert.equal((await definition()).metadata.annotations[ANNOTATION_VERSION], '0.0.1');
  assert.equal((await stage.get('web')).metadata.name, 'web');
  await switchedOff.stop();
  await release('uninstall', installed);
  assert.match(await kubectl('get', 'applications.towpath.dev', 'web', '-n', stage.namespace), /web/);
});

test('of two installations for the same Applications the younger one does nothing and says so, until the older goes', async (t) => {
  const stage = await newStage(t, { cluster, files: { 'web.yaml': WEB }, startOperator: false });
  const older = { name: 'towpath', namespace: await newNamespace(t, 'older') };
  const younger = { name: 'towpath', namespace: await newNamespace(t, 'younger') };
  await release('install', { ...older, values: { watchNamespace: 'nobody' } });
  await anotherSecond();
  await release('install', { ...younger, values: { watchNamespace: stage.namespace } });

  // Apart they go together.
  const apart = await run(t, younger);
  await untilReady(apart);
  await stage.deployed('web');

  // The older one comes to look after the same.
  await release('upgrade', { ...older, values: { watchNamespace: '' } });
  await eventually(() => /looks after the Applications of all namespaces/.test(logOf(apart)), {
    describe: 'the younger one to give way',
  });
  const probe = `127.0.0.1:${await freePort()}`;
  const waiting = await run(t, younger, `--probe-address=${probe}`);
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
  const first = await run(t, older);
  await untilReady(first);
  assert.doesNotMatch(logOf(waiting), /This process leads/);

  await first.stop();
  assert.doesNotMatch(logOf(waiting), /This process leads/, 'a restart of the older one is no gap');
  await release('uninstall', older);
  await untilReady(waiting);
  await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': CHANGED }));
  await release('uninstall', younger);
});

test('S15: who has the rights that docs/examples/installer.yaml lists can install, upgrade and remove it', async (t) => {
  const documents = parseAllDocuments(
    readFileSync(join(import.meta.dirname, '../../docs/examples/installer.yaml'), 'utf8'),
  );
  const namespace = await newNamespace(t, 'towpath-system-2').catch(() => 'towpath-system-2');
  // The namespace is another one here, since another test has that; else it is what the file says, letter by letter.
  const text = documents.map(String).join('---\n').replaceAll('towpath-system', namespace);
  const applied = await cluster.kubectl(['apply', '-f', '-'], { input: text });
  assert.equal(applied.code, 0, applied.stderr);
  t.after(() => cluster.kubectl(['delete', 'clusterrole,clusterrolebinding', 'towpath-installer']));
  await kubectl('create', 'serviceaccount', 'installer', '-n', namespace);
  const subject = `--serviceaccount=${namespace}:installer`;
  await kubectl(
    'create',
    'rolebinding',
    'towpath-installer',
    '-n',
    namespace,
    '--role=towpath-installer',
    subject,
  );
  await kubectl(
    'create',
    'clusterrolebinding',
    'towpath-installer',
    '--clusterrole=towpath-installer',
    subject,
  );
  const kubeconfig = await kubeconfigOf(cluster, namespace, 'installer');
  const installed = {
    name: 'towpath',
    namespace,
    kubeconfig,
    values: { networkPolicy: { enabled: true }, metrics: { dashboard: { enabled: true } } },
  };
  await release('install', installed, '--wait', '--timeout=60s');
  await release('upgrade', { ...installed, chart: laterChart() }, '--wait', '--timeout=60s');
  await release('uninstall', installed, '--wait', '--timeout=60s');
  const asInstaller = ['--kubeconfig', kubeconfig, 'auth', 'can-i'];
  for (const more of [
    ['get', 'secrets', '-n', 'default'],
    ['escalate', 'clusterroles'],
    ['delete', 'crd'],
  ])
    assert.equal((await cluster.kubectl([...asInstaller, ...more])).stdout.trim(), 'no', more.join(' '));
});

function logOf({ logPath }: RunningOperator): string {
  return readFileSync(logPath, 'utf8');
}

const untilReady = (operator: RunningOperator) =>
  eventually(async () => (await fetch(`${await operator.url('probe')}/readyz`)).status === 200, {
    describe: 'the operator to be ready',
  });

/** Which of two objects is older, an API server tells to the second. */
async function anotherSecond(): Promise<void> {
  const start = Math.floor(Date.now() / 1_000);
  await eventually(() => Math.floor(Date.now() / 1_000) > start + 1, { describe: 'the next second but one' });
}
