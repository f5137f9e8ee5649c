import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  FINISHED_PHASES,
  PROMOTION_PHASES,
  parsePromotion,
  UNFINISHED_PHASES,
  UNFINISHED_SELECTOR,
} from '../../operator/api/v1alpha1/promotion.ts';
import { installCRDs } from '../harness/operator.ts';
import { namespaceFor, useControlPlane } from '../harness/use-control-plane.ts';

const DIGEST = `sha256:${'0a'.repeat(32)}`;
const PROMOTE = {
  type: 'Promote',
  application: 'web',
  environment: 'prod',
  candidate: DIGEST,
  requestedBy: 'anna',
};
const { candidate: _, ...NOTHING } = PROMOTE;
const DEPLOYMENT = { applicationUID: 'f1b2', id: 3, startedAt: '2026-11-29T20:00:00.123Z' };

before(async () => installCRDs(await useControlPlane()));

const pathIn = (namespace: string) => `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/promotions`;

const promotion = (spec: object, name = 'web-prod-1') => ({
  apiVersion: 'towpath.dev/v1alpha1',
  kind: 'Promotion',
  metadata: { name, namespace: 'default' },
  spec,
});

const ACCEPTED: [what: string, spec: object][] = [
  ['a candidate', PROMOTE],
  ['what an earlier deployment deployed', { ...NOTHING, historyID: 3 }],
  ['gates skipped', { ...PROMOTE, skipGates: ['soak', 'freeze'], reason: 'CVE-2026-1234' }],
  ['a rollback', { ...PROMOTE, type: 'Rollback' }],
  ['a resume', { ...NOTHING, type: 'Resume', promotion: 'web-prod-7' }],
  ['a retry', { ...NOTHING, type: 'Retry', promotion: 'web-prod-7' }],
  ['a cancel', { ...NOTHING, type: 'Cancel', promotion: 'web-prod-7' }],
  [
    'what the operator records, of an Application without environments',
    { ...PROMOTE, environment: 'default', requestedBy: 'towpath:Commit', deployment: DEPLOYMENT },
  ],
];

const ONE_OF = 'Promote and Rollback need one of candidate and historyID';
const REFUSED: [what: string, spec: object, message: string][] = [
  ['nothing to deploy', NOTHING, ONE_OF],
  ['two things to deploy', { ...PROMOTE, historyID: 3 }, ONE_OF],
  ['a Promote about a Promotion', { ...PROMOTE, promotion: 'web-prod-7' }, ONE_OF],
  ['a Cancel about nothing', { ...NOTHING, type: 'Cancel' }, ONE_OF],
  ['a Resume with a candidate', { ...PROMOTE, type: 'Resume', promotion: 'web-prod-7' }, ONE_OF],
  ['a part of a digest', { ...PROMOTE, candidate: 'sha256:0a0a0a' }, 'must be a digest in full'],
  ['nobody who asks', { ...PROMOTE, requestedBy: '' }, 'spec.requestedBy'],
  ['no type', { ...PROMOTE, type: 'Deploy' }, 'spec.type'],
  ['an unknown gate', { ...PROMOTE, skipGates: ['everything'] }, 'spec.skipGates[0]'],
  ['a gate twice', { ...PROMOTE, skipGates: ['soak', 'soak'] }, 'spec.skipGates[1]'],
  ['a Rollback with gates', { ...PROMOTE, type: 'Rollback', skipGates: ['soak'] }, 'is for a Promote'],
  [
    'a deployment before the first',
    { ...PROMOTE, deployment: { ...DEPLOYMENT, id: 0 } },
    'spec.deployment.id',
  ],
];

async function send(method: string, path: string, body: object) {
  const { request } = await useControlPlane();
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const answer = await request(method, path, { body, contentType });
  const { message = '' } = JSON.parse(answer.body) as { message?: string };
  return { status: answer.status, message };
}

for (const [what, spec] of ACCEPTED)
  test(`a Promotion may ask for ${what}`, async () => {
    const query = '?dryRun=All&fieldValidation=Strict';
    const { status, message } = await send('POST', `${pathIn('default')}${query}`, promotion(spec));
    assert.equal(status, 201, message);
    assert.ok(parsePromotion(promotion(spec)));
  });

for (const [what, spec, said] of REFUSED)
  test(`a Promotion is refused with ${what}`, async () => {
    const query = '?dryRun=All&fieldValidation=Strict';
    const { status, message } = await send('POST', `${pathIn('default')}${query}`, promotion(spec));
    assert.equal(status, 422, message);
    assert.ok(message.includes(said), message);
    assert.equal(parsePromotion(promotion(spec)), undefined);
  });

test('a Promotion cannot change, and those under way are selected by their phase, also such as have none yet', async (t) => {
  const { request } = await useControlPlane();
  const namespace = await namespaceFor(t);
  const path = pathIn(namespace);
  const made = await Promise.all(
    ['none', ...PROMOTION_PHASES.map((phase) => phase.toLowerCase())].map((name) =>
      send('POST', path, { ...promotion(PROMOTE, name), metadata: { name } }),
    ),
  );
  assert.ok(made.every(({ status }) => status === 201));
  await Promise.all(
    PROMOTION_PHASES.map((phase) =>
      send('PATCH', `${path}/${phase.toLowerCase()}/status`, { status: { phase } }),
    ),
  );
  const changed = await send('PATCH', `${path}/none`, { spec: { reason: 'another' } });
  assert.equal(changed.status, 422);
  assert.match(changed.message, /a Promotion cannot change/);
  const selected = async (selector: string) => {
    const { body } = await request('GET', `${path}?fieldSelector=${encodeURIComponent(selector)}`);
    const { items } = JSON.parse(body) as { items: { metadata: { name: string } }[] };
    return items.map(({ metadata }) => metadata.name).sort();
  };
  const inLowerCase = (phases: readonly string[]) => phases.map((phase) => phase.toLowerCase());
  assert.deepEqual(await selected(UNFINISHED_SELECTOR), [...inLowerCase(UNFINISHED_PHASES), 'none'].sort());
  assert.deepEqual(await selected('status.phase=Failed'), ['failed']);
  assert.equal(
    (await selected('spec.application=web,spec.environment=prod')).length,
    UNFINISHED_PHASES.length + FINISHED_PHASES.length + 1,
  );
});
