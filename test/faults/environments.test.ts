import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment } from '../harness/environments.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf } from '../harness/operator.ts';
import { newLanding, newRemoteEnvironment, poseAs, storeKubeConfig } from '../harness/other-cluster.ts';
import { inWords, newProxiedStage, writesOf } from '../harness/proxied-stage.ts';
import { eventually } from '../harness/wait.ts';

const FILES = { 'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n' };

test('A6: an Application that names an Environment which does not exist is told so also where Environments could not be listed at first', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: FILES });
  const down = proxy.fail({ path: /\/environments\?/, fault: { status: 503 } });
  await stage.restart();
  await stage.application('web', { environments: [{ name: `nowhere-${stage.namespace}` }] });
  const ready = (reason: string) =>
    stage.until(
      'web',
      (one) => conditionOf(one, 'Ready')?.reason === reason,
      `the Application to say ${reason}`,
    );
  await ready('EnvironmentsUnknown');
  down.remove();
  await ready('EnvironmentNotFound');
});

test('B5: where it cannot be written down in which cluster an Environment is, its Applications say so, and are deployed when it can', async (t) => {
  const { proxy, stage, cluster } = await newProxiedStage(t, { files: FILES });
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, cluster, there.namespace);
  const refused = proxy.fail({
    path: new RegExp(`/environments/${there.name}/status`),
    fault: { status: 500 },
  });
  const other = await startFaultProxy(cluster);
  t.after(() => other.stop());
  poseAs(other, '00000000-0000-4000-8000-000000000001');
  await storeKubeConfig(stage, 'there', other.kubeConfigFor(cluster.adminToken));
  const head = await stage.repository.revParse('main');
  await stage.application('web', { environments: [{ name: there.name }] });
  const told = await stage.until(
    'web',
    (one) => conditionOf(one, 'Ready')?.reason === 'EnvironmentsUnknown',
    'the Application to tell of the status',
  );
  const message = environmentOf(told.status, there.name)?.message ?? '';
  assert.match(message, /cannot be written into its status/);
  refused.remove();
  await stage.untilReadyAt('web', head);
});

const REFUSED = ['environments', 'promotionpolicies', 'promotions', 'approvals'];

test('S14: a freeze that is set when Environments, policies, Promotions and Approvals may not be listed any more is not passed: what runs stays as it is at no cost, what is new waits, says why, and sees the freeze first', async (t) => {
  const { proxy, stage, cluster } = await newProxiedStage(t, { files: FILES });
  const { name } = await newEnvironment(t, stage, 'prod');
  await stage.deployed('web', { environments: [{ name }] });
  const before = await stage.repository.revParse('main');
  proxy.forget();
  const refusals = REFUSED.map((plural) => {
    const path = new RegExp(`/${plural}\\?`);
    const rule = proxy.fail({ verb: ['list', 'watch'], path, fault: { status: 403 } });
    assert.equal(proxy.expireWatches({ path }), 1, plural);
    return { path, rule };
  });
  const freezes = [{ from: '2026-01-01T00:00:00Z', until: '2099-01-01T00:00:00Z', reason: 'Audit' }];
  const { status, body } = await cluster.request('PATCH', `/apis/towpath.dev/v1alpha1/environments/${name}`, {
    body: { spec: { freezes } },
    contentType: 'application/merge-patch+json',
  });
  assert.equal(status, 200, body);
  const isStale = ({ path }: { path: RegExp }) => {
    const [first, ...later] = proxy.find({ verb: ['list', 'watch'], path });
    return first !== undefined && later.some(({ at }) => at - first.at > 11_000);
  };
  await eventually(() => refusals.every(isStale), {
    within: 60_000,
    describe: 'all to be refused for more than ten seconds',
  });
  assert.deepEqual(inWords(writesOf(proxy)), [], 'nothing is written where nothing is new');

  await stage.repository.commit({ 'web.yaml': `${FILES['web.yaml']}data: {is: new}\n` });
  const until = (reason: string) =>
    stage.until(
      'web',
      (one) => environmentOf(one.status, name)?.blockedBy?.[0]?.reason === reason,
      `the Application to be kept from it by ${reason}`,
    );
  const reasons = ['EnvironmentsUnknown', 'PoliciesUnknown', 'PromotionsUnknown', 'ApprovalsUnknown'];
  for (const [at, reason] of reasons.entries()) {
    const told = await until(reason);
    const entry = environmentOf(told.status, name);
    assert.equal(entry?.revision, before);
    assert.match(
      entry?.message ?? '',
      /cannot be listed any more|not known whether a person|cannot be seen whether a person/,
    );
    refusals[at]?.rule.remove();
  }
  const frozen = await until('Frozen');
  assert.equal(environmentOf(frozen.status, name)?.revision, before);
});
