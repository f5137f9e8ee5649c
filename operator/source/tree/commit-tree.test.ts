import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type GitHttpServer, startGitHttp } from '../../../test/harness/git-http.ts';
import {
  createRepository,
  type FileContent,
  type GitRepository,
} from '../../../test/harness/git-repository.ts';
import { type CommitTree, Sources } from '../sources.ts';

describe('a tree', () => {
  let git: GitRepository;
  let server: GitHttpServer;
  let sources: Sources;

  before(async () => {
    git = await createRepository({ files: { 'README.md': 'read me\n' } });
    server = await startGitHttp({ root: git.root });
    sources = new Sources({
      allowLoopback: true,
      limits: { readFiles: 50, readBytes: 100_000, blobBytes: 50_000 },
    });
  });
  after(async () => {
    await sources.stop();
    await server.stop();
  });

  /** A branch of its own with just these files. */
  async function treeOf(files: Record<string, FileContent>): Promise<CommitTree> {
    const branch = `case-${++cases}`;
    await git.commit(files, { branch });
    return openBranch(branch);
  }
  let cases = 0;

  async function openBranch(branch: string): Promise<CommitTree> {
    const repository = sources.watch('test', { url: server.url(git.name) }, 3_600_000, () => undefined);
    await repository.poll();
    return repository.open(repository.resolve({ branch }));
  }

  /** A commit of a tree that git's own porcelain would refuse to make. */
  async function craftedTree(
    entries: { mode: string; name: string | Buffer; oid: string }[],
  ): Promise<CommitTree> {
    const parts = entries.map(({ mode, name, oid }) =>
      Buffer.concat([Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]), Buffer.from(oid, 'hex')]),
    );
    const tree = await git.writeObject('tree', Buffer.concat(parts));
    const person = 'Eve <eve@example.com> 1790000000 +0000';
    const text = `tree ${tree}\nauthor ${person}\ncommitter ${person}\n\nCrafted\n`;
    const commit = await git.writeObject('commit', Buffer.from(text));
    const branch = `case-${++cases}`;
    await git.branch(branch, commit);
    return openBranch(branch);
  }

  const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();

  it('tells what is at a path', async () => {
    const tree = await treeOf({ 'chart/values.yaml': 'a: 1\n' });
    assert.deepEqual(await tree.stat('chart/values.yaml'), {
      type: 'file',
      oid: await git.revParse(`${tree.revision}:chart/values.yaml`),
    });
    assert.deepEqual(await tree.stat('./chart/'), {
      type: 'directory',
      oid: await git.revParse(`${tree.revision}:chart`),
    });
    assert.deepEqual(await tree.stat(''), {
      type: 'directory',
      oid: await git.revParse(`${tree.revision}^{tree}`),
    });
    assert.equal(await tree.stat('chart/none.yaml'), undefined);
    assert.equal(await tree.stat('chart/values.yaml/below'), undefined);
  });

  it('lists a directory with what kind its entries are', async () => {
    const tree = await treeOf({ 'a/file': '', 'a/dir/x': '', 'a/link': { symlink: 'file' } });
    const entries = await tree.list('a');
    assert.deepEqual(
      entries.map(({ name, type }) => [name, type]),
      [
        ['dir', 'directory'],
        ['file', 'file'],
        ['link', 'symlink'],
      ],
    );
  });

  it('reads everything below a directory, with the modes of its files', async () => {
    const tree = await treeOf({ 'a/one': '1', 'a/b/two': '2', 'a/run': { executable: '#!' }, 'c/no': '' });
    const { digest, files } = await tree.readAll('a');
    assert.equal(digest, await git.revParse(`${tree.revision}:a`));
    assert.deepEqual(
      files.map(({ path, mode, data }) => [path, mode, textOf(data)]),
      [
        ['b/two', 0o100644, '2'],
        ['one', 0o100644, '1'],
        ['run', 0o100755, '#!'],
      ],
    );
  });

  it("reads modes that are none of today's as git does", async () => {
    const oid = await git.writeObject('blob', Buffer.from('x'));
    const modes = ['100644', '0100644', '100664', '100600', '100640', '100655', '100755', '100775', '100700'];
    const tree = await craftedTree(modes.map((mode, index) => ({ mode, name: `${index}`, oid })));
    const { files } = await tree.readAll('');
    const listed = await git.git(['ls-tree', tree.revision]);
    assert.deepEqual(
      files.map(({ path, mode, oid }) => `${mode.toString(8)} blob ${oid}\t${path}`),
      listed.split('\n'),
    );
  });

  it('takes an entry for what git takes it for, whatever bits are set besides', async () => {
    const blob = await git.writeObject('blob', Buffer.from('a'));
    const below = await git.writeObject('tree', Buffer.alloc(0));
    const kinds: [mode: string, oid: string, type: string][] = [
      ['40755', below, 'directory'],
      ['040000', below, 'directory'],
      ['120777', blob, 'symlink'],
      ['160755', blob, 'submodule'],
      ['0', blob, 'submodule'],
      ['644', blob, 'submodule'],
      ['10644', blob, 'submodule'],
      ['140644', blob, 'submodule'],
    ];
    const tree = await craftedTree(kinds.map(([mode, oid], index) => ({ mode, name: `${index}`, oid })));
    const gitKinds = { blob: 'symlink', tree: 'directory', commit: 'submodule' };
    const listed = (await git.git(['ls-tree', tree.revision])).split('\n');
    const types = (await tree.list('')).map(({ type }) => type);
    assert.deepEqual(
      types,
      listed.map((line) => gitKinds[line.split(' ')[1] as keyof typeof gitKinds]),
    );
    assert.deepEqual(
      types,
      kinds.map(([, , type]) => type),
    );
  });

  it('says what is there when a path is not', async () => {
    const tree = await treeOf({ 'charts/web/Chart.yaml': '', 'charts/api/Chart.yaml': '', top: '' });
    await assert.rejects(tree.readAll('charts/wbe'), {
      reason: 'PathNotFound',
      remedy: 'Person',
      message: 'There is nothing at the path "charts/wbe" in the repository. "charts" has: api/, web/.',
    });
    await assert.rejects(tree.digest('nowhere/at/all'), {
      message: /The repository's root has: charts\/, top\./,
    });
    await assert.rejects(tree.readAll('top'), { reason: 'PathNotFound', message: /is a file/ });
    await assert.rejects(tree.read('charts'), { reason: 'PathNotFound', message: /is a directory/ });
  });

  it('refuses more files or bytes than its limits allow', async () => {
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`many/${index}`, '']));
    const tree = await treeOf({ ...many, 'big/one': 'x'.repeat(60_000), 'big/two': 'y'.repeat(60_000) });
    await assert.rejects(tree.readAll('many'), { reason: 'TooLarge', remedy: 'Person' });
    await assert.rejects(tree.readAll('big'), { reason: 'TooLarge' });
    await assert.rejects(tree.read('big/one'), { reason: 'TooLarge', message: /"big\/one" has 59 KiB/ });
  });

  it('reads and counts only the files that a filter lets pass', async () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`app/docs/${index}.md`, '']));
    const tree = await treeOf({
      ...many,
      'app/a.yaml': 'a',
      'app/below/b.json': 'b',
      'app/.hidden/c.yaml': 'c',
      'app/.d.yaml': 'd',
      'app/large.bin': 'x'.repeat(200_000),
      'app/.yaml': 'e',
      'app/yaml': 'f',
      'app/link': { symlink: 'below' },
      'app/link.json': { symlink: 'large.txt' },
      'app/link.txt': { symlink: 'a.yaml' },
      'app/large.txt': 'small',
    });
    await assert.rejects(tree.readAll('app'), { reason: 'TooLarge' });
    const { digest, files } = await tree.readAll('app', { suffixes: ['.yaml', '.json'] });
    assert.deepEqual(files.map(({ path, data }) => [path, textOf(data)]).sort(), [
      ['a.yaml', 'a'],
      ['below/b.json', 'b'],
      ['link.json', 'small'],
      ['link/b.json', 'b'],
    ]);
    assert.equal(digest, await tree.digest('app'));
    const none = await tree.readAll('app', { suffixes: [] });
    assert.deepEqual(none.files, []);
  });

  it('follows symlinks inside the repository', async () => {
    const tree = await treeOf({
      'shared/values.yaml': 'shared: true\n',
      'apps/web/values.yaml': { symlink: '../../shared/values.yaml' },
      'apps/web/common': { symlink: '../../shared' },
      'apps/alias': { symlink: 'web' },
    });
    assert.equal(textOf(await tree.read('apps/alias/common/values.yaml')), 'shared: true\n');
    const { files } = await tree.readAll('apps/web');
    assert.deepEqual(
      files.map(({ path, data }) => [path, textOf(data)]),
      [
        ['common/values.yaml', 'shared: true\n'],
        ['values.yaml', 'shared: true\n'],
      ],
    );
  });

  it('has a digest that changes with what symlinks lead to, and with nothing else', async () => {
    const files = { 'shared/v': '1', 'app/v': { symlink: '../shared/v' }, 'other/x': '1' };
    const tree = await treeOf(files);
    const changedElsewhere = await treeOf({ ...files, 'other/x': '2' });
    const changedBehind = await treeOf({ ...files, 'shared/v': '2' });
    const digest = await tree.digest('app');
    assert.equal((await tree.readAll('app')).digest, digest);
    assert.equal(await changedElsewhere.digest('app'), digest);
    assert.notEqual(await changedBehind.digest('app'), digest);
  });

  it('gives up what is read when the signal says so', async () => {
    const tree = await treeOf({ 'a/b': 'x' });
    const signal = AbortSignal.abort(new Error('no longer wanted'));
    const reads = [
      tree.stat('a', signal),
      tree.list('a', signal),
      tree.read('a/b', signal),
      tree.readAll('a', { signal }),
      tree.digest('a', signal),
    ];
    for (const read of reads) await assert.rejects(read, { message: 'no longer wanted' });
  });

  it('S6: a path that a user writes never leaves the repository', async () => {
    const tree = await treeOf({
      'a/b': 'x',
      'a\\b': 'backslash',
      '..\\x': 'y',
      CASE: 'upper',
      'e\u0301': 'two',
    });
    const escaping = ['..', '../', 'a/..', 'a/../..', './../x', '/etc/passwd', '/', '//a', 'a/\0/b', 'a\n'];
    for (const path of escaping) {
      for (const method of ['stat', 'list', 'read', 'readAll', 'digest'] as const) {
        const what = `${method} ${JSON.stringify(path)}`;
        await assert.rejects(tree[method](path), { reason: 'PathEscapes' }, what);
      }
    }
    // Names are bytes: no other character separates, and nothing is folded.
    assert.equal(textOf(await tree.read('a\\b')), 'backslash');
    assert.equal(textOf(await tree.read('..\\x')), 'y');
    for (const path of [
      'a\\..\\b',
      '..\\..',
      'case',
      '\u00e9',
      'a%2fb',
      'a/b/.git',
      '.git/config',
      '~',
      '\u2025/x',
    ]) {
      assert.equal(await tree.stat(path), undefined, path);
    }
  });

  it('S6: a symlink never leads out of the repository', async () => {
    const out: Record<string, string> = {
      absolute: '/etc/passwd',
      parent: '../../etc/passwd',
      'deep/parent': '../../x',
      there_and_back: '../repository/file',
      root_parent: '..',
      through_dots: 'deep/../../file',
    };
    const links = Object.fromEntries(Object.entries(out).map(([path, symlink]) => [path, { symlink }]));
    const tree = await treeOf({
      ...links,
      file: 'inside',
      'deep/file': 'x',
      chain1: { symlink: 'chain2' },
      chain2: { symlink: 'deep/chain3' },
      'deep/chain3': { symlink: '../../file' },
      directory: { symlink: '../' },
    });
    for (const path of [...Object.keys(out), 'chain1', 'directory/x', 'parent/below']) {
      await assert.rejects(tree.stat(path), { reason: 'PathEscapes', remedy: 'Person' }, path);
      await assert.rejects(tree.read(path), { reason: 'PathEscapes' }, path);
    }
    await assert.rejects(tree.readAll(''), { reason: 'PathEscapes' });
    await assert.rejects(tree.digest(''), { reason: 'PathEscapes' });
    await assert.rejects(tree.readAll('deep'), { reason: 'PathEscapes' });
  });

  it('S6: loops and mazes of symlinks end in an error', async () => {
    const maze: Record<string, FileContent> = { 'maze/0/end': 'x' };
    for (let level = 1; level <= 30; level++) {
      maze[`maze/${level}/left`] = { symlink: `../${level - 1}` };
      maze[`maze/${level}/right`] = { symlink: `../${level - 1}` };
    }
    const tree = await treeOf({
      self: { symlink: 'self' },
      a: { symlink: 'b' },
      b: { symlink: 'a' },
      'cycle/x': '',
      'cycle/back': { symlink: '../cycle' },
      'dangling/link': { symlink: 'nothing' },
      'odd/link': { symlink: 'x'.repeat(5_000) },
      ...maze,
    });
    for (const path of ['self', 'a', 'a/b', 'odd/link']) {
      await assert.rejects(tree.stat(path), { reason: 'SymlinkInvalid', remedy: 'Person' }, path);
    }
    await assert.rejects(tree.readAll('cycle'), { reason: 'SymlinkInvalid', message: /"cycle"/ });
    await assert.rejects(tree.digest('cycle'), { reason: 'SymlinkInvalid' });
    await assert.rejects(tree.readAll('dangling'), { reason: 'SymlinkInvalid', message: /"dangling\/link"/ });
    assert.equal(await tree.stat('dangling/link'), undefined);
    await assert.rejects(tree.readAll('maze/30'), { reason: 'TooLarge' });
    assert.match(await tree.digest('maze/30'), /^[0-9a-f]{40}$/);
  });

  it('S6: submodules are not followed silently', async () => {
    const tree = await treeOf({ 'app/x': '', 'app/vendor': { submodule: 'b'.repeat(40) } });
    for (const path of ['app/vendor', 'app/vendor/chart', 'app/vendor/x']) {
      await assert.rejects(tree.stat(path), { reason: 'SubmoduleNotSupported', message: /"app\/vendor"/ });
    }
    await assert.rejects(tree.readAll('app'), { reason: 'SubmoduleNotSupported' });
    await assert.rejects(tree.digest('app'), { reason: 'SubmoduleNotSupported' });
    const [, vendor] = [...(await tree.list('app'))].sort((a, b) => (a.name > b.name ? -1 : 1));
    assert.deepEqual(vendor?.type, 'submodule');
  });

  it('S6: crafted names in a tree are never handed on', async () => {
    const blob = await git.writeObject('blob', Buffer.from('evil'));
    for (const name of ['..', '.', '.git', '.GIT', 'a/b', '../x', '/etc', Buffer.from([0x66, 0xff])]) {
      const tree = await craftedTree([{ mode: '100644', name, oid: blob }]);
      await assert.rejects(tree.readAll(''), { reason: 'PathEscapes' }, String(name));
      // Where nobody asks for such a file it is no fault: a repository has more than manifests.
      assert.deepEqual((await tree.readAll('', { suffixes: ['.yaml'] })).files, [], String(name));
    }
    const latin1 = Buffer.from('caf\xe9.yaml', 'latin1');
    const tree = await craftedTree([{ mode: '100644', name: latin1, oid: blob }]);
    await assert.rejects(tree.readAll('', { suffixes: ['.yaml'] }), {
      reason: 'PathEscapes',
      message: /an entry named ".*", whose name is not UTF-8\. Rename it/,
    });
  });
});
