import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning, startProcess } from './process.ts';
import { eventually } from './wait.ts';

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`programs end with the process that started them when ${signal} ends it, and so do theirs`, async (t) => {
    const script = `
      import { startProcess } from ${JSON.stringify(join(import.meta.dirname, 'process.ts'))};
      const start = (line) => startProcess({ name: line, command: 'sh', args: ['-c', line], logPath: '/dev/null' });
      setInterval(() => {}, 1000);
      const ended = start('exit');
      const [one, two] = [start('sleep 600'), start('sleep 600 & echo; wait')];
      await ended.ended;
      console.log(JSON.stringify([one.pid, two.pid]));`;
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => parent.kill('SIGKILL'));
    const [line] = await parent.stdout.take(1).toArray();
    const groups = JSON.parse(String(line)) as number[];
    assert.deepEqual(
      groups.map((pid) => isRunning(-pid)),
      [true, true],
    );
    parent.kill(signal);
    await eventually(() => !groups.some((pid) => isRunning(-pid)), { describe: 'the groups to be gone' });
  });
}

test('a program that is stopped takes along what it started', async () => {
  const line = 'sleep 600 & wait';
  const program = startProcess({ name: line, command: 'sh', args: ['-c', line], logPath: '/dev/null' });
  await program.stop();
  await eventually(() => !isRunning(-program.pid), { describe: 'its group to be gone' });
});
