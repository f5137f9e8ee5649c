import { type ErrorDetail, TowpathError } from '../api/errors.ts';
import { cutAtEnd } from '../api/foreign-text.ts';
import type { Hook, Manifest } from '../manifest/manifest.ts';
import type { Slices } from '../observe/event-loop-slices.ts';
import type { EngineMessage } from './engine-child.ts';
import type { Exchange } from './engine-pool.ts';
import type { TracedReads } from './inputs.ts';
import { chartFiles, type EngineFiles } from './kinds.ts';
import { type BaseReference, MissingBases } from './missing-bases.ts';
import { type ChartReference, MissingCharts } from './missing-charts.ts';
import { describePath, type Rendered } from './request.ts';

/** Answers what the engine asks about the repository while it works on a request. */
export class Conversation {
  readonly #tree: TracedReads;
  readonly #path: string;
  /** Those that the engine may ask for as a whole, by repository path. */
  readonly #files: Map<string, EngineFiles>;
  #bytesLeft: number;
  readonly #inputBytes: number;

  constructor(tree: TracedReads, files: readonly EngineFiles[], inputBytes: number) {
    this.#tree = tree;
    this.#path = files[0]?.path ?? '';
    this.#files = new Map(files.map((each) => [each.path, each]));
    this.#inputBytes = inputBytes;
    this.#bytesLeft = inputBytes;
  }

  /**
   * Sends a request and returns its result.
   *
   * @throws TowpathError of the engine's failure, or what reading the repository threw.
   */
  async run(
    exchange: Exchange,
    header: Record<string, unknown>,
    blobs: Uint8Array[],
  ): Promise<EngineMessage> {
    let failed: unknown;
    let message = await exchange(header, blobs);
    while (message.header.type === 'need' || message.header.type === 'ask') {
      let reply: { header: Record<string, unknown>; blobs: Uint8Array[] };
      try {
        reply = await this.#answer(message.header);
      } catch (error) {
        failed ??= error;
        reply = { header: { type: 'cancel' }, blobs: [] };
      }
      message = await exchange(reply.header, reply.blobs);
    }
    if (failed !== undefined) throw failed;
    if (message.header.type === 'failure') throw readFailure(message.header);
    return message;
  }

  async #answer(
    question: Record<string, unknown>,
  ): Promise<{ header: Record<string, unknown>; blobs: Uint8Array[] }> {
    const path = String(question.path ?? '');
    if (question.type === 'need') {
      const files = (await this.#files.get(path)?.load()) ?? [];
      const blobs = files.map((file) => file.data);
      this.#count(blobs);
      return { header: { type: 'tree', files: files.map((file) => file.path) }, blobs };
    }
    switch (question.operation) {
      case 'chart': {
        const chart = await chartFiles(this.#tree, path);
        if (chart !== undefined) this.#files.set(path, chart);
        return { header: { type: 'answer', digest: chart?.digest ?? '' }, blobs: [] };
      }
      case 'stat':
        return { header: { type: 'answer', found: (await this.#tree.type(path)) ?? '' }, blobs: [] };
      case 'list': {
        const names = (await this.#tree.names(path)).map((entry) => entry.name);
        return { header: { type: 'answer', names }, blobs: [] };
      }
      case 'read': {
        const blobs = [await this.#tree.read(path)];
        this.#count(blobs);
        return { header: { type: 'answer' }, blobs };
      }
    }
    throw new Error(`the engine asked for ${String(question.operation)}`);
  }

  #count(blobs: readonly Uint8Array[]): void {
    for (const blob of blobs) this.#bytesLeft -= blob.length;
    if (this.#bytesLeft >= 0) return;
    const limit = (this.#inputBytes / 2 ** 20).toFixed(1);
    throw new TowpathError(
      'Person',
      'RenderTooLarge',
      `The files for rendering ${describePath(this.#path)} have more than ${limit} MiB together. Set spec.source.path to a smaller directory.`,
    );
  }
}

/** Of what the engine repeats of a chart: characters of each message. */
const LONGEST = 4_096;
/** No status lists more, and nobody counts them. */
const MOST_DETAILS = 1_000;

/** What the engine answers in the place of a result. */
export function readFailure(header: Record<string, unknown>): TowpathError {
  const failure = header as {
    reason: string;
    message: string;
    details?: ErrorDetail[];
    fetch?: ChartReference[];
    bases?: BaseReference[];
  };
  const details = (failure.details ?? [])
    .slice(0, MOST_DETAILS)
    .map((detail) => ({ ...detail, message: cutAtEnd(detail.message, LONGEST) }));
  const message = cutAtEnd(failure.message, LONGEST);
  if (failure.bases !== undefined) return new MissingBases(message, details, failure.bases);
  if (failure.fetch !== undefined) return new MissingCharts(message, details, failure.fetch);
  return new TowpathError('Person', failure.reason, message, { details });
}

interface EngineManifest extends Omit<Manifest, 'text'> {
  length: number;
  hook?: Hook;
}

/** The result without the digest of its inputs; `reads` are the names of what was read of the cluster. */
export async function readResult(
  answer: EngineMessage,
  slices: Slices,
): Promise<Omit<Rendered, 'inputs' | 'reads' | 'places'> & { reads: string[] }> {
  const header = answer.header as unknown as {
    objects: EngineManifest[];
    hooks: EngineManifest[];
    chart?: { name: string; version: string; appVersion?: string };
    warnings: string[];
    reads: string[];
  };
  const texts = answer.blobs[0] ?? Buffer.alloc(0);
  let at = 0;
  const withTexts = async (manifests: readonly EngineManifest[]): Promise<Manifest[]> => {
    const result: Manifest[] = [];
    for (const { length, ...manifest } of manifests) {
      const pause = slices.pause();
      if (pause !== undefined) await pause;
      result.push({ ...manifest, text: texts.toString('utf8', at, at + length) });
      at += length;
    }
    return result;
  };
  return {
    objects: await withTexts(header.objects),
    hooks: await withTexts(header.hooks),
    ...(header.chart === undefined ? {} : { chart: header.chart }),
    warnings: header.warnings.map((warning) => cutAtEnd(warning, LONGEST)),
    reads: header.reads,
  };
}
