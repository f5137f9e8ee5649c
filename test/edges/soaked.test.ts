import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

const version = (name: string, says: string) => ({
  [`${name}/all.yaml`]: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {says: "${says}"}\n`,
});

test('A11, D7: what soaks for prod stays until prod may take it, whatever is newer: blocked by a dependency, frozen until a time, and the operator killed meanwhile', async (t) => {
  const files = { ...version('database', '1'), ...version('web', '1') };
  const stage = await newStage(t, { files, flags: fastLease });
  const { cluster, namespace, repository } = stage;
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'standard', namespace },
    spec: {
      selector: {},
      stages: [
        { name: 'staging', environments: [staging.name] },
        { name: 'prod', after: ['staging'], environments: [prod.name], gates: { soak: '12s' } },
      ],
    },
  });
  const freeze = (...freezes: readonly object[]) =>
    stage.kubectl(
      'patch',
      'environment',
      prod.name,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { freezes } }),
    );
  const application = (name: string, more: object = {}) =>
    stage.application(name, {
      source: { path: name },
      environments: [{ name: staging.name }, { name: prod.name }],
      sync: { timeout: '10s' },
      ...more,
    });
  const says = async (environment: StagedEnvironment, name: string) => {
    const path = `/api/v1/namespaces/${environment.namespace}/configmaps/${name}`;
    const { status, body } = await cluster.request('GET', path);
    return status === 200 ? (JSON.parse(body) as { data: { says: string } }).data.says : undefined;
  };
  const comesTo = (environment: StagedEnvironment, name: string, what: string) =>
    eventually(async () => (await says(environment, name)) === what, {
      describe: `${name} in ${environment.name} to say ${what}`,
    });
  const waits = (name: string, { name: environment }: StagedEnvironment, sync: string, words: RegExp) =>
    stage.until(
      name,
      ({ status }) => {
        const entry = environmentOf(status, environment);
        return entry?.sync === sync && words.test(entry.message ?? '');
      },
      `${name} to be ${sync} in ${environment}: ${words}`,
    );
  const frozen = { from: '2026-01-01T00:00:00Z', reason: 'a test' };

  await freeze(frozen);
  await application('database');
  await comesTo(staging, 'database', '1');
  await application('web', { dependsOn: [{ name: 'database' }] });
  await comesTo(staging, 'web', '1');
  await waits('web', prod, 'Blocked', /database to be Ready/);
  // Staging stays on what prod does not know yet whether it may take.
  await repository.commit(version('web', '2'));
  await waits('web', staging, 'Waiting', /stays on what runs there/);
  await freeze();
  await comesTo(prod, 'web', '2');

  await freeze(frozen);
  await repository.commit(version('database', '2'));
  await comesTo(staging, 'database', '2');
  const until = new Date(Date.now() + 30_000);
  await freeze({ ...frozen, until: until.toISOString() });
  await repository.commit(version('database', '3'));
  await waits('database', staging, 'Waiting', /stays on what has soaked there/);
  await stage.restart('SIGKILL');
  await comesTo(prod, 'database', '2');
  assert.ok(Date.now() >= until.getTime(), 'not before the freeze has ended');
  await comesTo(prod, 'database', '3');
});
