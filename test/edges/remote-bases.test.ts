import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGitHttp } from '../harness/git-http.ts';
import { createRepository } from '../harness/git-repository.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const base = (text: string) => ({
  'web/kustomization.yaml': 'resources: [a.yaml]\n',
  'web/a.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {text: "${text}"}\n`,
});
const overlay = (url: string, comment = '') => ({
  'web/kustomization.yaml': `# ${comment}\nresources:\n- ${url}//web\n`,
});
const textOf = (stage: Stage) => stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.text}');

test('A4, D14: a base in another repository is what it was for the commit, and runs on when that is gone', async (t) => {
  const git = await createRepository({ files: base('one') });
  let isDown = false;
  const server = await startGitHttp({
    root: git.root,
    intercept: (_request, response) => {
      if (isDown) response.writeHead(503).end();
      return isDown;
    },
  });
  t.after(() => server.stop());
  const url = server.url(git.name);
  const stage = await newStage(t, { files: overlay(url) });
  const first = await stage.deployed('web', { source: { path: 'web' } });
  assert.equal(await textOf(stage), 'one');

  await t.test('told, that the branch may move', async () => {
    await eventually(
      async () => (await stage.kubectl('get', 'events', '-o', 'json')).includes('without a tag or commit'),
      { describe: 'the event RenderWarning' },
    );
  });

  await t.test('down and moved, it changes nothing, also after a restart', async () => {
    await git.commit(base('two'));
    isDown = true;
    await stage.restart();
    await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"text":"drift"}}');
    await eventually(async () => (await textOf(stage)) === 'one', { describe: 'the drift to be repaired' });
  });

  await t.test('a commit that needs it waits for it, and what runs stays', async () => {
    await stage.repository.commit(overlay(url, 'another commit'));
    const told = await stage.until(
      'web',
      (application) => conditionOf(application, 'Reconciling')?.reason === 'ServerError',
      'the status to tell ServerError',
    );
    assert.match(conditionOf(told, 'Reconciling')?.message ?? '', /web\/kustomization\.yaml refers to it as/);
    assert.equal(conditionOf(told, 'Ready')?.status, 'True');
    assert.equal(environmentOf(told.status)?.revision, first);
  });

  await t.test('back, the branch as it is by now is deployed', async () => {
    isDown = false;
    await eventually(async () => (await textOf(stage)) === 'two', {
      describe: 'the newer base to be deployed',
      within: 40_000,
    });
  });
});
