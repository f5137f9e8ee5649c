import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortenedDigests } from './digest-rules.ts';

const COMPLAINT =
  'a part of a digest is taken; keep and compare it whole, by sha256Name where 64 digits are too long.';

test('S18: no source takes a part of a digest', () => {
  for (const taken of [
    'sha256(text).slice(0, 12)',
    'sha256(JSON.stringify([one, two])).substring(0, 20)',
    'digestOf(`inputs ` + request).slice(0, 20)',
    "createHash('sha256').update(text).digest('hex').slice(0, 16)",
    "hash.digest('base64url').substr(0, 22)",
    'createHash(name).digest().subarray(0, 8)',
    'manifest.digest.slice(0, 24)',
    'planDigest.slice(0, 12)',
    'entry.hash.slice(0, 12)',
  ]) {
    const source = `const a = 1;\nconst b = ${taken};\n`;
    assert.deepEqual(shortenedDigests('operator/plan/a.ts', source), [`operator/plan/a.ts:2: ${COMPLAINT}`]);
    assert.deepEqual(shortenedDigests('operator/plan/a.test.ts', source), []);
  }
  const inLines = "const a = createHash('sha256')\n  .update(b)\n  .digest('hex')\n  .slice(0, 20);\n";
  assert.deepEqual(shortenedDigests('operator/a.ts', inLines), [`operator/a.ts:4: ${COMPLAINT}`]);
  const others = 'names.slice(0, 10); digests.slice(0, 3); sha256(text.slice(0, 9)); hash.update(text);\n';
  assert.deepEqual(shortenedDigests('operator/plan/a.ts', others), []);
});
