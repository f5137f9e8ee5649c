import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveObject } from '../../../manifest/live.ts';
import { pruneDigest } from '../../../plan/plan.ts';
import type { Deployment } from '../../record/record.ts';
import type { Advance, DeployContext } from '../deploy-context.ts';
import type { Planning } from '../planning.ts';
import { prune } from './pruning.ts';

const GOING = {
  group: '',
  kind: 'ConfigMap',
  namespace: 'shop-prod',
  name: 'web',
  uid: 'u',
} as unknown as LiveObject;

test('D3: nothing is pruned by a consent that could not be written, at the next look neither', async () => {
  let writes = 0;
  const context = {
    record: { applied: new Map() },
    settings: { consent: pruneDigest([GOING]), pruneBudget: '50%' },
    store: {
      changed: () => undefined,
      save: async () => {
        writes += 1;
        throw new Error('not written');
      },
    },
    inventory: { of: () => new Map() },
    access: {},
    accessChecked: async () => undefined,
    unreported: { findDeleted: () => undefined, deleting: () => assert.fail('it was to be deleted') },
  } as unknown as DeployContext;
  // It renders nothing, so that all would go.
  const planning = {
    objects: [],
    baseline: () => ({}),
    planPruning: async () => ({ prune: [GOING], kept: [], pruneDigest: pruneDigest([GOING]) }),
  } as unknown as Planning;
  const deployment = { trigger: 'Commit' } as unknown as Deployment;
  for (const look of [1, 2]) {
    await assert.rejects(prune(context, deployment, planning, {} as Advance), /not written/);
    assert.equal(writes, look);
  }
});
