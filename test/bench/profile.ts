import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface CpuProfile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
    children?: number[];
  }[];
  samples: number[];
  timeDeltas: number[];
}

/** Prints, for each CPU profile below a directory, in which functions the time went. */
export async function printProfiles(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true })) {
    if (entry.endsWith('.cpuprofile'))
      process.stdout.write(`\n${await describeProfile(join(directory, entry))}\n`);
  }
}

/** The functions with most time of their own, and those of ours with most time in all they call. */
export async function describeProfile(path: string, rows = 25): Promise<string> {
  const profile = JSON.parse(await readFile(path, 'utf8')) as CpuProfile;
  const self = new Map<number, number>();
  for (const [index, id] of profile.samples.entries())
    self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1000);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const bySelf = new Map<string, number>();
  const byTotal = new Map<string, number>();
  // Depth first, so that a function that calls itself counts once.
  const walk = (id: number, above: ReadonlySet<string>): number => {
    const node = nodes.get(id);
    if (node === undefined) return 0;
    const name = nameOf(node.callFrame);
    const own = self.get(id) ?? 0;
    bySelf.set(name, (bySelf.get(name) ?? 0) + own);
    const inside = new Set(above).add(name);
    let total = own;
    for (const child of node.children ?? []) total += walk(child, inside);
    if (!above.has(name)) byTotal.set(name, (byTotal.get(name) ?? 0) + total);
    return total;
  };
  const [first] = profile.nodes;
  const all = first === undefined ? 0 : walk(first.id, new Set());
  const idle = (bySelf.get('(idle)') ?? 0) + (bySelf.get('(program)') ?? 0);
  const top = (times: Map<string, number>, holds: (name: string) => boolean) =>
    [...times]
      .filter(([name]) => holds(name))
      .sort(([, a], [, b]) => b - a)
      .slice(0, rows)
      .map(([name, time]) => `  ${time.toFixed(0).padStart(7)} ms  ${name}`)
      .join('\n');
  return [
    `${path}: ${(all - idle).toFixed(0)} ms busy of ${all.toFixed(0)} ms`,
    'time of its own',
    top(bySelf, (name) => !/^\((idle|program|root)\)/.test(name)),
    'time with all it calls (ours)',
    top(byTotal, (name) => name.includes('operator/')),
  ].join('\n');
}

function nameOf({
  functionName,
  url,
  lineNumber,
}: {
  functionName: string;
  url: string;
  lineNumber: number;
}): string {
  const file = url.replace(/^.*\/(operator|node_modules)\//, '$1/');
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`;
}

if (import.meta.main)
  for (const path of process.argv.slice(2)) process.stdout.write(`${await describeProfile(path)}\n`);
