import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SKIPPABLE_GATES } from '../api/v1alpha1/promotion.ts';
import type { BlockedBy } from './gate.ts';
import { leftAfterSkipping, leftForRetry } from './skipping.ts';

const blocked = (reason: string, more: Partial<BlockedBy> = {}): BlockedBy => ({
  reason,
  message: `${reason}.`,
  remedy: 'Resource',
  standing: 'Waiting',
  ...more,
});
const GATES = ['Soak', 'OutsideWindow', 'AwaitingApproval', 'Checks', 'Frozen', 'Order'] as const;
const ALL = GATES.map((reason) => blocked(reason));
const reasons = (left: readonly BlockedBy[]) => left.map(({ reason }) => reason);

test('A34: what a person asks for waits for the same gates as what enters by itself, but for those that it names', () => {
  assert.deepEqual(leftAfterSkipping(ALL, []), ALL);
  for (const [index, gate] of (
    ['soak', 'windows', 'approvals', 'checks', 'freeze', 'order'] as const
  ).entries())
    assert.deepEqual(reasons(leftAfterSkipping(ALL, [gate])), reasons(ALL.toSpliced(index, 1)), gate);
});

test('A34: what is no gate of a policy or an Environment is passed by by nobody', () => {
  const others = [
    'DependencyNotReady',
    'DependencyVersion',
    'PoliciesUnknown',
    'PolicyContested',
    'NoPolicy',
  ].map((reason) => blocked(reason, { standing: 'Blocked' }));
  assert.deepEqual(leftAfterSkipping(others, SKIPPABLE_GATES), others);
});

test('S14: what failed and is tried once more waits for a better time, for a no, and where nobody knows whether there is one', () => {
  const waitsFor = [
    'Frozen',
    'OutsideWindow',
    'Rejected',
    'ApprovalsUnknown',
    'PolicyContested',
    'PoliciesUnknown',
    'EnvironmentsUnknown',
  ];
  const passed = ['Soak', 'AwaitingApproval', 'Checks', 'Order', 'StageEmpty', 'PolicyGone', 'NoPolicy'];
  const all = [...waitsFor, ...passed].map((reason) => blocked(reason));
  assert.deepEqual(reasons(leftForRetry(all)), waitsFor);
  // docs/promotion.md: who has the verb override promotes it past all of these but the last three.
  const promoted = leftAfterSkipping(leftForRetry(all), SKIPPABLE_GATES);
  assert.deepEqual(reasons(promoted), waitsFor.slice(-3));
});

test('what keeps out only what enters by itself keeps out nothing that a person asks for', () => {
  assert.deepEqual(leftAfterSkipping([blocked('Soak', { untilPromoted: true })], []), []);
});
