import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { GO_FLAGS } from '../../hack/go-binary.ts';

test("the engine's own tests pass", async () => {
  await promisify(execFile)('go', ['test', ...GO_FLAGS, './...'], {
    cwd: join(import.meta.dirname, 'engine'),
    env: { ...process.env, CGO_ENABLED: '0' }, // as it is built
  });
});
