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
    'digest?.slice(0, 12)',
    'manifest?.digest?.substring(0, 12)',
    "digest.replace('sha256:', '').slice(0, 12)",
    "digest.split(':')[1]?.slice(0, 12)",
    "(digest ?? '').slice(0, 12)",
    "entry['digest'].slice(0, 12)",
    "createHash('sha256').digest().toString('hex').slice(0, 12)",
    'candidate.id.slice(0, 12)',
    "wanted.candidate.id.replace('sha256:', '').slice(0, 12)",
    'candidateKey(candidate).slice(0, 12)',
  ]) {
    const source = `const a = 1;\nconst b = ${taken};\n`;
    assert.deepEqual(shortenedDigests('operator/plan/a.ts', source), [`operator/plan/a.ts:2: ${COMPLAINT}`]);
    assert.deepEqual(shortenedDigests('operator/plan/a.test.ts', source), []);
  }
  const inLines = "const a = createHash('sha256')\n  .update(b)\n  .digest('hex')\n  .slice(0, 20);\n";
  assert.deepEqual(shortenedDigests('operator/a.ts', inLines), [`operator/a.ts:4: ${COMPLAINT}`]);
  const renamed = 'const name = digestOf(text);\nname.slice(0, 12);';
  assert.deepEqual(shortenedDigests('operator/a.ts', renamed), [`operator/a.ts:2: ${COMPLAINT}`]);
  const others =
    'text.replace(digest, name).slice(0, 9); application.id.slice(0, 9); digests.join().slice(0, 9);\n' +
    'names.slice(0, 10); digests.slice(0, 3); sha256(text.slice(0, 9)); hash.update(text);\n';
  assert.deepEqual(shortenedDigests('operator/plan/a.ts', others), []);
});

test('S18: nothing is compared, found or kept by the digits of a digest that people read', () => {
  const complaint =
    'digits for people are compared, or something is kept by them; two digests that share them can be made: take the whole one.';
  const refused = [
    'shortCandidate(one) === shortCandidate(other);',
    'if (name !== shortCandidate(candidate.id)) wait();',
    "shortRevision(revision, '') == wanted;",
    'const id = shortCandidate(candidate.id); if (id === other) wait();',
    'const id = shortCandidate(candidate.id); kept.set(id, candidate);',
    'kept.set(shortCandidate(candidate.id), candidate);',
    'kept?.get(shortCandidate(candidate.id));',
    `kept.has(\`\${environment}/\${shortCandidate(candidate.id)}\`);`,
    "kept.has(environment + '/' + shortCandidate(candidate.id));",
    'ids.includes(shortCandidate(candidate.id));',
    'text.startsWith(shortRevision(revision, ref));',
    'kept[shortCandidate(candidate.id)] = candidate;',
    'const kept = { [shortCandidate(candidate.id)]: candidate };',
    'new Map([[shortCandidate(candidate.id), candidate]]);',
    'new Map(candidates.map((one) => [shortCandidate(one.id), one]));',
    'Object.fromEntries(candidates.map((one) => [shortCandidate(one.id), one]));',
    'new Set(candidates.map((one) => shortCandidate(one.id)));',
    'new Set(ids.map(shortCandidate));',
    'new Set([shortCandidate(candidate.id)]);',
    'Map.groupBy(candidates, ({ id }) => shortCandidate(id));',
    'isDeepStrictEqual(shortCandidate(one), shortCandidate(other));',
    'switch (shortCandidate(candidate.id)) { default: }',
  ];
  for (const code of refused) {
    const source = `const a = 1;\n${code}\n`;
    assert.deepEqual(shortenedDigests('operator/a.ts', source), [`operator/a.ts:2: ${complaint}`], code);
    assert.deepEqual(shortenedDigests('operator/a.test.ts', source), []);
  }
  const told = [
    `log.info({ candidate: shortCandidate(candidate.id) }, \`\${shortCandidate(candidate.id)} is gone.\`);`,
    "return_ = candidate === undefined ? '' : shortCandidate(candidate.id);",
    'candidates.map((one) => shortCandidate(one.id)).join();',
    'kept.set(candidate.id, shortCandidate(candidate.id));',
    'new Map(candidates.map((one) => [one.id, shortCandidate(one.id)]));',
  ];
  for (const code of told) assert.deepEqual(shortenedDigests('operator/a.ts', code), [], code);
});
