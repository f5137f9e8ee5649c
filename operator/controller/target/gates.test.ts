import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from '../../promote/command.ts';
import type { TargetRecord } from '../record/record.ts';
import { gatesOf } from './gates.ts';
import type { Run } from './run.ts';
import type { Findings } from './state.ts';

const NOW = new Date('2026-11-29T10:00:00Z');
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const OLD = { id: digest('1'), digest: digest('1') };
const NEW = { id: digest('2'), digest: digest('2') };

/** Reasons that keep something newer out while a person asks for that, and it was not acted on. */
function keptOutBy(type: Command['type'], ...answered: string[]): readonly string[] {
  const command = { uid: 'u-1', promotion: 'back', type, by: 'olga', historyID: 1, skipGates: [] };
  const record = { deployment: { id: 3, candidate: OLD }, ended: [] } as unknown as TargetRecord;
  const its = answered.map((uid) => ({ uid, phase: 'Failed', message: 'It is refused.' }));
  const run = {
    parts: { commands: { given: () => [command] }, openings: {} },
    application: { metadata: { name: 'web', namespace: 'shop' }, spec: { dependsOn: [] } },
    target: {
      name: 'shop/web/prod',
      environment: 'prod',
      governance: { is: 'Free' },
      settings: { mode: 'Automatic' },
      gates: {},
      freezes: [],
    },
    context: { record: { ...record, answered: its }, store: { candidatesOf: () => [] }, now: () => NOW },
    underWay: {},
  } as unknown as Run;
  const found = { sight: 'Seen', wanted: { candidate: NEW } } as unknown as Findings;
  return gatesOf(run, found).blockedBy.map(({ reason }) => reason);
}

test('D12, A26: a rollback holds from when it was accepted: nothing newer enters while it cannot be begun', () => {
  assert.deepEqual(keptOutBy('Rollback'), ['Held']);
  assert.deepEqual(keptOutBy('Resume'), []);
  assert.deepEqual(keptOutBy('Rollback', 'u-1'), [], 'what was answered is what the record says');
});
