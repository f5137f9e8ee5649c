import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Health, healthOf, type LiveObject, reduceForHealth } from '../health.ts';

/** One object and what is expected of its health; `generation` is 2 unless `metadata` says otherwise. */
export interface Row {
  name: string;
  spec?: unknown;
  status?: unknown;
  metadata?: LiveObject['metadata'];
  state: Health['state'];
  message?: RegExp;
}

/** Health of a live object with these parts. */
export function judge(apiVersion: string, kind: string, row: Omit<Row, 'name' | 'state'>): Health {
  const { spec, status, metadata = { generation: 2 } } = row;
  return healthOf(reduceForHealth({ apiVersion, kind, metadata, spec, status }));
}

/** One test for each row; a Healthy object has a message only where the row has one. */
export function table(apiVersion: string, kind: string, rows: readonly Row[]): void {
  for (const row of rows) {
    test(`${kind}: ${row.name} is ${row.state}`, () => {
      const health = judge(apiVersion, kind, row);
      assert.equal(health.state, row.state, health.message);
      if (row.state === 'Healthy' && row.message === undefined) assert.equal(health.message, undefined);
      else assert.match(health.message ?? '', row.message ?? /./);
    });
  }
}

/** The status of an object whose controller has seen its generation. */
export const seen = { observedGeneration: 2 };

export const condition = (type: string, status: string, reason?: string, message?: string) => ({
  conditions: [{ type, status, reason, message }],
});

/** The status of a Pod with a container that waits. */
export const waiting = (reason: string, message: string) => ({
  phase: 'Pending',
  containerStatuses: [{ name: 'web', image: 'web:1', state: { waiting: { reason, message } } }],
});
