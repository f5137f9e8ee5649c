import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { StagedEnvironment } from '../harness/environments.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import { configMap, newLine } from '../harness/promotions.ts';

const entry = ({ status }: Application, { name }: StagedEnvironment) => environmentOf(status, name);

test('A4: with Git down what was accepted enters what comes after, and what comes after nothing, once it may; also after the operator was killed', async (t) => {
  const stage = await newStage(t, { files: configMap('one'), flags: fastLease });
  const { repository } = stage;
  const { staging, prod } = await newLine(t, stage);
  const freeze = (environment: StagedEnvironment, ...freezes: readonly object[]) =>
    stage.kubectl(
      'patch',
      'environment',
      environment.name,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { freezes } }),
    );
  const frozen = { from: '2026-01-01T00:00:00Z', reason: 'a test' };
  const waits = (environment: StagedEnvironment, revision: string) => (of: Application) =>
    entry(of, environment)?.desiredRevision === revision &&
    entry(of, environment)?.blockedBy?.some(({ reason }) => reason === 'Frozen') === true;
  const runs = (environment: StagedEnvironment, revision: string) =>
    stage.until(
      'web',
      (of) => entry(of, environment)?.revision === revision && entry(of, environment)?.sync === 'Synced',
      `${environment.name} to run ${revision.slice(0, 7)}`,
    );
  await stage.deployed('web', { environments: [{ name: staging.name }, { name: prod.name }] });

  // What waits in prod is promoted by a process that has seen Git before.
  await freeze(prod, frozen);
  const two = await repository.commit(configMap('two'));
  await stage.until('web', waits(prod, two), 'prod to wait with the second commit');
  await runs(staging, two);
  await stage.git.stop();
  await freeze(prod);
  await runs(prod, two);

  const again = await startGitHttp({ root: repository.root, port: stage.git.port });
  t.after(() => again.stop());
  await freeze(staging, frozen);
  await freeze(prod, frozen);
  const three = await repository.commit(configMap('three'));
  await stage.requestSync('web');
  await stage.until(
    'web',
    (of) => waits(staging, three)(of) && waits(prod, three)(of),
    'both to wait with the third commit',
  );
  await again.stop();

  // Nor does one that has not.
  await stage.restart('SIGKILL');
  await freeze(staging);
  await runs(staging, three);
  await stage.restart('SIGKILL');
  await freeze(prod);
  const { status } = await runs(prod, three);
  for (const { name } of [staging, prod]) {
    const history = environmentOf(status, name)?.history ?? [];
    assert.deepEqual(
      history.map(({ id, outcome }) => [id, outcome]),
      [3, 2, 1].map((id) => [id, 'Succeeded']),
      name,
    );
  }
  assert.equal(environmentOf(status, prod.name)?.history?.[0]?.trigger, 'Promotion');
});
