import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../../api/errors.ts';
import { jsonBytes } from '../../../api/v1alpha1/bound-status.ts';
import { combined, partly, toldAfter } from './refusals.ts';

const next = 'Correct it in Git.';
const refusal = (cause: string) => ({
  verdict: 'State' as const,
  error: new TowpathError('Person', 'ManifestInvalid', `${cause} ${next}`, { next }),
});
const long = refusal(`apply ConfigMap shop/web: ${'a "b" '.repeat(40)}.`);

for (const [what, message] of [
  ['how many there are', combined([long, long], 'nothing was applied').message],
  ['how many were applied', partly([long], 9, 10).message],
  ['both, and how often it was tried', toldAfter('Try 3 failed: ', partly([long, long], 8, 10))],
] as const) {
  test(`the next step is told beside ${what}, however long the cause`, () => {
    assert.ok(jsonBytes(message) <= 256, `${jsonBytes(message)} bytes`);
    assert.match(message, /ConfigMap shop\/web: a "b".*… Correct it in Git\.$/);
  });
}

test('words before an error change nothing else of it', () => {
  const short = refusal('apply ConfigMap shop/web: no.');
  assert.equal(
    toldAfter('Try 1 failed: ', short.error),
    'Try 1 failed: apply ConfigMap shop/web: no. Correct it in Git.',
  );
  const plain = new TowpathError('Time', 'HookFailed', 'Job shop/web failed.');
  assert.equal(toldAfter('Try 1 failed: ', plain), 'Try 1 failed: Job shop/web failed.');
});
