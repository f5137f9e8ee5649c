import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from './exit-codes.ts';
import type { Kubectl } from './kubectl.ts';
import { readPromotion } from './promotion.ts';

test('D8: a Promotion that does not exist is told with the newest that do', async () => {
  const of = (name: string, creationTimestamp: string) => ({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: { name, namespace: 'shop', uid: name, resourceVersion: '1', creationTimestamp },
    spec: {
      type: 'Rollback',
      application: 'web',
      environment: 'prod',
      historyID: 1,
      requestedBy: 'olga',
    },
  });
  const json = async (args: readonly string[]) => {
    if (args[2] === 'web-prdo') throw new CommandError('Error from server (NotFound): not found');
    return { items: [of('web-prod-1', '2026-11-29T10:00:00Z'), of('web-prod-2', '2026-11-30T10:00:00Z')] };
  };
  await assert.rejects(readPromotion({ json } as unknown as Kubectl, 'web-prdo'), {
    message: 'There is no Promotion web-prdo here; the newest in this namespace are: web-prod-2, web-prod-1.',
  });
});
