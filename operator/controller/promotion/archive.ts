import { type LedgerRecord, ledgerRecords, ledgerText } from '../../api/v1alpha1/ledger.ts';
import { LABEL_LEDGER, LEDGER_OF_ALL } from '../../api/v1alpha1/names.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isAlreadyExists, isNotFound } from '../../kube/errors.ts';
import { type Recordable, secondOf } from '../record/promotion-names.ts';
import { Turns } from '../work/turns.ts';
import {
  type Chunk,
  type ChunkObject,
  chunkOf,
  contentsOf,
  FULL_BYTES,
  inOrder,
  isOfTime,
  isRecordOf,
  nameOf,
  packed,
  textOf,
  toldOf,
  uidsIn,
} from './archive-chunks.ts';
import { type Going, type GoneBounds, goingOf } from './archive-retention.ts';

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };
/** That something was removed of which no ConfigMap of its own tells any more. */
const DROPPED = 'towpath-ledger';
/** So many records go into one write: alone they have room in a chunk. */
const BATCH = 200;

export interface ArchiveOptions {
  client: KubeClient;
  /** The operator's. */
  namespace: string;
  /** ConfigMaps that a namespace of Applications may have. */
  most: number;
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

  /**
   * Those deployments of which the archive has no record, whatever the uid of that would be. What can have it is read, from
   * the time on at which the first of them began.
   */
  async lacking<One extends Pick<Recordable, 'target' | 'id' | 'startedAt'>>(
    namespace: string,
    deployments: readonly One[],
    signal: AbortSignal,
  ): Promise<readonly One[]> {
    if (deployments.length === 0) return [];
    return this.#turns.take(namespace, signal, async () => {
      let lacking = deployments;
      for (const chunk of await this.#row(namespace, signal)) {
        const begun = Math.min(...lacking.map(({ startedAt }) => secondOf(startedAt) * 1_000));
        if (chunk.until < begun) continue;
        const object = await this.#read(chunk.name, signal);
        const { records } = ledgerRecords((object && (await textOf(object))) ?? '');
        const known = Map.groupBy(records, ({ deployment }) => deployment);
        lacking = lacking.filter((one) => !known.get(one.id)?.some((record) => isRecordOf(record, one)));
      }
      return lacking;
    });
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
    const before = row.at(-1)?.sequence ?? ((await this.#hasDropped(signal)) ? 1 : 0);
    const sequence = before + 1;
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
    for (const chunk of row.slice(0, Math.max(0, row.length + 1 - most)))
      await this.#remove(namespace, chunk, signal);
  }

  async #remove(namespace: string, { name, uid }: Chunk, signal: AbortSignal): Promise<void> {
    await this.#options.client.delete(this.#path(name), { uid }, { signal }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    const row = this.#rows.get(namespace);
    if (row !== undefined)
      this.#rows.set(
        namespace,
        row.filter((chunk) => chunk.uid !== uid),
      );
  }

  /**
   * Removes what there is too much of namespaces in which nothing is any more.
   *
   * @param of the one that is asked about; undefined: all
   */
  async retire(
    isInUse: (namespace: string) => boolean,
    { bounds, of }: { bounds: GoneBounds; of: string | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const labelSelector = of === undefined ? LABEL_LEDGER : `${LABEL_LEDGER}=${of}`;
    const path = { resource: CONFIG_MAPS, namespace: this.#options.namespace };
    const { items } = await this.#options.client.list(
      path,
      { labelSelector, metadataOnly: true },
      { signal },
    );
    const rows = Map.groupBy(items, ({ metadata }) => metadata.labels?.[LABEL_LEDGER] ?? '');
    const gone = new Map<string, readonly Chunk[]>();
    for (const [namespace, objects] of rows) {
      const chunks = objects.map(chunkOf).filter(({ sequence }) => sequence > 0);
      if (chunks.length > 0 && !isInUse(namespace)) gone.set(namespace, chunks);
    }
    for (const one of goingOf(gone, bounds))
      await this.#turns.take(one.namespace, signal, () => this.#retireOne(one, signal));
  }

  /** What follows in a namespace of which nothing is left must not look as if nothing had been before it. */
  async #retireOne({ namespace, chunk, isLast }: Going, signal: AbortSignal): Promise<void> {
    const { client, namespace: own } = this.#options;
    if (isLast && !(await this.#hasDropped(signal))) {
      const metadata = { name: DROPPED, namespace: own, labels: { [LABEL_LEDGER]: LEDGER_OF_ALL } };
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
      await client
        .create({ resource: CONFIG_MAPS, namespace: own }, body, {}, { signal })
        .catch((error: unknown) => {
          if (!isAlreadyExists(error)) throw error;
        });
    }
    await this.#remove(namespace, chunk, signal);
  }

  async #hasDropped(signal: AbortSignal): Promise<boolean> {
    return (await this.#read(DROPPED, signal)) !== undefined;
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
