import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { ANNOTATION_VERSION } from '../../operator/api/v1alpha1/names.ts';
import {
  CLUSTER_RIGHTS,
  MANAGED_RIGHTS,
  OWN_NAMESPACE_RIGHTS,
  READ_RIGHTS,
  type Right,
  UPGRADE_RIGHTS,
  WATCHED_RIGHTS,
} from '../../operator/kube/rights.ts';
import { installPolicies, say } from '../harness/approvals.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { newEnvironment } from '../harness/environments.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, fastLease, newStage, type Stage, startOperator } from '../harness/operator.ts';
import { allowedBy, needsOf, type Scope } from '../harness/own-requests.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';
import { deliver, webhookDeliveries } from '../harness/webhook-delivery.ts';

const SECRET = 'a secret of more than 16 characters';
/** Events that repeat are written together, once a minute. */
const SERIES_MS = 90_000;
const APPLICATIONS = 'applications.towpath.dev';
const ENVIRONMENTS = 'environments.towpath.dev';
const POLICIES = 'promotionpolicies.towpath.dev';
/** Which came with releases after the first. */
const LATER_KINDS = [ENVIRONMENTS, 'approvals.towpath.dev', POLICIES, 'promotions.towpath.dev'];
const FLAGS = [
  ...fastLease,
  '--upgrade-definitions',
  '--webhook-host-aliases=git.example.com=127.0.0.1',
  '--managed-cluster-roles=edit,view',
  '--archive-interval=500ms',
  '--promotion-history=1',
  '--gone-promotions=1',
  '--archive-size=1',
];

const webChart = {
  'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'web/templates/web.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: "{{ .Values.is }}"}\n',
  'web/values.yaml': 'is: one\n',
};

/** What a rule allows and nobody asked for, and what was asked for and no rule allows. */
function comparison(proxy: FaultProxy, rights: readonly (readonly [readonly Right[], Scope])[]) {
  const allowed = rights.flatMap(([rules, scope]) => allowedBy(rules, scope));
  const needs = proxy.requests.flatMap(needsOf);
  const used = new Set(needs.flat());
  return {
    surplus: allowed.filter((right) => !used.has(right)),
    missing: [
      ...new Set(
        needs.filter((ways) => !ways.some((way) => allowed.includes(way))).map((ways) => ways.join(' or ')),
      ),
    ],
  };
}

/** One object of each kind that the operator may read of all Applications. */
const OF_EACH_KIND: readonly (readonly [apiVersion: string, kind: string, rest?: object])[] = [
  ['v1', 'ConfigMap'],
  ['v1', 'Endpoints'],
  ['v1', 'LimitRange', { spec: { limits: [] } }],
  ['v1', 'Namespace'],
  ['v1', 'PersistentVolumeClaim', claim()],
  ['v1', 'PersistentVolume', volume()],
  ['v1', 'Pod', { spec: podSpec() }],
  ['v1', 'PodTemplate', { template: podTemplate() }],
  ['v1', 'ReplicationController', { spec: { replicas: 0, template: podTemplate() } }],
  ['v1', 'ResourceQuota', { spec: { hard: { 'count/ingresses.networking.k8s.io': '9' } } }],
  ['v1', 'ServiceAccount'],
  ['v1', 'Service', { spec: { ports: [{ port: 80 }] } }],
  ['admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicy', { spec: mutatingPolicySpec() }],
  ['admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicyBinding', { spec: { policyName: 'each' } }],
  ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', { webhooks: [] }],
  ['admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', { webhooks: [] }],
  ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy', { spec: policySpec() }],
  [
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicyBinding',
    { spec: { policyName: 'each', validationActions: ['Audit'] } },
  ],
  ['apiregistration.k8s.io/v1', 'APIService', apiService()],
  ['apps/v1', 'ControllerRevision', { revision: 1, data: {} }],
  ['apps/v1', 'DaemonSet', { spec: workload() }],
  ['apps/v1', 'Deployment', { spec: { ...workload(), replicas: 0 } }],
  ['apps/v1', 'ReplicaSet', { spec: { ...workload(), replicas: 0 } }],
  ['apps/v1', 'StatefulSet', { spec: { ...workload(), serviceName: 'each', replicas: 0 } }],
  ['autoscaling/v2', 'HorizontalPodAutoscaler', { spec: autoscalerSpec() }],
  [
    'batch/v1',
    'CronJob',
    { spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec: jobSpec() } } },
  ],
  ['batch/v1', 'Job', { spec: { ...jobSpec(), suspend: true } }],
  ['coordination.k8s.io/v1', 'Lease', { spec: {} }],
  ['discovery.k8s.io/v1', 'EndpointSlice', { addressType: 'IPv4', endpoints: [] }],
  [
    'flowcontrol.apiserver.k8s.io/v1',
    'FlowSchema',
    { spec: { matchingPrecedence: 9_999, priorityLevelConfiguration: { name: 'each' } } },
  ],
  [
    'flowcontrol.apiserver.k8s.io/v1',
    'PriorityLevelConfiguration',
    {
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 0, limitResponse: { type: 'Reject' } } },
    },
  ],
  ['networking.k8s.io/v1', 'IngressClass', { spec: { controller: 'example.com/none' } }],
  [
    'networking.k8s.io/v1',
    'Ingress',
    { spec: { defaultBackend: { service: { name: 'each', port: { number: 80 } } } } },
  ],
  ['networking.k8s.io/v1', 'NetworkPolicy', { spec: { podSelector: {} } }],
  ['node.k8s.io/v1', 'RuntimeClass', { handler: 'none' }],
  ['policy/v1', 'PodDisruptionBudget', { spec: { minAvailable: 0 } }],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole', { rules: [] }],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', { roleRef: roleRef('ClusterRole') }],
  ['rbac.authorization.k8s.io/v1', 'Role', { rules: [] }],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding', { roleRef: roleRef('Role') }],
  ['resource.k8s.io/v1', 'DeviceClass', { spec: {} }],
  ['resource.k8s.io/v1', 'ResourceClaim', { spec: deviceClaim() }],
  ['resource.k8s.io/v1', 'ResourceClaimTemplate', { spec: { spec: deviceClaim() } }],
  ['scheduling.k8s.io/v1', 'PriorityClass', { value: 1 }],
  ['storage.k8s.io/v1', 'CSIDriver', { spec: {} }],
  ['storage.k8s.io/v1', 'StorageClass', { provisioner: 'example.com/none' }],
  [
    'storage.k8s.io/v1',
    'VolumeAttributesClass',
    { driverName: 'none.example.com', parameters: { tier: 'none' } },
  ],
];

function podSpec() {
  return { containers: [{ name: 'each', image: 'example.com/each' }] };
}

function podTemplate() {
  return { metadata: { labels: { app: 'each' } }, spec: podSpec() };
}

function workload() {
  return { selector: { matchLabels: { app: 'each' } }, template: podTemplate() };
}

function jobSpec() {
  return { template: { spec: { ...podSpec(), restartPolicy: 'Never' } } };
}

function claim() {
  const resources = { requests: { storage: '1Mi' } };
  return { spec: { storageClassName: 'each', accessModes: ['ReadWriteOnce'], resources } };
}

function volume() {
  const hostPath = { path: '/nowhere' };
  return { spec: { capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'], hostPath } };
}

function policySpec() {
  const rule = {
    apiGroups: ['example.com'],
    apiVersions: ['v1'],
    operations: ['CREATE'],
    resources: ['nothings'],
  };
  return { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'true' }] };
}

function mutatingPolicySpec() {
  const { matchConstraints } = policySpec();
  const expression = '[JSONPatch{op: "test", path: "/kind", value: "Nothing"}]';
  const mutations = [{ patchType: 'JSONPatch', jsonPatch: { expression } }];
  return { matchConstraints, reinvocationPolicy: 'Never', mutations };
}

function deviceClaim() {
  return { devices: { requests: [{ name: 'each', exactly: { deviceClassName: 'each' } }] } };
}

function autoscalerSpec() {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'none' };
  return { scaleTargetRef, maxReplicas: 1 };
}

function apiService() {
  const spec = { group: 'none.example.com', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 };
  return {
    metadata: { name: 'v1.none.example.com' },
    spec: { ...spec, service: { name: 'none', namespace: 'default' } },
  };
}

function roleRef(kind: string) {
  return { apiGroup: 'rbac.authorization.k8s.io', kind, name: 'each' };
}

/** What makes the operator do each thing that it does as itself besides reading of all Applications. */
async function driveAll(
  t: TestContext,
  stage: Stage,
  proxy: FaultProxy,
  own: string,
  flags: readonly string[],
): Promise<void> {
  await stage.kubectl('create', 'secret', 'generic', 'is', '--from-literal=values.yaml=is: two');
  await stage.kubectl('create', 'configmap', 'is', '--from-literal=values.yaml=is: two');
  const names = ['Secret', 'ConfigMap'].map((kind) => ({ kind, name: 'is' }));
  // A number that JSON.parse cannot hold has the Application read by itself.
  const helm = { valuesFrom: names, values: { large: 2 ** 60 } };
  await stage.deployed('web', { source: { path: 'web', interval: '1h' }, helm });

  // And an Environment.
  const gates = { approvals: { required: 1 } };
  const apart = await newEnvironment(t, stage, 'apart', { values: { large: 2 ** 60 }, gates });
  const { cluster, namespace } = stage;
  const policy = { name: 'approvals.towpath.dev', namespaces: [namespace] };
  await installPolicies(t, cluster, 'Validating', policy);
  await stage.application('apart', { source: { path: 'web' }, environments: [{ name: apart.name }] });
  const { status } = await stage.until(
    'apart',
    (one) => environmentOf(one.status, apart.name)?.blockedBy?.[0]?.reason === 'AwaitingApproval',
    'what waits for approval',
  );
  const digest = environmentOf(status, apart.name)?.desiredDigest ?? '';
  const said = { application: 'apart', environment: apart.name, digest };
  await say(cluster, namespace, { user: 'anna', groups: ['system:masters'] }, said);
  await stage.untilReadyAt('apart', await stage.repository.revParse('main'));
  // What is counted of it is told 2 s after it changed.
  const told = ['get', ENVIRONMENTS, apart.name, '-o', 'jsonpath={.metadata.finalizers}{.status.conditions}'];
  await eventually(async () => /used-by.*Ready/.test(await stage.kubectl(...told)), {
    describe: 'the Environment to say that it is used',
  });
  await stage.kubectl('delete', APPLICATIONS, 'apart', '--timeout=60s');

  // An event that repeats.
  const repaired = () => stage.kubectl('get', 'configmap', 'web', '--ignore-not-found', '-o', 'name');
  for (let count = 0; count < 3; count += 1) {
    await stage.kubectl('delete', 'configmap', 'web');
    await eventually(async () => (await repaired()) !== '', {
      describe: 'what was deleted to be made again',
    });
  }

  // Nobody of that name may write.
  await stage.application('accountless', { source: { path: 'web' }, serviceAccountName: 'nobody' });
  await stage.until(
    'accountless',
    (one) => conditionOf(one, 'Ready')?.reason === 'ServiceAccountMissing',
    'the ServiceAccount to be missed',
  );
  await stage.kubectl('delete', APPLICATIONS, 'accountless', '--timeout=60s');

  // A push at a replica that follows.
  await stage.kubectl(
    '-n',
    own,
    'create',
    'secret',
    'generic',
    'towpath-webhooks',
    `--from-literal=github=${SECRET}`,
  );
  const follower = await startOperator(t, stage.cluster, stage.namespace, {
    proxy,
    flags,
  });
  const url = await follower.url('webhook');
  const path = new URL(stage.repoURL).pathname.slice(1);
  const { GitHub } = webhookDeliveries({ host: 'git.example.com', path }, SECRET);
  assert.ok(GitHub !== undefined);
  const second = await stage.repository.commit({ 'web/values.yaml': 'is: three\n' });
  await eventually(async () => (await deliver(url, GitHub)).status === 200, {
    describe: 'the push to be taken',
  });
  await stage.untilReadyAt('web', second);

  await eventually(() => proxy.find({ verb: 'patch', path: /\/events\// }).length > 0, {
    describe: 'an event that repeats to be written',
    within: SERIES_MS,
  });
  await stage.kubectl('delete', APPLICATIONS, 'web', '--timeout=60s');
}

/** Access that an Environment has managed is made, and made anew with another ClusterRole. */
async function driveManagedAccess(t: TestContext, stage: Stage): Promise<void> {
  const name = `managed-${stage.namespace}`;
  const landing = `landing-${stage.namespace}`;
  const spec = { namespace: landing, allowedNamespaces: [stage.namespace], access: { clusterRole: 'edit' } };
  const environment = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Environment', metadata: { name }, spec };
  // Its definition is being made.
  await eventually(() => stage.apply(environment).then(() => true), { describe: 'the kind to be served' });
  t.after(() => stage.kubectl('delete', `environment/${name}`, `namespace/${landing}`, '--wait=false'));
  await stage.deployed('managed', { source: { path: 'web' }, environments: [{ name }] });
  await stage.apply({ ...environment, spec: { ...spec, access: { clusterRole: 'view' } } });
  const role = ['get', 'rolebinding', 'towpath-managed', '-o', 'jsonpath={.roleRef.name}'];
  await eventually(async () => (await stage.kubectl('-n', landing, ...role)) === 'view', {
    describe: 'the other role to be bound',
  });
  await stage.apply(environment);
  await eventually(async () => (await stage.kubectl('-n', landing, ...role)) === 'edit', {
    describe: 'the first role to be bound again',
  });
  await stage.kubectl('delete', APPLICATIONS, 'managed', '--timeout=60s');
}

/** A policy is read, and told of. */
async function drivePolicy(stage: Stage): Promise<void> {
  const stages = [{ name: 'staging', environments: ['staging'] }];
  const policy = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'standard' },
    spec: { selector: {}, stages },
  };
  // Its definition is being made.
  await eventually(() => stage.apply(policy).then(() => true), { describe: 'the kind to be served' });
  const ready = ['get', POLICIES, 'standard', '-o', 'jsonpath={.status.conditions[0].reason}'];
  await eventually(async () => (await stage.kubectl(...ready)) === 'EnvironmentNotFound', {
    describe: 'the status of the policy',
  });
}

/** A Promotion whose name is taken, one too many of them, and an archive that has no room. */
async function driveLedger(stage: Stage, own: string): Promise<void> {
  const spec = {
    type: 'Promote',
    application: 'other',
    environment: 'default',
    requestedBy: 'anna',
    historyID: 1,
  };
  const metadata = { name: 'ledger-default-1' };
  const taken = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Promotion', metadata, spec };
  // Its definition is being made.
  await eventually(() => stage.apply(taken).then(() => true), { describe: 'the kind to be served' });
  await stage.deployed('ledger', { source: { path: 'web' } });
  const ledger = (...args: string[]) => stage.kubectl('-n', own, ...args);
  const select = `-l=towpath.dev/ledger=${stage.namespace}`;
  const first = await eventually(() => ledger('get', 'configmaps', select, '-o', 'name'), {
    describe: 'the archive to have the first one',
  });
  await ledger('patch', first.trim(), '--type=merge', '-p', '{"immutable":true}');
  const next = await stage.repository.commit({ 'web/values.yaml': 'is: next\n' });
  await stage.untilReadyAt('ledger', next);
  await eventually(
    async () => !(await ledger('get', 'configmaps', select, '-o', 'name')).includes(first.trim()),
    {
      describe: 'the oldest of the archive to go',
    },
  );
  const left = ['get', 'promotions', '--field-selector=spec.application=ledger', '-o', 'name'];
  await eventually(async () => !(await stage.kubectl(...left)).includes('ledger-default-1'), {
    describe: 'the older Promotion to go',
  });
  await stage.kubectl('delete', APPLICATIONS, 'ledger', '--timeout=60s');

  // After a start Approvals that were used are looked through, too.
  const digest = `sha256:${'0'.repeat(64)}`;
  const said = { application: 'web', environment: 'prod', digest, decision: 'Approve', by: 'anna' };
  for (const name of ['first', 'second']) {
    const approval = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Approval', metadata: { name }, spec: said };
    await eventually(() => stage.apply(approval).then(() => true), { describe: 'the kind to be served' });
    const status = JSON.stringify({ status: { enteredAt: '2026-11-29T12:00:00Z' } });
    await stage.kubectl('patch', 'approval', name, '--subresource=status', '--type=merge', '-p', status);
  }
  await stage.restart('SIGTERM');
  const approvals = ['get', 'approvals', '-o', 'name'];
  await eventually(async () => (await stage.kubectl(...approvals)).trim().split('\n').length === 1, {
    describe: 'the older Approval to go',
  });
}

/** Of an operator that watches one namespace, and of one that watches all, as the chart does by default. */
const WATCHING: readonly (readonly [what: string, flags: readonly string[]])[] = [
  ['of one namespace', []],
  ['of all namespaces', ['--watch-namespace=']],
];

for (const [what, watching] of WATCHING)
  describe(what, () => {
    // One of its own: the definition is made an older one.
    let cluster: ControlPlane;
    before(async () => {
      cluster = await startControlPlane();
    });
    after(() => cluster.stop());

    test(`S15: an operator ${what} does as itself what its roles allow, each single verb of each rule, and nothing else`, async (t) => {
      const own = await namespaceFor(t, cluster);
      const flags = [...FLAGS, `--namespace=${own}`, ...watching];
      const kinds = OF_EACH_KIND.map(([apiVersion, kind, rest = {}]) => ({
        apiVersion,
        kind,
        metadata: { name: 'each' },
        ...rest,
      }));
      const proxy = await startFaultProxy(cluster);
      t.after(() => proxy.stop());
      const stage = await newStage(t, {
        cluster,
        proxy,
        flags,
        startOperator: false,
        files: {
          ...webChart,
          'kinds/kinds.yaml': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: kinds }),
        },
      });
      const older = { metadata: { annotations: { [ANNOTATION_VERSION]: '0.0.1' } } };
      const patched = await cluster.kubectl([
        ...['patch', 'customresourcedefinition', APPLICATIONS, '--type=merge', '-p', JSON.stringify(older)],
      ]);
      assert.equal(patched.code, 0, patched.stderr);
      // As after an upgrade from a release without these kinds.
      const deleted = await cluster.kubectl(['delete', 'customresourcedefinition', ...LATER_KINDS]);
      assert.equal(deleted.code, 0, deleted.stderr);
      await stage.restart();

      // The chart lets it make access where it looks after all namespaces.
      const isForAll = watching.length > 0;
      if (isForAll) await driveManagedAccess(t, stage);
      await drivePolicy(stage);
      await driveLedger(stage, own);
      await driveAll(t, stage, proxy, own, flags);
      const withoutReads = [
        [WATCHED_RIGHTS, isForAll ? '' : stage.namespace],
        [CLUSTER_RIGHTS, ''],
        [UPGRADE_RIGHTS, ''],
        [isForAll ? MANAGED_RIGHTS : [], ''],
        [OWN_NAMESPACE_RIGHTS, own],
      ] as const;
      assert.deepEqual(comparison(proxy, withoutReads).surplus, [], 'allowed, and of no use');

      await stage.kubectl(
        ...['create', 'clusterrolebinding', 'all', '--clusterrole=cluster-admin'],
        `--serviceaccount=${stage.namespace}:towpath`,
      );
      await stage.application('kinds', { source: { path: 'kinds' } });
      const all = [...withoutReads, [READ_RIGHTS, ''] as const];
      await eventually(() => comparison(proxy, [[READ_RIGHTS, '']]).surplus.length === 0, {
        describe: 'each kind to be watched',
      }).catch(async (error: Error) => {
        const { surplus } = comparison(proxy, all);
        const { status } = await stage.get('kinds');
        throw new Error(`allowed, and of no use: ${surplus.join(', ')}\n${JSON.stringify(status)}`, {
          cause: error,
        });
      });
      assert.deepEqual(comparison(proxy, all).missing, [], 'asked for, and not allowed');
    });
  });
