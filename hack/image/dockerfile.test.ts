import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../build-operator.ts';

const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8');

test('the image starts Node with the flags and the environment that tests and figures are about', () => {
  const entrypoint = /^ENTRYPOINT (.+)$/m.exec(dockerfile)?.[1] ?? '[]';
  assert.deepEqual(JSON.parse(entrypoint), ['/usr/local/bin/node', ...NODE_FLAGS, '/towpath/main.js']);
  for (const [name, value] of Object.entries(NODE_ENVIRONMENT)) {
    assert.match(dockerfile, new RegExp(`^ENV .*\\b${name}=${value}\\b`, 'm'));
  }
});
