/**
 * Metric 6 of the performance goals: rendering real charts, warm and cold, next to Helm's SDK in a loop and to
 * the `helm template` command. Run alone it prints one JSON line for each figure.
 */
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { buildEngine } from '../../hack/build-engine.ts';
import { buildHelm } from '../../hack/build-helm.ts';
import { goBinary } from '../../hack/go-binary.ts';
import { Renderer, type RenderRequest } from '../../operator/render/renderer.ts';
import { corpusDirectory, skipWithoutCorpus } from '../corpus/corpus.ts';
import { MemoryTree } from '../harness/memory-tree.ts';
import { type Figure, figure } from './figures.ts';

const rounds = 11;
const run = promisify(execFile);

interface Subject {
  chart: string;
  size: 'large' | 'small';
  /** One value that a user changes from commit to commit. */
  values: (round: number) => string;
}

const subjects: Subject[] = [
  { chart: 'argo-cd', size: 'large', values: (round) => `{"server": {"replicas": ${round + 2}}}` },
  { chart: 'kube-state-metrics', size: 'small', values: (round) => `{"replicas": ${round + 2}}` },
  { chart: 'prometheus-blackbox-exporter', size: 'small', values: (round) => `{"replicas": ${round + 2}}` },
];

function request(releaseName: string, values: string): RenderRequest {
  return {
    path: 'chart',
    namespace: 'bench',
    releaseName,
    helm: { layers: [{ name: 'spec.helm', values }] },
    capabilities: { kubeVersion: 'v1.37.2', apiVersions: ['v1', 'apps/v1'] },
    scopes: {},
    labels: { 'towpath.dev/target': 'bench' },
    owner: 'bench/sample/default',
  };
}

/** The chart's files in memory, as a Git tree would give them: digests known, nothing read twice. */
function treeOf(directory: string, extra: Record<string, string> = {}): MemoryTree {
  const files: Record<string, Uint8Array | string> = { ...extra };
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const full = join(entry.parentPath, entry.name);
    files[`chart/${full.slice(directory.length + 1)}`] = readFileSync(full);
  }
  return new MemoryTree(files);
}

/** Helm's SDK in a process of its own: `job` returns the milliseconds of one whole render. */
class SDKLoop {
  readonly #process;
  readonly #lines: AsyncIterator<string>;

  constructor(program: string, chart: string) {
    this.#process = spawn(program, [`-chart=${chart}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async job(values: string): Promise<number> {
    this.#process.stdin.write(`${values}\n`);
    const { value } = await this.#lines.next();
    if (typeof value !== 'string') throw new Error('the SDK program ended');
    return Number(value.split(' ')[0]) / 1e6;
  }

  stop(): void {
    this.#process.stdin.end();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

interface Programs {
  engine: string;
  helm: string;
  sdk: string;
}

async function measureWarm(programs: Programs, subject: Subject): Promise<Figure[]> {
  const directory = join(corpusDirectory, subject.chart);
  const tree = treeOf(directory);
  const renderer = new Renderer({ enginePath: programs.engine, processes: 1 });
  const sdk = new SDKLoop(programs.sdk, directory);
  const oneValue: number[] = [];
  const otherRelease: number[] = [];
  const baseline: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const values = subject.values(round);
    const sdkMs = await sdk.job(values);
    const ms = await timed(() => renderer.render(tree, request('sample', values)));
    const releaseMs = await timed(() => renderer.render(tree, request(`sample-${round}`, values)));
    if (round === 0) continue;
    baseline.push(sdkMs);
    oneValue.push(ms);
    otherRelease.push(releaseMs);
  }
  sdk.stop();
  await renderer.stop();
  const what = `${subject.chart} (${subject.size})`;
  const limit = subject.size === 'large' ? 0.35 : 0.8;
  const against = {
    baseline,
    goal: `≤ ${limit} times the whole job with Helm's SDK`,
    met: ({ ratio }: { ratio: number }) => ratio <= limit,
  };
  return [
    milliseconds(`render, warm, one value changed: ${what}`, oneValue, against),
    milliseconds(`render, warm, another release: ${what}`, otherRelease, against),
    ...(subject.size === 'small' ? [await measureCommand(programs, what, directory, oneValue)] : []),
  ];
}

async function measureCommand(
  programs: Programs,
  what: string,
  directory: string,
  values: number[],
): Promise<Figure> {
  const baseline: number[] = [];
  for (let round = 0; round < 5; round++) {
    baseline.push(
      await timed(() => run(programs.helm, ['template', 'sample', directory], { maxBuffer: 2 ** 26 })),
    );
  }
  return milliseconds(`render, warm, against the command: ${what}`, values, {
    baseline,
    goal: '≥ 7 times faster than `helm template`',
    met: ({ ratio }) => ratio <= 1 / 7,
  });
}

/** The first render of a chart by an engine that has started, next to the first of a process with the SDK. */
async function measureCold(programs: Programs, subject: Subject): Promise<Figure[]> {
  const directory = join(corpusDirectory, subject.chart);
  const small = new MemoryTree({ 'chart/Chart.yaml': 'apiVersion: v2\nname: warm\nversion: 1.0.0\n' });
  const first: number[] = [];
  const fresh: number[] = [];
  const firstBaseline: number[] = [];
  const loopBaseline: number[] = [];
  const running = new SDKLoop(programs.sdk, directory);
  await running.job('{}');
  for (let round = 0; round < 7; round++) {
    const values = subject.values(round);
    const sdk = new SDKLoop(programs.sdk, directory);
    firstBaseline.push(await sdk.job(values));
    sdk.stop();
    loopBaseline.push(await running.job(values));
    const renderer = new Renderer({ enginePath: programs.engine, processes: 1 });
    await renderer.render(small, request('sample', '{}'));
    const tree = treeOf(directory, { 'chart/round.txt': String(round) });
    await tree.digest('chart');
    first.push(await timed(() => renderer.render(tree, request('sample', values))));
    const changed = tree.with({ 'chart/round.txt': `${round} again` });
    await changed.digest('chart');
    fresh.push(await timed(() => renderer.render(changed, request('sample', values))));
    await renderer.stop();
  }
  running.stop();
  const what = `${subject.chart} (${subject.size})`;
  const goal = "≤ 1.1 times the whole job with Helm's SDK";
  const met = ({ ratio }: { ratio: number }) => ratio <= 1.1;
  return [
    milliseconds(`render, cold, first of a process: ${what}`, first, { baseline: firstBaseline, goal, met }),
    milliseconds(`render, cold, a changed chart, most manifests seen before: ${what}`, fresh, {
      baseline: loopBaseline,
      goal,
      met,
    }),
  ];
}

function milliseconds(
  name: string,
  values: readonly number[],
  against: { baseline: readonly number[]; goal: string; met: (figure: { ratio: number }) => boolean },
): Figure {
  return figure({ metric: '6', name, unit: 'ms', values, ...against });
}

/** Metric 6. */
export async function rendering(): Promise<Figure[]> {
  if (skipWithoutCorpus) {
    process.stderr.write(`metric 6 skipped: ${skipWithoutCorpus}\n`);
    return [];
  }
  const programs: Programs = {
    engine: await buildEngine(),
    helm: await buildHelm(),
    sdk: await goBinary({ name: 'sdk-baseline', moduleDir: 'operator/render/engine', package: './bench' }),
  };
  const figures: Figure[] = [];
  for (const subject of subjects) {
    figures.push(...(await measureWarm(programs, subject)), ...(await measureCold(programs, subject)));
  }
  return figures;
}

if (import.meta.main) {
  for (const each of await rendering()) process.stdout.write(`${JSON.stringify(each)}\n`);
}
