import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastLease } from '../harness/operator.ts';
import { always } from '../harness/wait.ts';
import { chartOf, configMap, endPod, hookJob, newSteps, podOf } from '../integration/steps.ts';

test('a hook that completed while nobody looked has completed, however late it is seen', async (t) => {
  const { stage, ready } = await newSteps(t, { flags: fastLease });
  const hook = hookJob('late', 'pre-install', {}, 'runs');
  const commit = await stage.repository.commit(chartOf('late', [configMap('late'), hook]));
  await stage.application('late', {
    source: { path: 'late' },
    sync: { timeout: '4s', retries: { limit: 0 } },
  });
  const pod = await podOf(stage, 'late');
  await stage.operator.stop('SIGKILL');
  await endPod(stage, pod);
  const left = await stage.get('late');
  // Nobody looks until the time-out, which began before the Pod, has passed.
  await always(
    () => stage.get('late'),
    (application) => assert.deepEqual(application, left),
    4_000,
    { every: 50 },
  );
  await stage.restart();
  await ready('late', commit);
});
