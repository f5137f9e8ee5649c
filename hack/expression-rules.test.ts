import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expressionsOf, objection } from './expression-rules.ts';

const objectionsTo = (source: string) =>
  expressionsOf('operator/a.ts', source)
    .map(objection)
    .filter((said) => said !== undefined);

for (const expression of [
  '/updates? to .* are forbidden/',
  '/=+$/',
  '/namespaces? ".*" not found/',
  '/^(a+)+$/',
  '/^\\S+ "[^"]*" is invalid/',
  '/(?:^|: |\\n)\\s*(\\.[^\\s:]+): (.+)/g',
  "/(e\\.g\\. .*?, )?used is '.*?'/",
  '/^a.*$/m',
  '/^(?=.*a)b*c/',
  '/^(.*)-\\1$/',
  '/^(a|aa)+$/',
  '/^(a{0,9})*$/',
  '/^a{0,9999}a{0,9999}b/',
  '/a{1,5000}b/',
  '/^(\\w|\\d)+$/',
  '/^(?:a{0,50}){0,50}b/',
  '/^(?:a{1,9}b?)*$/',
  "a.match('(a+)+$')",
  "a['match']('(a+)+$')",
  "a.matchAll('a+b+')",
  "a.search('a.*b')",
  "globalThis.RegExp('a.*b')",
  "new RegExp('a.*b')",
  "RegExp('^a.*b', 'm')",
  'new RegExp(pattern)',
]) {
  test(`A15: two parts without a bound, the search among them, are refused: ${expression}`, () => {
    const [said, ...more] = objectionsTo(`const a: string = '';\nexport const found = ${expression};\n`);
    assert.match(said ?? '', /^operator\/a\.ts:2: .*(parts without a bound|cannot be judged)/);
    assert.equal(more.length, 0);
  });
}

for (const expression of [
  '/^[0-9a-f]{40}$/',
  '/\\s+/',
  '/foo.*/',
  '/a{0,200}b{0,200}c/',
  '/^-----BEGIN [A-Z ]*KEY/',
  '/a+b/y',
  '/^(?:a+|b+)$/',
  '/^(?:a|b)+$/',
  '/^(?:a{1,9}b)*$/',
  '/^(?:-[a-z]{1,9})*$/',
  "a.match('a+')",
  "known.search('the objects of a.*')",
  "new RegExp('^a+$')",
  '1 / 2 / 3',
]) {
  test(`one part without a bound is taken: ${expression}`, () => {
    assert.deepEqual(objectionsTo(`export const found = ${expression};\n`), []);
  });
}

test('a comment before the statement answers for an expression, and for that one alone', () => {
  const source = `
// Linear: the sign ends it.
const a =
  /^a+:b+:$/;
const b = /^a+:b+:$/;
`;
  assert.deepEqual(
    objectionsTo(source).map((said) => said.split(' ')[0]),
    ['operator/a.ts:5:'],
  );
});
