import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { BEN, configMap, installPromotionPolicies, newGuardedStage, taken } from '../harness/promotions.ts';

const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';

test('S14, D9: what a person promoted goes on where the admission policy is made anew; what he asks for meanwhile counts for nothing', async (t) => {
  const { stage, policy, prod, waiting, promote, until } = await newGuardedStage(t);
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  await stage.kubectl(
    ...['patch', 'promotionpolicies.towpath.dev', 'standard', '--type=json', '-p'],
    JSON.stringify([{ op: 'add', path: '/spec/stages/1/verify', value: { for: '1h' } }]),
  );
  const first = await waiting(await repository.revParse('main'));
  const entered = taken(await promote(BEN, first, { skipGates: ['windows'] }));
  await until(entered, 'Verifying');
  // It waits behind what is verified, and nobody proves who made it.
  for (const plural of ['validatingadmissionpolicybindings', 'validatingadmissionpolicies'])
    assert.equal((await cluster.request('DELETE', `${REGISTRATION}/${plural}/${policy}`)).status, 200);
  const next = await waiting(await repository.commit(configMap('two')));
  const unproven = taken(await promote(BEN, next, { skipGates: ['windows'] }));
  const told = await until(unproven, 'Pending');
  assert.equal(told.status?.blockedBy?.[0]?.reason, 'AdmissionPolicyMissing');
  await until(entered, 'Verifying');

  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  await until(unproven, 'Failed', /make it again/);
  const goesOn = await until(entered, 'Verifying');
  assert.equal(goesOn.status?.finishedAt, undefined);
  assert.equal(environmentOf((await stage.get('web')).status, prod.name)?.digest, first);
});
