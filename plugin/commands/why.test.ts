import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOTATION_PRUNE_CONSENT } from '../../operator/api/v1alpha1/names.ts';
import { consentWith, retryIn } from './why.ts';

test('why tells of one environment only what is tried again there, and of all which one that is', () => {
  const status = { retry: { attempts: 2, nextAt: '2026-11-23T10:00:00Z', environment: 'staging' } };
  assert.equal(retryIn(status, 'prod'), undefined);
  assert.deepEqual(retryIn(status, 'staging'), status.retry);
  assert.deepEqual(retryIn(status, undefined), status.retry);
});

test('D3: the command that consents to one plan takes no consent from another one', () => {
  const web = (consent: string) => ({
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '1',
      generation: 1,
      labels: {},
      annotations: { [ANNOTATION_PRUNE_CONSENT]: consent },
      finalizers: [],
    },
    status: {
      environments: [
        { name: 'staging', pendingPrune: { digest: 'sha256:1', count: 2 } },
        { name: 'prod', pendingPrune: { digest: 'sha256:2', count: 2 } },
      ],
    },
  });
  assert.equal(consentWith(web('staging=sha256:1'), 'prod', 'sha256:2'), 'staging=sha256:1,prod=sha256:2');
  assert.equal(consentWith(web('staging=sha256:0'), 'prod', 'sha256:2'), 'prod=sha256:2');
});
