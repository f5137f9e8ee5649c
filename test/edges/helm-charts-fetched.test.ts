import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startChartRepository } from '../harness/chart-repository.ts';
import { startOciRegistry } from '../harness/oci-registry.ts';
import { conditionOf, newStage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

const redis = (version: string) => ({
  'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n`,
  'templates/a.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: redis}\ndata: {text: {{ .Chart.Version | quote }}, size: {{ .Values.size | quote }}}\n',
});

test('S9, A4: a chart of a kustomization is fetched, pinned, and runs on when its repository is gone', async (t) => {
  const published = await startChartRepository();
  t.after(() => published.stop());
  await published.publish(redis('1.0.0'));
  const files = (size: number) => ({
    'web/kustomization.yaml': `helmCharts:\n- {name: redis, releaseName: web, repo: "${published.url}", version: ^1.0.0, valuesInline: {size: ${size}}}\n`,
  });
  const stage = await newStage(t, { files: files(1), flags: [`--ca-file=${published.caFile}`] });
  await stage.deployed('web', { source: { path: 'web' } });
  const seen = () => stage.kubectl('get', 'configmap', 'redis', '-o', 'jsonpath={.data.text} {.data.size}');
  assert.equal(await seen(), '1.0.0 1');
  await published.publish(redis('1.1.0'));
  const second = await stage.repository.commit(files(2));
  await stage.untilReadyAt('web', second);
  assert.equal(await seen(), '1.0.0 2', 'a range stays what it came to');
  published.intercept = (_request, response) => {
    response.writeHead(503).end();
    return true;
  };
  await stage.restart();
  await stage.kubectl('patch', 'configmap', 'redis', '-p', '{"data":{"text":"drift"}}');
  await eventually(async () => (await seen()) === '1.0.0 2', { describe: 'the drift to be repaired' });
  const later = await stage.get('web');
  assert.equal(conditionOf(later, 'Ready')?.status, 'True');
});

test('S4: a chart of a kustomization is fetched from a registry with the credential of spec.helm.registries', async (t) => {
  const registry = await startOciRegistry();
  t.after(() => registry.stop());
  await registry.publish(redis('1.0.0'), registry.privateUrl);
  registry.requests.length = 0;
  const stage = await newStage(t, {
    files: {
      'web/kustomization.yaml': `helmCharts:\n- {name: redis, releaseName: web, repo: "${registry.privateUrl}", version: ^1.0.0, valuesInline: {size: 1}}\n`,
    },
    flags: [`--ca-file=${registry.caFile}`],
  });
  const told = (reason: string) =>
    stage.until(
      'web',
      ({ status }) => status?.conditions?.some((condition) => condition.reason === reason),
      `the status to say ${reason}`,
    );
  const source = { path: 'web' };
  await stage.application('web', { source });
  await told('AuthenticationFailed');
  const registries = [{ prefix: `${registry.host}/private`, secretRef: { name: 'registry' } }];
  await stage.application('web', { source, helm: { registries } });
  await told('SecretMissing');
  const { username, password } = registry.credential;
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'registry' },
    stringData: { username, password },
  });
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  const seen = await stage.kubectl('get', 'configmap', 'redis', '-o', 'jsonpath={.data.text} {.data.size}');
  assert.equal(seen, '1.0.0 1');
  const basics = registry.requests.filter(({ authorization = '' }) => authorization.startsWith('Basic '));
  assert.deepEqual([...new Set(basics.map(({ path }) => path.split('?')[0]))], ['/token']);
});
