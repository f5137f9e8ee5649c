import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryIn } from './why.ts';

test('why tells of one environment only what is tried again there, and of all which one that is', () => {
  const status = { retry: { attempts: 2, nextAt: '2026-11-23T10:00:00Z', environment: 'staging' } };
  assert.equal(retryIn(status, 'prod'), undefined);
  assert.deepEqual(retryIn(status, 'staging'), status.retry);
  assert.deepEqual(retryIn(status, undefined), status.retry);
});
