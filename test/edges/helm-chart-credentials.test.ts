import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { ChartRepositories } from '../../operator/source/charts/chart-repositories.ts';
import { startChartRepository } from '../harness/chart-repository.ts';
import { type OciRegistry, startOciRegistry } from '../harness/oci-registry.ts';
import { newStage, type StageOptions } from '../harness/operator.ts';
import { newSigningKey } from '../harness/signing-key.ts';
import { eventually } from '../harness/wait.ts';

function podinfo(version: string): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: podinfo\nversion: ${version}\n`,
    'templates/a.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {text: "{{ .Chart.Version }}"}\n',
  };
}

/** A stage for an Application web of a chart, whose repository is asked with the Secret charts. */
async function newGround(t: TestContext, options: StageOptions) {
  const stage = await newStage(t, options);
  const textOf = () =>
    stage.kubectl(...['get', 'configmap', 'web', '--ignore-not-found', '-o', 'jsonpath={.data.text}']);
  const untilText = (text: string) =>
    eventually(async () => (await textOf()) === text, { describe: `web to be ${text}` });
  /** Waits until its status says that, and resolves with how. */
  const told = async (name: string, reason: string, words: RegExp) => {
    const find = ({ status }: Awaited<ReturnType<typeof stage.get>>) =>
      status?.conditions?.find((condition) => condition.reason === reason && words.test(condition.message));
    const application = await stage.until(name, find, `${name} to say ${reason}: ${words}`);
    return find(application)?.message ?? '';
  };
  const secret = (type: 'generic' | 'docker-registry', ...entries: string[]) =>
    stage.kubectl('create', 'secret', type, 'charts', ...entries);
  const secretData = (data: Readonly<Record<string, string>>) =>
    stage.kubectl('patch', 'secret', 'charts', '-p', JSON.stringify({ stringData: data }));
  return { stage, untilText, told, secret, secretData };
}

const secretRef = { name: 'charts' };

test('S4, D14: a chart of a repository that wants a password is deployed with that of spec.helm.chart.secretRef as soon as it is right, and is followed with it', async (t) => {
  const published = await startChartRepository();
  t.after(() => published.stop());
  await published.publish(podinfo('1.0.0'));
  const right = `Basic ${Buffer.from('me:right').toString('base64')}`;
  published.intercept = ({ headers }, response) => {
    if (headers.authorization === right) return false;
    response.writeHead(401).end();
    return true;
  };
  const ground = await newGround(t, { flags: [`--ca-file=${published.caFile}`] });
  const { stage, untilText, told, secret, secretData } = ground;
  const chart = { repoURL: published.url, name: 'podinfo', version: '1.x', interval: '1s' };

  await stage.application('web', { helm: { chart } });
  await told('web', 'AuthenticationFailed', /spec\.helm\.chart\.secretRef/);
  await stage.application('web', { helm: { chart: { ...chart, secretRef } } });
  await told(
    'web',
    'SecretMissing',
    /Secret \S+\/charts, which spec\.helm\.chart\.secretRef names for the chart, does not exist/,
  );
  await secret('generic', '--from-literal=username=me', '--from-literal=password=guessed-one');
  const refused = await told('web', 'AuthenticationFailed', /./);
  assert.doesNotMatch(refused, /guessed-one/);
  await secretData({ password: 'right' });
  await untilText('1.0.0');
  await stage.untilReadyAt('web', '1.0.0');

  await published.publish(podinfo('1.1.0'));
  await untilText('1.1.0');

  // What it may read, another Application may not, though it is here.
  await stage.application('other', { helm: { chart: { ...chart, version: '1.0.0' } } });
  await told('other', 'AuthenticationFailed', /spec\.helm\.chart\.secretRef/);

  await secretData({ password: 'changed' });
  await told('web', 'AuthenticationFailed', /spec\.helm\.chart\.secretRef/);
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"text":"drift"}}');
  await untilText('1.1.0');
});

test('S4: a chart of a registry is deployed with what docker-registry Secrets hold, and that goes to who gives its tokens alone', async (t) => {
  const registry = await startOciRegistry();
  t.after(() => registry.stop());
  await registry.publish(podinfo('1.0.0'), registry.privateUrl);
  registry.requests.length = 0;
  const { username, password } = registry.credential;
  const ground = await newGround(t, { flags: [`--ca-file=${registry.caFile}`] });
  const { stage, untilText, told, secret } = ground;
  const chart = { repoURL: registry.privateUrl, name: 'podinfo', version: '1.x', interval: '1s', secretRef };
  const of = (server: string, word: string) =>
    secret(
      'docker-registry',
      `--docker-server=${server}`,
      `--docker-username=${username}`,
      `--docker-password=${word}`,
    );
  const gone = () => stage.kubectl('delete', 'secret', 'charts');

  await of('registry.example.com', password);
  await stage.application('web', { helm: { chart } });
  const elsewhere = await told(
    'web',
    'CredentialInvalid',
    /"\.dockerconfigjson" has no entry for this registry/,
  );
  assert.match(elsewhere, /which spec\.helm\.chart\.secretRef names/);
  assert.ok(registry.requests.every(({ authorization }) => authorization === undefined));
  await gone();
  await told('web', 'SecretMissing', /spec\.helm\.chart\.secretRef/);
  await of(registry.host, 'guessed-one');
  const refused = await told('web', 'AuthenticationFailed', /./);
  assert.doesNotMatch(refused, /guessed-one/);
  await gone();
  await of(registry.host, password);
  await untilText('1.0.0');
  await stage.untilReadyAt('web', '1.0.0');
  const shown = registry.requests.filter(({ authorization = '' }) => authorization.startsWith('Basic '));
  assert.deepEqual([...new Set(shown.map(({ path }) => path.split('?')[0]))], ['/token']);

  await registry.publish(podinfo('1.1.0'), registry.privateUrl);
  await untilText('1.1.0');
});

/** SHA-256 of the archive that was pushed. */
async function digestOf(registry: OciRegistry, name: string, version: string): Promise<string> {
  const charts = new ChartRepositories({ allowLoopback: true, locate: () => assert.fail() });
  try {
    const credential = { ...registry.credential, caCert: await readFile(registry.caFile, 'utf8') };
    const chart = { name, version, repository: registry.privateUrl };
    return (await charts.fetch(chart, AbortSignal.timeout(60_000), credential)).digest;
  } finally {
    await charts.stop();
  }
}

test('S4: a chart whose Helm repository has its archives in a registry is deployed, and verified, with what spec.helm.registries names for that', async (t) => {
  const registry = await startOciRegistry();
  t.after(() => registry.stop());
  const published = await startChartRepository(registry.tls);
  t.after(() => published.stop());
  const key = await newSigningKey('Publisher');
  await registry.publish(podinfo('1.0.0'), registry.privateUrl, key);
  const digest = await digestOf(registry, 'podinfo', '1.0.0');
  registry.requests.length = 0;
  const ofRepository = `Basic ${Buffer.from('me:right').toString('base64')}`;
  published.intercept = ({ headers, url = '' }, response) => {
    if (headers.authorization !== ofRepository) response.writeHead(401).end();
    else if (!url.endsWith('/index.yaml')) return false;
    else
      response.end(
        `entries:\n  podinfo:\n  - version: 1.0.0\n    digest: ${digest}\n    urls: ["${registry.privateUrl}/podinfo:1.0.0"]\n`,
      );
    return true;
  };
  const ground = await newGround(t, { flags: [`--ca-file=${registry.caFile}`] });
  const { stage, untilText, told, secret } = ground;
  await secret('generic', '--from-literal=username=me', '--from-literal=password=right');
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'keys' },
    data: { keyring: key.public.toString('base64') },
  });
  const verify = { secretRef: { name: 'keys' } };
  const chart = {
    repoURL: published.url,
    name: 'podinfo',
    version: '1.x',
    interval: '1s',
    verify,
    secretRef,
  };
  const registries = [{ prefix: registry.host, secretRef: { name: 'registry' } }];

  await stage.application('web', { helm: { chart } });
  await told('web', 'AuthenticationFailed', /is refused by the registry 127.* in spec\.helm\.regist/);
  await stage.application('web', { helm: { chart, registries } });
  await told('web', 'SecretMissing', /Secret \S+\/registry, which spec\.helm\.registries names for 127\./);
  const metadata = { name: 'registry' };
  await stage.apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: registry.credential });
  await untilText('1.0.0');
  await stage.untilReadyAt('web', '1.0.0');
  const basics = registry.requests.filter(({ authorization = '' }) => authorization.startsWith('Basic '));
  assert.deepEqual([...new Set(basics.map(({ path }) => path.split('?')[0]))], ['/token']);
  assert.ok(basics.every(({ authorization }) => authorization !== ofRepository));
});
