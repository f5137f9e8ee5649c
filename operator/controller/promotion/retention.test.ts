import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Promotion, type PromotionPhase, parsePromotion } from '../../api/v1alpha1/promotion.ts';
import { surplusOf } from './retention.ts';

function promotion(id: number, phase: PromotionPhase, name = `web-prod-${id}`): Promotion {
  const at = new Date(Date.parse('2026-11-29T12:00:00Z') + id * 60_000).toISOString();
  const isEnded = !['Deploying', 'Gated'].includes(phase);
  const parsed = parsePromotion({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: { name, namespace: 'shop', uid: `uid-${id}` },
    spec: {
      type: 'Promote',
      application: 'web',
      environment: 'prod',
      candidate: `sha256:${'0'.repeat(64)}`,
      requestedBy: 'towpath:Commit',
    },
    status: { phase, deployment: id, startedAt: at, ...(isEnded ? { finishedAt: at } : {}) },
  });
  assert.ok(parsed);
  return parsed;
}

const namesOf = (promotions: readonly Promotion[]) => promotions.map(({ metadata }) => metadata.name);

test('A19: the oldest go by when they ended, whatever they are called', () => {
  const promotions = ['m', 'a', 'z', 'b'].map((name, index) => promotion(index + 1, 'Succeeded', name));
  assert.deepEqual(namesOf(surplusOf(promotions, { finished: 2, running: 4 })), ['m', 'a']);
});

test('A23: what runs stays, however many failed after it, and what is under way stays, too', () => {
  const promotions = [
    promotion(1, 'Gated'),
    promotion(2, 'Succeeded'),
    promotion(3, 'Failed'),
    promotion(4, 'Cancelled'),
    promotion(5, 'Failed'),
    promotion(6, 'Deploying'),
  ];
  assert.deepEqual(namesOf(surplusOf(promotions, { finished: 1, running: 2 })), ['web-prod-3', 'web-prod-4']);
});

test('A26: the one that holds stays, so that somebody can name it to let go', () => {
  const promotions = [1, 2, 3].map((id) => promotion(id, 'Succeeded', `by-hand-${id}`));
  const kept = { finished: 1, running: 3, holding: 'by-hand-1' };
  assert.deepEqual(namesOf(surplusOf(promotions, kept)), ['by-hand-2']);
});

test('nothing goes that is not too much', () => {
  assert.deepEqual(surplusOf([promotion(1, 'Succeeded')], { finished: 1, running: undefined }), []);
  assert.deepEqual(surplusOf([], { finished: 1, running: undefined }), []);
});
