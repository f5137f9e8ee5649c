import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { type OciRegistry, registryLockOf, startOciRegistry } from '../harness/oci-registry.ts';
import { conditionOf, fastLease, newStage, type Stage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (name: string, text: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {text: "${text}"}\n`;

function redis(version: string): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n`,
    'templates/a.yaml': configMap('{{ .Release.Name }}-redis', '{{ .Chart.Version }}'),
  };
}

/** A chart in the directory web that depends on one in the registry. */
async function dependent(registry: OciRegistry, version: string): Promise<Record<string, string>> {
  const files = {
    'Chart.yaml': `apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: redis, version: ${version}, repository: "${registry.url}"}\n`,
    'templates/own.yaml': configMap('web', version),
  };
  const all = { ...files, 'Chart.lock': await registryLockOf(registry, files) };
  return Object.fromEntries(Object.entries(all).map(([path, text]) => [`web/${path}`, text]));
}

const textOf = (stage: Stage, name: string) =>
  stage.kubectl('get', 'configmap', name, '-o', 'jsonpath={.data.text}');

const isTold = (application: Application, reason: string) =>
  [conditionOf(application, 'Stalled'), conditionOf(application, 'Reconciling')].some(
    (each) => each?.reason === reason,
  );

test('A4: charts of an OCI registry are fetched as the lock pins them, and run on when it is gone', async (t) => {
  const registry = await startOciRegistry();
  t.after(() => registry.stop());
  for (const version of ['1.0.0', '2.0.0']) await registry.publish(redis(version));
  const [older, newer] = [await dependent(registry, '1.0.0'), await dependent(registry, '2.0.0')];
  const stage = await newStage(t, { files: older, flags: [...fastLease, `--ca-file=${registry.caFile}`] });
  const first = await stage.deployed('web', { source: { path: 'web' } });
  assert.equal(await textOf(stage, 'web-redis'), '1.0.0');
  const toldOf = (reason: string) =>
    stage.until('web', (application) => isTold(application, reason), `the status to tell ${reason}`);

  await t.test('S9: one whose bytes are others than its manifest says is not deployed', async () => {
    registry.intercept = (request, response) => {
      if (!request.url?.includes('/blobs/')) return false;
      response.end('another chart');
      return true;
    };
    await stage.repository.commit(newer);
    const told = await toldOf('ChartDigestMismatch');
    assert.equal(environmentOf(told.status)?.revision, first);
    assert.equal(await textOf(stage, 'web-redis'), '1.0.0');
  });

  await t.test(
    'a registry that is down is told, and what runs is looked after, also after a restart',
    async () => {
      registry.intercept = (_request, response) => {
        response.writeHead(503).end();
        return true;
      };
      await stage.restart();
      await stage.kubectl('patch', 'configmap', 'web-redis', '-p', '{"data":{"text":"drift"}}');
      await eventually(async () => (await textOf(stage, 'web-redis')) === '1.0.0', {
        describe: 'the drift to be repaired',
      });
      const told = await toldOf('ServerError');
      assert.equal(conditionOf(told, 'Ready')?.status, 'True');
    },
  );

  await t.test('back, the newer one is deployed by itself', async () => {
    registry.intercept = undefined;
    await eventually(async () => (await textOf(stage, 'web-redis')) === '2.0.0', {
      describe: 'the newer chart to be deployed',
      within: 40_000,
    });
  });
});
