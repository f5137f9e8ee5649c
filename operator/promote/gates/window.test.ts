import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DAYS, gatesSchema, type Window } from '../../api/v1alpha1/gates.ts';
import { changesAt, decide } from '../decide.ts';
import { openingAt, unknownTimeZone } from './window.ts';

const BERLIN = 'Europe/Berlin';
const NEW_YORK = 'America/New_York';
const LORD_HOWE = 'Australia/Lord_Howe';

/** `Mon,Tue 09:00-16:00 Europe/Berlin` */
function window(text: string): Window {
  const [days = '', times = '', timeZone = ''] = text.split(' ');
  const [from, until] = times.split('-');
  const written = { windows: [{ days: days.split(','), from, until, timeZone }] };
  const [parsed] = gatesSchema.parse(written).windows ?? [];
  assert.ok(parsed);
  return parsed;
}

const isOpenAt = (windows: readonly Window[], time: string) =>
  openingAt(windows, new Date(time)).is === 'Open';

/** When a window is open around a day: the first instant, and the first one after. */
const OPEN: readonly [what: string, windows: string[], from: string, until: string][] = [
  ['a day', [`Mon 09:00-16:00 ${BERLIN}`], '2026-11-30T08:00:00Z', '2026-11-30T15:00:00Z'],
  [
    'over midnight, of the day on which it begins',
    [`Mon 22:00-02:00 ${BERLIN}`],
    '2026-11-30T21:00Z',
    '2026-12-01T01:00Z',
  ],
  ['a whole day', ['Mon 00:00-24:00 UTC'], '2026-11-30T00:00:00Z', '2026-12-01T00:00:00Z'],
  [
    'a union without a gap',
    ['Mon 09:00-12:00 UTC', 'Mon 12:00-16:00 UTC'],
    '2026-11-30T09:00Z',
    '2026-11-30T16:00Z',
  ],
  [
    'a union of two zones',
    [`Mon 09:00-16:00 ${BERLIN}`, `Mon 09:00-16:00 ${NEW_YORK}`],
    '2026-11-30T08:00Z',
    '2026-11-30T21:00Z',
  ],
  ['Sunday into Monday', [`Sun 23:00-01:00 ${NEW_YORK}`], '2026-11-30T04:00:00Z', '2026-11-30T06:00:00Z'],
  // Berlin's clocks: 2027-03-28 02:00 → 03:00, 2026-10-25 03:00 → 02:00.
  ['a skipped beginning', [`Sun 02:30-04:00 ${BERLIN}`], '2027-03-28T01:00Z', '2027-03-28T02:00Z'],
  ['a skipped end', [`Sun 01:00-02:30 ${BERLIN}`], '2027-03-28T00:00Z', '2027-03-28T01:00Z'],
  ['a doubled beginning', [`Sun 02:30-04:00 ${BERLIN}`], '2026-10-25T00:30Z', '2026-10-25T03:00Z'],
  ['a doubled end', [`Sun 01:00-02:30 ${BERLIN}`], '2026-10-24T23:00Z', '2026-10-25T01:30Z'],
  ['over a spring night', [`Sat 22:00-06:00 ${BERLIN}`], '2027-03-27T21:00Z', '2027-03-28T04:00Z'],
  ['over an autumn night', [`Sat 22:00-06:00 ${BERLIN}`], '2026-10-24T20:00Z', '2026-10-25T05:00Z'],
  // New York's: 2027-03-14 02:00 → 03:00, 2026-11-01 02:00 → 01:00.
  ['a skipped beginning there', [`Sun 02:15-04:00 ${NEW_YORK}`], '2027-03-14T07:00Z', '2027-03-14T08:00Z'],
  ['a doubled beginning there', [`Sun 01:30-04:00 ${NEW_YORK}`], '2026-11-01T05:30Z', '2026-11-01T09:00Z'],
  ['a doubled end there', [`Sun 00:00-01:30 ${NEW_YORK}`], '2026-11-01T04:00Z', '2026-11-01T06:30Z'],
  // Lord Howe's go half an hour: 2026-10-04 02:00 → 02:30, 2027-04-04 02:00 → 01:30.
  [
    'a skipped beginning, half an hour',
    [`Sun 02:10-04:00 ${LORD_HOWE}`],
    '2026-10-03T15:30Z',
    '2026-10-03T17:00Z',
  ],
  ['a doubled end, half an hour', [`Sun 01:00-01:45 ${LORD_HOWE}`], '2027-04-03T14:00Z', '2027-04-03T15:15Z'],
];

test('A30: a window is open from its beginning to the instant of its end, by the clock of its zone, also when that changes', async (t) => {
  for (const [what, texts, from, until] of OPEN)
    await t.test(`${what}: ${texts.join(' + ')}`, () => {
      const windows = texts.map(window);
      const [first, after] = [Date.parse(from), Date.parse(until)];
      const at = (time: number) => new Date(time).toISOString();
      assert.ok(!isOpenAt(windows, at(first - 1)), 'not before');
      assert.deepEqual(openingAt(windows, new Date(first - 1)).is, 'Closed');
      for (let time = first; time < after; time += 7 * 60_000)
        assert.ok(isOpenAt(windows, at(time)), at(time));
      assert.ok(isOpenAt(windows, at(after - 1)), 'to its end');
      assert.ok(!isOpenAt(windows, at(after)), 'not longer');
      const before = openingAt(windows, new Date(first - 1));
      assert.ok('changesAt' in before);
      assert.equal(before.changesAt.toISOString(), at(first), 'what waits is woken then');
    });
});

test('A30: a window that a change of the clocks swallows opens a week later, and two days of a week are two windows', () => {
  const swallowed = [window(`Sun 02:00-03:00 ${BERLIN}`)];
  const saturday = openingAt(swallowed, new Date('2027-03-27T12:00:00Z'));
  assert.deepEqual(saturday, {
    is: 'Closed',
    changesAt: new Date('2027-04-04T00:00:00Z'),
    opensAt: '2027-04-04T02:00:00+02:00[Europe/Berlin]',
  });
  const twice = [window(`Mon,Thu 09:00-16:00 ${BERLIN}`)];
  const monday = openingAt(twice, new Date('2026-11-30T15:00:00Z'));
  assert.ok('opensAt' in monday);
  assert.equal(monday.opensAt, '2026-12-03T09:00:00+01:00[Europe/Berlin]');
});

test('a time zone that nobody knows is named', () => {
  const windows = [window(`Mon 09:00-16:00 ${BERLIN}`), window('Mon 09:00-16:00 Europe/Berlyn')];
  assert.equal(unknownTimeZone(windows), 'Europe/Berlyn');
  assert.deepEqual(openingAt(windows, new Date()), { is: 'Unknown', timeZone: 'Europe/Berlyn' });
  assert.equal(unknownTimeZone(windows.slice(0, 1)), undefined);
});

const clock = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 1, 15, 30, 45, 59))
  .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
const anyWindow: fc.Arbitrary<Window> = fc
  .record({
    days: fc.uniqueArray(fc.constantFrom(...DAYS), { minLength: 1 }),
    from: clock,
    until: fc.oneof(clock, fc.constant('24:00')),
    timeZone: fc.constantFrom(BERLIN, NEW_YORK, LORD_HOWE, 'UTC', 'Africa/Cairo', 'America/Santiago'),
  })
  .filter(({ from, until }) => from !== until);
/** Near the changes of the clocks, where the traps are, and anywhere. */
const anyTime = fc
  .oneof(
    fc.constantFrom('2026-10-25', '2027-03-28', '2026-11-01', '2027-03-14', '2026-10-03', '2027-04-03'),
    fc
      .integer({ min: 0, max: 729 })
      .map((day) => new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10)),
  )
  .chain((day) => fc.integer({ min: 0, max: 2 * 86_400 }).map((second) => Date.parse(day) + second * 1_000));

test('A9: whether it is open and when it opens next agree at every instant', () => {
  const property = fc.property(
    fc.array(anyWindow, { minLength: 1, maxLength: 3 }),
    anyTime,
    fc.double({ min: 0, max: 1, noNaN: true }),
    (windows, time, share) => {
      const opening = openingAt(windows, new Date(time));
      assert.ok('changesAt' in opening);
      const change = opening.changesAt.getTime();
      assert.ok(change > time);
      const between = Math.floor(time + (change - time - 1) * share);
      assert.equal(openingAt(windows, new Date(between)).is, opening.is, 'nothing changes in between');
      assert.equal(openingAt(windows, new Date(change - 1)).is, opening.is, 'until then');
      if (opening.is === 'Closed')
        assert.equal(openingAt(windows, opening.changesAt).is, 'Open', 'and then it does');
    },
  );
  fc.assert(property, { numRuns: 500 });
});

test('A9: outside of a window what is new waits with when it clears; inside nothing is in the way, and it is looked at when the window shuts', () => {
  const windows = [window(`Mon 09:00-16:00 ${BERLIN}`)];
  const entryAt = (time: string) => {
    const now = new Date(time);
    const opening = openingAt(windows, now);
    return {
      environment: 'prod',
      now,
      freezes: [],
      dependencies: [],
      approvals: [],
      openings: [{ whose: 'Environment prod', field: 'spec.gates.windows', opening }],
    };
  };
  const sunday = entryAt('2026-11-29T18:00:00Z');
  const [closed, ...others] = decide(sunday);
  assert.deepEqual(others, []);
  assert.deepEqual(closed?.clearsAt, new Date('2026-11-30T08:00:00Z'));
  assert.equal(closed?.standing, 'Waiting');
  assert.match(closed?.message ?? '', /begins at 2026-11-30T09:00:00\+01:00\[Europe\/Berlin\]/);
  assert.deepEqual(changesAt(sunday, decide(sunday)), closed?.clearsAt);
  const monday = entryAt('2026-11-30T08:00:00Z');
  assert.deepEqual(decide(monday), []);
  assert.deepEqual(changesAt(monday, []), new Date('2026-11-30T15:00:00Z'));
  const frozen = { ...sunday, freezes: [{ from: '2026-11-01T00:00:00Z', until: '2026-11-29T20:00:00Z' }] };
  const reasons = decide(frozen).map(({ reason }) => reason);
  assert.deepEqual(reasons, ['Frozen', 'OutsideWindow']);
  assert.deepEqual(
    changesAt(frozen, decide(frozen)),
    new Date('2026-11-29T20:00:00Z'),
    'the first of several',
  );
});
