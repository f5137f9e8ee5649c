import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesAt, decide } from '../decide.ts';
import { heldBy, nextChange } from './freeze.ts';

const NOW = new Date('2026-12-24T12:00:00Z');
const at = (text: string) => new Date(text);

test('a freeze holds from its beginning to the instant of its end, and what follows without a gap prolongs it', () => {
  const one = { from: '2026-12-20T00:00:00Z', until: '2026-12-24T12:00:01Z', reason: 'one' };
  const next = { from: '2026-12-24T12:00:01Z', until: '2027-01-02T00:00:00Z', reason: 'next' };
  const within = { from: '2026-12-21T00:00:00Z', until: '2026-12-22T00:00:00Z', reason: 'over' };
  const later = { from: '2027-01-03T00:00:00Z', reason: 'later' };
  assert.deepEqual(heldBy([one], NOW), { until: one.until, reasons: ['one'] });
  assert.deepEqual(heldBy([later, within, next, one], NOW), { until: next.until, reasons: ['one', 'next'] });
  assert.equal(heldBy([one], at(one.until)), undefined);
  assert.deepEqual(heldBy([one], at(one.from)), { until: one.until, reasons: ['one'] });
  assert.equal(heldBy([one], at('2026-12-19T23:59:59.999Z')), undefined);
  assert.equal(heldBy([within], NOW), undefined);
  assert.deepEqual(heldBy([later], at('2030-01-01T00:00:00Z')), { until: undefined, reasons: ['later'] });
  assert.equal(heldBy([], NOW), undefined);
});

test('zones are read as they are written', () => {
  const berlin = { from: '2026-12-24T12:30:00+01:00', until: '2026-12-24T13:00:00.500+01:00' };
  assert.deepEqual(heldBy([berlin], at('2026-12-24T11:59:00Z')), { until: berlin.until, reasons: [] });
  assert.equal(heldBy([berlin], at('2026-12-24T12:00:00.500Z')), undefined);
});

test('the next change is the next beginning or end', () => {
  const one = { from: '2026-12-20T00:00:00Z', until: '2026-12-25T00:00:00Z' };
  assert.deepEqual(nextChange([one, { from: '2026-12-24T13:00:00Z' }], NOW), at('2026-12-24T13:00:00Z'));
  assert.deepEqual(nextChange([one], NOW), at(one.until));
  assert.equal(nextChange([one], at(one.until)), undefined);
});

test('all that blocks is told: a dependency first, then the freeze with when it clears', () => {
  const entry = {
    environment: 'prod',
    now: NOW,
    freezes: [{ from: '2026-12-20T00:00:00Z', until: '2027-01-02T06:00:00Z', reason: 'year end' }],
    openings: [],
    approvals: [],
    dependencies: [
      { application: 'shop/database', state: 'Ready' },
      { application: 'shop/cache', state: 'NotReady' },
    ],
  } as const;
  const [dependency, frozen, ...others] = decide(entry);
  assert.deepEqual(others, []);
  assert.equal(dependency?.reason, 'DependencyNotReady');
  assert.match(dependency?.message ?? '', /shop\/cache to be Ready in environment prod/);
  assert.equal(frozen?.standing, 'Waiting');
  assert.deepEqual(frozen?.clearsAt, at('2027-01-02T06:00:00Z'));
  assert.match(frozen?.message ?? '', /prod is frozen until 2027-01-02T06:00:00Z: year end\./);
  assert.deepEqual(decide({ ...entry, freezes: [], dependencies: [] }), []);
});

test('A30: what waits is looked at when a planned freeze begins, which keeps it out from then on', () => {
  const from = '2026-12-24T18:00:00Z';
  const gate = { required: 1 };
  const admission = { is: 'Enforced', since: at('2026-01-01T00:00:00Z') } as const;
  const entryAt = (now: Date) => ({
    environment: 'prod',
    now,
    freezes: [{ from, until: '2027-01-02T06:00:00Z' }],
    openings: [],
    dependencies: [],
    approvals: [{ whose: 'Environment prod', gate, how: 'web prod', digest: 'x', decisions: [], admission }],
  });
  const reasonsAt = (now: Date) => decide(entryAt(now)).map(({ reason }) => reason);
  assert.deepEqual(reasonsAt(NOW), ['AwaitingApproval']);
  assert.deepEqual(changesAt(entryAt(NOW), decide(entryAt(NOW))), at(from));
  assert.deepEqual(reasonsAt(at(from)), ['AwaitingApproval', 'Frozen']);
  const over = entryAt(at('2027-01-02T06:00:00Z'));
  assert.equal(changesAt(over, decide(over)), undefined, 'nothing is polled');
});
