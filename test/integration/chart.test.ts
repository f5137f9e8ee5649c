import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import {
  ANNOTATION_INSTALLATION,
  ANNOTATION_INSTALLED_IN,
  LABEL_WATCHES,
} from '../../operator/api/v1alpha1/names.ts';
import { CHART, only, podsOf, type Rendered, rendered, valuesFile } from '../harness/chart.ts';
import { type Cluster, runProgram } from '../harness/cluster.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { helm } from '../harness/helm.ts';
import { fastLease, newStage, type Stage, startOperator } from '../harness/operator.ts';
import { kubeconfigOf } from '../harness/operator-rights.ts';
import { freePort } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

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
  ]) {
    assert.equal(await may(namespace, ...what), 'yes', what.join(' '));
    assert.equal(await may('default', ...what), 'no', what.join(' '));
  }
}

/** Runs what the Pod of `helm test` runs, on this machine, for the replica at these ports. */
async function helmTest(ports: { probe: number | string; metrics: number | string }, seconds: number) {
  const [pod] = podsOf([only(await rendered(), 'Pod')]);
  const { command = [], args = [] } = pod?.spec.containers[0] ?? {};
  const [, ...flags] = command;
  return runProgram(process.execPath, [...flags, ...args], undefined, {
    ...process.env,
    SERVICE: '127.0.0.1',
    PROBES_PORT: String(ports.probe),
    METRICS_PORT: String(ports.metrics),
    WITHIN_SECONDS: String(seconds),
  });
}

test('I2: the Pod of `helm test` asks all replicas over the rendered Service, and finds the one that leads', async (t) => {
  const objects = await rendered();
  const { env = [] } = podsOf([only(objects, 'Pod')])[0]?.spec.containers[0] ?? {};
  const { SERVICE, PROBES_PORT, METRICS_PORT } = Object.fromEntries(
    env.map(({ name, value }) => [name, value]),
  );
  const service = objects.find(({ kind, metadata: { name, namespace } }) => {
    return kind === 'Service' && SERVICE === `${name}.${namespace}.svc`;
  });
  const { clusterIP } = (service?.spec ?? {}) as { clusterIP?: string };
  assert.equal(clusterIP, 'None', 'its name has the addresses of the Pods, whose ports are asked');
  const { ports = [] } = podsOf([only(objects, 'Deployment')])[0]?.spec.containers[0] ?? {};
  const numbers = (ports as unknown as { containerPort: number }[]).map(({ containerPort }) =>
    String(containerPort),
  );
  assert.deepEqual([PROBES_PORT, METRICS_PORT], numbers);

  const { operator } = await newStage(t);
  const [probe, metrics] = [new URL(await operator.url('probe')), new URL(await operator.url('metrics'))];
  const told = await helmTest({ probe: probe.port, metrics: metrics.port }, 60);
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stdout, /is ready and leads\.\n$/);
});

for (const [name, begin, says] of [
  [
    'is refused beside an older installation',
    async (stage: Stage) => {
      const role = {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: {
          name: `older-${stage.namespace}`,
          labels: { [LABEL_WATCHES]: stage.namespace },
          annotations: { [ANNOTATION_INSTALLATION]: 'older', [ANNOTATION_INSTALLED_IN]: 'older' },
        },
      };
      await stage.apply(role);
      return () => stage.kubectl('delete', 'clusterrole', role.metadata.name);
    },
    /is not ready: The installation in namespace older looks after the Applications/,
  ],
  [
    'may not see whether there is another installation',
    async (_: Stage, proxy: FaultProxy) => {
      proxy.fail({ path: /\/clusterroles\?/, fault: { status: 403 } });
      return async () => undefined;
    },
    /is not ready: Whether another installation looks after the same Applications is not known yet/,
  ],
  [
    'may not read its records',
    async (_: Stage, proxy: FaultProxy) => {
      proxy.fail({ path: /\/secrets\?.*labelSelector/, fault: { status: 403 } });
      return async () => undefined;
    },
    /is not ready: The target records cannot be read/,
  ],
] as const)
  test(`A9: \`helm test\` fails for an installation that ${name}, and says so`, async (t) => {
    const stage = await newStage(t, { startOperator: false });
    const proxy = await startFaultProxy(stage.cluster);
    t.after(() => proxy.stop());
    t.after(await begin(stage, proxy));
    const [probe, metrics] = [await freePort(), await freePort()];
    await startOperator(t, stage.cluster, stage.namespace, {
      proxy,
      flags: [...fastLease, `--probe-address=127.0.0.1:${probe}`, `--metrics-address=127.0.0.1:${metrics}`],
    });
    const readyz = () => fetch(`http://127.0.0.1:${probe}/readyz`).then((response) => response.text());
    await eventually(async () => says.test(`is not ready: ${await readyz()}`), { describe: `${says}` });
    const told = await helmTest({ probe, metrics }, 1);
    assert.equal(told.code, 1, told.stdout);
    assert.match(told.stderr, says);
  });
