import { test } from 'node:test';
import { assertWoken, assertYear } from '../harness/staged-assertions.ts';
import { YEAR } from '../harness/staged-year.ts';

for (const seed of [2, 4, 5, 6, 7, 8, 9, 10])
  test(`A11, A20, D7: another year of a tree of stages, ${seed}`, () => assertYear(seed));

for (const seed of [11, 12])
  test(`A14: a whole year in which who is woken misses nothing, ${seed}`, () =>
    assertWoken(seed, YEAR.until));
