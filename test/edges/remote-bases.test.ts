import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { clusterBinary } from '../../hack/programs.ts';
import { TowpathError } from '../../operator/api/errors.ts';
import { Quarantine } from '../../operator/controller/candidate/quarantine.ts';
import { RemoteBases } from '../../operator/controller/candidate/remote-bases.ts';
import { type Manifest, objectKey } from '../../operator/manifest/manifest.ts';
import { Sources } from '../../operator/source/sources.ts';
import { writeFiles } from '../harness/chart-repository.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { createRepository } from '../harness/git-repository.ts';
import { MemoryTree } from '../harness/memory-tree.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { configMap, request, TestRenderer } from '../harness/render.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const run = promisify(execFile);
const engine = new TestRenderer();

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
  let refsMs = 0;
  const server = await startGitHttp({
    root: git.root,
    intercept: ({ url = '' }, response) => {
      if (isDown) response.writeHead(503).end();
      if (refsMs > 0 && url.includes('/info/refs')) {
        server.hang = true;
        setTimeout(() => {
          server.hang = false;
        }, refsMs);
      }
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

  await t.test('a sync ends, also where its server takes longer than a look waits', async () => {
    refsMs = 4_000;
    await git.commit(base('three'));
    await stage.repository.commit(overlay(url, 'one more commit'));
    const value = await stage.requestSync('web');
    await stage.until('web', ({ status }) => status?.handledSyncRequest === value, 'the sync to end');
    assert.equal(await textOf(stage), 'three');
  });
});

test('bases in other repositories build as kubectl kustomize builds them, which clones them', async (t) => {
  const outer = await createRepository({ name: 'org/outer.git' });
  const server = await startGitHttp({ root: outer.root });
  t.after(() => server.stop());
  const inner = await createRepository({
    root: outer.root,
    name: 'org/inner.git',
    files: { 'kustomization.yaml': 'resources: [i.yaml]\n', 'i.yaml': configMap('inner', 'main') },
  });
  await outer.commit({
    'kustomization.yaml': 'resources: [web]\n',
    'web/kustomization.yaml': `namePrefix: o-\nresources: [a.yaml, ../other, "${server.url(inner.name)}?ref=main"]\n`,
    'web/a.yaml': configMap('outer', 'first'),
    'other/kustomization.yaml': 'configMapGenerator: [{name: made, files: [a.txt]}]\n',
    'other/a.txt': 'text',
    'part/kustomization.yaml':
      'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{target: {kind: ConfigMap}, patch: \'[{"op": "add", "path": "/data/part", "value": "yes"}]\'}]\n',
  });
  await outer.tag('v1', { annotated: true });
  await outer.branch('feature/a');
  await outer.commit({ 'web/a.yaml': configMap('outer', 'second') });
  const url = server.url(outer.name);
  const short = url.replace(/\.git$/, '');
  const sources = new Sources({ allowLoopback: true });
  t.after(() => sources.stop());
  const remote = new RemoteBases(sources);
  const never = new AbortController().signal;

  async function ours(files: Record<string, string>) {
    const rendered = await remote.render(
      {
        key: 'shop/web',
        target: { name: 'shop/web/default' },
        kept: [],
        basePins: [],
        accessFor: (each) => ({ access: { url: each }, isTrusted: false }),
        askedSince: 0,
      },
      new MemoryTree(files),
      (tree) =>
        engine.renderer.render(tree, request('web')).catch((error: unknown) => {
          throw error instanceof TowpathError ? new Quarantine({ revision: '' }, error) : error;
        }),
      never,
    );
    return rendered.objects;
  }

  for (const [name, text] of Object.entries({
    'the end of the repository by //': `resources: ["${url}//web?ref=v1"]`,
    'the end of the repository by .git': `resources: ["${url}/web?ref=v1"]`,
    'the end of the repository by two names': `resources: ["${short}/web?ref=v1"]`,
    'its root, without a ref': `resources: ["${url}"]`,
    'a branch with a slash': `resources: ["${url}//web?ref=feature/a"]`,
    'version and other parameters': `resources: ["${url}//web?timeout=90s&version=v1&submodules=false"]`,
    'a component': `resources: ["${url}//web?ref=v1"]\ncomponents: ["${url}//part?ref=v1"]`,
    'one repository twice': `resources: ["${url}//other?ref=v1", "${server.url(inner.name)}"]`,
    'where all is from': `buildMetadata: [originAnnotations]\nresources: ["${url}//other?ref=v1"]`,
  }))
    await t.test(name, async () => {
      const files = { 'web/kustomization.yaml': `${text}\n` };
      const directory = temporaryDirectory('remote-bases');
      await writeFiles(directory, files);
      const { PATH = '' } = process.env;
      const { stdout } = await run(await clusterBinary(), ['kubectl', 'kustomize', join(directory, 'web')], {
        env: { PATH, HOME: directory, GIT_CONFIG_NOSYSTEM: '1' },
      });
      const theirs = await engine.render({ 'all.yaml': stdout }, {}, 'all.yaml');
      const byKey = (all: readonly Manifest[]) =>
        all.map((each) => [objectKey(each), JSON.parse(each.text)]).sort();
      assert.deepEqual(byKey(await ours(files)), byKey(theirs.objects));
    });
});
