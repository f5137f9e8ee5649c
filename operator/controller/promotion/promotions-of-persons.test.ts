import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Known, keyOf, MOST_HEARD, PromotionsOfPersons } from './promotions-of-persons.ts';

const TARGET = 'shop/web/prod';
const NOW = new Date('2026-11-30T10:00:09Z');

function made(name: string, second: number, more: { version?: number; seen?: string; type?: string } = {}) {
  const { version = 1, seen, type = 'Promote' } = more;
  return {
    namespace: 'shop',
    name,
    target: TARGET,
    uid: `uid of ${name}`,
    spec: { type },
    status: seen === undefined ? {} : { requestedAt: seen },
    createdAt: new Date(Date.UTC(2026, 10, 30, 10, 0, second)),
    resourceVersion: String(version),
  } as unknown as Known;
}

function promotions(all: readonly Known[], actedOn: readonly string[] = []) {
  const kept = new PromotionsOfPersons({ isActedOn: ({ name }) => actedOn.includes(name), now: () => NOW });
  for (const one of all) kept.put(one);
  return kept;
}

const names = (all: readonly Known[]) => all.map(({ name }) => name);

test('A3: they count as they were made: of the same second as they were seen, or by their versions, and that stays so', () => {
  const seen = '2026-11-30T10:00:03.500Z';
  const kept = promotions([
    made('d', 3, { version: 12 }),
    made('b', 3, { seen }),
    made('c', 3, { version: 9 }),
    made('a', 2, { version: 40 }),
    made('e', 4, { version: 2 }),
  ]);
  assert.deepEqual(names(kept.open(TARGET).heard), ['a', 'b', 'c', 'd', 'e']);
  kept.put(made('c', 3, { version: 50 }));
  assert.deepEqual(names(kept.open(TARGET).heard), ['a', 'b', 'c', 'd', 'e']);
  kept.forget('shop/b');
  assert.deepEqual(names(kept.open(TARGET).heard), ['a', 'c', 'd', 'e']);
  assert.deepEqual(kept.open('shop/other/prod').heard, []);
});

test('S16: of each type the newest are heard, and all for which something was begun', () => {
  const many = Array.from({ length: MOST_HEARD + 3 }, (_, index) => made(`p${index}`, index));
  const back = made('back', 0, { type: 'Rollback' });
  const { heard, surplus } = promotions([back, ...many], ['p1']).open(TARGET);
  assert.deepEqual(names(heard), ['back', 'p1', ...names(many.slice(3))]);
  assert.deepEqual(
    surplus.map(({ one, newest }) => [one.name, newest.name]),
    ['p0', 'p2'].map((name) => [name, many.at(-1)?.name]),
  );
});

test('D7: ends are written as the Promotions were made, in whichever order they came', () => {
  const all = [made('a', 1), made('b', 1, { version: 2 }), made('c', 2), made('d', 3)];
  const kept = promotions(all);
  kept.open(TARGET);
  const written: (string | undefined)[] = [];
  for (const one of [all[2], all[0], all[1]]) if (one !== undefined) kept.end(keyOf(one));
  assert.deepEqual(names(kept.open(TARGET).heard), ['d']);
  kept.forget('shop/b');
  for (let key = kept.oldestEnd(TARGET); key !== undefined; key = kept.oldestEnd(TARGET)) {
    written.push(key);
    kept.written(key);
  }
  assert.deepEqual(written, ['shop/a', 'shop/c']);
  assert.deepEqual(kept.targetsOfEnds(), []);
});
