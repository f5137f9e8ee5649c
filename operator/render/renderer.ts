import { LRUCache } from 'lru-cache';
import { TowpathError } from '../api/errors.ts';
import { sha256 } from '../manifest/digest.ts';
import { Slices } from '../observe/event-loop-slices.ts';
import { answersOf, answerTo, areAnsweredAlike, type ClusterAnswers } from './cluster-reads.ts';
import { Conversation, readFailure, readResult } from './conversation.ts';
import { EnginePool } from './engine-pool.ts';
import { inputsDigest, sameInputs, type Trace, TracedReads } from './inputs.ts';
import { packedChart, subjectOf } from './kinds.ts';
import type { ChartReference, IndexEntry } from './missing-charts.ts';
import {
  DEFAULT_LIMITS,
  type Rendered,
  type RendererOptions,
  type RenderLimits,
  type RenderRequest,
} from './request.ts';
import type { SignedChart, Signer } from './signed-chart.ts';
import type { RenderTree } from './tree.ts';

export { type BaseReference, MissingBases } from './missing-bases.ts';
export { type ChartReference, type IndexEntry, MissingCharts } from './missing-charts.ts';
export { NoFiles } from './no-files.ts';
export {
  DEFAULT_LIMITS,
  type HelmValues,
  type Rendered,
  type RendererOptions,
  type RenderKind,
  type RenderLimits,
  type RenderRequest,
  type ValuesLayer,
} from './request.ts';
export type { SignedChart, Signer } from './signed-chart.ts';
export type { RenderEntry, RenderTree } from './tree.ts';
export { TreeWithBases } from './tree-with-bases.ts';
export { type ChartArchive, TreeWithCharts } from './tree-with-charts.ts';
export { TreeWithFiles, treeWithArchives } from './tree-with-files.ts';
export { repositoryPath } from './values.ts';

interface Kept {
  trace: Trace;
  rendered: Rendered;
  bytes: number;
}

interface Flight {
  promise: Promise<Rendered>;
  waiting: number;
  abort: AbortController;
}

/**
 * Renders charts, kustomizations and plain directories of a Git tree into manifests, in a small pool of
 * confined engine processes.
 *
 * Reasons of its errors (TowpathError, remedy Person): ChartInvalid, RenderFailed, ValuesInvalid,
 * ValuesFileNotFound, ValuesFileTooLarge, ValuesFileIsLFSPointer, LFSPointer, PathNotFound, EnvironmentPathNotFound, PathIsParent,
 * DependencyMissing, KubeVersionUnsupported, KustomizationInvalid, ManifestInvalid, DuplicateObject, RenderTooLarge,
 * RenderTimeout, RenderOutOfMemory, EngineEnded, ChartLockOutOfDate, ChartIndexInvalid. With remedy Time: EngineUnavailable, Stopping. A render of nothing is no
 * error. What the tree throws is passed on.
 */
export class Renderer {
  readonly #pool: EnginePool;
  readonly #limits: RenderLimits;
  readonly #slices: Slices;
  readonly #onRendered: RendererOptions['onRendered'];
  /** By request; of each the last few results. */
  readonly #kept: LRUCache<string, readonly Kept[]>;
  readonly #flights = new Map<string, Flight>();

  constructor(options: RendererOptions) {
    this.#slices = options.slices ?? new Slices();
    this.#onRendered = options.onRendered;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const cacheBytes = options.cacheBytes ?? 64 * 2 ** 20;
    this.#kept = new LRUCache({ maxSize: cacheBytes, sizeCalculation: bytesOf });
    this.#pool = new EnginePool({
      enginePath: options.enginePath,
      processes: options.processes ?? 2,
      cpuMs: this.#limits.cpuMs,
      memoryBytes: this.#limits.memoryBytes,
      cacheBytes,
      inputBytes: this.#limits.inputBytes,
    });
  }

  /** A result is shared between callers and must not be changed. */
  async render(tree: RenderTree, request: RenderRequest, signal?: AbortSignal): Promise<Rendered> {
    signal?.throwIfAborted();
    // What of the cluster is read is found out by the render.
    const { capabilities, scopes, chart, ...ofRepository } = request;
    const archive = chart === undefined ? {} : { archive: packedChart(chart).digest };
    const key = sha256(JSON.stringify({ ...ofRepository, ...archive }));
    const kept = await this.#find(key, tree, answersOf(request), signal);
    if (kept !== undefined) return kept;
    const flightKey = `${key} ${tree.revision} ${sha256(JSON.stringify([capabilities, scopes]))}`;
    const flight = this.#flights.get(flightKey) ?? this.#start(flightKey, key, tree, request);
    return this.#join(flight, signal);
  }

  /** Looks a chart's version up in what a Helm repository's index.yaml has of that chart, as Helm does. */
  async findInIndex(
    chart: ChartReference & { longest?: number },
    text: Uint8Array,
    signal: AbortSignal,
  ): Promise<IndexEntry> {
    const subject = { path: `index.yaml of ${chart.repository}`, kind: 'Index' } as const;
    const answer = await this.#pool.run(
      subject,
      '',
      (exchange) => exchange({ type: 'index', index: chart }, [text]),
      signal,
    );
    if (answer.header.type === 'failure') throw readFailure(answer.header);
    return answer.header as unknown as IndexEntry;
  }

  /**
   * Who signed a chart's archive, as `helm verify` finds out.
   *
   * @throws TowpathError ChartSignatureInvalid, ChartKeyringInvalid, and of the engine; or the signal's reason.
   */
  async verify(
    { archive, provenance, keyring, ...chart }: SignedChart,
    signal: AbortSignal,
  ): Promise<Signer> {
    const { name, version, repository } = chart;
    const answer = await this.#pool.run(
      { path: `the signature of chart ${name} ${version} of ${repository}`, kind: 'Signature' },
      '',
      (exchange) => exchange({ type: 'verify', verify: chart }, [archive, provenance, keyring]),
      signal,
    );
    if (answer.header.type === 'failure') throw readFailure(answer.header);
    const { fingerprint, identity } = answer.header as unknown as Signer;
    return { fingerprint, identity };
  }

  async stop(): Promise<void> {
    await this.#pool.stop();
  }

  /** Processes that there are. */
  get engines(): { idle: number; busy: number } {
    return this.#pool.processes;
  }

  /** Bytes that they have in memory. */
  get residentBytes(): number {
    return this.#pool.residentBytes;
  }

  async #observed<T>(signal: AbortSignal, render: () => Promise<T>): Promise<T> {
    const started = performance.now();
    let reason = '';
    try {
      return await render();
    } catch (error) {
      if (signal.aborted) reason = 'Interrupted';
      else reason = error instanceof TowpathError ? error.reason : 'Unknown';
      throw error;
    } finally {
      this.#onRendered?.({ milliseconds: performance.now() - started, reason });
    }
  }

  #start(flightKey: string, key: string, tree: RenderTree, request: RenderRequest): Flight {
    const abort = new AbortController();
    const promise = this.#observed(abort.signal, () => this.#run(key, tree, request, abort.signal)).finally(
      () => {
        if (this.#flights.get(flightKey) === flight) this.#flights.delete(flightKey);
      },
    );
    const flight: Flight = { promise, waiting: 0, abort };
    this.#flights.set(flightKey, flight);
    promise.catch(() => {}); // those who wait are told
    return flight;
  }

  /** Waits for a render that others may wait for too: it is given up only when nobody waits any more. */
  #join(flight: Flight, signal: AbortSignal | undefined): Promise<Rendered> {
    flight.waiting++;
    return new Promise((resolve, reject) => {
      const settled = () => {
        flight.waiting--;
        signal?.removeEventListener('abort', aborted);
      };
      const aborted = () => {
        settled();
        if (flight.waiting === 0) {
          for (const [key, each] of this.#flights) if (each === flight) this.#flights.delete(key);
          flight.abort.abort(signal?.reason);
        }
        reject(signal?.reason);
      };
      if (signal?.aborted) return aborted();
      signal?.addEventListener('abort', aborted, { once: true });
      flight.promise.then(
        (rendered) => {
          settled();
          resolve(rendered);
        },
        (error: unknown) => {
          settled();
          reject(error);
        },
      );
    });
  }

  async #run(key: string, tree: RenderTree, request: RenderRequest, signal: AbortSignal): Promise<Rendered> {
    const reader = new TracedReads(tree, signal);
    const { path, kind, values, trees } = await subjectOf(reader, request);
    signal.throwIfAborted();
    const header = {
      type: 'render',
      kind,
      path,
      namespace: request.namespace,
      releaseName: request.releaseName,
      ...request.capabilities,
      scopes: request.scopes,
      labels: request.labels,
      skipSchemaValidation: request.helm?.skipSchemaValidation === true,
      owner: request.owner,
      values: values.map(({ text: _, ...source }) => source),
      trees: trees.map(({ load: _, ...each }) => each),
      maxOutputBytes: this.#limits.outputBytes,
      maxObjects: this.#limits.objects,
    };
    const texts = values.map((source) => source.text);
    const answer = await this.#pool.run(
      { path, kind },
      trees[0]?.digest ?? '',
      (exchange) => new Conversation(reader, trees, this.#limits.inputBytes).run(exchange, header, texts),
      signal,
    );
    const { reads: read, ...result } = await readResult(answer, this.#slices);
    const cluster = answersOf(request);
    const reads = Object.fromEntries(read.map((each) => [each, answerTo(each, cluster) ?? '']));
    const rendered = {
      ...result,
      reads,
      inputs: inputsDigest(withArchive(reader.trace, request.chart)),
      places: reader.places,
    };
    this.#keep(key, {
      trace: reader.trace,
      rendered,
      bytes: resultBytes(rendered) + traceBytes(reader.trace) + traceBytes(new Map(Object.entries(reads))),
    });
    return rendered;
  }

  async #find(
    key: string,
    tree: RenderTree,
    cluster: ClusterAnswers,
    signal: AbortSignal | undefined,
  ): Promise<Rendered | undefined> {
    for (const kept of this.#kept.get(key) ?? []) {
      if (!areAnsweredAlike(kept.rendered.reads, cluster)) continue;
      if (await sameInputs(kept.trace, tree, signal)) return kept.rendered;
    }
    return undefined;
  }

  #keep(key: string, added: Kept): void {
    const resultsOfOneRequest = 2;
    this.#kept.set(key, [added, ...(this.#kept.get(key) ?? [])].slice(0, resultsOfOneRequest));
  }
}

/** What was published is an input as the files are that were read. */
function withArchive(trace: Trace, chart: RenderRequest['chart']): Trace {
  if (chart === undefined) return trace;
  const { path, digest } = packedChart(chart);
  return new Map([...trace, [`archive ${path}`, digest]]);
}

/** All that is kept of a request: its key, and of each result the manifests with what is told of them, and the trace. */
function bytesOf(results: readonly Kept[], key: string): number {
  return results.reduce((sum, { bytes }) => sum + bytes, key.length);
}

/** Beside a manifest's text: its identity, digest, annotations and file. */
const MANIFEST_BYTES = 1000;

/** A text takes two bytes a character where one of them is beyond Latin-1. */
function resultBytes({ objects, hooks, warnings }: Rendered): number {
  let sum = 2 * warnings.join('').length;
  for (const { text } of [...objects, ...hooks]) sum += MANIFEST_BYTES + 2 * text.length;
  return sum;
}

/** Beside a trace's texts: an entry of a Map, and two strings. */
const TRACE_ENTRY_BYTES = 100;

function traceBytes(trace: Trace): number {
  let sum = 0;
  for (const [read, fingerprint] of trace) sum += TRACE_ENTRY_BYTES + read.length + fingerprint.length;
  return sum;
}
