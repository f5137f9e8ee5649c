import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { LEDGER_KEY, type LedgerRecord, ledgerText } from '../../api/v1alpha1/ledger.ts';
import {
  ANNOTATION_FROM,
  ANNOTATION_RECORDS,
  ANNOTATION_UNTIL,
  LABEL_LEDGER,
} from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { Turns } from '../work/turns.ts';

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };
const [compress, expand] = [promisify(gzip), promisify(gunzip)];
/** Base 64, as it stands in the ConfigMap. */
const FULL_BYTES = 64 * 1024;
/** One with this much is sealed with the write that comes to it: hardly any batch would fit into it. */
const SEALED_BYTES = 60 * 1024;
/** What is expanded of a chunk: more than a full one can have of what is written here. */
const LARGEST_TEXT = 8 * 1024 * 1024;
/** So many records go into one write: alone they have room in a chunk. */
const BATCH = 200;

export interface ArchiveOptions {
  client: KubeClient;
  /** The operator's. */
  namespace: string;
  /** ConfigMaps that a namespace of Applications may have. */
  most: number;
}

/** What is known of a chunk without reading what is in it. */
interface Chunk {
  readonly name: string;
  readonly uid: string;
  readonly sequence: number;
  /** When the first and the last of what is in it ended: milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

interface ChunkObject extends KubeObject {
  binaryData?: Record<string, string>;
  immutable?: boolean;
}

/**
 * What stays of Promotions when their objects are gone: ConfigMaps in the operator's namespace, for each namespace of
 * Applications a row of its own. The last of a row takes what ended, until it is full and sealed; where a row has too many,
 * its oldest goes. What is in it already is never taken in again, whatever became of the answer to a write.
 * What is done for one namespace is done one after the other.
 */
export class Archive {
  readonly #options: ArchiveOptions;
  /** By namespace of Applications, in their order; what is not here was not looked for yet. */
  readonly #rows = new Map<string, readonly Chunk[]>();
  readonly #turns = new Turns();

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  /** What another leader wrote meanwhile is looked for anew. */
  forget(): void {
    this.#rows.clear();
  }

  /**
   * Writes down what the archive does not have yet.
   *
   * @param records asked for what there is when it has its turn. @returns these
   */
  append(
    namespace: string,
    records: () => readonly LedgerRecord[],
    signal: AbortSignal,
  ): Promise<readonly LedgerRecord[]> {
    return this.#turns.take(namespace, signal, async () => {
      const all = records();
      for (let from = 0; from < all.length; from += BATCH)
        await this.#appendBatch(namespace, all.slice(from, from + BATCH), signal);
      return all;
    });
  }

  /**
   * Those that the archive does not have. Of a row only what is of their times is read: for one record hardly ever more
   * than one ConfigMap, however many there are.
   */
  async missing(
    namespace: string,
    records: readonly LedgerRecord[],
    signal: AbortSignal,
  ): Promise<LedgerRecord[]> {
    if (records.length === 0) return [];
    return this.#turns.take(namespace, signal, () => this.#missing(namespace, records, signal));
  }

  async #missing(
    namespace: string,
    records: readonly LedgerRecord[],
    signal: AbortSignal,
  ): Promise<LedgerRecord[]> {
    const row = await this.#row(namespace, signal);
    const missing = new Map(records.map((record) => [record.uid, record]));
    for (const chunk of [...row].reverse()) {
      if (!isOfTime(chunk, missing.values())) continue;
      const object = await this.#read(chunk.name, signal);
      for (const uid of uidsIn((object && (await textOf(object))) ?? '')) missing.delete(uid);
    }
    return [...missing.values()];
  }

  async #appendBatch(namespace: string, batch: readonly LedgerRecord[], signal: AbortSignal): Promise<void> {
    const row = await this.#row(namespace, signal);
    const last = row.at(-1);
    const object = last && (await this.#read(last.name, signal));
    const there = object && (await textOf(object));
    const known = uidsIn(there ?? '');
    const news = batch.filter(({ uid }) => !known.has(uid));
    if (news.length === 0) return;
    if (object !== undefined && there !== undefined && object.immutable !== true) {
      const data = await packed(there + ledgerText(news));
      if (data.length <= FULL_BYTES) return this.#update(namespace, object, news, data, signal);
    }
    await this.#begin(namespace, row, news, signal);
  }

  /** On condition that nobody else wrote to it since it was read. */
  async #update(
    namespace: string,
    { metadata: { name, resourceVersion, annotations } }: ChunkObject,
    news: readonly LedgerRecord[],
    data: string,
    signal: AbortSignal,
  ): Promise<void> {
    const metadata = { resourceVersion, annotations: toldOf(news, annotations) };
    try {
      const body = { metadata, ...contentsOf(data) };
      const written = await this.#options.client.mergePatch(this.#path(name), body, {}, { signal });
      this.#note(namespace, chunkOf(written));
    } catch (error) {
      // Somebody deleted it, or wrote to it: what there is, is looked for anew.
      this.#rows.delete(namespace);
      throw error;
    }
  }

  async #begin(
    namespace: string,
    row: readonly Chunk[],
    records: readonly LedgerRecord[],
    signal: AbortSignal,
  ): Promise<void> {
    const { client, namespace: own, most } = this.#options;
    const sequence = (row.at(-1)?.sequence ?? 0) + 1;
    const metadata = {
      name: nameOf(namespace, sequence),
      namespace: own,
      labels: { [LABEL_LEDGER]: namespace },
      annotations: toldOf(records),
    };
    const contents = contentsOf(await packed(ledgerText(records)));
    try {
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, ...contents };
      const made = await client.create({ resource: CONFIG_MAPS, namespace: own }, body, {}, { signal });
      this.#note(namespace, chunkOf(made));
    } catch (error) {
      this.#rows.delete(namespace);
      throw error;
    }
    for (const { name, uid } of row.slice(0, Math.max(0, row.length + 1 - most))) {
      await client.delete(this.#path(name), { uid }, { signal }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
      this.#rows.set(
        namespace,
        (this.#rows.get(namespace) ?? []).filter((chunk) => chunk.uid !== uid),
      );
    }
  }

  #note(namespace: string, chunk: Chunk): void {
    const others = (this.#rows.get(namespace) ?? []).filter(({ name }) => name !== chunk.name);
    this.#rows.set(namespace, inOrder([...others, chunk]));
  }

  async #row(namespace: string, signal: AbortSignal): Promise<readonly Chunk[]> {
    const known = this.#rows.get(namespace);
    if (known !== undefined) return known;
    const { client, namespace: own } = this.#options;
    const labelSelector = `${LABEL_LEDGER}=${namespace}`;
    const { items } = await client.list(
      { resource: CONFIG_MAPS, namespace: own },
      { labelSelector, metadataOnly: true },
      { signal },
    );
    const row = inOrder(items.map(chunkOf).filter(({ sequence }) => sequence > 0));
    this.#rows.set(namespace, row);
    return row;
  }

  /** Undefined where somebody deleted it. */
  async #read(name: string, signal: AbortSignal): Promise<ChunkObject | undefined> {
    try {
      return await this.#options.client.get(this.#path(name), { signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #path(name: string) {
    return { resource: CONFIG_MAPS, namespace: this.#options.namespace, name };
  }
}

/** `towpath-ledger.shop.000001`: by their names they stand in their order. */
function nameOf(namespace: string, sequence: number): string {
  return `towpath-ledger.${namespace}.${String(sequence).padStart(6, '0')}`;
}

function chunkOf({ metadata: { name, uid, annotations = {} } }: KubeObject): Chunk {
  const from = Date.parse(annotations[ANNOTATION_FROM] ?? '');
  const until = Date.parse(annotations[ANNOTATION_UNTIL] ?? '');
  return {
    name,
    uid,
    sequence: Number(/\.(\d{6,12})$/.exec(name)?.[1] ?? 0),
    // One that does not say it may have anything.
    from: Number.isNaN(from) ? Number.NEGATIVE_INFINITY : from,
    until: Number.isNaN(until) ? Number.POSITIVE_INFINITY : until,
  };
}

/** Whether one of them may be in it. */
function isOfTime({ from, until }: Chunk, records: Iterable<LedgerRecord>): boolean {
  for (const { finishedAt } of records) {
    const time = Date.parse(finishedAt);
    if (from <= time && time <= until) return true;
  }
  return false;
}

function inOrder(chunks: readonly Chunk[]): readonly Chunk[] {
  return [...chunks].sort((one, other) => one.sequence - other.sequence);
}

/** What a chunk says of itself, so that nobody has to read it for that. @param before what it said until now */
function toldOf(news: readonly LedgerRecord[], before: Record<string, string> = {}): Record<string, string> {
  const ends = news.map(({ finishedAt }) => finishedAt);
  const [from, until] = [before[ANNOTATION_FROM], before[ANNOTATION_UNTIL]];
  for (const end of [from, until]) if (end !== undefined) ends.push(end);
  ends.sort((one, other) => Date.parse(one) - Date.parse(other));
  return {
    [ANNOTATION_FROM]: ends[0] ?? '',
    [ANNOTATION_UNTIL]: ends.at(-1) ?? '',
    [ANNOTATION_RECORDS]: String(Number(before[ANNOTATION_RECORDS] ?? 0) + news.length),
  };
}

function contentsOf(data: string) {
  return { binaryData: { [LEDGER_KEY]: data }, ...(data.length >= SEALED_BYTES ? { immutable: true } : {}) };
}

async function packed(text: string): Promise<string> {
  return (await compress(text)).toString('base64');
}

/** Undefined where it was damaged: nothing is written over that. */
async function textOf({ binaryData = {} }: ChunkObject): Promise<string | undefined> {
  const written = binaryData[LEDGER_KEY];
  if (written === undefined) return undefined;
  try {
    return (await expand(Buffer.from(written, 'base64'), { maxOutputLength: LARGEST_TEXT })).toString();
  } catch {
    return undefined;
  }
}

/** Each line begins with the uid: most of what is in it nobody needs to know what is there. */
function uidsIn(text: string): Set<string> {
  const begin = '{"uid":"';
  const lines = text.split('\n').filter((line) => line.startsWith(begin));
  return new Set(lines.map((line) => line.slice(begin.length, line.indexOf('"', begin.length))));
}
