import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf, fastLease, newStage, type Stage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;

async function message(stage: Stage): Promise<string> {
  return stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}');
}

/** Somebody changes what Git decides; waits until that is undone. */
async function expectRepair(stage: Stage, by: string): Promise<void> {
  await stage.kubectl('patch', 'configmap', 'web', '-p', `{"data":{"message":"${by}"}}`);
  await eventually(async () => (await message(stage)) === 'one', {
    describe: `the drift by ${by} to be repaired`,
  });
}

test('A4: with Git down drift is repaired, also after a restart, the status tells; back, the next commit is deployed', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('one') }, flags: fastLease });
  const first = await stage.deployed('web');

  await stage.git.stop();
  const told = await stage.until(
    'web',
    (application) => conditionOf(application, 'Reconciling')?.status === 'True',
    'the status to tell of the Git server',
  );
  const reconciling = conditionOf(told, 'Reconciling');
  // The question that was under way when it ended was cut off; later ones find nobody.
  assert.match(reconciling?.reason ?? '', /^Git|Unreachable|Refused|ConnectionLost/);
  assert.match(reconciling?.message ?? '', /127\.0\.0\.1/);
  assert.equal(
    conditionOf(told, 'Ready')?.status,
    'True',
    'what was accepted runs: the Application is Ready',
  );
  assert.equal(told.status?.sync, 'Synced');
  await expectRepair(stage, 'before-the-restart');

  await stage.restart();
  await expectRepair(stage, 'after-the-restart');
  const after = await stage.until(
    'web',
    (application) => conditionOf(application, 'Reconciling')?.status === 'True',
    'the restarted operator to tell of the Git server',
  );
  assert.equal(environmentOf(after.status)?.revision, first);
  assert.equal(after.status?.sync, 'Synced');

  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  const again = await startGitHttp({ root: stage.repository.root, port: stage.git.port });
  t.after(() => again.stop());
  // Polls of a server that was down back off to 30 s at most.
  const done = await stage.untilReadyAt('web', second, 40_000);
  assert.equal(await message(stage), 'two');
  assert.equal(conditionOf(done, 'Reconciling'), undefined);
});

test('A4: a Git server that hangs in the middle of a fetch does not keep drift from being repaired', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('one') }, flags: fastLease });
  let hangs = false;
  const asked: string[] = [];
  const server = await startGitHttp({
    root: stage.repository.root,
    intercept: ({ method, url }) => {
      if (!hangs || method !== 'POST') return false;
      asked.push(url ?? '');
      return true;
    },
  });
  t.after(() => server.stop());
  await stage.deployed('web', { source: { repoURL: server.url(stage.repository.name) } });
  hangs = true;
  await stage.repository.commit({ 'web.yaml': configMap('two') });
  await eventually(() => asked.length > 0, { describe: 'the fetch that is not answered' });
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  await eventually(async () => (await message(stage)) === 'one', {
    within: 15_000,
    describe: 'the drift to be repaired',
  });
});

test('A4: with a Git server that hangs drift is repaired too, also after a restart', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('one') }, flags: fastLease });
  const first = await stage.deployed('web');

  stage.git.hang = true;
  const asked = stage.git.requests.length;
  await eventually(() => stage.git.requests.length > asked, { describe: 'a question that is not answered' });
  await expectRepair(stage, 'before-the-restart');
  await stage.restart();
  await expectRepair(stage, 'after-the-restart');
  const told = await stage.until(
    'web',
    (application) => conditionOf(application, 'Reconciling')?.reason === 'Timeout',
    'the status to tell of the Git server',
  );
  assert.equal(environmentOf(told.status)?.revision, first);
  assert.equal(conditionOf(told, 'Ready')?.status, 'True', 'what was accepted runs');

  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  stage.git.hang = false;
  await stage.untilReadyAt('web', second, 40_000);
});
