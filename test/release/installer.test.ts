import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { laterChart, newReleases, type Releases } from '../harness/chart-releases.ts';
import { isHelm3 } from '../harness/helm.ts';
import { kubeconfigOf } from '../harness/operator-rights.ts';
import { eventually } from '../harness/wait.ts';

const EXAMPLES = join(import.meta.dirname, '../../docs/examples');
/** Those of installer.yaml, and of installer-of-a-namespace.yaml. */
const SYSTEM = 'towpath-system';
const WATCHED = 'shop';

const INSTALLER = `${SYSTEM}:installer`;

let on: Releases;
let kubeconfig = '';
before(async () => {
  on = await newReleases();
  for (const namespace of [SYSTEM, WATCHED]) await on.kubectl('create', 'namespace', namespace);
  await on.kubectl('-n', SYSTEM, 'create', 'serviceaccount', 'installer');
  await on.kubectl('apply', '-f', join(EXAMPLES, 'installer.yaml'));
  await bind('rolebinding', '--role', '-n', SYSTEM);
  await bind('clusterrolebinding', '--clusterrole');
  if (isHelm3) {
    await on.kubectl('apply', '-f', join(EXAMPLES, 'installer-with-helm-3.yaml'));
    const account = `--serviceaccount=${INSTALLER}`;
    const name = 'towpath-installer-with-helm-3';
    await on.kubectl('create', 'clusterrolebinding', name, `--clusterrole=${name}`, account);
  }
  kubeconfig = await kubeconfigOf(on.cluster, SYSTEM, 'installer');
});

async function bind(kind: string, role: string, ...where: string[]): Promise<void> {
  const name = 'towpath-installer';
  await on.kubectl('create', kind, name, `${role}=${name}`, `--serviceaccount=${INSTALLER}`, ...where);
}

const WAIT = ['--wait', '--timeout=60s'];

/** Simulated nodes say that Pods run; two make a PodDisruptionBudget. */
const installation = (values: object) => ({
  name: 'towpath',
  namespace: SYSTEM,
  kubeconfig,
  values: { replicaCount: 2, ...values },
});

/** Through a life of the release; `brings` is what of it must be there. */
async function live(values: object, brings: readonly string[], atTheEnd?: () => Promise<void>) {
  const installed = installation(values);
  await on.release('install', installed, ...WAIT);
  await on.kubectl('-n', SYSTEM, 'get', ...brings);
  await on.release('upgrade', { ...installed, chart: laterChart() }, ...WAIT);
  await on.release('rollback', installed, '1', ...WAIT);
  await atTheEnd?.();
  await on.release('uninstall', installed, ...WAIT);
  const left = await on.cluster.kubectl(['-n', SYSTEM, 'get', ...brings]);
  assert.equal(left.stdout, '');
}

test('S15: who has the rights that docs/examples/installer.yaml lists can install, upgrade, test and remove it', async () => {
  const values = { networkPolicy: { enabled: true }, metrics: { dashboard: { enabled: true } } };
  const brings = ['networkpolicy/towpath', 'poddisruptionbudget/towpath', 'configmap/towpath-dashboard'];
  await live(values, brings, async () => {
    const tested = on.release('test', installation(values), '--timeout=60s');
    const ofTest = ['pod', 'towpath-test', '-n', SYSTEM];
    // As kubelet does where the Pod ends well, which no simulated node has end.
    const [phase, ended] = ['jsonpath={.status.phase}', '{"status":{"phase":"Succeeded"}}'];
    await eventually(
      async () => (await on.cluster.kubectl(['get', ...ofTest, '-o', phase])).stdout === 'Running',
      { describe: 'the Pod of `helm test` to run' },
    );
    await on.kubectl('patch', ...ofTest, '--subresource=status', '--type=merge', '--patch', ended);
    await tested;
  });
  // What is not among them; none of it bounds who means it, as the next test has it.
  const asInstaller = ['--kubeconfig', kubeconfig, 'auth', 'can-i'];
  for (const more of [
    ['get', 'secrets', '-n', 'default'],
    ['create', 'roles', '-n', WATCHED],
    ['delete', 'crd'],
  ])
    assert.equal((await on.cluster.kubectl([...asInstaller, ...more])).stdout.trim(), 'no', more.join(' '));
});

test('who has these rights can make himself an administrator, and the page and the head of each file say so', async () => {
  const name = `${SYSTEM}:towpath`;
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  const taken = [
    {
      kind: 'ClusterRole',
      metadata: { name },
      rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
    },
    {
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef,
      subjects: [{ kind: 'ServiceAccount', name: 'installer', namespace: SYSTEM }],
    },
  ];
  for (const object of taken) {
    const input = JSON.stringify({ apiVersion: 'rbac.authorization.k8s.io/v1', ...object });
    const how = ['--server-side', '--dry-run=server', '--kubeconfig', kubeconfig, '-f', '-'];
    const { code, stderr } = await on.cluster.kubectl(['apply', ...how], { input });
    assert.equal(code, 0, stderr);
  }
  const read = (path: string) => readFileSync(join(EXAMPLES, path), 'utf8');
  assert.match(read('../installation.md'), /\*\*Who is none and gets these rights can make himself one: /);
  for (const file of ['installer.yaml', 'installer-of-a-namespace.yaml', 'installer-with-helm-3.yaml'])
    assert.match(read(file), /^# WHOEVER HAS .* (ADMINISTRATOR OF THE CLUSTER|ALL RIGHTS IN THE NAMESPACE)/s);
});

test('S15: they are enough for monitors and alerts, where the definitions of these are', async () => {
  const kinds = ['ServiceMonitor', 'PodMonitor', 'PrometheusRule'];
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: kinds.map(definitionOf) });
  assert.equal((await on.cluster.kubectl(['apply', '-f', '-'], { input })).code, 0);
  for (const kind of kinds)
    await on.kubectl('wait', '--for=condition=Established', `crd/${pluralOf(kind)}.monitoring.coreos.com`);
  const rule = { prometheusRule: { enabled: true } };
  for (const [monitor, values] of [
    ['servicemonitor/towpath', { metrics: { ...rule, serviceMonitor: { enabled: true } } }],
    ['podmonitor/towpath', { metrics: { ...rule, podMonitor: { enabled: true } } }],
  ] as const)
    await live(values, [monitor, 'prometheusrule/towpath']);
});

test('S15: with those of installer-of-a-namespace.yaml it is installed for one namespace', async () => {
  await on.kubectl('apply', '-f', join(EXAMPLES, 'installer-of-a-namespace.yaml'));
  await bind('rolebinding', '--role', '-n', WATCHED);
  await live({ watchNamespace: WATCHED }, ['deployment/towpath'], async () => {
    const role = await on.kubectl('-n', WATCHED, 'get', 'role,rolebinding', '-o', 'name');
    assert.equal(role.match(/towpath-system:towpath/g)?.length, 2, role);
  });
  assert.doesNotMatch(await on.kubectl('-n', WATCHED, 'get', 'role', '-o', 'name'), /system:towpath/);
});

const pluralOf = (kind: string) => `${kind.toLowerCase()}s`;

/** Of a kind of the Prometheus Operator, as far as an API server must know it to store one. */
function definitionOf(kind: string): object {
  const names = { kind, plural: pluralOf(kind), singular: kind.toLowerCase(), listKind: `${kind}List` };
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names,
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}
