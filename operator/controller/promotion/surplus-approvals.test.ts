import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Approval } from '../../api/v1alpha1/approval.ts';
import { surplusApprovals } from './surplus-approvals.ts';

interface Given {
  readonly environment?: string;
  readonly decision?: 'Approve' | 'Reject';
  readonly isUsed?: true;
}

/** Approvals that were given one after the other, each a second after the one before. */
function given(
  count: number,
  { environment = 'prod', decision = 'Approve', isUsed }: Given = {},
): Approval[] {
  return Array.from({ length: count }, (_, index) => {
    const at = new Date(Date.UTC(2026, 10, 1) + index * 1_000).toISOString();
    return {
      metadata: { name: `${environment}-${decision}-${index}`, namespace: 'shop', creationTimestamp: at },
      spec: { application: 'web', environment, decision },
      ...(isUsed === undefined ? {} : { status: { enteredAt: at } }),
    } as unknown as Approval;
  });
}

const surplus = (approvals: readonly Approval[], gone: readonly string[] = []) =>
  surplusApprovals(approvals, {
    keep: 10,
    gone: { keep: 100, isGone: (_, target) => gone.includes(target) },
  }).map(({ metadata }) => metadata.name);

test('A23: of each target the last 256 yeses that let nothing in stay, also where all are of what was overtaken', () => {
  assert.deepEqual(surplus(given(256)), []);
  assert.deepEqual(surplus([...given(258), ...given(200, { environment: 'staging' })]), [
    'prod-Approve-0',
    'prod-Approve-1',
  ]);
});

test('A23: what was used and what was not have bounds of their own', () => {
  const used = given(12, { isUsed: true });
  assert.deepEqual(surplus([...used, ...given(200)]), ['prod-Approve-0', 'prod-Approve-1']);
});

test('A23: of targets that are gone as many stay, of all of them together', () => {
  const environments = ['eu', 'us'];
  const all = environments.flatMap((environment) => given(200, { environment }));
  assert.equal(surplus(all).length, 0);
  const left = surplus(
    all,
    environments.map((environment) => `web/${environment}`),
  );
  assert.equal(left.length, 400 - 256);
  assert.ok(!left.includes('us-Approve-199') && !left.includes('eu-Approve-199'), 'the last ones stay');
});

test('A23, S14: no bound takes a no away, of whatever it is: what it holds back would enter', () => {
  const nos = given(1_000, { decision: 'Reject' });
  assert.deepEqual(surplus(nos), []);
  assert.deepEqual(surplus(nos, ['web/prod']), []);
});
