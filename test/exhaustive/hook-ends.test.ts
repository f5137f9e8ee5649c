import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastLease } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import {
  chartOf,
  configMap,
  endPod,
  hookJob,
  messageOf,
  newSteps,
  podOf,
  type TestObject,
  toldOf,
} from '../integration/steps.ts';

function withSpec(job: TestObject, spec: Record<string, unknown>): TestObject {
  return { ...job, spec: { ...(job.spec as object), ...spec } };
}

function nowhere(job: TestObject): TestObject {
  const { template } = job.spec as { template: { spec: object } };
  return withSpec(job, {
    template: { ...template, spec: { ...template.spec, nodeSelector: { no: 'where' } } },
  });
}

test('a hook that is complete and removed by its TTL in the same moment is seen to end', async (t) => {
  const { stage, ready } = await newSteps(t, { flags: fastLease });
  const hook = (completions: number, pod = '') =>
    withSpec(hookJob('crane-certs', 'pre-install,pre-upgrade', {}, pod), {
      completions,
      parallelism: 1,
      ttlSecondsAfterFinished: 0,
    });
  const commit = (step: string, job: TestObject) =>
    stage.repository.commit(chartOf('crane', [configMap('crane', { step }), job]));
  const first = await commit('0', hook(1));
  await stage.application('crane', { source: { path: 'crane' } });
  await ready('crane', first);

  await t.test('however fast, again and again', async () => {
    for (let step = 1; step <= 6; step += 1) await ready('crane', await commit(String(step), hook(0)));
  });

  await t.test('and one that ended while no operator looked is run again, not waited for', async () => {
    const last = await commit('last', hook(1, 'runs'));
    const pod = await podOf(stage, 'crane-certs');
    await stage.operator.stop('SIGKILL');
    await endPod(stage, pod);
    await eventually(
      async () => (await stage.kubectl('get', 'jobs', '-o', 'name')).includes('crane-certs') === false,
      { describe: 'the Job to be removed' },
    );
    await stage.restart();
    await endPod(stage, await podOf(stage, 'crane-certs'));
    await ready('crane', last);
  });
});

test('a hook that finds no node says so, and is deleted when a newer commit does not wait for it', async (t) => {
  const { stage, ready, live } = await newSteps(t, { flags: fastLease });
  const commit = (step: string, ...hooks: TestObject[]) =>
    stage.repository.commit(chartOf('crane', [configMap('crane', { step }), ...hooks]));
  const stuck = nowhere(hookJob('crane-certs', 'pre-upgrade'));
  const first = await commit('one');
  await stage.application('crane', { source: { path: 'crane' } });
  await ready('crane', first);
  const isStuck = () =>
    stage.until(
      'crane',
      (one) => messageOf(one).includes('Unschedulable'),
      'the hook to say why it does not end',
    );

  await t.test('overtaken by a commit without it', async () => {
    await commit('two', stuck);
    const told = await isStuck();
    assert.match(
      messageOf(told),
      /^Waiting for the hook Job \S+crane-certs \(pre-upgrade\) to end: .*Pod crane-certs-\w+: Unschedulable: /,
    );
    // The chart's files stay in the repository unless they are taken out.
    const third = await commit('three');
    await ready('crane', third);
    await eventually(async () => (await live('job', 'crane-certs')) === undefined, {
      describe: 'the Job of the overtaken deployment to go',
    });
    const events = await toldOf(stage, 'crane', 'HookDeleted');
    assert.match(
      events[0] ?? '',
      /^Job \S+crane-certs, a hook that nothing waits for any more, had not ended/,
    );
  });

  await t.test('also by one that the operator sees only after it was killed', async () => {
    await commit('four', stuck);
    await isStuck();
    await stage.operator.stop('SIGKILL');
    const fifth = await commit('five');
    await stage.restart();
    await ready('crane', fifth);
    await eventually(async () => (await live('job', 'crane-certs')) === undefined, {
      describe: 'the Job of the overtaken deployment to go',
    });
  });

  await t.test('also with the Application that it is of', async () => {
    await commit('six', stuck);
    await isStuck();
    await stage.kubectl('delete', 'application', 'crane', '--timeout=30s');
    await eventually(async () => (await live('job', 'crane-certs')) === undefined, {
      describe: 'the Job to go with the Application',
    });
    await toldOf(stage, 'crane', 'HookDeleted', 3);
  });
});
