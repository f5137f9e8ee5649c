import { condition, seen, table } from './testing/table.ts';

const complete = { ...seen, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 };

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
    message: /^1 old replica is/,
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

for (const [apiVersion, kind] of [
  ['apps/v1', 'ReplicaSet'],
  ['v1', 'ReplicationController'],
] as const) {
  table(apiVersion, kind, [
    { name: 'one not looked at', state: 'Progressing', message: /has not seen/ },
    {
      name: 'one with all its Pods',
      spec: { replicas: 2 },
      status: { ...seen, availableReplicas: 2 },
      state: 'Healthy',
    },
    { name: 'one that wants none', spec: { replicas: 0 }, status: seen, state: 'Healthy' },
    {
      name: 'one that lacks a Pod',
      spec: { replicas: 2 },
      status: { ...seen, availableReplicas: 1 },
      state: 'Progressing',
      message: /1 of 2 replicas are available/,
    },
    {
      name: 'one that may not make its Pods',
      status: { ...seen, ...condition('ReplicaFailure', 'True', 'FailedCreate', 'exceeded quota') },
      state: 'Progressing',
      message: /0 of 1 replicas are available: exceeded quota/,
    },
  ]);
}

table('apps/v1', 'StatefulSet', [
  {
    name: 'one whose Pods are ready, but not for as long as it asks',
    spec: { replicas: 2, minReadySeconds: 30 },
    status: { ...seen, readyReplicas: 2, availableReplicas: 1, updatedReplicas: 2 },
    state: 'Progressing',
    message: /1 of 2 replicas are available/,
  },
  {
    name: 'one whose Pods are ready for as long as it asks',
    spec: { replicas: 2, minReadySeconds: 30 },
    status: { ...seen, readyReplicas: 2, availableReplicas: 2, updatedReplicas: 2 },
    state: 'Healthy',
  },
]);

table('apps/v1', 'Deployment', [
  {
    name: 'one whose ReplicaSet cannot be made',
    status: { ...seen, ...condition('Progressing', 'False', 'ReplicaSetCreateError', 'no labels fit') },
    state: 'Progressing',
    message: /0 of 1 replicas are updated: no labels fit/,
  },
]);
