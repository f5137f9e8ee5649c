import { test } from 'node:test';
import { assertReadsFramedInLinearTime, assertReadsInLinearTime } from '../../test/harness/hostile-text.ts';
import type { DiffLine } from './line-diff.ts';
import { inParts, shorten, wrap } from './terminal.ts';
import { placesIn } from './yaml-place.ts';

/** Nobody waits for the event loop of a command: it may take four times as long as the operator. */
const quarter = (text: string) => text.slice(0, text.length / 4);

test('a line that is longer than a terminal is wide is broken in linear time', () => {
  assertReadsInLinearTime((text) => inParts(text, 76));
});

test('sentences are broken in linear time, however long a word is', () => {
  assertReadsInLinearTime((text) => wrap(quarter(text), 80, '    '));
});

test('a text is cut in linear time', () => {
  assertReadsInLinearTime((text) => shorten(text, 80));
});

test('the places of all differences are found in linear time', () => {
  const lines = (text: string) =>
    `data:\n  a: ${quarter(text)}`
      .split('\n')
      .map((line, index): DiffLine => ({ sign: index % 8 === 7 ? '+' : ' ', text: `  ${line}` }));
  const everyChange = (all: readonly DiffLine[]) =>
    all.filter(({ sign }) => sign === '+').map((line) => [line]);
  assertReadsFramedInLinearTime((all: DiffLine[]) => placesIn(all, everyChange(all)), lines);
});
