import assert from 'node:assert/strict';
import { test } from 'node:test';
import { healthyMs, type Soak, type SoakSeen, soakAfter } from './soak.ts';

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
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'Paused']), at(20)), 10 * MINUTE);
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'Paused'], [15, 'Healthy']), at(20)), 15 * MINUTE);
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'Broken'], [15, 'Healthy']), at(20)), 5 * MINUTE);
  assert.equal(healthyMs(after([0, 'Healthy'], [10, 'Healthy', { digest: 'e' }]), at(20)), 10 * MINUTE);
  assert.equal(healthyMs(after([5, 'Healthy']), at(0)), 0, 'a clock that is behind takes nothing away');
});

test('A14: while nothing changes, nothing is to be written', () => {
  for (const health of ['Healthy', 'Paused', 'Broken'] as const) {
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
    soakAfter(after([0, 'Healthy']), { digest: undefined, health: 'Paused', now: at(1) }),
    undefined,
  );
});

test('D7: a time without an operator neither loses healthy time nor adds more than two minutes', () => {
  const resumed = (from: number | undefined, minute: number, health: SoakSeen['health'] = 'Healthy') =>
    healthyMs(
      after([0, 'Healthy'], [minute, health, { gap: { from: from === undefined ? undefined : at(from) } }]),
      at(minute),
    ) / MINUTE;
  assert.equal(resumed(10, 11), 11, 'a restart');
  assert.equal(resumed(10, 12), 12);
  assert.equal(resumed(10, 60), 12, 'an outage');
  assert.equal(resumed(10, 60, 'Paused'), 12, '… after which it comes up');
  assert.equal(resumed(10, 60, 'Broken'), 0, '… after which it is broken');
  assert.equal(resumed(undefined, 60), 2, 'nobody knows who led before');
  assert.equal(resumed(90, 60), 60, 'a Lease that was renewed later than now');
});
