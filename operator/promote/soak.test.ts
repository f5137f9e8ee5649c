import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Counted,
  type Gap,
  healthyMs,
  type Soak,
  type SoakSeen,
  soakAfter,
  soaksUntil,
} from './soak.ts';

const START = Date.parse('2026-11-29T10:00:00Z');
const at = (minutes: number) => new Date(START + minutes * 60_000);
const MINUTE = 60_000;

/** What looks at these minutes saw, one after the other. */
function after(...looks: [minute: number, health: SoakSeen['health'], more?: Partial<SoakSeen>][]) {
  let soak: Soak | undefined;
  for (const [minute, health, more] of looks)
    soak = soakAfter(soak, { digest: 'd', health, now: at(minute), ...more });
  assert.ok(soak !== undefined);
  return soak;
}

test('A13: healthy time counts, what comes up pauses it, and what breaks begins it anew', () => {
  assert.equal(healthyMs(after([0, 'Healthy']), at(10)), 10 * MINUTE);
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'ComingUp']), at(20)), 10 * MINUTE);
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'ComingUp'], [15, 'Healthy']), at(20)), 15 * MINUTE);
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'OutOfSight'], [15, 'Healthy']), at(20)), 15 * MINUTE);
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'Broken'], [15, 'Healthy']), at(20)), 5 * MINUTE);
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'Healthy', { digest: 'e' }]), at(20)), 10 * MINUTE);
  assert.equal(healthyMs(after([5, 'Healthy']), at(0)), 0, 'a clock that is behind takes nothing away');
});

test('A14: while nothing changes, nothing is to be written', () => {
  for (const health of ['Healthy', 'ComingUp', 'Changed', 'OutOfSight', 'Broken'] as const) {
    const first = soakAfter(undefined, { digest: 'd', health, now: at(0) });
    assert.equal(soakAfter(first, { digest: 'd', health, now: at(7) }), first, health);
  }
});

test('A14: a hundred commits that change nothing there neither begin a soak anew nor end it, and none is written', () => {
  const first = soakAfter(undefined, { digest: 'd', health: 'Healthy', now: at(0) });
  let soak = first;
  for (let minute = 1; minute <= 100; minute += 1)
    soak = soakAfter(soak, { digest: 'd', health: 'Healthy', now: at(minute) });
  assert.equal(soak, first);
  assert.equal(soak && healthyMs(soak, at(100)), 100 * MINUTE);
});

test('what is not deployed to the end has no healthy time', () => {
  assert.equal(
    soakAfter(after([0, 'Healthy']), { digest: undefined, health: 'ComingUp', now: at(1) }),
    undefined,
  );
});

test('D7: a time without an operator neither loses healthy time nor adds more than two minutes', () => {
  const resumed = (
    from: number | undefined,
    minute: number,
    health: SoakSeen['health'] = 'Healthy',
    how: Pick<Gap, 'isUndisturbed'> = { isUndisturbed: true },
  ) => {
    const gap = { ...how, from: from === undefined ? undefined : at(from) };
    return healthyMs(after([0, 'Healthy'], [minute, health, { gap }]), at(minute)) / MINUTE;
  };
  assert.equal(resumed(10, 11), 11, 'a restart');
  assert.equal(resumed(10, 12), 12);
  assert.equal(resumed(10, 60), 12, 'an outage');
  assert.equal(resumed(10, 60, 'ComingUp'), 12, '… after which it comes up');
  assert.equal(resumed(10, 60, 'Broken'), 0, '… after which it is broken');
  assert.equal(resumed(undefined, 60), 2, 'nobody knows who led before');
  assert.equal(resumed(90, 60), 60, 'a Lease that was renewed later than now');
  assert.equal(resumed(10, 11, 'Healthy', {}), 10, 'something may have been begun anew in it');
  assert.equal(resumed(undefined, 60, 'Healthy', {}), 0);
});

/** Until which minute at most it is stayed on, where 30 of them are wanted, and 5 may pass until it comes up. */
const stayedOn = (soak: Soak, live: Counted | undefined, minute: number) => {
  const until = soaksUntil(soak, { live, neededMs: 30 * MINUTE, timeoutMs: 5 * MINUTE, now: at(minute) });
  return until instanceof Date ? (until.getTime() - START) / MINUTE : until;
};
const HEALTHY = after([0, 'Healthy']);
const COMES_UP = after([0, 'Healthy'], [10, 'ComingUp']);
const UNSEEN = after([0, 'Healthy'], [10, 'OutOfSight']);
const SOAKED = after([0, 'Healthy'], [30, 'OutOfSight']);
const CHANGED = after([0, 'Healthy'], [10, 'Changed']);
const BROKEN = after([0, 'Healthy'], [10, 'Broken']);
const MENDED = after([0, 'Healthy'], [10, 'Broken'], [11, 'Changed']);

for (const [what, soak, live, minute, until] of [
  ['what is healthy, until it has soaked', HEALTHY, 'Healthy', 10, 30],
  ['what is healthy as far as it is known, alike', HEALTHY, undefined, 10, 30],
  ['what comes up since this moment, for as long as that may take', HEALTHY, 'ComingUp', 10, 15],
  ['what comes up, for as long as that may take from its begin', COMES_UP, 'ComingUp', 12, 15],
  ['what comes up for too long, no more', COMES_UP, 'ComingUp', 15, undefined],
  ['what comes up, and is healthy by now, until it has soaked', COMES_UP, 'Healthy', 14, 34],
  ['the same, however long that took', COMES_UP, 'Healthy', 60, 80],
  ['what was out of sight and is healthy, however long nobody saw it', UNSEEN, 'Healthy', 60, 80],
  ['what was out of sight and comes up, as if it began to', UNSEEN, 'ComingUp', 60, 65],
  ['what is out of sight, until it is seen again', UNSEEN, 'OutOfSight', 60, 'InSight'],
  ['the same where nobody looked yet', UNSEEN, undefined, 60, 'InSight'],
  ['what is out of sight and has soaked, no more', SOAKED, 'OutOfSight', 60, undefined],
  ['what is changed, for as long as it may take to come up', CHANGED, 'Healthy', 12, 15],
  ['what stays changed, no more', CHANGED, 'Healthy', 15, undefined],
  ['what was changed and comes up, from when it was changed on', CHANGED, 'ComingUp', 12, 15],
  ['what was broken and is changed, no longer', MENDED, 'Healthy', 12, 16],
  ['what was broken and stays changed, no more', MENDED, 'Healthy', 16, undefined],
  ['what is broken, no more, whatever is noted', HEALTHY, 'Broken', 10, undefined],
  ['what was broken and comes up, no more', BROKEN, 'ComingUp', 11, undefined],
  ['what was broken, as far as it is known, no more', BROKEN, undefined, 11, undefined],
  ['what was broken and is healthy, until it has soaked', BROKEN, 'Healthy', 11, 41],
  ['what has soaked, until then', HEALTHY, 'ComingUp', 40, 30],
] as const)
  test(`A13: stayed on is ${what}`, () => assert.equal(stayedOn(soak, live, minute), until));

test('A13: what has soaked, and does not count any more, is stayed on no more', () => {
  const soaked = after([0, 'Healthy'], [30, 'ComingUp']);
  assert.equal(stayedOn(soaked, 'ComingUp', 31), undefined);
});

test('A13: what comes up once more after a time in which nobody looked begins to then; what was broken is so until it is healthy', () => {
  const gap = { gap: { from: at(11) } };
  const { comingUpSince } = after([0, 'Healthy'], [10, 'ComingUp'], [20, 'ComingUp', gap]);
  assert.equal(comingUpSince, at(20).toISOString());
  const short = after([0, 'Healthy'], [10, 'ComingUp'], [12, 'ComingUp', gap]);
  assert.equal(short.comingUpSince, at(10).toISOString());
  assert.equal(after([0, 'Broken'], [1, 'ComingUp'], [2, 'OutOfSight']).broken, true);
  assert.equal(after([0, 'Broken'], [1, 'ComingUp'], [2, 'Healthy']).broken, undefined);
});

test('A13: what comes up and is changed by turns is waited for from the first of these on, until it is as it was', () => {
  const turns = after([0, 'Healthy'], [10, 'Changed'], [12, 'ComingUp'], [13, 'Changed']);
  assert.equal(turns.changedSince, at(10).toISOString());
  assert.equal(stayedOn(turns, 'Healthy', 15), undefined);
  const again = after([0, 'Healthy'], [10, 'Changed'], [13, 'Healthy'], [14, 'Changed']);
  assert.equal(again.changedSince, at(14).toISOString());
  assert.equal(again.ms, 11 * MINUTE, 'changed it does not count');
  assert.equal(after([0, 'Broken'], [1, 'Changed'], [2, 'Healthy']).broken, undefined);
});

test('D7, A14: what nobody asks for is counted by no later process, for one write; and no time counts that nobody looked at', () => {
  const unasked = true;
  const gap = (from: number) => ({ unasked, gap: { from: at(from), isUndisturbed: true } }) as const;
  const first = after([0, 'Healthy'], [60, 'Healthy', { unasked }]);
  assert.equal(healthyMs(first, at(60)), 60 * MINUTE, 'who saw it begin counts on');
  const rests = after([0, 'Healthy'], [90, 'Healthy', gap(60)]);
  assert.deepEqual(rests, { digest: 'd', ms: 62 * MINUTE });
  for (const more of [{ unasked }, gap(90), gap(190)] as const)
    assert.equal(soakAfter(rests, { digest: 'd', health: 'Healthy', now: at(200), ...more }), rests);
  const asked = soakAfter(rests, { digest: 'd', health: 'Healthy', now: at(200) });
  assert.deepEqual(asked, { ...rests, since: at(200).toISOString() });
  const broken = soakAfter(rests, { digest: 'd', health: 'Broken', now: at(100), unasked });
  assert.equal(broken?.ms, 0, 'what breaks begins anew all the same');
});
