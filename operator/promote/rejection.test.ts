import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldBack, rejectionOf, withoutRejection, withRejection } from './rejection.ts';

const digest = (count: number) => `sha256:${String(count).padStart(64, '0')}`;
const at = '2026-11-29T10:00:00Z';

test('A28: manifests are rejected by their digest, whatever they are called, until a person promotes them', () => {
  const rejected = withRejection([], { digest: digest(1), why: 'It was Degraded.', at });
  assert.equal(rejectionOf(rejected, digest(1))?.why, 'It was Degraded.');
  assert.equal(rejectionOf(rejected, digest(2)), undefined);
  assert.equal(rejectionOf(rejected, undefined), undefined);
  assert.equal(rejectionOf(withoutRejection(rejected, digest(1)), digest(1)), undefined);
});

test('what is rejected is bounded, each digest once, and the oldest goes', () => {
  let rejected = withRejection([], { digest: digest(0), why: 'x'.repeat(10_000), at });
  for (let count = 1; count < 100; count += 1) {
    rejected = withRejection(rejected, { digest: digest(count), why: 'One.', at });
    rejected = withRejection(rejected, { digest: digest(count), why: 'x'.repeat(10_000), at });
  }
  assert.equal(rejected.length, 64);
  assert.equal(rejectionOf(rejected, digest(0)), undefined);
  assert.ok(JSON.stringify(rejected).length < 64 * 400);
});

test('what is held back says what failed, in the bytes that a status has for it', () => {
  const gate = heldBack('prod', {
    digest: digest(1),
    why: `Deployment shop/web is Degraded. ${'é'.repeat(500)}`,
    at,
  });
  assert.equal(gate.standing, 'Waiting');
  assert.match(
    gate.message,
    /^Environment prod has rejected manifests sha256:0{12}: Deployment shop\/web is Degraded\./,
  );
  assert.match(gate.message, /a newer commit may enter\.$/);
  assert.ok(Buffer.byteLength(gate.message) <= 256);
});
