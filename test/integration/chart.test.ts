import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { buildHelm } from '../../hack/build-helm.ts';
import { runProgram } from '../harness/cluster.ts';
import { newStage, startOperator } from '../harness/operator.ts';
import { kubeconfigOf } from '../harness/operator-rights.ts';
import { temporaryDirectory } from '../harness/process.ts';

const chart = join(import.meta.dirname, '../../charts/towpath');
const home = temporaryDirectory('helm');
let program: string;
before(async () => {
  program = await buildHelm();
});

interface Rendered {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: {
    selector?: { matchLabels: Record<string, string> };
    template?: { metadata: { labels: Record<string, string> }; spec: { containers: { args: string[] }[] } };
  };
  rules?: { resources: string[]; verbs: string[]; apiGroups: string[]; resourceNames?: string[] }[];
}

function helm(...args: string[]) {
  const env = {
    ...process.env,
    HOME: home,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
  };
  return runProgram(program, args, undefined, env);
}

function valuesFile(values: unknown): string {
  const path = join(temporaryDirectory('values'), 'values.json');
  writeFileSync(path, JSON.stringify(values));
  return path;
}

async function rendered(values: unknown = {}, release = 'towpath'): Promise<Rendered[]> {
  const result = await helm(
    'template',
    release,
    chart,
    '--namespace',
    'towpath-system',
    '--values',
    valuesFile(values),
  );
  assert.equal(result.code, 0, result.stderr);
  return parseAllDocuments(result.stdout).map((document) => document.toJS() as Rendered);
}

function only(objects: readonly Rendered[], kind: string): Rendered {
  const found = objects.filter((object) => object.kind === kind);
  const [object] = found;
  assert.ok(object !== undefined && found.length === 1, `${found.length} of kind ${kind}`);
  return object;
}

test('the chart passes helm lint, and rendering it twice is the same to the byte', async () => {
  const linted = await helm('lint', chart, '--strict');
  assert.equal(linted.code, 0, linted.stdout);
  const [one, two] = await Promise.all([helm('template', 'a', chart), helm('template', 'a', chart)]);
  assert.equal(one.code, 0, one.stderr);
  assert.equal(one.stdout, two.stdout);
});

for (const [what, values, says] of [
  ['a misspelt key', { replicas: 2 }, /replicas/],
  ['a misspelt key inside', { image: { name: 'towpath' } }, /name/],
  ['a log level that there is not', { log: { level: 'verbose' } }, /level/],
  ['a digest that is none', { image: { digest: 'latest' } }, /digest/],
  [
    "S16: the operator's own ServiceAccount among those of Applications",
    { impersonate: ['deployer'], serviceAccount: { name: 'deployer' } },
    /deployer/,
  ],
] as const) {
  test(`the chart refuses ${what} in its values`, async () => {
    const result = await helm('template', 'towpath', chart, '--values', valuesFile(values));
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, says);
  });
}

test('selectors hold neither a version nor a chart label, whatever labels are added', async () => {
  const objects = await rendered({
    labels: { team: 'platform' },
    podLabels: { 'app.kubernetes.io/name': 'other' },
  });
  const deployment = only(objects, 'Deployment');
  const selector = { 'app.kubernetes.io/name': 'towpath', 'app.kubernetes.io/instance': 'towpath' };
  assert.deepEqual(deployment.spec?.selector?.matchLabels, selector);
  assert.deepEqual(only(objects, 'PodDisruptionBudget').spec?.selector?.matchLabels, selector);
  const labels = deployment.spec?.template?.metadata.labels ?? {};
  for (const [name, value] of Object.entries(selector)) assert.equal(labels[name], value);
  assert.equal(deployment.metadata.labels?.['team'], 'platform');
});

test("S15: the operator's own roles have no wildcard, and write nothing but its own", async () => {
  const objects = await rendered({ impersonate: ['towpath', 'deployer'] });
  const rules = objects.flatMap((object) => object.rules ?? []);
  assert.ok(!rules.some((rule) => [...rule.apiGroups, ...rule.resources, ...rule.verbs].includes('*')));
  const everywhere = objects.filter(({ kind }) => kind === 'ClusterRole').flatMap((role) => role.rules ?? []);
  const writes = everywhere
    .filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)))
    .map(({ resources, verbs, resourceNames }) => ({
      resources,
      verbs,
      ...(resourceNames && { resourceNames }),
    }));
  assert.deepEqual(writes, [
    { resources: ['applications'], verbs: ['get', 'list', 'watch', 'patch'] },
    { resources: ['applications/status'], verbs: ['patch'] },
    { resources: ['events'], verbs: ['create', 'patch'] },
    { resources: ['serviceaccounts'], verbs: ['impersonate'], resourceNames: ['towpath', 'deployer'] },
  ]);
});

test('I2, S15: installed by helm under the restricted Pod Security level, its rights suffice to deploy', async (t) => {
  const stage = await newStage(t, {
    files: { 'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: there}\n' },
    startOperator: false,
  });
  const { cluster, namespace } = stage;
  await stage.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted');
  const values = valuesFile({ watchNamespace: namespace, git: { allowLoopback: true } });
  const asAdmin = ['--namespace', namespace, '--kubeconfig', cluster.kubeconfigPath];
  const installed = await helm(
    'install',
    'towpath',
    chart,
    '--values',
    values,
    ...asAdmin,
    '--wait',
    '--timeout=60s',
  );
  t.after(() => helm('uninstall', 'towpath', ...asAdmin));
  assert.equal(installed.code, 0, installed.stderr);

  // What a node would run, with the same rights and flags; simulated nodes run nothing.
  const deployment = only(
    parseAllDocuments(await stage.kubectl('get', 'deployment', '-o', 'yaml')).map((document) => {
      const [item] = (document.toJS() as { items: Rendered[] }).items;
      assert.ok(item !== undefined);
      return item;
    }),
    'Deployment',
  );
  const args = deployment.spec?.template?.spec.containers[0]?.args ?? [];
  const ofThePod = /^--(probe-address|metrics-address|webhook-address|cache-directory)=/;
  await startOperator(t, cluster, namespace, {
    kubeconfigPath: await kubeconfigOf(cluster, namespace, 'towpath-operator'),
    flags: args.filter((arg) => !ofThePod.test(arg)),
  });
  const revision = await stage.deployed('web');
  const second = await stage.repository.commit({
    'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: changed}\n',
  });
  assert.notEqual(second, revision);
  await stage.untilReadyAt('web', second);
  await stage.kubectl('delete', 'application', 'web', '--timeout=30s');
  await assert.rejects(stage.kubectl('get', 'configmap', 'web'), /NotFound/);
});
