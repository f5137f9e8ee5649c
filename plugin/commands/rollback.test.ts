import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Promotion, PromotionPhase } from '../../operator/api/v1alpha1/promotion.ts';
import { heldBefore, holdOf, waitingBack } from './rollback.ts';

function promotion(
  name: string,
  phase: PromotionPhase,
  spec: Partial<Pick<Promotion['spec'], 'type' | 'requestedBy'>> = {},
): Promotion {
  return {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      resourceVersion: '1',
      annotations: {},
      labels: {},
      finalizers: [],
      generation: 1,
    },
    spec: {
      type: 'Rollback',
      application: 'web',
      environment: 'prod',
      historyID: 1,
      skipGates: [],
      requestedBy: 'olga',
      ...spec,
    },
    status: { phase },
  };
}

test('A26: resume names what a person went back by last, not what waits to, also where that failed and holds all the same', () => {
  const all = [
    promotion('promoted', 'Succeeded', { type: 'Promote' }),
    promotion('web-prod-4', 'Succeeded', { requestedBy: 'towpath:Rollback' }),
    promotion('waits', 'Pending'),
    promotion('overtaken', 'Superseded'),
    promotion('refused', 'Failed'),
    promotion('older', 'Succeeded'),
  ];
  assert.equal(holdOf(all)?.metadata.name, 'refused');
  assert.equal(holdOf(all.slice(0, 4)), undefined);
  const inPlaceOf = { promotion: 'gone', uid: 'gone', requestedBy: 'olga' };
  const standIn = promotion('web-prod-5', 'Succeeded', { requestedBy: 'towpath:Rollback' });
  const its = holdOf([{ ...standIn, status: { ...standIn.status, inPlaceOf } }, ...all]);
  assert.equal(its?.metadata.name, 'web-prod-5');
});

test('A26: where the rollback that holds is not begun, resume says how it is taken back', () => {
  const all = [promotion('web-7', 'Pending'), promotion('older', 'Superseded')];
  assert.match(waitingBack(all) ?? '', /Promotion web-7 waits.*kubectl towpath cancel web-7\.$/);
  assert.equal(waitingBack(all.slice(1)), undefined);
});

test('D12: what was held under another name of the environment is let go of by the Promotion that its status names', () => {
  const message =
    'olga went back here and holds it (Promotion web-blue-x7k2p): nothing new enters until a person promotes it, or lets go: kubectl towpath resume web green -n shop';
  assert.equal(heldBefore({ sync: 'Held', message }), 'web-blue-x7k2p');
  assert.equal(heldBefore({ sync: 'Synced', message }), undefined);
  assert.equal(heldBefore({ sync: 'Held', message: 'It is held.' }), undefined);
  assert.equal(heldBefore(undefined), undefined);
});
