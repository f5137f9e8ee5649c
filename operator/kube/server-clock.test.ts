import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerClock } from './server-clock.ts';

const START = Date.parse('2030-01-01T00:00:00Z');

/** A server whose Date header is its clock cut to whole seconds, seen over a slow line. */
function arrange() {
  let monotonic = 0;
  let offset = START;
  const clock = new ServerClock(() => monotonic);
  const ask = (there: number, back: number) => {
    const sentAt = monotonic;
    const date = new Date(Math.floor((monotonic + there + offset) / 1000) * 1000).toUTCString();
    monotonic += there + back;
    clock.observe(date, sentAt, monotonic);
  };
  return {
    clock,
    ask,
    pass: (ms: number) => {
      monotonic += ms;
    },
    step: (ms: number) => {
      offset += ms;
    },
    wrongBy: () => Math.abs(clock.now().getTime() - (monotonic + offset)),
  };
}

test('A13: one answer tells the time to a second, many to milliseconds, and it goes on by itself', () => {
  const { clock, ask, pass, wrongBy } = arrange();
  const before = Date.now();
  const untold = clock.now().getTime();
  assert.ok(before <= untold && untold <= Date.now(), 'the local time, as no answer has told another');
  pass(770);
  ask(5, 5);
  assert.ok(wrongBy() <= 1010);
  for (let index = 0; index < 400; index += 1) {
    pass(137);
    ask(5, 5);
  }
  assert.ok(wrongBy() <= 20, `off by ${wrongBy()} ms`);
  pass(3_600_000);
  assert.ok(wrongBy() <= 20);
});

test('A13: a server whose clock steps forward or back is followed with its next answer', () => {
  const { ask, pass, step, wrongBy } = arrange();
  ask(5, 5);
  for (const by of [3_600_000, -7_200_000]) {
    step(by);
    pass(10);
    ask(5, 5);
    assert.ok(wrongBy() <= 1010, `off by ${wrongBy()} ms`);
  }
});

test('a Date that is missing or nonsense changes nothing', () => {
  const { clock, ask } = arrange();
  ask(1, 1);
  const before = clock.now().getTime();
  clock.observe(undefined, 0, 1);
  clock.observe('yesterday', 0, 1);
  assert.equal(clock.now().getTime(), before);
});
