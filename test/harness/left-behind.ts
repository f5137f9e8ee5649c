import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { isRunning, temporaryDirectory } from './process.ts';
import { eventually } from './wait.ts';

/** A program that never answers, and where its process is noted. */
export interface Hanging {
  path: string;
  /** Of the first run of it, once there is one. */
  pid(): Promise<number>;
}

/** @param lines of a shell, before it hangs. */
export function hangingProgram(t: TestContext, lines = ''): Hanging {
  const directory = temporaryDirectory('hanging');
  const path = join(directory, 'program');
  const noted = join(directory, 'pid');
  writeFileSync(path, `#!/bin/sh\n${lines}\necho $$ >> '${noted}'\nexec /bin/sleep 600\n`);
  chmodSync(path, 0o755);
  const pids = () =>
    existsSync(noted) ? readFileSync(noted, 'utf8').split('\n').slice(0, -1).map(Number) : [];
  t.after(() => {
    for (const pid of pids()) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  });
  return { path, pid: () => eventually(() => pids()[0], { describe: 'a run of the program' }) };
}

/** Runs a module that starts the program, and ends itself as Ctrl-C ends the plugin: the program must end, too. */
export async function endsWith(t: TestContext, source: string, hanging: Hanging): Promise<void> {
  const end = "process.once('SIGTERM', () => process.exit(143));\n";
  const args = ['--input-type=module-typescript', '--eval', end + source];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const early = once(child, 'exit').then(() => assert.fail('it ended before it was told to'));
  const pid = await Promise.race([hanging.pid(), early]);
  early.catch(() => undefined);
  child.kill('SIGTERM');
  await eventually(() => child.exitCode === 143, { describe: 'the end of who started it' });
  await eventually(() => !isRunning(pid), { within: 10_000, describe: 'the end of what it started' });
}
