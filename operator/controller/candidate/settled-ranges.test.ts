import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RangeMemory } from './settled-ranges.ts';

const chart = { repository: 'https://x.example/charts/', name: 'redis', version: '^7.0.0' };

test('D14: a range is one version in all environments, whichever settles it first', () => {
  const memory = new RangeMemory();
  const [staging, prod] = [memory.of('shop/web', []), memory.of('shop/web', [])];
  assert.equal(staging.find(chart), undefined);
  assert.equal(staging.settle(chart, '7.2.1'), '7.2.1');
  assert.equal(prod.settle(chart, '7.2.2'), '7.2.1');
  assert.equal(prod.find({ ...chart, repository: 'https://X.example/charts' }), '7.2.1');
  assert.equal(prod.find({ ...chart, version: '^7.1.0' }), undefined);
  assert.equal(memory.of('shop/other', []).find(chart), undefined);
});

test('a version that does not render is settled anew, unless it does in another environment', () => {
  const ranges = new RangeMemory().of('shop/web', []);
  ranges.settle(chart, '7.2.2');
  ranges.release(chart, '7.2.2');
  assert.equal(ranges.settle(chart, '7.2.1'), '7.2.1');
  ranges.release(chart, '7.2.2');
  assert.equal(ranges.find(chart), '7.2.1', 'who comes late lets go of his own only');
  ranges.confirm(chart, '7.2.1');
  ranges.release(chart, '7.2.1');
  ranges.confirm(chart, '7.2.2');
  assert.equal(ranges.find(chart), '7.2.1');
});

test('D14: a version that renders in one environment counts, also where another let go of it meanwhile', () => {
  const ranges = new RangeMemory().of('shop/web', []);
  ranges.settle(chart, '7.2.2');
  ranges.release(chart, '7.2.2');
  ranges.settle(chart, '7.2.3');
  ranges.confirm(chart, '7.2.2');
  assert.equal(ranges.find(chart), '7.2.2');
});

test('what the record has counts, whatever this process remembers', () => {
  const memory = new RangeMemory();
  memory.of('shop/web', []).settle(chart, '7.2.2');
  const pin = { ...chart, repository: 'https://x.example/charts', version: '7.2.1', digest: '' };
  assert.equal(memory.of('shop/web', [{ ...pin, range: '^7.0.0' }]).find(chart), '7.2.1');
  assert.equal(memory.of('shop/web', [pin]).find(chart), '7.2.2');
  memory.forget('shop/web');
  assert.equal(memory.of('shop/web', []).find(chart), undefined);
});
