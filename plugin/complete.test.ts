import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complete } from './complete.ts';

test('behind --local the shell completes directories', async () => {
  assert.equal(await complete(['diff', 'web', '--local', ''], {}), ':16\n');
});
