import { test } from 'node:test';
import { assertReadsFramedInLinearTime, assertReadsInLinearTime } from '../../test/harness/hostile-text.ts';
import { jsonText, parseJson } from './exact.ts';
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

for (const [what, frame] of [
  ['a string', (text: string) => `{"a":12345678901234567890,"b":${JSON.stringify(quarter(text))}}`],
  ['what is no JSON', (text: string) => `{"a":12345678901234567890,"b":${quarter(text)}}`],
] as const) {
  test(`integers of JSON with ${what} are found in linear time`, () => {
    assertReadsFramedInLinearTime((json) => parseJson(json), frame);
  });
}

test('a string of others is written in linear time', () => {
  assertReadsFramedInLinearTime(
    (value) => jsonText(value),
    (text) => ({ a: 12345678901234567890n, b: quarter(text) }),
  );
});
