import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { blob, blobOid, objectOid, packOf, refDelta, whole } from '../../../test/harness/crafted-pack.ts';
import { temporaryDirectory } from '../../../test/harness/process.ts';
import { BoundedMap } from '../bounded-map.ts';
import { defaultLimits as limits } from '../limits.ts';
import { ObjectStore } from './object-store.ts';

describe('an object store', () => {
  const one = Buffer.from('one\n');
  const two = Buffer.from('two\n');
  const [first, second] = [blobOid(one), blobOid(two)];

  async function storeOf(...packs: Buffer[]): Promise<ObjectStore> {
    const directory = temporaryDirectory('store');
    mkdirSync(join(directory, 'objects/pack'), { recursive: true });
    const store = new ObjectStore(directory, new BoundedMap(0));
    for (const [index, pack] of packs.entries()) {
      writeFileSync(join(directory, `objects/pack/pack-${index}.pack`), pack);
      await store.addPack(`pack-${index}.pack`, limits);
    }
    store.allow(limits.inflatedBytes);
    return store;
  }

  it('reads what builds on an object of an earlier pack', async () => {
    const store = await storeOf(packOf([blob(one)]), packOf([refDelta(first, one.length, two)]));
    assert.equal((await store.blob(second)).toString(), 'two\n');
  });

  it('S9: does not go round in circles where packs build on each other', async () => {
    const store = await storeOf(
      packOf([blob(one)]),
      packOf([refDelta(first, one.length, two)]),
      packOf([refDelta(second, two.length, one)]),
    );
    assert.equal((await store.blob(first)).toString(), 'one\n');
    assert.equal((await store.blob(second)).toString(), 'two\n');
  });

  it('S9: does not go round in circles where a pack builds on what comes later in it', async () => {
    const store = await storeOf(
      packOf([blob(one)]),
      packOf([refDelta(first, one.length, two), refDelta(second, two.length, one)]),
    );
    assert.equal((await store.blob(first)).toString(), 'one\n');
    assert.equal((await store.blob(second)).toString(), 'two\n');
  });

  it('takes a tree for damaged whose entries have no mode', async () => {
    for (const mode of ['', 'x', '10064x', '-100644', '100684', '1e5', '1'.repeat(40)]) {
      const tree = Buffer.concat([Buffer.from(`${mode} a\0`), Buffer.from(first, 'hex')]);
      const store = await storeOf(packOf([whole('tree', tree)]));
      await assert.rejects(store.tree(objectOid('tree', tree)), { reason: 'RepositoryDamaged' }, mode);
    }
  });
});
