import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEALTH_STATES, type HealthState } from '../../../api/v1alpha1/application.ts';
import { finalFailure, worstHealth } from './health.ts';

const object = (name: string, state: HealthState, more: { message?: string; failedAt?: string } = {}) => ({
  group: 'apps',
  kind: 'Deployment',
  namespace: 'shop',
  name,
  health: { state, ...more },
});

test('the worst health is found in the order of the reference, with the object and why', () => {
  assert.deepEqual(worstHealth([]), { state: 'Healthy' });
  const order = [...HEALTH_STATES];
  for (const [index, state] of order.entries()) {
    const better = order.slice(index + 1).map((other) => object(other, other));
    const found = worstHealth([...better, object('web', state), ...better]);
    assert.equal(found.state, state);
  }
  const told = worstHealth([object('a', 'Progressing'), object('b', 'Degraded', { message: 'it crashes' })]);
  assert.deepEqual(told, { state: 'Degraded', message: 'Deployment shop/b: it crashes.' });
});

test('an object that its controller gave up is final for deployments that began before, not for later ones', () => {
  const failed = [
    object('a', 'Progressing'),
    object('b', 'Degraded', { message: 'too slow', failedAt: '2026-01-01T00:00:10Z' }),
  ];
  assert.equal(finalFailure(failed, '2026-01-01T00:00:10.400Z'), 'Deployment shop/b: too slow.');
  assert.equal(finalFailure(failed, '2026-01-01T00:00:11.000Z'), undefined);
});
