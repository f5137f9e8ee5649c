import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { parse } from 'yaml';
import { type ErrorDetail, TowpathError } from '../api/errors.ts';
import type { Hook, Manifest } from '../manifest/manifest.ts';
import type { EngineChild, EngineMessage } from './engine-child.ts';
import { EnginePool } from './engine-pool.ts';
import { inputsDigest, RecordedTree, sameInputs, type Trace } from './inputs.ts';
import type { RenderTree } from './tree.ts';
import { type EngineValues, readValuesFiles, repositoryPath, whatIsThere } from './values.ts';

export type { RenderEntry, RenderTree } from './tree.ts';

export interface RenderRequest {
  /** Of the chart, kustomization, directory or file, in the repository. */
  path: string;
  /** The target namespace. */
  namespace: string;
  releaseName: string;
  helm?: HelmValues;
  /** Of the cluster; `apiVersions` as Helm has them: `apps/v1` and `apps/v1/Deployment`. */
  capabilities: { kubeVersion: string; apiVersions: readonly string[] };
  /** `group/Kind` → namespaced, from discovery. CRDs in the render itself add to it. */
  scopes: Readonly<Record<string, boolean>>;
  /** Set on every object. */
  labels: Readonly<Record<string, string>>;
  /** `<namespace>/<application>/<environment>`, for the annotation towpath.dev/owner. */
  owner: string;
}

/** Values in the order in which they are merged: files, valuesFrom, values, the environment's files and values. */
export interface HelmValues {
  /** Relative to the request's path, or to the repository's root where they begin with `/`. */
  valuesFiles?: readonly string[];
  /** `name` as messages say it: `ConfigMap shared key values.yaml`. Texts of Secrets never appear in messages. */
  valuesFrom?: readonly { name: string; text: string; secret?: boolean }[];
  /** JSON text of an object; integers beyond 2^53 stay exact. */
  values?: string;
  environmentValuesFiles?: readonly string[];
  environmentValues?: string;
}

export type RenderKind = 'Helm' | 'Kustomize' | 'Plain';

export interface Rendered {
  kind: RenderKind;
  /** In the order in which Helm installs them. Those of no known kind have the target namespace. */
  objects: Manifest[];
  /** Helm's hooks, with labels and owner like the objects. */
  hooks: Manifest[];
  chart?: { name: string; version: string; appVersion?: string };
  /** Digest of the request and of exactly what was read for it. */
  inputs: string;
  warnings: string[];
  /** `group/Kind`s that neither discovery nor a CRD in the render knows. */
  unknownKinds: string[];
}

export interface RenderLimits {
  /** Of one render, from its start. */
  timeoutMs: number;
  /** Of one engine process. */
  memoryBytes: number;
  /** Of all manifests of one render together. */
  outputBytes: number;
  /** Of all files of one render together. */
  inputBytes: number;
  objects: number;
}

export const DEFAULT_LIMITS: RenderLimits = {
  timeoutMs: 20_000,
  memoryBytes: 512 * 2 ** 20,
  outputBytes: 32 * 2 ** 20,
  inputBytes: 32 * 2 ** 20,
  objects: 5000,
};

export interface RendererOptions {
  enginePath: string;
  processes?: number;
  limits?: Partial<RenderLimits>;
  /** Of kept results, and of what each engine process keeps. */
  cacheBytes?: number;
}

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
 * ValuesFileNotFound, ValuesFileTooLarge, ValuesFileIsLFSPointer, PathNotFound, DependencyMissing,
 * KubeVersionUnsupported, KustomizationInvalid, ManifestInvalid, DuplicateObject, RenderTooLarge,
 * RenderTimeout, RenderOutOfMemory. A render of nothing is no error.
 */
export class Renderer {
  readonly #pool: EnginePool;
  readonly #limits: RenderLimits;
  readonly #cacheBytes: number;
  /** By request; of each the last few results, oldest request first. */
  readonly #kept = new Map<string, Kept[]>();
  #keptBytes = 0;
  readonly #flights = new Map<string, Flight>();

  constructor(options: RendererOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#cacheBytes = options.cacheBytes ?? 64 * 2 ** 20;
    this.#pool = new EnginePool({
      enginePath: options.enginePath,
      processes: options.processes ?? 2,
      timeoutMs: this.#limits.timeoutMs,
      memoryBytes: this.#limits.memoryBytes,
      cacheBytes: this.#cacheBytes,
      inputBytes: this.#limits.inputBytes,
    });
  }

  /** A result is shared between callers and must not be changed. */
  async render(tree: RenderTree, request: RenderRequest, signal?: AbortSignal): Promise<Rendered> {
    signal?.throwIfAborted();
    const key = createHash('sha256').update(JSON.stringify(request)).digest('hex');
    const kept = await this.#find(key, tree);
    if (kept !== undefined) return kept;
    const flightKey = `${key} ${tree.revision}`;
    const flight = this.#flights.get(flightKey) ?? this.#start(flightKey, key, tree, request);
    return this.#join(flight, signal);
  }

  async stop(): Promise<void> {
    await this.#pool.stop();
  }

  #start(flightKey: string, key: string, tree: RenderTree, request: RenderRequest): Flight {
    const abort = new AbortController();
    const promise = this.#run(key, tree, request, abort.signal).finally(() => {
      if (this.#flights.get(flightKey) === flight) this.#flights.delete(flightKey);
    });
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
    const recorded = new RecordedTree(tree);
    const path = repositoryPath('', request.path);
    const kind = await detectKind(recorded, path, request);
    const values = kind === 'Helm' ? await helmValues(recorded, path, request.helm ?? {}) : [];
    const trees = kind === 'Helm' ? await chartTrees(recorded, path) : [];
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
      owner: request.owner,
      values: values.map(({ text: _, ...source }) => source),
      trees,
      maxOutputBytes: this.#limits.outputBytes,
      maxObjects: this.#limits.objects,
    };
    const texts = values.map((source) => source.text);
    const answer = await this.#pool.run(
      describePath(path),
      (child) => this.#converse(child, header, texts, recorded),
      signal,
    );
    const rendered = readResult(kind, answer, inputsDigest(key, recorded.trace));
    this.#keep(key, { trace: recorded.trace, rendered, bytes: 1024 + (answer.blobs[0]?.length ?? 0) });
    return rendered;
  }

  /** Sends the request and answers what the engine asks until its result comes. */
  async #converse(
    child: EngineChild,
    header: Record<string, unknown>,
    texts: Uint8Array[],
    tree: RecordedTree,
  ): Promise<EngineMessage> {
    let failed: unknown;
    let answer = await child.exchange(header, texts);
    while (answer.header['type'] === 'need') {
      try {
        const { files } = await tree.readAll(String(answer.header['path'] ?? ''));
        this.#refuseLarge(String(answer.header['path']), files);
        answer = await child.exchange(
          { type: 'tree', files: files.map((file) => file.path) },
          files.map((file) => file.data),
        );
      } catch (error) {
        if (child.ended) throw error;
        failed = error;
        answer = await child.exchange({ type: 'cancel' });
      }
    }
    if (failed !== undefined) throw failed;
    if (answer.header['type'] === 'failure') throw readFailure(answer.header);
    return answer;
  }

  #refuseLarge(path: string, files: readonly { data: Uint8Array }[]): void {
    const bytes = files.reduce((sum, file) => sum + file.data.length, 0);
    if (bytes > this.#limits.inputBytes) {
      throw new TowpathError(
        'Person',
        'RenderTooLarge',
        `The files below ${describePath(path)} have ${mebibytes(bytes)} together; at most ${mebibytes(this.#limits.inputBytes)} are read. Set source.path to a smaller directory.`,
      );
    }
  }

  async #find(key: string, tree: RenderTree): Promise<Rendered | undefined> {
    const results = this.#kept.get(key);
    for (const kept of results ?? []) {
      if (!(await sameInputs(kept.trace, tree))) continue;
      if (results !== undefined && this.#kept.delete(key)) this.#kept.set(key, results);
      return kept.rendered;
    }
    return undefined;
  }

  #keep(key: string, added: Kept): void {
    const resultsOfOneRequest = 2;
    const results = this.#kept.get(key) ?? [];
    this.#kept.delete(key);
    this.#kept.set(key, [added, ...results.slice(0, resultsOfOneRequest - 1)]);
    this.#keptBytes += added.bytes;
    for (const dropped of results.slice(resultsOfOneRequest - 1)) this.#keptBytes -= dropped.bytes;
    for (const [oldest, dropped] of this.#kept) {
      if (this.#keptBytes <= this.#cacheBytes || oldest === key) break;
      this.#kept.delete(oldest);
      for (const each of dropped) this.#keptBytes -= each.bytes;
    }
  }
}

async function detectKind(tree: RecordedTree, path: string, request: RenderRequest): Promise<RenderKind> {
  const type = await tree.type(path);
  if (type === undefined) {
    throw new TowpathError(
      'Person',
      'PathNotFound',
      `There is no ${path} in the repository.${await whatIsThere(tree, posix.dirname(path))} Set source.path to one of them.`,
    );
  }
  if (type === 'file') return 'Plain';
  const has = async (name: string) => (await tree.type(posix.join(path, name))) === 'file';
  if (await has('Chart.yaml')) return 'Helm';
  const { valuesFiles = [], valuesFrom = [], values } = request.helm ?? {};
  const wantsHelm = valuesFiles.length > 0 || valuesFrom.length > 0 || values !== undefined;
  if (wantsHelm || ((await has('values.yaml')) && (await tree.type(posix.join(path, 'templates'))))) {
    throw new TowpathError(
      'Person',
      'ChartInvalid',
      `There is no Chart.yaml in ${describePath(path)}.${await whatIsThere(tree, path)} Set source.path to the directory of a chart, or remove spec.helm.`,
      { details: [{ file: posix.join(path, 'Chart.yaml'), message: 'The file is missing.' }] },
    );
  }
  for (const name of ['kustomization.yaml', 'kustomization.yml', 'Kustomization']) {
    if (await has(name)) return 'Kustomize';
  }
  return 'Plain';
}

async function helmValues(tree: RecordedTree, path: string, helm: HelmValues): Promise<EngineValues[]> {
  const json = (name: string, text: string | undefined): EngineValues[] =>
    text === undefined ? [] : [{ name, format: 'json', text: Buffer.from(text) }];
  return [
    ...(await readValuesFiles(tree, path, helm.valuesFiles ?? [])),
    ...(helm.valuesFrom ?? []).map(
      (from): EngineValues => ({
        name: from.name,
        format: 'yaml',
        text: Buffer.from(from.text),
        secret: from.secret ?? false,
      }),
    ),
    ...json('spec.helm.values', helm.values),
    ...(await readValuesFiles(tree, path, helm.environmentValuesFiles ?? [])),
    ...json("the environment's values", helm.environmentValues),
  ];
}

/** The chart and the file:// dependencies that it may need, with theirs, each with its digest. */
async function chartTrees(tree: RecordedTree, path: string): Promise<{ path: string; digest: string }[]> {
  const found = new Map<string, string>();
  const pending = [path];
  const maxTrees = 100;
  for (let dir = pending.pop(); dir !== undefined && found.size < maxTrees; dir = pending.pop()) {
    if (found.has(dir)) continue;
    found.set(dir, await tree.digest(dir));
    for (const local of await localDependencies(tree, dir)) {
      if ((await tree.type(posix.join(local, 'Chart.yaml'))) === 'file') pending.push(local);
    }
  }
  return [...found].map(([dir, digest]) => ({ path: dir, digest }));
}

/** Repository paths of the file:// dependencies that Chart.yaml or requirements.yaml names. */
async function localDependencies(tree: RecordedTree, dir: string): Promise<string[]> {
  const locals: string[] = [];
  for (const name of ['Chart.yaml', 'requirements.yaml']) {
    const file = posix.join(dir, name);
    if ((await tree.type(file)) !== 'file') continue;
    const text = Buffer.from(await tree.read(file)).toString('utf8');
    if (!text.includes('file://')) continue;
    for (const repository of repositories(text)) {
      if (!repository.startsWith('file://')) continue;
      const local = posix.join(dir, repository.slice('file://'.length));
      if (!repository.startsWith('file:///') && local !== '..' && !local.startsWith('../'))
        locals.push(local);
    }
  }
  return locals;
}

function repositories(text: string): string[] {
  try {
    const chart: { dependencies?: { repository?: unknown }[] } | null = parse(text);
    const dependencies = Array.isArray(chart?.dependencies) ? chart.dependencies : [];
    return dependencies.flatMap((each) => (typeof each?.repository === 'string' ? [each.repository] : []));
  } catch {
    return []; // the engine says what is wrong with it
  }
}

function readFailure(header: Record<string, unknown>): TowpathError {
  const failure = header as { reason: string; message: string; details?: ErrorDetail[] };
  return new TowpathError('Person', failure.reason, failure.message, { details: failure.details ?? [] });
}

interface EngineManifest extends Omit<Manifest, 'text'> {
  length: number;
  hook?: Hook;
}

function readResult(kind: RenderKind, answer: EngineMessage, inputs: string): Rendered {
  const header = answer.header as unknown as {
    objects: EngineManifest[];
    hooks: EngineManifest[];
    chart?: { name: string; version: string; appVersion?: string };
    warnings: string[];
    unknownKinds: string[];
  };
  const texts = answer.blobs[0] ?? Buffer.alloc(0);
  let at = 0;
  const withText = ({ length, ...manifest }: EngineManifest): Manifest => {
    const text = texts.toString('utf8', at, at + length);
    at += length;
    return { ...manifest, text };
  };
  return {
    kind,
    objects: header.objects.map(withText),
    hooks: header.hooks.map(withText),
    ...(header.chart === undefined ? {} : { chart: header.chart }),
    inputs,
    warnings: header.warnings,
    unknownKinds: header.unknownKinds,
  };
}

function describePath(path: string): string {
  return path === '' ? "the repository's root" : path;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
