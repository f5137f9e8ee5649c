import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { dockerSays } from '../../hack/image/docker.ts';
import { conditionOf, newStage } from '../harness/operator.ts';
import { scaled } from '../harness/slowness.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { BUILD_MS, operatorImage, skip, startContainer, stateOf } from './container.ts';

/** Above what the operator takes at its start, and far below what one engine may take. */
const TIGHT_BYTES = 224 * 2 ** 20;

before(() => operatorImage(), { timeout: scaled(BUILD_MS) });

const configMap = (name: string, message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {message: ${message}}\n`;

/** Takes 400 MB, which the engine's own limit allows, and renders little. */
const greedy = {
  'greedy/Chart.yaml': 'apiVersion: v2\nname: greedy\nversion: 1.0.0\n',
  'greedy/templates/a.yaml': configMap('greedy', '{{ repeat 400000000 "x" | len | quote }}'),
};

test('A3: where the container has too little memory for a render, that render is told of it, and the operator lives', {
  skip,
}, async (t) => {
  const stage = await newStage(t, {
    files: { ...greedy, 'web/web.yaml': configMap('web', 'one') },
    startOperator: false,
  });
  const container = await startContainer(t, stage, TIGHT_BYTES);
  await stage.deployed('web', { source: { path: 'web' } });
  await stage.application('greedy', { source: { path: 'greedy' } });
  const application = await stage.until(
    'greedy',
    (one) => conditionOf(one, 'Ready')?.reason === 'EngineEnded',
    'the render to be told as one whose engine ended',
  );
  assert.match(conditionOf(application, 'Ready')?.message ?? '', /greedy.*killed.*short of memory/);

  const second = await stage.repository.commit({ 'web/web.yaml': configMap('web', 'two') });
  await stage.untilReadyAt('web', second);
  assert.equal(stateOf(container).Running, true);
  const starts = dockerSays('logs', container.getId())?.match(/Towpath is watching\./g) ?? [];
  assert.equal(starts.length, 1, 'the operator is the same process');
});

/** Fills the container's memory with files, which no process gives back by its end. */
const FILL = `const { appendFileSync } = require('node:fs');
const block = Buffer.alloc(2 ** 20, 1);
for (let index = 0; index < 1024; index++) appendFileSync('/tmp/full', block);`;

test('D7: an operator that is killed for memory ends with code 137, and the next start loses nothing', {
  skip,
}, async (t) => {
  const files = { 'web.yaml': configMap('web', 'one'), 'old.yaml': configMap('old', 'one') };
  const stage = await newStage(t, { files, startOperator: false });
  const container = await startContainer(t, stage, TIGHT_BYTES);
  const first = await stage.deployed('web');

  dockerSays('exec', container.getId(), '/usr/local/bin/node', '-e', FILL);
  await eventually(() => !stateOf(container).Running, { describe: 'the container to end' });
  assert.deepEqual(
    { OOMKilled: stateOf(container).OOMKilled, ExitCode: stateOf(container).ExitCode },
    { OOMKilled: true, ExitCode: 137 },
  );

  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two'), 'old.yaml': null });
  await stage.kubectl('delete', 'configmap', 'web');
  // As kubelet does, which starts another container.
  await startContainer(t, stage, TIGHT_BYTES);
  const application = await stage.untilReadyAt('web', second);
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}'), 'two');
  await eventually(
    async () => !(await stage.kubectl('get', 'configmaps', '-o', 'name')).includes('configmap/old'),
    { describe: 'what left Git to go' },
  );
  const history = environmentOf(application.status)?.history ?? [];
  assert.deepEqual(
    history.map(({ revision }) => revision),
    [second, first],
  );
});
