import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countsOf, inUse } from './uses.ts';

const NOW = new Date('2026-12-24T12:00:00Z');
const uses = (count: number) => ({
  applications: Array.from({ length: count }, (_, index) => `shop/web-${index}`),
  objects: 7,
});

test('who uses an Environment that is being deleted is named, as far as there is room', () => {
  assert.equal(inUse('prod', uses(0)), undefined);
  assert.match(inUse('prod', uses(2))?.message ?? '', /It has shop\/web-0, shop\/web-1\. Take it out/);
  assert.match(inUse('prod', uses(5))?.message ?? '', /shop\/web-2 and 2 more\. Take it out/);
});

test('what is counted, and until when it is frozen, is told', () => {
  const from = '2026-12-20T00:00:00Z';
  const until = '2027-01-02T06:00:00Z';
  assert.deepEqual(countsOf(uses(2), [{ from, until }], NOW), {
    applications: 2,
    objects: 7,
    frozenUntil: until,
  });
  assert.equal(countsOf(uses(2), [{ from }], NOW).frozenUntil, 'lifted');
  assert.equal(countsOf(uses(2), undefined, NOW).frozenUntil, undefined);
});
