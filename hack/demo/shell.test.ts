import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { newShell } from './shell.ts';

const directory = tmpdir();

test('what is waited for in the demo ends when it is so, and at once when somebody interrupts it', async () => {
  const interrupt = new AbortController();
  const shell = newShell({ directory, environment: process.env, signal: interrupt.signal });
  let asked = 0;
  await shell.until('echo "$((1 + 1))"', (answer) => {
    asked += 1;
    return asked === 2 && answer === '2';
  });
  const never = shell.until('echo no', (answer) => {
    if (asked++ === 3) interrupt.abort(new Error('interrupted'));
    return answer === 'yes';
  });
  await assert.rejects(never, /interrupted/);
  await assert.rejects(shell.ask('true'), /interrupted/);
});
