import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckStanding } from '../checks.ts';
import { checks } from './checks.ts';

const SOON = new Date('2026-11-29T10:10:00Z');
const RUN = { check: 'smoke', template: 'a'.repeat(64), run: 1, startedAt: '2026-11-29T10:00:00.000Z' };
const LOGS = 'kubectl -n shop-staging logs job/web-smoke-0123456789abcdef0123';

function gateOf(standing: CheckStanding) {
  const [blockedBy, ...more] = checks([
    { environment: 'staging', check: 'smoke', standing, ...(standing.is === 'Failed' ? { logs: LOGS } : {}) },
  ]);
  assert.equal(more.length, 0);
  return blockedBy;
}

const ROWS: readonly [CheckStanding, RegExp, Date | undefined][] = [
  [
    { is: 'Failed', why: 'container smoke: it ended with exit code 1', run: RUN },
    /^Check smoke failed in environment staging: container smoke: it ended with exit code 1\. .*sync there runs it again\. Logs: kubectl -n shop-staging logs job\//,
    undefined,
  ],
  [
    { is: 'CouldNotRun', why: 'ImagePullBackOff', again: SOON },
    /^Check smoke could not run in environment staging: ImagePullBackOff\. It is tried again\.$/,
    SOON,
  ],
  [
    { is: 'CouldNotRun', why: 'ImagePullBackOff', again: undefined },
    /ImagePullBackOff\. Mend that: a sync there runs it again\.$/,
    undefined,
  ],
  [{ is: 'Runs', until: SOON }, /^Check smoke runs in environment staging/, SOON],
  [{ is: 'NotRun' }, /^Check smoke has not run in environment staging yet/, undefined],
  [
    { is: 'Expired', at: '2026-11-01T10:00:00.000Z' },
    /passed in environment staging at 2026-11-01/,
    undefined,
  ],
];

for (const [standing, message, clearsAt] of ROWS)
  test(`what waits for a check is told: ${JSON.stringify(standing)}`, () => {
    const blockedBy = gateOf(standing);
    assert.equal(blockedBy?.reason, 'Checks');
    assert.equal(blockedBy.standing, 'Waiting');
    assert.match(blockedBy.message, message);
    assert.deepEqual(blockedBy.clearsAt, clearsAt);
    assert.ok(Buffer.byteLength(blockedBy.message) <= 256, blockedBy.message);
  });

test('what passed is in nobody’s way, and what failed is told first', () => {
  assert.equal(gateOf({ is: 'Passed' }), undefined);
  const all = (['Passed', 'NotRun'] as const).map((is) => ({
    environment: 'eu',
    check: is,
    standing: { is },
  }));
  const failed = {
    environment: 'us',
    check: 'smoke',
    standing: { is: 'Failed', why: 'x', run: RUN },
  } as const;
  const told = checks([...all, failed]);
  assert.deepEqual(
    told.map(({ message }) => message.split(' ').slice(0, 3).join(' ')),
    ['Check smoke failed', 'Check NotRun has'],
  );
});
