import { test } from 'node:test';
import { startGitHttp } from '../harness/git-http.ts';
import { newStage } from '../harness/operator.ts';
import { chartOf, configMap, hookJob } from '../integration/steps.ts';

test('a sync that takes long says what it waits for, also when its fetch was slow already', async (t) => {
  const stage = await newStage(t, { files: chartOf('web', [configMap('web')]) });
  let fetchMs = 0;
  const git = await startGitHttp({
    root: stage.repository.root,
    intercept: (request, response) => {
      if (request.method !== 'POST' || fetchMs === 0) return false;
      // The first answer comes too late for the first look at how far it got, which is after 5 s.
      setTimeout(() => response.writeHead(500).end('made by the test'), fetchMs);
      fetchMs = 0;
      return true;
    },
  });
  t.after(() => git.stop());
  await stage.deployed('web', { source: { repoURL: git.url(stage.repository.name), path: 'web' } });

  fetchMs = 6_000;
  await stage.repository.commit(
    chartOf('web', [
      configMap('web', { key: 'two' }),
      hookJob('endless', 'pre-upgrade', { 'helm.sh/hook-weight': '1' }, 'runs'),
    ]),
  );
  await stage.until(
    'web',
    async ({ status }) => status?.sync === 'Syncing' && /endless/.test(JSON.stringify(status.conditions)),
    'the hook that it waits for to be told',
  );
});
