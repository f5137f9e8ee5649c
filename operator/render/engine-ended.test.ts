import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { EngineChild, EngineExit } from './engine-child.ts';
import { whyEnded } from './engine-ended.ts';

const subject = { path: 'apps/web', kind: 'Helm' } as const;
const limits = { cpuMs: 4_000, memoryBytes: 512 * 2 ** 20 };

/** What is told of a program in the place of the engine, which does this with a request. */
async function told(script: string) {
  const program = join(temporaryDirectory('engine'), 'engine');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  const child = new EngineChild(program, { cpu: 4_000, memory: 2 ** 20, cache: 2 ** 20, input: 2 ** 20 });
  const exit = await child.exchange({}).then(
    () => assert.fail('it answered'),
    (error: unknown) => error,
  );
  assert.ok(exit instanceof EngineExit);
  return whyEnded(subject, limits, exit);
}

for (const [what, script, reason, says] of [
  [
    'processor time',
    'echo processor time used up >&2; exit 1',
    'RenderTimeout',
    /more than 4 s of processor time/,
  ],
  [
    'a stack',
    'echo "runtime: goroutine stack exceeds 1000-byte limit" >&2; exit 2',
    'RenderFailed',
    /without end/,
  ],
  [
    'memory',
    'echo "fatal error: runtime: out of memory" >&2; exit 2',
    'RenderOutOfMemory',
    /more than 512 MiB/,
  ],
  [
    'room for memory',
    'echo "fatal error: failed to reserve page summary memory" >&2; exit 2',
    'RenderOutOfMemory',
    /more than 512 MiB/,
  ],
  [
    'memory in the middle of the runtime',
    'echo "SIGSEGV: segmentation violation" >&2; echo "PC=0x46 m=3 sigcode=1" >&2; exit 2',
    'RenderOutOfMemory',
    /call tpl without end/,
  ],
  [
    'a thread',
    'echo "runtime: failed to create new OS thread (have 9 already; errno=11)" >&2; exit 2',
    'EngineUnavailable',
    /lets no further thread begin/,
  ],
  [
    'killed without a word',
    'kill -9 $$',
    'EngineEnded',
    /\(it was killed, most likely because .* short of memory\)/,
  ],
  [
    'something else',
    'echo "fatal error: odd" >&2; echo more >&2; exit 2',
    'EngineEnded',
    /\(exit code 2: fatal error: odd\)/,
  ],
  ['another signal', 'kill -11 $$', 'EngineEnded', /\(signal SIGSEGV\)/],
] as const)
  test(`S8: why an engine ended is told: ${what}`, async () => {
    const error = await told(script);
    assert.equal(error.reason, reason);
    assert.match(
      error.message,
      /^(Rendering apps\/web|The rendering engine ended while it rendered apps\/web)/,
    );
    assert.match(error.message, says);
  });
