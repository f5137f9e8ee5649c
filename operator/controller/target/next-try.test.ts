import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { NOTHING_REMEMBERED } from './after-action.ts';
import { afterUnresolved } from './next-try.ts';
import type { TargetState } from './state.ts';

const NOW = new Date('2026-11-30T12:00:00Z');

/** Seconds until the next tries, where each fails alike. */
function pauses(spec: object, remedy: 'Person' | 'Time', tries: number): number[] {
  const error = new TowpathError(remedy, 'ChartNotFound', 'It is not there.');
  const state = { memory: NOTHING_REMEMBERED, now: NOW, application: { spec } } as unknown as TargetState;
  const all: number[] = [];
  for (let memory = state.memory; all.length < tries; ) {
    memory = afterUnresolved({ ...state, memory }, error, 1);
    all.push(((memory.unresolved.nextAt?.getTime() ?? Number.NaN) - NOW.getTime()) / 1_000);
  }
  return all;
}

test('a correction is looked for at the interval of the source; of a published chart soon first, since an answer may be old', () => {
  const source = { interval: '1m' };
  const helm = { chart: { interval: '5m' } };
  assert.deepEqual(pauses({ source }, 'Person', 3), [60, 60, 60]);
  assert.deepEqual(pauses({ helm }, 'Person', 6), [15, 30, 60, 120, 240, 300]);
  assert.deepEqual(pauses({ source, helm }, 'Person', 4), [15, 30, 60, 60]);
  assert.deepEqual(pauses({ source: { interval: '1s' }, helm }, 'Person', 2), [1, 2]);
  assert.deepEqual(pauses({ helm }, 'Time', 6), [1, 2, 4, 8, 16, 30]);
});
