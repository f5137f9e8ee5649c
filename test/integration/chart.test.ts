import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { CHART, only, podsOf, type Rendered, rendered, valuesFile } from '../harness/chart.ts';
import { type Cluster, runProgram } from '../harness/cluster.ts';
import { helm } from '../harness/helm.ts';
import { newStage, startOperator } from '../harness/operator.ts';
import { kubeconfigOf } from '../harness/operator-rights.ts';

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
    CHART,
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
  const args = podsOf([deployment])[0]?.spec.containers[0]?.args ?? [];
  const ofThePod = /^--([a-z]+-address|cache-directory)=/;
  await startOperator(t, cluster, namespace, {
    kubeconfigPath: await kubeconfigOf(cluster, namespace, 'towpath-operator'),
    flags: args.filter((arg) => !ofThePod.test(arg)),
  });
  await mayInThatNamespaceAlone(cluster, namespace);
  const revision = await stage.deployed('web');
  const second = await stage.repository.commit({
    'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: changed}\n',
  });
  assert.notEqual(second, revision);
  await stage.untilReadyAt('web', second);
  await stage.kubectl('delete', 'application', 'web', '--timeout=30s');
  await assert.rejects(stage.kubectl('get', 'configmap', 'web'), /NotFound/);
});

/** S15: where an installation watches one namespace, a compromised operator reads and impersonates in no other. */
async function mayInThatNamespaceAlone(cluster: Cluster, namespace: string): Promise<void> {
  const user = `--as=system:serviceaccount:${namespace}:towpath-operator`;
  const may = async (where: string, ...what: string[]) =>
    (await cluster.kubectl(['auth', 'can-i', ...what, `--namespace=${where}`, user])).stdout.trim();
  for (const what of [
    ['impersonate', 'serviceaccounts/towpath'],
    ['list', 'secrets'],
    ['patch', 'applications.towpath.dev'],
    ['create', 'events.events.k8s.io'],
    ['get', 'serviceaccounts'],
  ]) {
    assert.equal(await may(namespace, ...what), 'yes', what.join(' '));
    assert.equal(await may('default', ...what), 'no', what.join(' '));
  }
}

test('I2: the Pod of `helm test` asks over the rendered Service, and its command finds the operator there', async (t) => {
  const objects = await rendered();
  const [pod] = podsOf([only(objects, 'Pod')]);
  const { command = [], args = [], env = [] } = pod?.spec.containers[0] ?? {};
  const { METRICS_URL = '' } = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  const { hostname, port, pathname } = new URL(METRICS_URL);
  const service = objects.find(({ kind, metadata: { name, namespace } }) => {
    return kind === 'Service' && hostname === `${name}.${namespace}.svc`;
  });
  const { ports = [] } = (service?.spec ?? {}) as { ports?: { port: number }[] };
  assert.ok(ports.some((one) => String(one.port) === port));

  const { operator } = await newStage(t);
  const [, ...flags] = command;
  const told = await runProgram(process.execPath, [...flags, ...args], undefined, {
    ...process.env,
    METRICS_URL: `${await operator.url('metrics')}${pathname}`,
  });
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stdout, /answers\.\n$/);
});
