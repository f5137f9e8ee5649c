import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reachability } from './reachability.ts';

/** As ClusterLink asks: every so often, and sooner where nothing was answered. Milliseconds. */
const ASK_MS = 10_000;
const RETRY_MS = 3_000;

/** How often a link is told as lost whose cluster answers at the times that `isUp` says, and when first. */
function tellsOf(isUp: (now: number) => boolean, forMs: number) {
  const reachability = new Reachability();
  const lostAt: number[] = [];
  let isLost = false;
  for (let now = 0; now < forMs; now += reachability.failures === 0 ? ASK_MS : RETRY_MS) {
    if (isUp(now)) {
      reachability.answered(now);
      isLost = false;
    } else if (reachability.failed('Unanswered', now) && !isLost) {
      isLost = true;
      lostAt.push(now);
    }
  }
  return lostAt;
}

const HOUR_MS = 3_600_000;

for (const seconds of [4, 10, 20, 40])
  test(`A14: a link that is up and down for ${seconds / 2} s each is told as lost once an hour at most`, () => {
    const isUp = (now: number) => now % (seconds * 1_000) < seconds * 500;
    assert.ok(tellsOf(isUp, HOUR_MS).length <= 1);
  });

test('B2: one that is down for good is told within a minute, also where it was down before', () => {
  const downFrom = 5 * 60_000;
  assert.ok((tellsOf((now) => now < downFrom, HOUR_MS)[0] ?? HOUR_MS) < downFrom + 60_000);
  const again = tellsOf(
    (now) => now < downFrom - 60_000 || (now >= downFrom - 30_000 && now < downFrom),
    HOUR_MS,
  );
  assert.equal(again.length, 2);
  assert.ok((again[1] ?? HOUR_MS) < downFrom + 60_000);
});

test('one question without an answer is not told, and one that is refused is told at the second', () => {
  const reachability = new Reachability();
  assert.equal(reachability.failed('Unanswered', 0), false);
  reachability.answered(RETRY_MS);
  assert.equal(reachability.failed('Unanswered', 20_000), false);
  assert.equal(reachability.failed('Unanswered', 23_000), true);
  reachability.answered(30_000);
  assert.equal(reachability.failed('Refused', 40_000), false);
  assert.equal(reachability.failed('Refused', 43_000), true);
  reachability.startAnew();
  assert.equal(reachability.failures, 0);
});
