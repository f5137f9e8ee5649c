import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib';
import type { Manifest } from '../../manifest/manifest.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import type { Manifests } from './record.ts';
import { type DescribedManifest, indexElsewhere, readDescribed, readIndex } from './record-format.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Shorter texts are compressed at once: a thread would take ten times as long to be asked as to do it. */
const SMALL_BYTES = 8_192;
/** A window for small texts: setting up a larger one costs more than it saves. */
const SMALL = { windowBits: 12, memLevel: 5 };

/** Characters of base64. An object in etcd may have 1.5 MiB, and the record itself needs room. */
const INLINE_BYTES = 200_000;
/** A multiple of 4, so that each part of a text that was cut is base64 of its own, as Secrets ask for. */
const CHUNK_BYTES = 900_000;

interface Place {
  /** The Secret whose data has it. */
  secret: string;
  /** Compressed, in base64. */
  bytes: number;
}

/** A Secret that is to be made for what the record's own has no room for. */
export interface Chunk {
  name: string;
  data: Record<string, string>;
}

/**
 * Where an Application's kept manifests are, by data key: `m.<digest>` describes the objects of a candidate with these
 * manifests, `o.<digest>` is the text of one, and stands once however many share it. Both are digests in full (S18).
 */
export class RecordIndex {
  /** The data keys that a candidate needs, by the digest of its manifests. */
  readonly manifests: Map<string, string[]>;
  readonly places: Map<string, Place>;
  /** The chunk that has this index, where it is too large for the record's own Secret. */
  at: string | undefined;

  constructor(of?: RecordIndex) {
    this.manifests = new Map(of?.manifests);
    this.places = new Map(of?.places);
    this.at = of?.at;
  }

  /** The Secrets other than the record's own that are in use. */
  secrets(own: string): Set<string> {
    const used = new Set([...this.places.values()].map(({ secret }) => secret));
    if (this.at !== undefined) used.add(this.at);
    used.delete(own);
    return used;
  }

  /** Finds a place for a candidate's manifests: in `data` of the record's own Secret `own`, or in chunks. */
  async place(
    own: string,
    digest: string,
    manifests: Manifests,
    data: Record<string, string | null>,
    slices: Slices,
  ) {
    const { objects, hooks } = manifests;
    const texts = new Map<string, unknown>([
      [describedKey(digest), { objects: objects.map(describe), hooks: hooks.map(describe) }],
    ]);
    for (const manifest of [...objects, ...hooks]) texts.set(textKey(manifest), manifest.text);
    const isInline = ({ secret }: Place) => secret === own;
    let inline = [...this.places.values()].filter(isInline).reduce((sum, { bytes }) => sum + bytes, 0);
    const chunks: Chunk[] = [];
    let room = 0;
    const keys: string[] = [];
    for (const [key, text] of texts) {
      const pause = slices.pause();
      if (pause !== undefined) await pause;
      const kept = partsOf(key, (part) => this.places.has(part));
      keys.push(...kept);
      if (kept.length > 0) continue;
      for (const [part, encoded] of inParts(key, await encode(text))) {
        keys.push(part);
        const bytes = encoded.length;
        if (inline + bytes <= INLINE_BYTES) {
          inline += bytes;
          data[part] = encoded;
          this.places.set(part, { secret: own, bytes });
          continue;
        }
        if (room < bytes) chunks.push({ name: this.#newName(own), data: {} });
        room = (room < bytes ? CHUNK_BYTES : room) - bytes;
        const chunk = chunks.at(-1);
        if (chunk === undefined) throw new Error('there is no chunk');
        chunk.data[part] = encoded;
        this.places.set(part, { secret: chunk.name, bytes });
      }
    }
    this.manifests.set(digest, keys);
    return chunks;
  }

  /** Takes out what nothing wanted (digests of manifests) needs, and from `data` of the record's own Secret what it has of that. */
  dropUnused(own: string, wanted: ReadonlySet<string>, data: Record<string, string | null>): void {
    for (const digest of this.manifests.keys()) if (!wanted.has(digest)) this.manifests.delete(digest);
    const used = new Set([...this.manifests.values()].flat());
    for (const [key, { secret }] of this.places) {
      if (used.has(key)) continue;
      this.places.delete(key);
      if (secret === own) data[key] = null;
    }
  }

  /** Takes out manifests that were damaged, texts that others share included: they are given a place anew. */
  forget(digest: string): void {
    for (const key of this.manifests.get(digest) ?? []) this.places.delete(key);
    this.manifests.delete(digest);
  }

  /** Its text for the record's own Secret; a large one goes to a chunk, and the text says to which. */
  async write(own: string): Promise<{ text: string; chunk?: Chunk }> {
    this.at = undefined;
    const text = await this.#encoded();
    if (text.length <= INLINE_BYTES / 2) return { text };
    this.at = this.#newName(own);
    return {
      text: await encode({ at: this.at }),
      chunk: { name: this.at, data: { index: await this.#encoded() } },
    };
  }

  #encoded(): Promise<string> {
    const positions = new Map([...this.places.keys()].map((key, position) => [key, position]));
    return encode({
      places: [...this.places],
      manifests: [...this.manifests].map(([digest, keys]) => [digest, keys.map((key) => positions.get(key))]),
    });
  }

  /** Never one that was used before: a write of another run that is still under way may name it. */
  #newName(own: string): string {
    return `${own}-${randomBytes(6).toString('hex')}`;
  }

  /**
   * Reads what `write` wrote; `chunk` reads the data of another Secret. Undefined where there is none.
   *
   * @throws where it is no index
   */
  static async read(
    text: string | undefined,
    chunk: (name: string) => Promise<Record<string, string>>,
    slices: Slices,
  ): Promise<RecordIndex | undefined> {
    const found = await decode(text);
    if (found === undefined) return undefined;
    const at = indexElsewhere(found);
    const written = await readIndex(at === undefined ? found : await decode((await chunk(at)).index), slices);
    const index = new RecordIndex();
    for (const [key, place] of written.places) index.places.set(key, place);
    const keys = [...index.places.keys()];
    for (const [digest, positions] of written.manifests)
      index.manifests.set(
        digest,
        positions.map((position) => keyAt(keys, position)),
      );
    index.at = at;
    return index;
  }
}

/** Puts a candidate's manifests together again from the data of the Secrets that have them. */
export async function manifestsIn(
  data: Record<string, string>,
  digest: string,
  slices: Slices,
): Promise<Manifests> {
  const read = (key: string) =>
    decode(
      partsOf(key, (part) => part in data)
        .map((part) => data[part])
        .join(''),
    );
  const described = await readDescribed(await read(describedKey(digest)), slices);
  const complete = async (described: readonly DescribedManifest[]): Promise<Manifest[]> => {
    const manifests: Manifest[] = [];
    for (const manifest of described) {
      const pause = slices.pause();
      if (pause !== undefined) await pause;
      manifests.push({ ...manifest, text: (await read(textKey(manifest))) as string });
    }
    return manifests;
  };
  return { objects: await complete(described.objects), hooks: await complete(described.hooks) };
}

/** A text that no Secret could take alone stands in several, under its key and `<key>.1`, `<key>.2` … */
function inParts(key: string, encoded: string): [string, string][] {
  const parts: [string, string][] = [];
  for (let at = 0; at < encoded.length; at += CHUNK_BYTES)
    parts.push([at === 0 ? key : `${key}.${at / CHUNK_BYTES}`, encoded.slice(at, at + CHUNK_BYTES)]);
  return parts;
}

/** The data keys of a text's parts, as far as they are there. */
function partsOf(key: string, isThere: (part: string) => boolean): string[] {
  const parts: string[] = [];
  for (let part = key; isThere(part); part = `${key}.${parts.length}`) parts.push(part);
  return parts;
}

function keyAt(keys: readonly string[], position: number): string {
  const key = keys[position];
  if (key === undefined) throw new Error('the index names a place that it does not have');
  return key;
}

/** A Secret's data keys have no colon. */
function describedKey(digest: string): string {
  return `m.${digest.replace('sha256:', '')}`;
}

function textKey(manifest: { digest: string }): string {
  return `o.${Buffer.from(manifest.digest, 'hex').toString('base64url')}`;
}

function describe({ text: _text, ...described }: Manifest): DescribedManifest {
  return described;
}

/** Compressed JSON in base64, as a Secret's data takes it. */
export async function encode(value: unknown): Promise<string> {
  const text = JSON.stringify(value);
  const bytes = text.length < SMALL_BYTES ? gzipSync(text, SMALL) : await compress(text);
  return bytes.toString('base64');
}

export async function decode(encoded: string | undefined): Promise<unknown> {
  if (encoded === undefined || encoded === '') return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  const text = bytes.length < SMALL_BYTES / 4 ? gunzipSync(bytes) : await decompress(bytes);
  return JSON.parse(text.toString());
}
