import assert from 'node:assert/strict';
import { test } from 'node:test';
import { versionOf } from './dependencies.ts';

test('of a chart its version is read behind its name, hyphens in both or not', () => {
  assert.equal(versionOf('podinfo-6.7.0'), '6.7.0');
  assert.equal(versionOf('my-chart-2-go-1.0.0-rc.1+build.5'), '1.0.0-rc.1+build.5');
  assert.equal(versionOf('chart-v2.0.0'), 'v2.0.0');
  assert.equal(versionOf('chart'), undefined);
  assert.equal(versionOf(undefined), undefined);
  assert.equal(versionOf('-'.repeat(100_000)), undefined);
});
