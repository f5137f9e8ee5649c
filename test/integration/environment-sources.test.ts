import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { always } from '../harness/wait.ts';
import { configMap } from './message.ts';

const MAIN = {
  'base/kustomization.yaml': 'resources: [web.yaml]\n',
  'base/web.yaml': configMap('web', 'base'),
  'overlays/staging/kustomization.yaml':
    'resources: [../../base]\npatches:\n  - patch: |\n      {apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {message: of staging}}\n',
  'overlays/prod/kustomization.yaml': 'resources: [../../base]\n',
};

async function messageIn({ cluster }: Stage, { namespace }: StagedEnvironment): Promise<string | undefined> {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
  return status === 200 ? (JSON.parse(body) as { data: { message: string } }).data.message : undefined;
}

async function staged(t: TestContext) {
  const stage = await newStage(t, { files: MAIN });
  return {
    stage,
    staging: await newEnvironment(t, stage, 'staging'),
    prod: await newEnvironment(t, stage, 'prod'),
  };
}

test('each environment has the overlay that its entry names, and one that a commit does not touch is not deployed again', async (t) => {
  const { stage, staging, prod } = await staged(t);
  const entry = ({ name }: StagedEnvironment, overlay: string) => ({ name, path: `overlays/${overlay}` });
  const environments = [entry(staging, 'staging'), entry(prod, 'prod')];
  await stage.deployed('web', { environments });
  assert.equal(await messageIn(stage, staging), 'of staging');
  assert.equal(await messageIn(stage, prod), 'base');
  const second = await stage.repository.commit({
    'overlays/staging/kustomization.yaml': MAIN['overlays/staging/kustomization.yaml'].replace(
      'of staging',
      'changed',
    ),
  });
  const { status } = await stage.untilReadyAt('web', second);
  assert.equal(await messageIn(stage, staging), 'changed');
  assert.equal(environmentOf(status, staging.name)?.history?.length, 2);
  assert.equal(environmentOf(status, prod.name)?.history?.length, 1);
  assert.equal(environmentOf(status, prod.name)?.desiredRevision, second);
  await stage.restart();
  await stage.requestSync('web');
  const later = await stage.untilReadyAt('web', second);
  assert.equal(environmentOf(later.status, prod.name)?.history?.length, 1);
});

test('A35: an entry whose path comes with a later commit holds up no other environment, and is told so', async (t) => {
  const { stage, staging, prod } = await staged(t);
  const environments = [
    { name: staging.name, path: 'overlays/staging' },
    { name: prod.name, path: 'overlays/late' },
  ];
  await stage.application('web', { environments });
  const untilFollowed = (revision: string) =>
    stage.until(
      'web',
      ({ status }) =>
        environmentOf(status, staging.name)?.revision === revision &&
        environmentOf(status, staging.name)?.health === 'Healthy' &&
        environmentOf(status, prod.name)?.sync === 'Quarantined',
      'staging to be deployed, and prod to be told of its path',
    );
  await untilFollowed(await stage.repository.revParse('main'));
  const overlay = MAIN['overlays/staging/kustomization.yaml'];
  const second = await stage.repository.commit({
    'overlays/staging/kustomization.yaml': overlay.replace('of staging', 'second'),
  });
  const { status } = await untilFollowed(second);
  assert.equal(await messageIn(stage, staging), 'second');
  assert.equal(await messageIn(stage, prod), undefined);
  const told = status?.quarantine?.errors?.map(({ environment, message }) => `${environment}: ${message}`);
  assert.equal(told?.length, 1);
  assert.match(
    told?.[0] ?? '',
    /^prod-.*: There is no overlays\/late in the repository\. .*Push it.* Or set spec\.environments\[prod-.*\]\.path to one of them\./,
  );
  const { towpath } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
  const why = (await towpath('why', 'web', prod.name)).stdout.replaceAll(/\s+/g, ' ');
  assert.match(why, /There is no overlays\/late in the repository\./);

  const third = await stage.repository.commit({
    'overlays/late/kustomization.yaml': MAIN['overlays/prod/kustomization.yaml'],
  });
  await stage.untilReadyAt('web', third);
  assert.equal(await messageIn(stage, prod), 'base');

  // Gone again it is the same, and what runs there stays.
  const fourth = await stage.repository.commit({
    'overlays/late/kustomization.yaml': null,
    'overlays/staging/kustomization.yaml': overlay.replace('of staging', 'fourth'),
  });
  await untilFollowed(fourth);
  assert.equal(await messageIn(stage, staging), 'fourth');
  assert.equal(await messageIn(stage, prod), 'base');
});

test('an environment follows the ref that its entry names, and waits for none that follows another one', async (t) => {
  const { stage, staging, prod } = await staged(t);
  await stage.repository.branch('release');
  const environments = [{ name: staging.name }, { name: prod.name, ref: { branch: 'release' } }];
  const first = await stage.repository.revParse('main');
  await stage.application('web', { source: { path: 'base' }, environments });
  await stage.untilReadyAt('web', first);
  // What the first would refuse is no matter of those that follow another ref.
  const broken = await stage.repository.commit({ 'base/web.yaml': 'kind: [' });
  await stage.until(
    'web',
    ({ status }) => environmentOf(status, staging.name)?.sync === 'Quarantined',
    'the refusal of main',
  );
  const released = await stage.repository.commit(
    { 'base/web.yaml': configMap('web', 'released') },
    { branch: 'release' },
  );
  const both = await stage.until(
    'web',
    ({ status }) => environmentOf(status, prod.name)?.revision === released,
    'prod to follow its branch',
  );
  assert.equal(await messageIn(stage, prod), 'released');
  assert.equal(await messageIn(stage, staging), 'base');
  assert.equal(environmentOf(both.status, staging.name)?.sync, 'Quarantined');
  assert.equal(environmentOf(both.status, staging.name)?.revision, first);
  assert.equal(both.status?.quarantine?.revision, broken);
});

test('A4: a sync that is asked of one environment is done there, and is nothing for the others', async (t) => {
  const { stage, staging, prod } = await staged(t);
  const environments = [{ name: staging.name }, { name: prod.name }];
  await stage.application('web', { source: { path: 'base' }, environments, sync: { mode: 'Manual' } });
  await stage.until('web', ({ status }) => status?.sync === 'OutOfSync', 'both to wait for a request');
  const value = await stage.requestSync('web', `${staging.name}=one`);
  await stage.until('web', ({ status }) => status?.handledSyncRequest === value, 'the request to be handled');
  await stage.until(
    'web',
    async () => (await messageIn(stage, staging)) === 'base',
    'staging to be deployed',
  );
  await always(
    () => messageIn(stage, prod),
    (message) => assert.equal(message, undefined),
    1_500,
  );
  const { status } = await stage.get('web');
  assert.equal(environmentOf(status, prod.name)?.sync, 'OutOfSync');
  assert.equal(status?.summary?.environments, '1/2');
});
