import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { blob, blobOid, delta, packOf, sideBand, whole } from '../../../test/harness/crafted-pack.ts';
import { type GitHttpServer, startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { type CommitTree, Sources } from '../sources.ts';
import { flush, packet } from '../wire/pkt-line.ts';

const mebibyte = 1 << 20;
const largeBytes = 32 * mebibyte;

/** Entries of a pack one after the other, and where each began. */
class PackDraft {
  readonly entries: Buffer[] = [];
  #at = 12;

  add(entry: Buffer): number {
    const at = this.#at;
    this.entries.push(entry);
    this.#at += entry.length;
    return at;
  }

  /** A delta on the entry that began at `base`. */
  addDelta(base: number, baseSize: number, targetSize: number, instructions: Buffer): number {
    return this.add(delta(this.#at - base, baseSize, targetSize, instructions));
  }

  /** A large blob in a few bytes: a delta that copies 64 KiB again and again. */
  addLarge(byte: number): number {
    const root = this.add(blob(Buffer.alloc(0x10000, byte)));
    return this.addDelta(root, 0x10000, largeBytes, Buffer.alloc(largeBytes / 0x10000, 0x80));
  }

  /** A small blob that can be had only by building the large one; returns its id. */
  addSmall(large: number, text: string): string {
    const content = Buffer.from(text);
    this.addDelta(large, largeBytes, content.length, Buffer.concat([Buffer.from([content.length]), content]));
    return blobOid(content);
  }
}

describe('S9: a small pack whose objects are much work', () => {
  let git: GitRepository;
  let server: GitHttpServer;
  let sources: Sources;
  let pack: Buffer | undefined;
  let branches = 0;

  before(async () => {
    git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    server = await startGitHttp({
      root: git.root,
      intercept(request, response) {
        if (request.method !== 'POST' || pack === undefined) return false;
        request.resume();
        response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
        response.write(Buffer.concat([flush, packet('NAK\n')]));
        for (let at = 0; at < pack.length; at += 60_000)
          response.write(sideBand(pack.subarray(at, at + 60_000)));
        response.end(flush);
        return true;
      },
    });
    sources = new Sources({
      allowLoopback: true,
      limits: { inflatedBytes: 128 * mebibyte, workMs: 20_000 },
    });
  });
  after(async () => {
    await sources.stop();
    await server.stop();
  });

  function treeOf(entries: Iterable<[name: string, oid: string, mode?: string]>): Buffer {
    const parts: Buffer[] = [];
    for (const [name, oid, mode = '100644'] of entries)
      parts.push(Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex'));
    return Buffer.concat(parts);
  }

  /** The commit of a tree, on a branch of its own. */
  async function commitOf(tree: string): Promise<{ branch: string; content: Buffer }> {
    const person = 'Eve <eve@example.com> 1790000000 +0000';
    const content = Buffer.from(`tree ${tree}\nauthor ${person}\ncommitter ${person}\n\nCrafted\n`);
    const branch = `case-${++branches}`;
    await git.branch(branch, await git.writeObject('commit', content));
    return { branch, content };
  }

  async function open(branch: string): Promise<CommitTree> {
    const repository = sources.watch('test', { url: server.url(git.name) }, 3_600_000, () => undefined);
    await repository.poll();
    return repository.open(repository.resolve({ branch }));
  }

  /** What the server sends is the draft's objects and this tree. */
  async function openDraft(
    draft: PackDraft,
    names: Iterable<[name: string, oid: string]>,
  ): Promise<CommitTree> {
    const content = treeOf(names);
    const { branch, content: commit } = await commitOf(await git.writeObject('tree', content));
    pack = packOf([...draft.entries, whole('tree', content), whole('commit', commit)]);
    assert.ok(pack.length < mebibyte, `the pack has ${pack.length} bytes`);
    return open(branch);
  }

  it('is read in passing where thousands of files build on one large object', async () => {
    const draft = new PackDraft();
    const large = draft.addLarge(1);
    const names = Array.from({ length: 4_000 }, (_, index): [string, string] => [
      `${index}.yaml`,
      draft.addSmall(large, `n: ${index}\n`),
    ]);
    const tree = await openDraft(draft, names);
    const { files } = await tree.readAll('');
    assert.equal(Buffer.from(files[3_999]?.data ?? []).toString(), 'n: 3999\n');
  });

  it('is read in passing where thousands of names lead to one file', async () => {
    const draft = new PackDraft();
    const oid = draft.addSmall(draft.addLarge(1), 'a: 1\n');
    const tree = await openDraft(
      draft,
      Array.from({ length: 9_000 }, (_, index) => [`${index}.yaml`, oid]),
    );
    assert.equal((await tree.readAll('')).files.length, 9_000);
  });

  it('is given up where its files build on large objects in turn', async () => {
    const draft = new PackDraft();
    const groups = [1, 2, 3].map((byte) => {
      const large = draft.addLarge(byte);
      return Array.from({ length: 500 }, (_, index) => draft.addSmall(large, `n: ${byte} ${index}\n`));
    });
    const inTurn = Array.from({ length: 1_500 }, (_, index): [string, string] => [
      `${index}.yaml`,
      groups[index % 3]?.[Math.floor(index / 3)] ?? '',
    ]);
    const tree = await openDraft(draft, inTurn);
    await assert.rejects(tree.readAll(''), {
      reason: 'TooLarge',
      remedy: 'Person',
      message: /would unpack more than 128 MiB\. Point spec\.source\.path/,
    });
    assert.equal(Buffer.from(await tree.read('7.yaml')).toString(), 'n: 2 2\n');
  });

  it('is refused where already its index would be such work', async () => {
    const draft = new PackDraft();
    const larges = [1, 2, 3].map((byte) => draft.addLarge(byte));
    const names = Array.from({ length: 1_500 }, (_, index): [string, string] => [
      `${index}.yaml`,
      draft.addSmall(larges[index % 3] ?? 0, `n: ${index}\n`),
    ]);
    await assert.rejects(openDraft(draft, names), { reason: 'TooLarge', message: /would unpack more than/ });
  });

  it('is given up where thousands of directories have a huge tree in common', async () => {
    pack = undefined;
    const empty = await git.writeObject('blob', Buffer.alloc(0));
    const link = await git.writeObject('blob', Buffer.from('file-0'));
    const entries: [string, string, string?][] = Array.from({ length: 110_000 }, (_, index) => [
      `file-${index}`,
      empty,
    ]);
    const huge = await git.writeObject('tree', treeOf([...entries, ['link', link, '120000']]));
    const wide = await git.writeObject(
      'tree',
      treeOf(Array.from({ length: 3_000 }, (_, index) => [`${index}`, huge, '40000'])),
    );
    const { branch } = await commitOf(wide);
    const tree = await open(branch);
    await assert.rejects(tree.digest(''), { reason: 'TooLarge' });
  });
});
