import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOciRegistry } from '../harness/oci-registry.ts';
import { conditionOf, fastLease, newStage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

function podinfo(version: string): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: podinfo\nversion: ${version}\n`,
    'templates/a.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {text: "{{ .Chart.Version }}"}\n',
  };
}

test('A4: a chart of an OCI registry is followed in its range, and runs on when the registry is gone', async (t) => {
  const registry = await startOciRegistry();
  t.after(() => registry.stop());
  for (const version of ['1.0.0', '1.1.0+build.5', '2.0.0']) await registry.publish(podinfo(version));
  const stage = await newStage(t, { flags: [...fastLease, `--ca-file=${registry.caFile}`] });
  const textOf = () => stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.text}');
  const untilText = (text: string) =>
    eventually(async () => (await textOf()) === text, { describe: `web to be ${text}`, within: 40_000 });
  const chart = { repoURL: registry.url, name: 'podinfo', version: '1.x', interval: '1s' };
  await stage.application('web', { helm: { chart } });
  const { status } = await stage.untilReadyAt('web', '1.1.0+build.5');
  assert.equal(await textOf(), '1.1.0+build.5');
  assert.equal(status?.summary?.revision, '1.1.0+build.5');

  await t.test('what is pushed is deployed by itself', async () => {
    await registry.publish(podinfo('1.2.0'));
    await untilText('1.2.0');
    await stage.untilReadyAt('web', '1.2.0');
  });

  await t.test('down, after a restart too, it is told, and what runs is looked after', async () => {
    registry.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    await stage.restart();
    await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"text":"drift"}}');
    await untilText('1.2.0');
    const told = await stage.until(
      'web',
      (application) => conditionOf(application, 'Reconciling')?.reason === 'ServerError',
      'the status to tell of the registry',
    );
    assert.equal(conditionOf(told, 'Ready')?.status, 'True');
  });

  await t.test('S9: one whose bytes are others than its manifest says is not deployed', async () => {
    registry.intercept = undefined;
    await registry.publish(podinfo('1.3.0'));
    registry.intercept = (request, response) => {
      if (!request.url?.includes('/blobs/')) return false;
      response.end('another chart');
      return true;
    };
    await stage.until(
      'web',
      ({ status }) => status?.conditions?.some(({ reason }) => reason === 'ChartDigestMismatch'),
      'the chart to be refused',
      40_000,
    );
    assert.equal(await textOf(), '1.2.0');
    registry.intercept = undefined;
    await untilText('1.3.0');
  });
});
