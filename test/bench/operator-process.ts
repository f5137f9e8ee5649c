import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildEngine } from '../../hack/build-engine.ts';
import { buildOperator, NODE_ENVIRONMENT, NODE_FLAGS } from '../../hack/build-operator.ts';
import { startProcess, temporaryDirectory } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

const root = join(import.meta.dirname, '../..');
/** USER_HZ, which Linux fixes at 100 for all architectures that Node has. */
const TICKS_A_SECOND = 100;

/** Built once a run, whatever is measured. */
let bundled: Promise<string> | undefined;

export interface OperatorStart {
  kubeconfigPath: string;
  namespace: string;
  /** Where a CPU profile is written when it ends; left out: none. */
  profileDirectory?: string;
  /** Beside those that all have. */
  flags?: readonly string[];
}

/** An operator process as it is installed, bundled, but for one namespace. Profiles are of the source, whose names say more. */
export interface BenchOperator {
  readonly pid: number;
  /** `performance.now()` of its start. */
  readonly startedAt: number;
  /** `performance.now()` of the instant in which it began to lead. */
  leading(): Promise<number>;
  /** Base URL of what it serves for a purpose. */
  url(purpose: 'metrics' | 'webhook'): Promise<string>;
  /** Sums of /metrics, by series (`name{labels}`). */
  metrics(): Promise<Map<string, number>>;
  /** Resident memory of the process and its engines together, in bytes. */
  memory(): number;
  /** Seconds of CPU that the process and its engines have used. */
  cpuSeconds(): number;
  /** What takes its output, as long as this process runs. */
  readonly logPath: string;
  logTail(lines?: number): string;
  stop(): Promise<void>;
}

export async function startOperator(options: OperatorStart): Promise<BenchOperator> {
  const engine = await buildEngine();
  const logPath = join(temporaryDirectory('operator'), 'operator.log');
  if (options.profileDirectory !== undefined) mkdirSync(options.profileDirectory, { recursive: true });
  const profiling =
    options.profileDirectory === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${options.profileDirectory}`];
  bundled ??= buildOperator();
  const bundle = await bundled;
  const startedAt = performance.now();
  const program = startProcess({
    name: 'operator',
    command: process.execPath,
    args: [
      ...NODE_FLAGS,
      ...profiling,
      options.profileDirectory === undefined ? bundle : join(root, 'operator/main.ts'),
      `--namespace=${options.namespace}`,
      `--watch-namespace=${options.namespace}`,
      `--engine=${engine}`,
      '--probe-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
      '--webhook-address=127.0.0.1:0',
      '--allow-loopback-repositories',
      ...(options.flags ?? []),
    ],
    env: {
      ...(process.env as Record<string, string>),
      ...NODE_ENVIRONMENT,
      KUBECONFIG: options.kubeconfigPath,
    },
    logPath,
  });
  const logged = (pattern: RegExp, describe: string) =>
    eventually(() => pattern.exec(readFileSync(logPath, 'utf8')), { describe, every: 10 });
  const url = async (purpose: string) => {
    const [, port] = await logged(new RegExp(`"${purpose}Port":(\\d+)`), 'the operator to listen');
    return `http://127.0.0.1:${port}`;
  };
  return {
    pid: program.pid,
    url,
    startedAt,
    async leading() {
      const [, time] = await logged(/"time":"?([^",]+)"?,[^\n]*This process leads/, 'the operator to lead');
      const at = Number.isNaN(Number(time)) ? Date.parse(time ?? '') : Number(time);
      return at - performance.timeOrigin;
    },
    metrics: async () => parseMetrics(await (await fetch(`${await url('metrics')}/metrics`)).text()),
    memory: () => family(program.pid).reduce((sum, pid) => sum + residentBytes(pid), 0),
    cpuSeconds: () => family(program.pid).reduce((sum, pid) => sum + cpuSeconds(pid), 0),
    logPath,
    logTail: program.logTail,
    // Longer than the harness waits: a profile of a long run takes seconds to write.
    async stop() {
      try {
        process.kill(program.pid, 'SIGTERM');
      } catch {
        // It has ended by itself.
      }
      await Promise.race([program.ended, delay(30_000, undefined, { ref: false })]);
      await program.stop();
    },
  };
}

function parseMetrics(text: string): Map<string, number> {
  const series = new Map<string, number>();
  for (const line of text.split('\n')) {
    const at = line.lastIndexOf(' ');
    if (!line.startsWith('#') && at > 0) series.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return series;
}

/** Sum of a counter's series whose labels all match. */
export function sumOf(
  metrics: ReadonlyMap<string, number>,
  name: string,
  labels: Record<string, readonly string[]> = {},
): number {
  let sum = 0;
  for (const [series, value] of metrics) {
    if (series !== name && !series.startsWith(`${name}{`)) continue;
    const isWanted = Object.entries(labels).every(([label, among]) =>
      among.some((text) => series.includes(`${label}="${text}"`)),
    );
    if (isWanted) sum += value;
  }
  return sum;
}

/** A process and all below it. */
function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    const child = Number(entry);
    if (Number.isInteger(child)) parents.set(child, Number(statOf(child)[1]));
  }
  const members = [pid];
  for (const member of members)
    for (const [child, parent] of parents) if (parent === member) members.push(child);
  return members;
}

function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function cpuSeconds(pid: number): number {
  const stat = statOf(pid);
  return (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) / TICKS_A_SECOND;
}

/** The fields of /proc/<pid>/stat after the command's name: state, ppid, … (proc_pid_stat(5)). */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
