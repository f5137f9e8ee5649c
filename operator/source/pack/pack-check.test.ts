import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { blob, delta, entryHead, packOf, sideBand } from '../../../test/harness/crafted-pack.ts';
import { type GitHttpServer, startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { defaultLimits, type Limits } from '../limits.ts';
import { type Repository, Sources } from '../sources.ts';
import { flush, packet } from '../wire/pkt-line.ts';
import { checkPack } from './pack-check.ts';

const limits: Limits = {
  ...defaultLimits,
  packBytes: 1 << 20,
  objects: 100,
  inflatedBytes: 4 << 20,
  objectBytes: 1 << 20,
  deltaDepth: 50,
};
const nothing = async () => undefined;

function chain(length: number): Buffer[] {
  const entries = [blob(Buffer.from('x'))];
  for (let index = 0; index < length; index++) entries.push(delta(entries.at(-1)?.length ?? 0, 1, 1));
  return entries;
}

describe('a pack', () => {
  it('passes when it is what it says', async () => {
    assert.equal(
      (await checkPack(packOf([blob(Buffer.from('a')), blob(Buffer.alloc(0))]), limits, nothing)).objects,
      2,
    );
    assert.equal((await checkPack(packOf(chain(50)), limits, nothing)).objects, 51);
    assert.equal((await checkPack(packOf([]), limits, nothing)).objects, 0);
  });

  it('S9: is refused when it goes beyond a limit', async () => {
    const large = Buffer.alloc(limits.objectBytes + 1);
    const almost = Buffer.alloc(limits.objectBytes);
    const packs = {
      'too many objects': packOf([], { count: 101 }),
      'four thousand million objects': packOf([], { count: 0xffff_ffff }),
      'a large object': packOf([blob(large)]),
      'an object that states terabytes': packOf([blob(Buffer.from('x'), 2 ** 42)]),
      'much in all': packOf(new Array(5).fill(blob(almost))),
      'a delta that makes a large object': packOf([
        blob(Buffer.from('x')),
        delta(blob(Buffer.from('x')).length, 1, 2 ** 40),
      ]),
      'a deep chain of deltas': packOf(chain(51)),
    };
    for (const [what, pack] of Object.entries(packs)) {
      await assert.rejects(checkPack(pack, limits, nothing), { reason: 'TooLarge', remedy: 'Person' }, what);
    }
  });

  it('S9: is refused when it lies', async () => {
    const good = blob(Buffer.from('content'));
    const packs = {
      'inflates to more than stated': packOf([blob(Buffer.alloc(500_000), 10)]),
      'inflates to more than nothing': packOf([blob(Buffer.alloc(500_000), 0)]),
      'inflates to less than stated': packOf([blob(Buffer.from('abc'), 1000)]),
      'is no zlib stream': packOf([Buffer.concat([entryHead(3, 3), Buffer.from('nonsense')])]),
      'has fewer objects than stated': packOf([good], { count: 2 }),
      'has more after its objects': packOf([good, good], { count: 1 }),
      'has trailing bytes': packOf([good], { trailing: Buffer.from('xx') }),
      'has an unknown type': packOf([Buffer.concat([entryHead(5, 1), deflateSync(Buffer.from('x'))])]),
      'has an unknown version': packOf([good], { version: 4 }),
      'builds on something before the pack': packOf([delta(5_000, 1, 1)]),
      'builds on the middle of an object': packOf([good, delta(3, 7, 1)]),
      'builds on itself': packOf([good, delta(0, 7, 1)]),
      'misstates its base': packOf([good, delta(good.length, 8, 1)]),
      'builds on what nobody has': packOf([
        Buffer.concat([entryHead(7, 4), Buffer.alloc(20), deflateSync(Buffer.from([1, 1, 0x90, 1]))]),
      ]),
      'states an endless size': packOf([Buffer.alloc(64, 0xff)]),
      'is empty': Buffer.alloc(0),
      'is something else': Buffer.from('<html>'.repeat(20)),
    };
    for (const [what, pack] of Object.entries(packs)) {
      await assert.rejects(checkPack(pack, limits, nothing), { reason: /^(PackInvalid|TooLarge)$/ }, what);
    }
  });
});

describe('the index of a pack', () => {
  it('is what git makes of it, byte for byte', async () => {
    const git = await createRepository({ files: { 'a.txt': 'first\n' } });
    const lines = Array.from({ length: 2_000 }, (_, index) => `line ${index} ${(index * 7919) % 1000}`);
    for (let index = 0; index < 60; index++) {
      lines[(index * 37) % lines.length] = `changed ${index}`;
      await git.commit({ 'large.txt': lines.join('\n'), [`small/${index}.txt`]: `${index}\n` });
    }
    await git.tag('v1.0.0', { annotated: true });
    await git.git(['repack', '-a', '-d', '-f', '-q', '--depth=50', '--window=50']);
    const directory = join(git.path, 'objects/pack');
    const name = readdirSync(directory).find((each) => each.endsWith('.pack')) ?? '';
    const pack = readFileSync(join(directory, name));
    const { objects, index } = await checkPack(pack, defaultLimits, nothing);
    assert.ok(objects > 180);
    assert.ok(index.equals(readFileSync(join(directory, name.replace('.pack', '.idx')))));
  });
});

describe('a server with a pack of its own', () => {
  let git: GitRepository;
  let good: GitHttpServer;
  let evil: GitHttpServer;
  let sources: Sources;
  let answer: (response: ServerResponse) => void;

  before(async () => {
    git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    good = await startGitHttp({ root: git.root });
    evil = await startGitHttp({
      root: git.root,
      intercept(request: IncomingMessage, response: ServerResponse) {
        if (request.method !== 'POST') return false;
        request.resume();
        response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
        response.write(Buffer.concat([flush, packet('NAK\n')]));
        answer(response);
        return true;
      },
    });
    sources = new Sources({ allowLoopback: true, limits });
  });
  after(async () => {
    await sources.stop();
    await evil.stop();
    await good.stop();
  });

  async function watch(server: GitHttpServer, who: string): Promise<Repository> {
    const repository = sources.watch(who, { url: server.url(git.name) }, 3_600_000, () => undefined);
    await repository.poll();
    return repository;
  }

  it('S9: that never stops sending is cut off at the limit', async () => {
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    answer = (response) => {
      const part = sideBand(Buffer.alloc(60_000, 0x50));
      const more = () => {
        while (!response.destroyed) {
          sent += part.length;
          if (!response.write(part)) return void response.once('drain', more);
        }
      };
      response.on('close', closed.resolve);
      more();
    };
    const repository = await watch(evil, 'evil');
    await assert.rejects(repository.open(repository.resolve({})), {
      reason: 'TooLarge',
      message: /more than 1 MiB/,
    });
    await closed.promise;
    assert.ok(sent < 32 * limits.packBytes, `${sent} bytes were sent`);
  });

  it('S9: with a bomb in it fails alone; other repositories are read on', async () => {
    const bomb = packOf([blob(Buffer.alloc(50 << 20), 10)]);
    answer = (response) => {
      for (let at = 0; at < bomb.length; at += 60_000)
        response.write(sideBand(bomb.subarray(at, at + 60_000)));
      response.end(flush);
    };
    const repository = await watch(evil, 'evil');
    await assert.rejects(repository.open(repository.resolve({})), { reason: 'PackInvalid' });
    const other = await watch(good, 'good');
    const tree = await other.open(other.resolve({}));
    assert.equal(Buffer.from(await tree.read('a.yaml')).toString(), 'a: 1\n');
  });

  it('S9: that is cut short or lacks what was asked for is refused, and tried again', async () => {
    const repository = await watch(evil, 'evil');
    const pack = packOf([blob(Buffer.from('unrelated'))]);
    answer = (response) => response.end(Buffer.concat([sideBand(pack.subarray(0, -3)), flush]));
    await assert.rejects(repository.open(repository.resolve({})), { reason: 'ServerError', remedy: 'Time' });
    answer = (response) => response.end(Buffer.concat([sideBand(pack), flush]));
    await assert.rejects(repository.open(repository.resolve({})), {
      reason: 'RepositoryDamaged',
      remedy: 'Time',
    });
    await assert.rejects(repository.open(repository.resolve({})), {
      reason: 'RepositoryDamaged',
      remedy: 'Time',
    });
  });
});
