import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import {
  ask,
  BEN,
  configMap,
  installPromotionPolicies,
  letCommand,
  newGuardedStage,
  taken,
} from '../harness/promotions.ts';

const entry = ({ status }: Application, { name }: StagedEnvironment) => environmentOf(status, name);

test('A12: past the order of a Sequential stage a person lets in the environment that he names, and neither those before it nor the next commit', async (t) => {
  const { stage, policy, staging, prod, until } = await newGuardedStage(t);
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const second = await newEnvironment(t, stage, 'second');
  const last = await newEnvironment(t, stage, 'last');
  await letCommand(cluster, namespace, BEN, last.name, ['override', 'promote']);
  const patch = (kind: string, name: string, type: string, body: object) =>
    stage.kubectl('patch', kind, name, `--type=${type}`, '-p', JSON.stringify(body));
  const freeze = (freezes: readonly object[]) =>
    patch('environment', prod.name, 'merge', { spec: { freezes } });
  await freeze([{ from: '2026-01-01T00:00:00Z', reason: 'a release' }]);
  const line = {
    name: 'prod',
    after: ['staging'],
    environments: [prod, second, last].map(({ name }) => name),
    rollout: 'Sequential',
  };
  await patch('promotionpolicies.towpath.dev', 'standard', 'json', [
    { op: 'replace', path: '/spec/stages/1', value: line },
  ]);
  const environments = [staging, prod, second, last].map(({ name }) => ({ name }));
  await patch('applications.towpath.dev', 'web', 'merge', { spec: { environments } });
  const reasonIn = (of: Application, environment: StagedEnvironment) =>
    entry(of, environment)?.blockedBy?.[0]?.reason;
  const messageIn = (of: Application, environment: StagedEnvironment) =>
    entry(of, environment)?.blockedBy?.[0]?.message ?? '';
  // Until the first has looked itself, it has not come to it yet.
  const why = `environment ${prod.name} is frozen, and does not run it`;
  const waiting = await stage.until(
    'web',
    (of) =>
      reasonIn(of, prod) === 'Frozen' &&
      messageIn(of, second).includes(why) &&
      reasonIn(of, last) === 'Order',
    `all three to wait, since ${why}`,
  );
  const candidate = entry(waiting, last)?.desiredDigest;
  const asked = (skipGates: readonly string[]) =>
    ask(cluster, namespace, BEN, {
      ...{ type: 'Promote', application: 'web', environment: last.name },
      ...{ candidate, skipGates },
    });
  const gated = await until(taken(await asked([])), 'Gated');
  assert.match(
    gated.status?.blockedBy?.[0]?.message ?? '',
    new RegExp(`not passed environment ${second.name}`),
  );
  await until(taken(await asked(['order'])), 'Succeeded');
  const one = await repository.revParse('main');
  const entered = await stage.get('web');
  assert.equal(entry(entered, last)?.revision, one);
  assert.deepEqual(
    [prod, second].map((environment) => [
      entry(entered, environment)?.revision,
      reasonIn(entered, environment),
    ]),
    [
      [undefined, 'Frozen'],
      [undefined, 'Order'],
    ],
  );

  // It was asked for once: the next commit waits for its turn.
  const two = await repository.commit({
    'more.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n',
  });
  const next = await stage.until(
    'web',
    (of) => entry(of, last)?.desiredRevision === two && reasonIn(of, last) === 'Order',
    'the next commit to wait for its turn',
  );
  assert.equal(entry(next, last)?.revision, one);
  assert.equal(entry(next, prod)?.revision, undefined);
  await freeze([]);
  const done = await stage.untilReadyAt('web', two);
  const begun = [prod, second, last].map((environment) => entry(done, environment)?.history?.[0]?.startedAt);
  assert.deepEqual(begun, [...begun].sort(), 'one after the other');

  // What is suspended is named as that, whatever it runs.
  await patch('environment', prod.name, 'merge', { spec: { suspend: true } });
  await repository.commit(configMap('three'));
  await stage.until(
    'web',
    (of) =>
      (entry(of, second)?.blockedBy?.[0]?.message ?? '').includes(`environment ${prod.name} is suspended`),
    'the second to say that the one before it is suspended',
  );
});
