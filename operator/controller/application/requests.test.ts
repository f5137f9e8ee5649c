import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestFor } from './requests.ts';

const cases: [string | undefined, string | undefined][] = [
  [undefined, undefined],
  ['', undefined],
  ['now', 'now'],
  ['2026-11-23T10:00:00Z', '2026-11-23T10:00:00Z'],
  ['default=now', 'now'],
  ['staging=one,default=two', 'two'],
  ['staging=one, default=two', 'two'],
  ['staging=one', undefined],
];

for (const [annotation, value] of cases) {
  test(`a request of ${JSON.stringify(annotation)} asks the environment default for ${JSON.stringify(value)}`, () => {
    assert.equal(requestFor(annotation), value);
  });
}
