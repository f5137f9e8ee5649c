import { test } from 'node:test';
import {
  assertMovesWeekly,
  assertSoaksUnasked,
  assertWoken,
  assertYear,
} from '../../../test/harness/staged-assertions.ts';
import { DAY, YEAR } from '../../../test/harness/staged-year.ts';

test('A11, A20, D7: a year of a tree of stages, some of it Sequential, with rollbacks, cancels and edited policies: nothing enters unmet, rejected or held, nor goes back by itself, all that waits says why, and at the end all run the newest', () =>
  assertYear(1));

test('A14: who is woken at the times that gates say misses nothing that one would see who looked every hour', () =>
  assertWoken(3, YEAR.from + 90 * DAY));

test('A12, S14: a soak that nobody asks for in between is none of what was broken meanwhile', () =>
  assertSoaksUnasked());

test('A11: a soak of a day before a window of a few hours lets something into prod several times a week, however many commits come', () =>
  assertMovesWeekly('24h'));
