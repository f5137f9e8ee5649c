import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { fastLease, startOperator, timesLogged } from '../harness/operator.ts';
import { configMap, newLine, promotionsPath } from '../harness/promotions.ts';
import { inWords, newProxiedStage, writesOf } from '../harness/proxied-stage.ts';
import { eventually } from '../harness/wait.ts';

test('D8: what a leader wrote ahead of a promotion its successor makes, once and with one record, and the former writes nothing more', async (t) => {
  const { stage, proxy, cluster } = await newProxiedStage(t, { files: configMap('one'), flags: fastLease });
  const { namespace, repository } = stage;
  const { staging, prod } = await newLine(t, stage);
  await stage.deployed('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  const holder = () => stage.kubectl('get', 'lease', 'towpath', '-o', 'jsonpath={.spec.holderIdentity}');
  const former = await holder();
  /** Each commit was deployed there once. */
  const isOnce = async (revision: string, count: number, message: string) => {
    const { status } = await stage.untilReadyAt('web', revision);
    const history = environmentOf(status, prod.name)?.history ?? [];
    assert.deepEqual(
      history.map(({ id, outcome }) => [id, outcome]),
      Array.from({ length: count }, (_, index) => [count - index, 'Succeeded']),
    );
    const { body } = await cluster.request('GET', `/api/v1/namespaces/${prod.namespace}/configmaps/web`);
    assert.equal((JSON.parse(body) as { data: { message: string } }).data.message, message);
  };

  // Stopped for longer than its Lease lasts, when its first write is on its way.
  const first = proxy.hold({
    verb: 'apply',
    path: new RegExp(`/namespaces/${prod.namespace}/configmaps/web\\?`),
    where: ({ dryRun }) => !dryRun,
  });
  const two = await repository.commit(configMap('two'));
  await stage.requestSync('web');
  const late = await first.seen;
  stage.operator.process.pause();
  await startOperator(t, cluster, namespace, { flags: fastLease });
  await eventually(async () => (await holder()) !== former, { describe: 'another one to lead' });
  await isOnce(two, 2, 'two');
  proxy.forget();
  first.release();
  await eventually(() => late.status !== undefined, { describe: "the former leader's write to be answered" });
  assert.equal(late.status, 409, `${late.verb} ${late.path}`);
  stage.operator.process.resume();
  await eventually(() => timesLogged(stage.operator, /This process follows/) > 0, {
    describe: 'the former leader to know that it follows',
  });
  assert.deepEqual(inWords(writesOf(proxy)), []);
  await isOnce(two, 2, 'two');

  const recorded = await eventually(
    async () => {
      const { body } = await cluster.request('GET', promotionsPath(namespace));
      const { items } = JSON.parse(body) as { items: Promotion[] };
      const its = items.filter(({ spec }) => spec.environment === prod.name);
      return its.length >= 2 && its.every(({ status }) => status?.phase === 'Succeeded') && its;
    },
    { within: 90_000, describe: 'the ledger to tell of all' },
  );
  const names = recorded.map(({ metadata }) => metadata.name);
  assert.equal(recorded.length, 2, names.join(', '));
});
