import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HookEvent, Manifest } from '../manifest/manifest.ts';
import { finished, hookName, hooksFor } from './hooks.ts';

function hook(name: string, weight: number, ...events: HookEvent[]): Manifest {
  return {
    group: 'batch',
    kind: 'Job',
    namespace: 'shop',
    name,
    apiVersion: 'batch/v1',
    text: '{}',
    digest: '',
    annotations: {},
    hook: { events, weight, deletePolicies: ['before-hook-creation'] },
  };
}

test('the hooks of an event, by weight and then by name', () => {
  const hooks = [
    hook('b', 0, 'pre-install'),
    hook('a', 0, 'pre-install', 'pre-upgrade'),
    hook('late', 10, 'pre-install'),
    hook('early', -2, 'pre-install'),
    hook('other', 0, 'post-install'),
  ];
  assert.deepEqual(
    hooksFor(hooks, 'pre-install').map(({ name }) => name),
    ['early', 'a', 'b', 'late'],
  );
  assert.deepEqual(
    hooksFor(hooks, 'pre-upgrade').map(({ name }) => name),
    ['a'],
  );
  assert.deepEqual(hooksFor(hooks, 'pre-delete'), []);
});

test('the same hook at two events has two names in the record', () => {
  const both = hook('a', 0, 'pre-install', 'post-install');
  assert.notEqual(hookName('pre-install', both), hookName('post-install', both));
});

test('hooks of one kind and name in two namespaces have two names in the record', () => {
  const one = hook('a', 0, 'pre-install');
  assert.notEqual(hookName('pre-install', one), hookName('pre-install', { ...one, namespace: 'other' }));
});

const metadata = { name: 'a', uid: 'u', resourceVersion: '1' };
const job = (type: string, status: string, message?: string) => ({
  status: { conditions: [{ type, status, ...(message === undefined ? {} : { message }) }] },
});

for (const [what, status, expected] of [
  ['a Job that has not begun', {}, { done: false }],
  ['a Job that completed', job('Complete', 'True'), { done: true }],
  ['a Job that is suspended', job('Suspended', 'True'), { done: false }],
  ['a Job that failed', job('Failed', 'True', 'backoff limit'), { done: true, problem: 'backoff limit' }],
  ['a Job whose Failed is False', job('Failed', 'False'), { done: false }],
  ['a Pod that runs', { status: { phase: 'Running' } }, { done: false }],
  ['a Pod that succeeded', { status: { phase: 'Succeeded' } }, { done: true }],
  [
    'a Pod that failed',
    { status: { phase: 'Failed', message: 'evicted' } },
    { done: true, problem: 'evicted' },
  ],
  [
    'a Pod that failed without a word',
    { status: { phase: 'Failed' } },
    { done: true, problem: 'the Pod failed' },
  ],
] as const) {
  test(`${what}: ${JSON.stringify(expected)}`, () => {
    const object = { apiVersion: 'v1', kind: 'Pod', metadata, ...status };
    assert.deepEqual(finished(object as Parameters<typeof finished>[0]), expected);
  });
}
