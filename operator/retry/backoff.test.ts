import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs, type Jitter } from './backoff.ts';

const FAILURES = [1, 2, 3, 7, 30, 31, 32, 51, 64, 1_023, 1_024, 1_075, 1e6, Number.MAX_SAFE_INTEGER];
const FIRSTS = [0, 1, 50, 999.5, 1_000, 86_400_000];
const LONGESTS = [0, 1, 2_000, 600_000, 2 ** 31, 1e15];
const RANDOMS = [0, 0.001, 0.5, 0.999, 1];
const SHORTEST = { None: 1, Fifth: 0.8, Half: 0.5, Full: 0 };

function jitters(): Jitter[] {
  const spread = (['Fifth', 'Half', 'Full'] as const).flatMap((jitter) =>
    RANDOMS.map((random) => ({ jitter, random })),
  );
  return [{ jitter: 'None' }, ...spread];
}

function cases() {
  return FIRSTS.flatMap((firstMs) =>
    LONGESTS.flatMap((longestMs) => jitters().map((jitter) => ({ firstMs, longestMs, ...jitter }))),
  );
}

describe('backoff', () => {
  it('is a number between the least that its jitter leaves and the longest pause, however often it failed', () => {
    for (const one of cases()) {
      for (const failures of FAILURES) {
        const pause = backoffMs({ ...one, failures });
        const what = JSON.stringify({ ...one, failures, pause });
        assert.ok(Number.isFinite(pause), what);
        assert.ok(pause <= one.longestMs, what);
        const least = Math.min(one.firstMs, one.longestMs) * SHORTEST[one.jitter];
        assert.ok(pause >= least * (1 - 1e-12), what);
      }
    }
  });

  it('never becomes shorter with a failure more, and doubles until it is as long as it gets', () => {
    for (const one of cases()) {
      for (let failures = 1; failures < 70; failures += 1) {
        const [before, after] = [failures, failures + 1].map((count) =>
          backoffMs({ ...one, failures: count }),
        ) as [number, number];
        const what = JSON.stringify({ ...one, failures, before, after });
        assert.ok(after >= before, what);
        const longest = backoffMs({ ...one, firstMs: one.longestMs, failures: 1 });
        assert.ok(Math.abs(after - Math.min(before * 2, longest)) <= 1e-9 * longest, what);
      }
    }
  });

  it('counts failures from one: none yet is as the first', () => {
    for (const one of cases())
      for (const failures of [-1, 0])
        assert.equal(backoffMs({ ...one, failures }), backoffMs({ ...one, failures: 1 }));
  });

  it('is what it says', () => {
    const one = { firstMs: 1_000, longestMs: 30_000 };
    const pauses = (jitter: Jitter) =>
      [1, 2, 5, 6, 9].map((failures) => Math.round(backoffMs({ ...one, failures, ...jitter })));
    assert.deepEqual(pauses({ jitter: 'None' }), [1_000, 2_000, 16_000, 30_000, 30_000]);
    assert.deepEqual(pauses({ jitter: 'Fifth', random: 0 }), [800, 1_600, 12_800, 24_000, 24_000]);
    assert.deepEqual(pauses({ jitter: 'Half', random: 0 }), [500, 1_000, 8_000, 15_000, 15_000]);
    assert.deepEqual(pauses({ jitter: 'Full', random: 0.25 }), [250, 500, 4_000, 7_500, 7_500]);
    assert.deepEqual(pauses({ jitter: 'Full', random: 1 }), pauses({ jitter: 'None' }));
  });
});
