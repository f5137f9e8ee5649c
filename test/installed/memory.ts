import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerOf, type Kubectl, processesOf } from './in-the-pod.ts';

/**
 * Of a Pod's container the memory that its processes have, in bytes, when it is called: what files it read and wrote
 * keep of it, the node gives back when it is needed.
 */
export async function memoryOf(kubectl: Kubectl, pod: string): Promise<() => number> {
  const [pid] = processesOf(await containerOf(kubectl, pod));
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const isOne = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const [, , path = ''] =
    groups.map((line) => line.split(':')).find(([, names]) => names === (isOne ? '' : 'memory')) ?? [];
  const directory = join('/sys/fs/cgroup', isOne ? '' : 'memory', path);
  const field = isOne ? /^anon (\d+)$/m : /^total_rss (\d+)$/m;
  return () => Number(field.exec(readFileSync(join(directory, 'memory.stat'), 'utf8'))?.[1]);
}
