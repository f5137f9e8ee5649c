import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { fastLease, newStage } from '../harness/operator.ts';

/** A chart with one ConfigMap. */
function chart(name: string, version: string) {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { version } };
  return {
    [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: ${version}\n`,
    [`${name}/templates/all.yaml`]: JSON.stringify(object),
  };
}

test('dependsOn with a version, in each environment by itself', async (t) => {
  const stage = await newStage(t, {
    flags: fastLease,
    files: { ...chart('database', '1.9.0'), ...chart('web', '1.0.0') },
  });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  const freeze = (environment: StagedEnvironment, freezes: readonly object[]) =>
    stage.kubectl(
      'patch',
      'environment',
      environment.name,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { freezes } }),
    );
  const environments = [{ name: staging.name }, { name: prod.name }];
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'verified' },
    spec: {
      selector: { matchLabels: { tier: 'verified' } },
      stages: [
        { name: 'staging', environments: [staging.name] },
        { name: 'prod', after: ['staging'], environments: [prod.name], verify: { for: '3s' } },
      ],
    },
  });
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'database', labels: { tier: 'verified' } },
    spec: { source: { repoURL: stage.repoURL, interval: '1s', path: 'database' }, environments },
  });
  await stage.application('web', {
    source: { path: 'web' },
    environments,
    dependsOn: [{ name: 'database', version: '>=2.0' }],
  });
  const waiting = await stage.until(
    'web',
    ({ status }) =>
      [staging, prod].every(
        ({ name }) => environmentOf(status, name)?.blockedBy?.[0]?.reason === 'DependencyVersion',
      ),
    'both to wait for the database',
  );
  const [gate] = environmentOf(waiting.status, prod.name)?.blockedBy ?? [];
  assert.match(
    gate?.message ?? '',
    /database runs version 1\.9\.0 of its chart in environment .* wants >=2\.0/,
  );

  await freeze(prod, [{ from: '2026-01-01T00:00:00Z', reason: 'a test' }]);
  await stage.repository.commit(chart('database', '2.0.1'));
  await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, staging.name)?.sync === 'Synced' &&
      /and 2\.0\.1 waits to enter there/.test(
        environmentOf(status, prod.name)?.blockedBy?.find(({ reason }) => reason === 'DependencyVersion')
          ?.message ?? '',
      ),
    'staging to go on, and prod to say what it waits for',
  );
  await freeze(prod, []);
  await stage.until(
    'web',
    ({ status }) =>
      /verifies version 2\.0\.1 /.test(environmentOf(status, prod.name)?.blockedBy?.[0]?.message ?? ''),
    'prod to say that the version is not sure to stay',
  );
  // That it has passed changes nothing that the status of the database says of its version or its health.
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
});
