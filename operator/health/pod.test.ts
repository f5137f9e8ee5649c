import assert from 'node:assert/strict';
import { test } from 'node:test';
import { condition, judge, table, waiting } from './testing/table.ts';

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

test('a Pod that is not started again tells the exit code, and has failed for good', () => {
  const terminated = { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-01-01T10:00:00Z' };
  const status = { phase: 'Failed', containerStatuses: [{ name: 'web', state: { terminated } }] };
  assert.deepEqual(judge('v1', 'Pod', { status }), {
    state: 'Degraded',
    message: 'it failed: container web: it ended with exit code 137 (OOMKilled)',
    failedAt: '2026-01-01T10:00:00Z',
  });
});

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

const beside = (spec: object) => ({
  spec,
  status: {
    phase: 'Running',
    ...condition('Ready', 'False', 'ContainersNotReady'),
    containerStatuses: [
      { name: 'web', state: { running: {} } },
      { name: 'load', state: { terminated: { exitCode: 2 } } },
    ],
  },
});

table('v1', 'Pod', [
  {
    name: 'one of which a container failed that is not started again, beside one that runs',
    ...beside({ restartPolicy: 'Never' }),
    state: 'Degraded',
    message: /container load: it ended with exit code 2/,
  },
  {
    name: 'one of which a container failed that is started again',
    ...beside({ restartPolicy: 'OnFailure' }),
    state: 'Progressing',
  },
  {
    name: 'one whose node does not answer',
    status: { phase: 'Running', ...condition('Ready', 'Unknown', 'NodeStatusUnknown') },
    state: 'Progressing',
    message: /its node does not answer/,
  },
]);
