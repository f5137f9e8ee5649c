import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { newManifest } from '../../../test/harness/manifest.ts';
import { digestOf } from '../../manifest/digest.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { encode, manifestsIn, RecordIndex } from './kept-manifest-index.ts';
import { type Manifests, newRecord } from './record.ts';

const OWN = 'towpath-application-x';
/** What a Secret may have, its data decoded. */
const MIB = 2 ** 20;

/** So many candidates are kept here. */
const KEPT = 4;

/** Secrets as the store would keep them, written by one index after the other. */
class Secrets {
  readonly data = new Map<string, Record<string, string>>([[OWN, {}]]);
  index = new RecordIndex();
  kept: string[] = [];
  readonly record = newRecord({
    id: '0'.repeat(20),
    name: 'shop/web/default',
    application: 'shop/web',
    environment: 'default',
  });

  async accept(id: string, manifests: Manifests): Promise<void> {
    this.kept = [id, ...this.kept.filter((one) => one !== id)].slice(0, KEPT);
    const next = new RecordIndex(this.index);
    const data: Record<string, string | null> = {};
    const chunks = await next.place(OWN, id, manifests, data, new Slices());
    next.dropUnused(OWN, new Set(this.kept), data);
    const { text, chunk } = await next.write(OWN);
    data.index = text;
    for (const each of chunk === undefined ? chunks : [...chunks, chunk]) {
      assert.ok(!this.data.has(each.name), 'a name is never used twice');
      this.data.set(each.name, each.data);
    }
    const own = this.data.get(OWN) ?? {};
    for (const [key, value] of Object.entries(data)) {
      if (value === null) delete own[key];
      else own[key] = value;
    }
    const used = next.secrets(OWN);
    for (const name of this.index.secrets(OWN)) if (!used.has(name)) this.data.delete(name);
    this.index = next;
  }

  /** Reads all anew, as after a restart. */
  async read(id: string): Promise<Manifests> {
    const index = await RecordIndex.read(
      this.data.get(OWN)?.index,
      async (name) => this.data.get(name) ?? {},
      new Slices(),
    );
    const all: Record<string, string> = {};
    const keys = index?.manifests.get(id) ?? [];
    for (const secret of new Set(keys.map((key) => index?.places.get(key)?.secret ?? '')))
      Object.assign(all, this.data.get(secret));
    return manifestsIn(all, id, new Slices());
  }

  bytes(name: string): number {
    return Object.values(this.data.get(name) ?? {}).reduce((sum, text) => sum + (text.length * 3) / 4, 0);
  }
}

test('5,000 objects that all change with each candidate fit into Secrets, however often', async () => {
  const secrets = new Secrets();
  for (let release = 0; release < 6; release += 1) {
    const objects = Array.from({ length: 5_000 }, (_, index) =>
      newManifest(
        `config-map-${index}`,
        `{"release":${release},"index":${index},"${randomBytes(12).toString('hex')}":1}`,
      ),
    );
    await secrets.accept(digestOf(`${release}`), { objects, hooks: [] });
    for (const { name, digest, ...id } of objects) {
      const entry = { hash: randomBytes(16).toString('base64url'), time: '2026-01-01T00:00:00Z' };
      const uid = randomBytes(16).toString('hex');
      secrets.record.applied.set(name, { ...id, name, digest, uid, entry });
    }
    const record = await encode({ ...secrets.record, applied: [...secrets.record.applied.values()] });
    for (const name of secrets.data.keys()) {
      const bytes = secrets.bytes(name) + (name === OWN ? (record.length * 3) / 4 : 0);
      assert.ok(bytes < 0.9 * MIB, `${name} has ${bytes} bytes`);
    }
    assert.deepEqual((await secrets.read(digestOf(`${release}`))).objects, objects);
  }
  assert.equal(secrets.index.manifests.size, KEPT, 'older candidates are dropped');
});

test('a text that no Secret could take is kept in parts, and shared between candidates', async () => {
  const secrets = new Secrets();
  const large = newManifest('large', `{"data":"${randomBytes(2_000_000).toString('base64')}"}`);
  await secrets.accept(digestOf('1'), { objects: [large], hooks: [] });
  const before = secrets.data.size;
  await secrets.accept(digestOf('2'), { objects: [newManifest('small', '{}'), large], hooks: [] });
  assert.equal(secrets.data.size, before, 'the large one stands once');
  for (const name of secrets.data.keys())
    assert.ok(secrets.bytes(name) < MIB, `${name}: ${secrets.bytes(name)}`);
  assert.deepEqual((await secrets.read(digestOf('1'))).objects, [large]);
  assert.equal((await secrets.read(digestOf('2'))).objects[1]?.text, large.text);
});

test('S18: texts whose digests begin alike for 31 of 32 bytes are two', async () => {
  const secrets = new Secrets();
  const digests = ['00', 'ff'].map((last) => 'ab'.repeat(31) + last);
  const objects = digests.map((digest, index) => newManifest(`config-${index}`, `{"n":${index}}`, digest));
  await secrets.accept(digestOf('1'), { objects: objects.slice(0, 1), hooks: [] });
  await secrets.accept(digestOf('2'), { objects, hooks: [] });
  assert.deepEqual((await secrets.read(digestOf('2'))).objects, objects);
});

test('S18: candidates whose ids begin alike are kept beside each other', async () => {
  const secrets = new Secrets();
  const ids = ['00', 'ff'].map((last) => `sha256:${'ab'.repeat(31)}${last}`);
  for (const id of ids) await secrets.accept(id, { objects: [newManifest(id, `{"of":"${id}"}`)], hooks: [] });
  for (const id of ids) assert.equal((await secrets.read(id)).objects[0]?.name, id);
});
