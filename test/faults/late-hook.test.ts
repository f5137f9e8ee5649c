import { test } from 'node:test';
import { eventually } from '../harness/wait.ts';
import { chartOf, configMap, endPod, hookJob, newSteps, podOf } from '../integration/steps.ts';

test('a hook that completed while nobody looked has completed, however late it is seen', async (t) => {
  const { stage, ready } = await newSteps(t);
  const hook = hookJob('late', 'pre-install', {}, 'runs');
  const commit = await stage.repository.commit(chartOf('late', [configMap('late'), hook]));
  await stage.application('late', {
    source: { path: 'late' },
    sync: { timeout: '5s', retries: { limit: 0 } },
  });
  const pod = await podOf(stage, 'late');
  const begun = Date.now();
  await stage.operator.stop('SIGKILL');
  await endPod(stage, pod);
  await eventually(() => Date.now() - begun > 6_000, { describe: 'the time-out to pass' });
  await stage.restart();
  await ready('late', commit);
});
