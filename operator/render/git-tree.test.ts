import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type GitHttpServer, startGitHttp } from '../../test/harness/git-http.ts';
import { createRepository, type FileContent, type GitRepository } from '../../test/harness/git-repository.ts';
import {
  chart,
  configMap,
  data,
  failure,
  names,
  ofHelm,
  request,
  showValues,
  TestRenderer,
} from '../../test/harness/render.ts';
import { type CommitTree, Sources } from '../source/sources.ts';
import type { RenderRequest } from './renderer.ts';

const engine = new TestRenderer();

describe('a render of a real Git tree', () => {
  let git: GitRepository;
  let server: GitHttpServer;
  let sources: Sources;
  let branches = 0;

  before(async () => {
    git = await createRepository({ files: { 'README.md': 'read me\n' } });
    server = await startGitHttp({ root: git.root });
    sources = new Sources({ allowLoopback: true, limits: { readFiles: 50, readBytes: 100_000 } });
  });
  after(async () => {
    await sources.stop();
    await server.stop();
  });

  async function treeOf(files: Record<string, FileContent>): Promise<CommitTree> {
    const branch = `case-${++branches}`;
    await git.commit(files, { branch });
    const repository = sources.watch('test', { url: server.url(git.name) }, 3_600_000, () => undefined);
    await repository.poll();
    return repository.open(repository.resolve({ branch }));
  }

  async function render(
    files: Record<string, FileContent>,
    path: string,
    changes: Partial<RenderRequest> = {},
  ) {
    return engine.renderer.render(await treeOf(files), request(path, changes));
  }

  it('reads the manifests of a directory, however much else is in it', async () => {
    const much = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`docs/${index}.md`, '']));
    const rendered = await render(
      {
        ...much,
        'video.mp4': 'x'.repeat(200_000),
        '.github/workflows/ci.yaml': 'no manifest',
        'a.yaml': configMap('a', 'x'),
        'below/b.yml': configMap('b', 'x'),
      },
      '.',
    );
    assert.deepEqual(names(rendered.objects).sort(), ['a', 'b']);
  });

  it('says at which paths all is that it read, unless symlinks led elsewhere', async () => {
    const files = {
      ...chart,
      ...showValues,
      'shared/blue.yaml': 'colour: blue\n',
      'more/b.yaml': configMap('b', 'x'),
      'base/kustomization.yaml': 'resources: [a.yaml]\n',
      'base/a.yaml': configMap('a', 'x'),
      'overlay/kustomization.yaml': 'resources: [../base]\n',
      'plain/a.yaml': configMap('a', 'x'),
    };
    const places = async (path: string, changes: Partial<RenderRequest> = {}, more: typeof links = {}) =>
      (await render({ ...files, ...more }, path, changes)).places?.toSorted();
    const links: Record<string, FileContent> = {
      'web/blue.yaml': { symlink: '../shared/blue.yaml' },
      'plain/b.yaml': { symlink: '../base/a.yaml' },
      alias: { symlink: 'plain' },
    };
    assert.deepEqual(await places('web', ofHelm({ valuesFiles: ['/shared/blue.yaml'] })), [
      'shared/blue.yaml',
      'web',
    ]);
    assert.deepEqual(await places('plain'), ['plain']);
    const read = await places('overlay');
    assert.ok(
      read?.every((path) => /^(base|overlay)(\/|$)/.test(path)),
      String(read),
    );
    for (const file of ['base/kustomization.yaml', 'base/a.yaml', 'overlay/kustomization.yaml'])
      assert.ok(read?.includes(file), `${file} of ${read}`);
    assert.equal(await places('web', ofHelm({ valuesFiles: ['blue.yaml'] }), links), undefined);
    assert.equal(await places('plain', {}, { 'plain/c': { symlink: '../more' } }), undefined);
    assert.equal(await places('alias', {}, { alias: { symlink: 'overlay' } }), undefined);
  });

  it('S6: a values file that is a symlink is read within the repository only', async () => {
    const helm = (valuesFile: string) => ofHelm({ valuesFiles: [valuesFile] });
    const files = {
      ...chart,
      ...showValues,
      'shared/blue.yaml': 'color: blue\n',
      'web/blue.yaml': { symlink: '../shared/blue.yaml' },
      'web/shared': { symlink: '../shared' },
      'values/up.yaml': { symlink: '../../outside.yaml' },
      'values/absolute.yaml': { symlink: '/etc/passwd' },
      'values/by-way-of': { symlink: 'up' },
      'values/up': { symlink: '../..' },
    };
    for (const inside of ['blue.yaml', 'shared/blue.yaml', '/web/shared/blue.yaml']) {
      const rendered = await render(files, 'web', helm(inside));
      assert.match(data(rendered, 'values').values ?? '', /"color":"blue"/, inside);
    }
    for (const name of ['up.yaml', 'absolute.yaml', 'up/outside.yaml', 'by-way-of/etc/passwd']) {
      const { message } = await failure(render(files, 'web', helm(`/values/${name}`)), 'PathEscapes');
      assert.match(message, /symlink/, name);
    }
    const within = { ...files, 'web/up.yaml': { symlink: '../../outside.yaml' } };
    await failure(render(within, 'web'), 'PathEscapes');
  });

  it('S6: what a kustomization names through a symlink is read within the repository only', async () => {
    const files = {
      'shared/a.yaml': configMap('a', 'x'),
      'app/link.yaml': { symlink: '../shared/a.yaml' },
      'app/base': { symlink: '../base' },
      'base/kustomization.yaml': 'resources: [b.yaml]\n',
      'base/b.yaml': configMap('b', 'x'),
      'app/up.yaml': { symlink: '../../outside.yaml' },
      'app/absolute.yaml': { symlink: '/etc/passwd' },
      'app/up': { symlink: '../..' },
    };
    const kustomization = (text: string) => ({ ...files, 'app/kustomization.yaml': text });
    const rendered = await render(kustomization('resources: [link.yaml, base]\n'), 'app');
    assert.deepEqual(names(rendered.objects).sort(), ['a', 'b']);
    for (const text of [
      'resources: [up.yaml]\n',
      'resources: [absolute.yaml]\n',
      'resources: [up]\n',
      'resources: [up/outside.yaml]\n',
      'resources: [link.yaml]\npatches: [{path: up.yaml}]\n',
      'resources: [link.yaml]\nconfigMapGenerator: [{name: c, files: [absolute.yaml]}]\n',
    ]) {
      const { message } = await failure(render(kustomization(text), 'app'), 'PathEscapes');
      assert.match(message, /symlink/, text);
      assert.ok(!message.includes('root:'), message);
    }
  });
});
