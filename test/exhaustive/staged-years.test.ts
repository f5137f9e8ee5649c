import { test } from 'node:test';
import { assertMovesWeekly, assertWoken, assertYear } from '../harness/staged-assertions.ts';
import { YEAR } from '../harness/staged-year.ts';

for (const seed of [2, 4, 5, 6, 7, 8, 9, 10])
  test(`A11, A20, D7: another year of a tree of stages, ${seed}`, () => assertYear(seed));

for (const seed of [11, 12])
  test(`A14: a whole year in which who is woken misses nothing, ${seed}`, () =>
    assertWoken(seed, YEAR.until));

for (const soak of ['12h', '48h'] as const)
  test(`A11: a soak of ${soak} before a window of a few hours lets something into prod each week`, () =>
    assertMovesWeekly(soak));
