import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { isSaidBy } from './application-tree.ts';

const AWAITED = '0 of 1 approval of manifests sha256:0c7a1d: kubectl towpath approve podinfo prod -n shop';
const blockedBy: NonNullable<EnvironmentStatus['blockedBy']> = [
  { reason: 'AwaitingApproval', message: AWAITED, since: '2026-11-30T02:00:00Z' },
];

test('what an environment waits for is not said twice, also behind the commit that waits, or cut', () => {
  assert.ok(isSaidBy(blockedBy, AWAITED));
  assert.ok(isSaidBy(blockedBy, `Revision main@4f2c81a waits: ${AWAITED}`));
  assert.ok(isSaidBy(blockedBy, `Revision main@4f2c81a waits: ${AWAITED.slice(0, 85)}…`));
  assert.ok(!isSaidBy(blockedBy, 'Deployment shop-prod/podinfo: 1 of 3 replicas are updated.'));
  assert.ok(!isSaidBy([], AWAITED));
});
