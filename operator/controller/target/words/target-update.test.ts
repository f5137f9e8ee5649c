import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApplicationStatus } from '../../../api/v1alpha1/application.ts';
import type { Facts } from './facts.ts';
import { isOtherState } from './target-update.ts';

const STATUS = {
  handledSyncRequest: 'one',
  environments: [{ name: 'prod', sync: 'Synced', health: 'Healthy', digest: 'sha256:1' }],
} as unknown as ApplicationStatus;

function facts(changes: object = {}) {
  const all = {
    standing: { sync: 'Synced' },
    health: { state: 'Healthy' },
    running: { digest: 'sha256:1', revision: 'another' },
    handledSyncRequest: 'one',
    ...changes,
  };
  return { kind: 'Facts' as const, facts: all as unknown as Facts };
}

test('another commit alone is no other state; what is deployed, how it is, and what was asked for are', () => {
  assert.equal(isOtherState(STATUS, 'prod', facts()), false);
  const others = [
    facts({ standing: { sync: 'Syncing' } }),
    facts({ health: { state: 'Progressing' } }),
    facts({ running: { digest: 'sha256:2' } }),
    facts({ handledSyncRequest: 'two' }),
  ];
  for (const update of others) assert.equal(isOtherState(STATUS, 'prod', update), true);
  assert.equal(isOtherState(STATUS, 'staging', facts()), true, 'of which it says nothing');
  assert.equal(isOtherState(undefined, 'prod', facts()), true);
});
