import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ChartRepository, startChartRepository } from '../harness/chart-repository.ts';
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

test('S4: a chart of a kustomization is fetched from a registry by its tag, with the credential of spec.helm.registries', async (t) => {
  const registry = await startOciRegistry();
  t.after(() => registry.stop());
  await registry.publish(redis('v1.0.0'), registry.privateUrl);
  registry.requests.length = 0;
  const stage = await newStage(t, {
    files: {
      'web/kustomization.yaml': `helmCharts:\n- {name: redis, releaseName: web, repo: "${registry.privateUrl}", version: v1.0.0, valuesInline: {size: 1}}\n`,
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
  const metadata = { name: 'registry' };
  await stage.apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: registry.credential });
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  const seen = await stage.kubectl('get', 'configmap', 'redis', '-o', 'jsonpath={.data.text} {.data.size}');
  assert.equal(seen, 'v1.0.0 1');
  assert.ok(!(await stage.kubectl('get', 'events')).includes('RenderWarning'), 'the version is an exact one');
  const basics = registry.requests.filter(({ authorization = '' }) => authorization.startsWith('Basic '));
  assert.deepEqual([...new Set(basics.map(({ path }) => path.split('?')[0]))], ['/token']);
});

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.cncf.helm.config.v1+json';
const ARCHIVE = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

/** Has it answer as a registry too, below oci://HOST/acme, which takes so long for each manifest. */
async function answerAsRegistry(published: ChartRepository, names: readonly string[], takesMs: number) {
  const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const bodies = new Map<string, Uint8Array>();
  for (const name of names) {
    const archive = await readFile(join(published.directory, `${name}-1.0.0.tgz`));
    const layer = { mediaType: ARCHIVE, digest: sha256(archive), size: archive.length };
    const config = { mediaType: CONFIG, digest: sha256(Buffer.from('{}')), size: 2 };
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config, layers: [layer] });
    bodies.set(`/v2/acme/${name}/manifests/1.0.0`, Buffer.from(manifest));
    bodies.set(`/v2/acme/${name}/blobs/${layer.digest}`, archive);
  }
  published.intercept = ({ url = '' }, response) => {
    const body = bodies.get(url);
    if (body === undefined) response.writeHead(404).end();
    else setTimeout(() => response.end(body), url.includes('/manifests/') ? takesMs : 0);
    return true;
  };
}

test('A4: charts of a slow registry come to an Application that runs, though all of them together take longer than a try', async (t) => {
  const published = await startChartRepository();
  t.after(() => published.stop());
  const names = Array.from({ length: 8 }, (_, at) => `part-${at}`);
  for (const name of names)
    await published.publish({
      'Chart.yaml': `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`,
      'templates/a.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`,
    });
  await answerAsRegistry(published, names, 2_000);
  const chart = 'apiVersion: v2\nname: web\nversion: 1.0.0\n';
  const stage = await newStage(t, {
    files: { 'web/Chart.yaml': chart, 'web/templates/a.yaml': '' },
    flags: [`--ca-file=${published.caFile}`],
  });
  await stage.deployed('web', { source: { path: 'web' } });
  const { host } = new URL(published.url);
  const dependencies = names.map(
    (name) => `- {name: ${name}, version: 1.0.0, repository: "oci://${host}/acme"}\n`,
  );
  const umbrella = await stage.repository.commit({
    'web/Chart.yaml': `${chart}dependencies:\n${dependencies.join('')}`,
  });
  await stage.untilReadyAt('web', umbrella, 90_000);
  for (const name of names) assert.ok(await stage.kubectl('get', 'configmap', name));
  assert.equal(published.count('/manifests/1.0.0'), names.length, 'each is asked for once');
});
