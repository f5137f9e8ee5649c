import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { boundStatus } from '../../api/v1alpha1/bound-status.ts';
import { requestFor } from '../../api/v1alpha1/environment-request.ts';
import { sha256 } from '../../manifest/digest.ts';
import { handledAs } from './request-annotations.ts';

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
    assert.equal(requestFor(annotation, 'default'), value);
  });
}

test('a handled request is told as it was; a long one so that the status takes it and no other equals it', () => {
  assert.equal(handledAs('2026-11-23T10:00:00Z'), '2026-11-23T10:00:00Z');
  const long = 'x'.repeat(300);
  const handled = handledAs(long);
  assert.equal(Buffer.byteLength(handled), STATUS_LIMITS.handledSyncRequest);
  assert.equal(boundStatus({ handledSyncRequest: handled }).handledSyncRequest, handled);
  assert.equal(handledAs(long), handled);
  assert.notEqual(handledAs(`${long}y`), handled);
});

test('S18: handled requests of which the digests share 12 digits are two', () => {
  // Ends that were searched for, as anyone can within a minute.
  const [one, other] = ['32277279', '1234151'].map((end) => 'x'.repeat(300) + end) as [string, string];
  assert.equal(sha256(one).slice(0, 12), sha256(other).slice(0, 12));
  assert.notEqual(handledAs(one), handledAs(other));
});
