import { join } from 'node:path';
import { Sources } from '../../operator/source/sources.ts';
import { runProgram } from '../harness/cluster.ts';
import { createRepository } from '../harness/git-repository.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { type Figure, figure } from './figures.ts';
import type { Ground } from './stage.ts';

const FILES = 10_000;

/** Metric 9: one new commit of a large repository, next to `git fetch --depth 1` in a clone of the same depth. */
export async function fetchCommit({ git, gitRoot, options }: Ground): Promise<Figure[]> {
  const samples = options.quick ? 7 : 15;
  const files: Record<string, string> = {};
  for (let index = 0; index < FILES; index++)
    files[pathOf(index)] = `value: ${index}\n${'text '.repeat(40)}\n`;
  const repository = await createRepository({ root: gitRoot, name: 'large.git', files });
  const url = git.url(repository.name);
  const clone = join(temporaryDirectory('clone'), 'clone.git');
  await mustRun('git', ['clone', '--quiet', '--bare', '--depth=1', url, clone]);
  const sources = new Sources({ allowLoopback: true });
  const remote = sources.watch('bench', { url }, 3_600_000, () => {});
  const bytesOf = async (work: () => Promise<unknown>) => {
    const before = git.requests.length;
    const startedAt = performance.now();
    await work();
    const time = performance.now() - startedAt;
    return { time, bytes: git.requests.slice(before).reduce((sum, seen) => sum + seen.bytesSent, 0) };
  };
  const open = async () => {
    await remote.poll();
    const tree = await remote.open(remote.resolve({}));
    await tree.digest('');
  };
  try {
    const first = await bytesOf(open);
    options.say(`the first fetch of ${FILES} files took ${first.time.toFixed(0)} ms, ${first.bytes} bytes`);
    const ours: { time: number; bytes: number }[] = [];
    const theirs: { time: number; bytes: number }[] = [];
    for (let index = 0; index < samples; index++) {
      await repository.commit({ [pathOf(index * 37)]: `changed: ${index}\n` });
      theirs.push(
        await bytesOf(() => mustRun('git', ['-C', clone, 'fetch', '--quiet', '--depth=1', 'origin', 'main'])),
      );
      ours.push(await bytesOf(open));
    }
    return [
      figure({
        metric: '9 (time)',
        name: `fetch of one commit, ${FILES} files`,
        unit: 'ms',
        values: ours.map(({ time }) => time),
        baseline: theirs.map(({ time }) => time),
        goal: 'ratio ≤ 1.5',
        met: ({ ratio }) => ratio <= 1.5,
        more: { firstMs: Math.round(first.time) },
      }),
      figure({
        metric: '9 (bytes)',
        name: 'bytes received for it',
        unit: 'bytes',
        values: ours.map(({ bytes }) => bytes),
        baseline: theirs.map(({ bytes }) => bytes),
        goal: 'ratio ≤ 2',
        met: ({ ratio }) => ratio <= 2,
      }),
    ];
  } finally {
    await sources.stop();
  }
}

function pathOf(index: number): string {
  return `apps/group-${index % 100}/app-${Math.floor(index / 100)}/values.yaml`;
}

async function mustRun(command: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' };
  const { code, stderr } = await runProgram(command, args, '', env);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}
