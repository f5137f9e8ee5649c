import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Difference } from '../local/compare.ts';
import { differenceLines } from './difference-lines.ts';

const SIZE = 2 ** 20;
const plainly = { out: { width: 80, isColoured: false }, hide: (line: string) => line };

function configMap(text: string): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' }, data: { text } };
}

function difference(sides: Pick<Difference, 'change' | 'live' | 'wanted'>): Difference {
  return { ...sides, object: { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' } };
}

for (const [what, text, lines] of [
  ['one line', 'a'.repeat(SIZE), 13_804],
  ['very many lines', 'a\n'.repeat(SIZE / 2), SIZE / 2 + 7],
] as const) {
  test(`an object of 1 MiB in ${what} is shown whole, at once`, { timeout: 10_000 }, () => {
    const wanted = configMap(text);
    const created = differenceLines(difference({ change: 'Created', wanted }), plainly);
    assert.equal(created.length, lines);
    assert.equal(created[0], '+ ConfigMap shop/web would be created');
    const changed = difference({ change: 'Changed', live: configMap(`${text}b`), wanted });
    assert.ok(differenceLines(changed, plainly).length > 2);
  });
}

test('of a change a few lines around it are shown, with where they stand', () => {
  const live = configMap('a\nb\nc\nd\ne\n');
  const wanted = configMap('a\nb\nc\nx\ne\n');
  assert.deepEqual(differenceLines(difference({ change: 'Changed', live, wanted }), plainly), [
    '~ ConfigMap shop/web would change',
    '    … data.text',
    '        b',
    '        c',
    '  -     d',
    '  +     x',
    '        e',
  ]);
});
