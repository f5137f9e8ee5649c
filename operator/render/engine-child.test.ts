import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { buildEngine } from '../../hack/build-engine.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { scaled } from '../../test/harness/slowness.ts';
import { EngineChild, EngineExit } from './engine-child.ts';

/** A program in the place of the engine that writes those bytes (octal, as printf reads them) and goes on. */
function wild(bytes: string): EngineChild {
  const program = join(temporaryDirectory('engine'), 'engine');
  writeFileSync(program, `#!/bin/sh\nprintf '${bytes}'\nexec /bin/sleep 600\n`);
  chmodSync(program, 0o755);
  return new EngineChild(program, { cpu: 1000, memory: 2 ** 20, cache: 2 ** 20, input: 2 ** 20 });
}

test('where no process can be started that is told, and the next render finds its place', async () => {
  const script = join(import.meta.dirname, '../../test/harness/few-descriptors.ts');
  const shell = 'ulimit -n 64; exec "$0" "$@"';
  const args = ['-c', shell, process.execPath, script, await buildEngine()];
  const { stdout } = await promisify(execFile)('/bin/sh', args, { timeout: scaled(60_000) });
  const failed = 'Time EngineUnavailable';
  assert.deepEqual(JSON.parse(stdout), [failed, failed, 'rendered']);
});

for (const [what, bytes, said] of [
  ['announces gigabytes', '\\377\\377\\377\\377{', /an answer of 4294967299 bytes/],
  [
    'announces gigabytes of manifests',
    '\\000\\000\\000\\031{"blobs":[9999999999999]}',
    /an answer of 10000000000028 bytes/,
  ],
  ['answers what is no answer', '\\000\\000\\000\\002no', /an answer that cannot be read/],
] as const) {
  test(`S8: an engine that ${what} is ended at once`, { timeout: scaled(10_000) }, async () => {
    const child = wild(bytes);
    await assert.rejects(child.exchange({}), (error) => {
      assert.ok(error instanceof EngineExit);
      assert.match(error.stderr, said);
      return true;
    });
    assert.ok(child.ended);
  });
}
