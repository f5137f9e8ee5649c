import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Health,
  hasHealth,
  healthOf,
  type LiveObject,
  reduceForHealth,
  withPods,
  worst,
} from './health.ts';

interface Row {
  name: string;
  spec?: unknown;
  status?: unknown;
  metadata?: LiveObject['metadata'];
  state: Health['state'];
  message?: RegExp;
}

function judge(apiVersion: string, kind: string, row: Omit<Row, 'name' | 'state'>): Health {
  const { spec, status, metadata = { generation: 2 } } = row;
  return healthOf(reduceForHealth({ apiVersion, kind, metadata, spec, status }));
}

function table(apiVersion: string, kind: string, rows: readonly Row[]): void {
  for (const row of rows) {
    test(`${kind}: ${row.name} is ${row.state}`, () => {
      const health = judge(apiVersion, kind, row);
      assert.equal(health.state, row.state, health.message);
      if (row.state === 'Healthy') assert.equal(health.message, undefined);
      else assert.match(health.message ?? '', row.message ?? /./);
    });
  }
}

const seen = { observedGeneration: 2 };
const complete = { ...seen, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 };
const condition = (type: string, status: string, reason?: string, message?: string) => ({
  conditions: [{ type, status, reason, message }],
});

table('apps/v1', 'Deployment', [
  { name: 'one with all replicas', spec: { replicas: 3 }, status: complete, state: 'Healthy' },
  { name: 'one scaled to none', spec: { replicas: 0 }, status: seen, state: 'Healthy' },
  {
    name: 'one without a status',
    spec: { replicas: 3 },
    state: 'Progressing',
    message: /has not seen the latest spec/,
  },
  {
    name: 'one whose status is about an older spec',
    spec: { replicas: 3 },
    status: { ...complete, observedGeneration: 1 },
    state: 'Progressing',
    message: /has not seen/,
  },
  {
    name: 'one being updated',
    spec: { replicas: 3 },
    status: { ...complete, updatedReplicas: 1 },
    state: 'Progressing',
    message: /^1 of 3 replicas are updated$/,
  },
  {
    name: 'one with old replicas left',
    spec: { replicas: 3 },
    status: { ...complete, replicas: 4 },
    state: 'Progressing',
    message: /^1 old replicas/,
  },
  {
    name: 'one whose Pods are not available',
    spec: { replicas: 3 },
    status: { ...complete, availableReplicas: 0 },
    state: 'Progressing',
    message: /^0 of 3 replicas are available$/,
  },
  {
    name: 'one that omits replicas (default 1)',
    spec: {},
    status: { ...seen, replicas: 1, updatedReplicas: 1 },
    state: 'Progressing',
    message: /^0 of 1/,
  },
  {
    name: 'one past its deadline',
    spec: { replicas: 3 },
    status: {
      ...seen,
      ...condition(
        'Progressing',
        'False',
        'ProgressDeadlineExceeded',
        'ReplicaSet "web-1" has timed out progressing.',
      ),
    },
    state: 'Degraded',
    message: /web-1/,
  },
  {
    name: 'one past the deadline of an older spec',
    spec: { replicas: 3 },
    status: { observedGeneration: 1, ...condition('Progressing', 'False', 'ProgressDeadlineExceeded', 'x') },
    state: 'Progressing',
  },
  {
    name: 'one whose Pods are refused',
    spec: { replicas: 3 },
    status: { ...seen, ...condition('ReplicaFailure', 'True', 'FailedCreate', 'exceeded quota') },
    state: 'Progressing',
    message: /0 of 3 .*: exceeded quota/,
  },
  {
    name: 'a paused one',
    spec: { replicas: 3, paused: true },
    status: { ...complete, updatedReplicas: 1 },
    state: 'Suspended',
  },
  {
    name: 'one being deleted',
    spec: { replicas: 3 },
    status: complete,
    metadata: { generation: 2, deletionTimestamp: 'now' },
    state: 'Progressing',
    message: /being deleted/,
  },
]);

const set = { ...seen, readyReplicas: 3, updatedReplicas: 3, currentRevision: 'b', updateRevision: 'b' };
table('apps/v1', 'StatefulSet', [
  { name: 'one with all replicas', spec: { replicas: 3 }, status: set, state: 'Healthy' },
  {
    name: 'one that is starting',
    spec: { replicas: 3 },
    status: { ...set, readyReplicas: 1 },
    state: 'Progressing',
    message: /^1 of 3 replicas are ready$/,
  },
  {
    name: 'one being updated',
    spec: { replicas: 3 },
    status: { ...set, updatedReplicas: 1, currentRevision: 'a' },
    state: 'Progressing',
    message: /^1 of 3 replicas are updated$/,
  },
  {
    name: 'one updated as far as its partition',
    spec: { replicas: 3, updateStrategy: { rollingUpdate: { partition: 2 } } },
    status: { ...set, updatedReplicas: 1, currentRevision: 'a' },
    state: 'Healthy',
  },
  {
    name: 'one not updated as far as its partition',
    spec: { replicas: 3, updateStrategy: { rollingUpdate: { partition: 1 } } },
    status: { ...set, updatedReplicas: 1, currentRevision: 'a' },
    state: 'Progressing',
    message: /^1 of 2/,
  },
  {
    name: 'one whose Pods are replaced by hand',
    spec: { replicas: 3, updateStrategy: { type: 'OnDelete' } },
    status: { ...set, updatedReplicas: 0, currentRevision: 'a' },
    state: 'Healthy',
  },
  { name: 'one not looked at', spec: { replicas: 3 }, state: 'Progressing' },
]);

const daemons = { ...seen, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 };
table('apps/v1', 'DaemonSet', [
  { name: 'one on all nodes', status: daemons, state: 'Healthy' },
  { name: 'one that fits no node', status: { ...seen, desiredNumberScheduled: 0 }, state: 'Healthy' },
  {
    name: 'one being updated',
    status: { ...daemons, updatedNumberScheduled: 1 },
    state: 'Progressing',
    message: /updated on 1 of 2 nodes/,
  },
  {
    name: 'one that is starting',
    status: { ...daemons, numberAvailable: 1 },
    state: 'Progressing',
    message: /available on 1 of 2 nodes/,
  },
  {
    name: 'one whose Pods are replaced by hand',
    spec: { updateStrategy: { type: 'OnDelete' } },
    status: { ...daemons, updatedNumberScheduled: 0 },
    state: 'Healthy',
  },
]);

for (const [apiVersion, kind] of [
  ['apps/v1', 'ReplicaSet'],
  ['v1', 'ReplicationController'],
] as const) {
  table(apiVersion, kind, [
    {
      name: 'one with all replicas',
      spec: { replicas: 2 },
      status: { ...seen, availableReplicas: 2 },
      state: 'Healthy',
    },
    {
      name: 'one with fewer',
      spec: { replicas: 2 },
      status: { ...seen, availableReplicas: 1 },
      state: 'Progressing',
      message: /^1 of 2/,
    },
  ]);
}

table('batch/v1', 'Job', [
  { name: 'a completed one', status: { succeeded: 1, ...condition('Complete', 'True') }, state: 'Healthy' },
  {
    name: 'a failed one',
    status: condition(
      'Failed',
      'True',
      'BackoffLimitExceeded',
      'Job has reached the specified backoff limit',
    ),
    state: 'Degraded',
    message: /backoff limit/,
  },
  {
    name: 'a running one',
    spec: { completions: 3 },
    status: { active: 1, succeeded: 1 },
    state: 'Progressing',
    message: /^1 of 3 Pods have completed$/,
  },
  {
    name: 'one that is tried again',
    status: { active: 1, failed: 2 },
    state: 'Progressing',
    message: /2 have failed and are tried again/,
  },
  { name: 'a suspended one', spec: { suspend: true }, state: 'Suspended' },
]);

table('batch/v1', 'CronJob', [
  { name: 'one', spec: { suspend: false }, state: 'Healthy' },
  { name: 'a suspended one', spec: { suspend: true }, state: 'Suspended' },
]);

const waiting = (reason: string, message: string) => ({
  phase: 'Pending',
  containerStatuses: [{ name: 'web', image: 'web:1', state: { waiting: { reason, message } } }],
});
table('v1', 'Pod', [
  { name: 'a ready one', status: { phase: 'Running', ...condition('Ready', 'True') }, state: 'Healthy' },
  { name: 'a completed one', status: { phase: 'Succeeded' }, state: 'Healthy' },
  {
    name: 'one that runs but is not ready',
    status: { phase: 'Running', ...condition('Ready', 'False') },
    state: 'Progressing',
    message: /not ready/,
  },
  { name: 'one that is being created', status: waiting('ContainerCreating', ''), state: 'Progressing' },
  {
    name: 'an evicted one',
    status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory.' },
    state: 'Degraded',
    message: /low on memory/,
  },
  {
    name: 'one whose image cannot be pulled',
    status: waiting('ImagePullBackOff', 'Back-off pulling image "web:1": ErrImagePull: not found'),
    state: 'Degraded',
    message: /^container web: ImagePullBackOff: image web:1: not found$/,
  },
  {
    name: 'one whose image could not be pulled just now',
    status: waiting('ErrImagePull', 'not found'),
    state: 'Degraded',
    message: /^container web: ImagePullBackOff: image web:1: not found$/,
  },
  {
    name: 'one whose configuration is wrong',
    status: waiting('CreateContainerConfigError', 'secret "db" not found'),
    state: 'Degraded',
    message: /^container web: CreateContainerConfigError: secret "db" not found$/,
  },
  {
    name: 'one that no node takes',
    status: {
      phase: 'Pending',
      ...condition('PodScheduled', 'False', 'Unschedulable', '0/3 nodes are available'),
    },
    state: 'Progressing',
    message: /^Unschedulable: 0\/3 nodes/,
  },
]);

const crash = { exitCode: 1, reason: 'Error', message: 'password=hunter2' };
const crashing = (state: unknown) => ({
  phase: 'Running',
  containerStatuses: [{ name: 'web', restartCount: 3, state, lastState: { terminated: crash } }],
});

test('a crashing container is told the same way between its tries, without its output', () => {
  const backOff = judge('v1', 'Pod', {
    status: crashing({ waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s' } }),
  });
  const ended = judge('v1', 'Pod', { status: crashing({ terminated: crash }) });
  assert.deepEqual(backOff, {
    state: 'Degraded',
    message: 'container web: CrashLoopBackOff: it ends again and again, last with exit code 1',
  });
  assert.deepEqual(ended, backOff);
});

test('a failing init container is named before the containers that wait for it', () => {
  const health = judge('v1', 'Pod', {
    status: {
      phase: 'Pending',
      initContainerStatuses: [
        { name: 'migrate', state: { waiting: { reason: 'CreateContainerError', message: 'x' } } },
      ],
      containerStatuses: [{ name: 'web', state: { waiting: { reason: 'InvalidImageName', message: 'y' } } }],
    },
  });
  assert.match(health.message ?? '', /^container migrate/);
});

table('v1', 'PersistentVolumeClaim', [
  { name: 'a bound one', status: { phase: 'Bound' }, state: 'Healthy' },
  { name: 'one that waits', status: { phase: 'Pending' }, state: 'Progressing', message: /not bound yet/ },
  { name: 'one that lost its volume', status: { phase: 'Lost' }, state: 'Degraded' },
]);

table('v1', 'Service', [
  { name: 'one inside the cluster', spec: { type: 'ClusterIP' }, state: 'Healthy' },
  {
    name: 'a load balancer with an address',
    spec: { type: 'LoadBalancer' },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
    state: 'Healthy',
  },
  {
    name: 'a load balancer without',
    spec: { type: 'LoadBalancer' },
    status: { loadBalancer: {} },
    state: 'Progressing',
    message: /no address/,
  },
]);

const scaling = (able: string, active: string, reason: string) => ({
  conditions: [
    { type: 'AbleToScale', status: able, reason, message: 'told' },
    { type: 'ScalingActive', status: active, reason, message: 'told' },
  ],
});
table('autoscaling/v2', 'HorizontalPodAutoscaler', [
  { name: 'one that scales', status: scaling('True', 'True', 'ValidMetricFound'), state: 'Healthy' },
  {
    name: 'one whose target was scaled to none',
    status: scaling('True', 'False', 'ScalingDisabled'),
    state: 'Healthy',
  },
  {
    name: 'one without metrics',
    status: scaling('True', 'False', 'FailedGetResourceMetric'),
    state: 'Progressing',
    message: /told/,
  },
  {
    name: 'one with a wrong selector',
    status: scaling('True', 'False', 'InvalidSelector'),
    state: 'Degraded',
    message: /told/,
  },
  {
    name: 'one without a target',
    status: scaling('False', 'False', 'FailedGetScale'),
    state: 'Progressing',
    message: /told/,
  },
  { name: 'one not looked at', state: 'Progressing' },
]);

table('policy/v1', 'PodDisruptionBudget', [
  { name: 'one that was computed', status: seen, state: 'Healthy' },
  { name: 'one not looked at', state: 'Progressing' },
]);

table('apiextensions.k8s.io/v1', 'CustomResourceDefinition', [
  { name: 'an established one', status: condition('Established', 'True'), state: 'Healthy' },
  { name: 'a new one', state: 'Progressing', message: /not established/ },
  {
    name: 'one whose names are taken',
    status: condition('NamesAccepted', 'False', 'ListKindConflict', 'taken by x'),
    state: 'Degraded',
    message: /taken by x/,
  },
]);

table('apiregistration.k8s.io/v1', 'APIService', [
  { name: 'an available one', status: condition('Available', 'True'), state: 'Healthy' },
  {
    name: 'one without endpoints',
    status: condition('Available', 'False', 'MissingEndpoints', 'no endpoints'),
    state: 'Progressing',
    message: /no endpoints/,
  },
]);

table('example.com/v1', 'Widget', [
  { name: 'a custom resource without status', state: 'Healthy' },
  { name: 'a custom resource without conditions', status: seen, state: 'Healthy' },
  {
    name: 'a custom resource whose status is about an older spec',
    status: { observedGeneration: 1, ...condition('Ready', 'True') },
    state: 'Progressing',
    message: /has not seen/,
  },
  { name: 'a Ready custom resource', status: { ...seen, ...condition('Ready', 'True') }, state: 'Healthy' },
  {
    name: 'a custom resource that is not Ready',
    status: condition('Ready', 'False', 'Waiting', 'waits for a disk'),
    state: 'Progressing',
    message: /waits for a disk/,
  },
  {
    name: 'a custom resource of which nobody knows',
    status: condition('Ready', 'Unknown', 'Checking'),
    state: 'Progressing',
    message: /Checking/,
  },
  {
    name: 'a custom resource Ready for an older generation',
    status: { conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1 }] },
    state: 'Progressing',
  },
  {
    name: 'a reconciling custom resource',
    status: condition('Reconciling', 'True', 'Working', 'working'),
    state: 'Progressing',
  },
  {
    name: 'a stalled custom resource',
    status: condition('Stalled', 'True', 'Bad', 'wrong size'),
    state: 'Degraded',
    message: /wrong size/,
  },
]);

table('towpath.dev/v1alpha1', 'Application', [
  { name: 'one not looked at', state: 'Progressing' },
  { name: 'a suspended one', spec: { suspend: true }, state: 'Suspended' },
  { name: 'a Ready one', status: { ...seen, ...condition('Ready', 'True') }, state: 'Healthy' },
]);

test('an object that should exist and does not is Missing', () => {
  assert.equal(healthOf(undefined).state, 'Missing');
});

test('kinds that are right once they exist need no watch of their status', () => {
  for (const [group, kind] of [
    ['', 'ConfigMap'],
    ['', 'Secret'],
    ['', 'ServiceAccount'],
    ['', 'Namespace'],
    ['rbac.authorization.k8s.io', 'Role'],
    ['networking.k8s.io', 'Ingress'],
  ] as const) {
    assert.equal(hasHealth(group, kind), false, kind);
    assert.equal(
      healthOf(reduceForHealth({ apiVersion: group === '' ? 'v1' : `${group}/v1`, kind, metadata: {} }))
        .state,
      'Healthy',
    );
  }
  for (const [group, kind] of [
    ['apps', 'Deployment'],
    ['', 'Pod'],
    ['example.com', 'Widget'],
    ['cert-manager.io', 'Certificate'],
  ] as const)
    assert.ok(hasHealth(group, kind), kind);
});

test('the worst state is found in the order of the reference', () => {
  assert.equal(worst([]), 'Healthy');
  assert.equal(worst(['Healthy', 'Suspended']), 'Suspended');
  assert.equal(worst(['Progressing', 'Suspended', 'Unknown']), 'Unknown');
  assert.equal(worst(['Missing', 'Degraded', 'Healthy']), 'Degraded');
});

test('a workload whose Pod cannot start is Degraded at once, and says why', () => {
  const pod = reduceForHealth({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    status: waiting('ImagePullBackOff', 'not found'),
  });
  const starting: Health = { state: 'Progressing', message: '0 of 1 replicas are available' };
  assert.deepEqual(withPods(starting, [{ name: 'web-1', pod }]), {
    state: 'Degraded',
    message:
      '0 of 1 replicas are available: Pod web-1: container web: ImagePullBackOff: image web:1: not found',
  });
  assert.deepEqual(withPods({ state: 'Healthy' }, [{ name: 'web-1', pod }]), { state: 'Healthy' });
});

test('what is kept of an object is small, however large the object is', () => {
  const conditions = Array.from({ length: 50 }, (_, index) => ({
    type: `T${index}`,
    status: 'True',
    message: 'm'.repeat(9999),
  }));
  const reduced = reduceForHealth({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { generation: 1 },
    spec: { replicas: 1, template: { text: 'x'.repeat(99_999) } },
    status: {
      ...complete,
      conditions: [...conditions, { type: 'Progressing', status: 'True', message: 'm'.repeat(9999) }],
    },
  });
  assert.ok(JSON.stringify(reduced).length < 700);
});

test('objects of unexpected shapes are judged, not thrown at', () => {
  for (const odd of [
    null,
    7,
    'x',
    [],
    { conditions: 'x' },
    { conditions: [null, 7] },
    { containerStatuses: [null] },
  ])
    for (const [apiVersion, kind] of [
      ['apps/v1', 'Deployment'],
      ['v1', 'Pod'],
      ['v1', 'Service'],
      ['a.b/v1', 'C'],
    ] as const)
      assert.ok(judge(apiVersion, kind, { spec: odd, status: odd }).state);
});
