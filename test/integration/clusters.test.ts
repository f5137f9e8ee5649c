import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { Environment } from '../../operator/api/v1alpha1/environment.ts';
import { type Cluster, kubeConfigText } from '../harness/cluster.ts';
import { startConnectProxy } from '../harness/connect-proxy.ts';
import { definition } from '../harness/definition.ts';
import { documented, runCommands } from '../harness/documented.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { type RecordedRequest, startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, newStage, type Stage, timesLogged } from '../harness/operator.ts';
import {
  ENVIRONMENTS,
  endAccount,
  kubeConfigByCertificate,
  kubeConfigOf,
  make,
  newAccount,
  newLanding,
  newRemoteEnvironment,
  OPERATORS,
  poseAs,
  storeKubeConfig,
  useOtherCluster,
} from '../harness/other-cluster.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { isWrite } from '../harness/proxied-stage.ts';
import { eventually } from '../harness/wait.ts';
import { toldOf } from './steps.ts';

const configMap = (version: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  version: "${version}"\n`,
});

/** A group of APIs that only the other cluster has. */
const ONLY_THERE = 'only-there.example.com';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

async function environment(
  { cluster }: Stage,
  { name }: Pick<StagedEnvironment, 'name'>,
): Promise<Environment> {
  const { status, body } = await cluster.request('GET', `${ENVIRONMENTS}/${name}`);
  assert.equal(status, 200, body);
  return JSON.parse(body) as Environment;
}

const readyOf = ({ status }: Environment) => status?.conditions?.find(({ type }) => type === 'Ready');

async function untilEnvironment(
  stage: Stage,
  of: Pick<StagedEnvironment, 'name'>,
  reason: string,
): Promise<Environment> {
  let last: Environment | undefined;
  try {
    return await eventually(
      async () => {
        last = await environment(stage, of);
        return readyOf(last)?.reason === reason ? last : undefined;
      },
      { describe: `Environment ${of.name} to say ${reason}` },
    );
  } catch (error) {
    throw new Error(
      `${(error as Error).message.slice(0, 200)}\nstatus: ${JSON.stringify(last?.status)}\noperator: ${stage.operator.process.logTail(15)}`,
    );
  }
}

/** Undefined where there is none. */
async function webIn(
  cluster: Pick<Cluster, 'request'>,
  namespace: string,
): Promise<{ version: string; uid: string } | undefined> {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
  if (status === 404) return undefined;
  assert.equal(status, 200, body);
  const { data, metadata } = JSON.parse(body) as { data: { version: string }; metadata: { uid: string } };
  return { version: data.version, uid: metadata.uid };
}

/** Whether the chart found the kind of the other cluster where it was rendered for. */
async function thingsIn(cluster: Pick<Cluster, 'request'>, namespace: string): Promise<string | undefined> {
  const { body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
  return (JSON.parse(body) as { data?: { things?: string } }).data?.things;
}

async function uidOf(cluster: Pick<Cluster, 'request'>): Promise<string> {
  const { body } = await cluster.request('GET', '/api/v1/namespaces/kube-system');
  return (JSON.parse(body) as { metadata: { uid: string } }).metadata.uid;
}

/** An Application `web` in this cluster and in another one. */
async function newWeb(t: TestContext) {
  const other = await useOtherCluster();
  const stage = await newStage(t, { files: configMap('1') });
  const here = await newEnvironment(t, stage, 'here');
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, other, there.namespace);
  const account = `of-${stage.namespace}`;
  await storeKubeConfig(stage, 'there', kubeConfigOf(other, await newAccount(other, account)));
  const environments = [{ name: here.name }, { name: there.name }];
  await stage.deployed('web', { environments });
  return { stage, other, here, there, account, environments };
}

test('S12: an Application with an environment in another cluster has its objects there and only there, by a token and by a client certificate, and a rotated kubeconfig takes effect by itself', async (t) => {
  const { stage, other, here, there, account } = await newWeb(t);
  assert.equal((await webIn(stage.cluster, here.namespace))?.version, '1');
  assert.equal((await webIn(other, there.namespace))?.version, '1');
  assert.equal(await webIn(stage.cluster, there.namespace), undefined);
  assert.equal(await webIn(other, here.namespace), undefined);

  const { status } = await untilEnvironment(stage, there, 'Available');
  const { version } = JSON.parse(
    (await other.request('GET', '/version')).body.replace('gitVersion', 'version'),
  );
  assert.equal(status?.cluster?.version, version);
  assert.equal(status?.cluster?.uid, await uidOf(other));
  assert.equal(status?.cluster?.reachable, true);
  assert.equal(status?.cluster?.context, 'towpath');
  const expiresInMs = Date.parse(status?.cluster?.credentialExpiresAt ?? '') - Date.now();
  assert.ok(expiresInMs > 3_600_000 && expiresInMs <= 7_200_000, `${expiresInMs} ms`);
  const table = await stage.kubectl('get', 'environment', there.name);
  t.diagnostic(table);
  assert.match(
    table,
    new RegExp(`^NAME +READY +CLUSTER.*\\n${there.name} +True +${version.replaceAll('.', '\\.')}`),
  );
  await untilEnvironment(stage, here, 'Available');
  const metrics = await stage.operator.metrics();
  const expiry = new RegExp(
    `^towpath_environment_credential_expiry_timestamp_seconds\\{environment="${there.name}"\\} (\\d+)$`,
    'm',
  ).exec(metrics)?.[1];
  assert.equal(Number(expiry) * 1_000, Date.parse(status?.cluster?.credentialExpiresAt ?? ''));

  // Another account, and the first one is no more: B12.
  await storeKubeConfig(stage, 'there', kubeConfigOf(other, await newAccount(other, `${account}-2`)));
  await endAccount(other, account);
  const second = await stage.repository.commit(configMap('2'));
  await stage.untilReadyAt('web', second);
  assert.equal((await webIn(other, there.namespace))?.version, '2');

  await checkedThere(stage, other, here, there);
  await endAccount(other, `${account}-2`);
  const refused = await untilEnvironment(stage, there, 'CredentialRefused');
  assert.equal(
    refused.status?.conditions?.some(({ type }) => type === 'Stalled'),
    true,
  );
  // S12: by a client certificate, which the API server asks for; its end is told, too.
  await storeKubeConfig(stage, 'there', await kubeConfigByCertificate(other));
  const certified = await untilEnvironment(stage, there, 'Available');
  const untilMs = Date.parse(certified.status?.cluster?.credentialExpiresAt ?? '') - Date.now();
  assert.ok(untilMs > 300 * 24 * 3_600_000, `${untilMs} ms`);
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  await stage.repository.commit(configMap('4'));
  await eventually(async () => (await webIn(other, there.namespace))?.version === '4', {
    describe: 'what is written by the certificate',
  });
});

interface Named {
  metadata: { name: string };
}

async function listed(cluster: Pick<Cluster, 'request'>, path: string): Promise<Named[]> {
  const { status, body } = await cluster.request('GET', path);
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { items: Named[] }).items;
}

/** A check of what runs in the other cluster is a Job there and only there, by whose end it enters this one. */
async function checkedThere(
  stage: Stage,
  other: Pick<Cluster, 'request'>,
  here: StagedEnvironment,
  there: StagedEnvironment,
): Promise<void> {
  const jobsIn = ({ namespace }: StagedEnvironment) => `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const template = { spec: { containers: [{ name: 'smoke', image: 'example.com/smoke:1' }] } };
  const checks = [{ name: 'smoke', job: { spec: { template } } }];
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'checked' },
    spec: {
      selector: { matchLabels: { checked: 'there' } },
      stages: [
        { name: 'first', environments: [there.name] },
        { name: 'second', after: ['first'], environments: [here.name], gates: { checks } },
      ],
    },
  });
  await stage.kubectl('label', 'applications.towpath.dev', 'web', 'checked=there');
  const third = await stage.repository.commit(configMap('3'));
  const [job] = await eventually(
    async () => {
      const jobs = await listed(other, jobsIn(there));
      return jobs.length > 0 && jobs;
    },
    { describe: 'the Job of the check in the other cluster' },
  );
  assert.deepEqual(await listed(stage.cluster, jobsIn(here)), []);
  assert.equal((await webIn(other, there.namespace))?.version, '3');
  assert.equal((await webIn(stage.cluster, here.namespace))?.version, '2');
  const pods = `/api/v1/namespaces/${there.namespace}/pods`;
  const pod = await eventually(async () => (await listed(other, pods))[0]?.metadata.name, {
    describe: 'its Pod',
  });
  const terminated = { exitCode: 0, reason: 'Completed' };
  const container = { name: 'smoke', image: 'x', imageID: '', ready: false, restartCount: 0 };
  const ended = await other.request('PATCH', `${pods}/${pod}/status`, {
    body: { status: { phase: 'Succeeded', containerStatuses: [{ ...container, state: { terminated } }] } },
    contentType: 'application/merge-patch+json',
  });
  assert.equal(ended.status, 200, ended.body);
  await stage.untilReadyAt('web', third);
  assert.equal((await webIn(stage.cluster, here.namespace))?.version, '3');
  await eventually(async () => (await listed(other, jobsIn(there))).length === 0, {
    describe: `Job ${job?.metadata.name} to be gone`,
  });
}

test('A3: a cluster that is stopped is told within a minute, delays no other and no start, and what was missed is made up for when it is back', async (t) => {
  const other = await useOtherCluster();
  // First of all that is tidied up: the rest, and the tests after this one, need it.
  t.after(() => other.startApiServer().catch(() => undefined));
  await make(other, DEFINITIONS, definition('things', ONLY_THERE, 'Thing'));
  t.after(() => other.request('DELETE', `${DEFINITIONS}/things.${ONLY_THERE}`));
  const { stage, here, there } = await newWeb(t);
  const before = await webIn(other, there.namespace);
  await other.stopApiServer();
  const stopped = performance.now();
  const down = await untilEnvironment(stage, there, 'ClusterUnreachable');
  const unseen = await stage.until(
    'web',
    ({ status }) => environmentOf(status, there.name)?.health === 'Unknown',
    'the Application to say so',
  );
  assert.ok(performance.now() - stopped < 60_000, 'within a minute (B2)');
  assert.equal(down.status?.cluster?.reachable, false);
  assert.equal(
    down.status?.cluster?.uid,
    await environment(stage, there).then(({ status }) => status?.cluster?.uid),
  );
  assert.equal(conditionOf(unseen, 'Ready')?.status, 'False');
  assert.equal(conditionOf(unseen, 'Ready')?.reason, 'ClusterUnreachable');
  assert.equal(environmentOf(unseen.status, there.name)?.sync, 'Blocked');
  assert.equal(unseen.status?.summary?.environments, '1/2');

  // A pipeline gets no success of what nobody sees (B2), and is told why.
  const { towpath } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
  const first = await stage.repository.revParse('main');
  const wait = async (...of: string[]) => {
    const { code, stdout } = await towpath('wait', 'web', ...of, '--revision', first, '--timeout=5s');
    return { code, says: stdout.replaceAll(/\s+/g, ' ') };
  };
  for (const waited of await Promise.all([wait(), wait(there.name)])) {
    assert.equal(waited.code, 3, waited.says);
    assert.match(waited.says, /^Not within 5s\. .*The API server at .* does not answer: /);
  }
  const elsewhere = await wait(here.name);
  assert.equal(elsewhere.code, 0, elsewhere.says);

  const second = await stage.repository.commit(configMap('2'));
  const isHere = async () => (await webIn(stage.cluster, here.namespace))?.version === '2';
  await eventually(isHere, { describe: 'the commit here' });
  await stage.restart('SIGTERM');
  await eventually(async () => (await fetch(`${await stage.operator.url('probe')}/readyz`)).status === 200, {
    describe: 'the operator to be ready',
    within: 20_000,
  });
  // By now a chart, which each cluster's own kinds decide: also one's that is down, and that this process never saw.
  const third = await stage.repository.commit({
    'web.yaml': null,
    'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'templates/web.yaml': `${configMap('3')['web.yaml']}  things: "{{ .Capabilities.APIVersions.Has "${ONLY_THERE}/v1/Thing" }}"\n`,
  });
  const isThird = async () => (await webIn(stage.cluster, here.namespace))?.version === '3';
  await eventually(isThird, { describe: 'the next commit here after a restart' });
  assert.notEqual(second, third);

  await other.startApiServer();
  await stage.untilReadyAt('web', third);
  const after = await webIn(other, there.namespace);
  assert.equal(await thingsIn(stage.cluster, here.namespace), 'false');
  assert.equal(await thingsIn(other, there.namespace), 'true');
  assert.deepEqual(after, { version: '3', uid: before?.uid }, 'nothing was deleted meanwhile');
  await untilEnvironment(stage, there, 'Available');
});

test('B9: a cluster is reached through the proxy of its kubeconfig, and by the name in its certificate', async (t) => {
  const { stage, other, there, account } = await newWeb(t);
  const proxy = await startConnectProxy(Number(new URL(other.serverUrl).port));
  t.after(() => proxy.stop());
  // Only the proxy knows the way.
  const serverUrl = 'https://eu.example.invalid:6443';
  const config = JSON.parse(kubeConfigOf({ ...other, serverUrl }, await newAccount(other, account)));
  Object.assign(config.clusters[0].cluster, { 'proxy-url': proxy.url, 'tls-server-name': 'localhost' });
  await storeKubeConfig(stage, 'there', JSON.stringify(config));
  const second = await stage.repository.commit(configMap('2'));
  await eventually(() => proxy.asked.length > 0, { describe: 'the proxy to be asked' });
  await stage.untilReadyAt('web', second);
  assert.equal((await webIn(other, there.namespace))?.version, '2');
  assert.deepEqual(new Set(proxy.asked), new Set(['eu.example.invalid:6443']));
});

test('S12, S16, B5: a kubeconfig that is gone, cannot be used, or leads to another cluster is told, costs no object, and is used again when it is back', async (t) => {
  const { stage, other, there, account } = await newWeb(t);
  const before = await webIn(other, there.namespace);
  const good = kubeConfigOf(other, await newAccount(other, account));
  await stage.kubectl('delete', 'secret', 'there');
  await untilEnvironment(stage, there, 'KubeConfigMissing');
  const missing = await stage.until(
    'web',
    (application) => conditionOf(application, 'Ready')?.reason === 'KubeConfigMissing',
    'the Application to tell of the Secret',
  );
  assert.match(environmentOf(missing.status, there.name)?.message ?? '', /Secret .*\/there.* does not exist/);

  const program = good.replace(
    '"token"',
    '"exec": {"apiVersion": "client.authentication.k8s.io/v1"}, "token"',
  );
  await storeKubeConfig(stage, 'there', program);
  const invalid = await untilEnvironment(stage, there, 'KubeConfigInvalid');
  assert.match(readyOf(invalid)?.message ?? '', /runs no program/);

  const expired = `a.${Buffer.from('{"exp":1700000000}').toString('base64url')}.b`;
  await storeKubeConfig(stage, 'there', kubeConfigOf(other, expired));
  await untilEnvironment(stage, there, 'CredentialExpired');
  await storeKubeConfig(
    stage,
    'there',
    kubeConfigOf(other, await newAccount(other, `${account}-powerless`, [])),
  );
  await untilEnvironment(stage, there, 'ClusterForbidden');
  await storeKubeConfig(stage, 'there', kubeConfigOf({ ...other, ca: stage.cluster.ca }, expired));
  await untilEnvironment(stage, there, 'ClusterUntrusted');

  // The operator's own cluster is none of others, whoever confirms it.
  await newLanding(t, stage.cluster, there.namespace);
  const second = await stage.repository.commit(configMap('2'));
  await storeKubeConfig(stage, 'there', kubeConfigOf(stage.cluster, stage.cluster.adminToken));
  const confirmed = (uid: string) =>
    stage.kubectl(
      'annotate',
      '--overwrite',
      'environment',
      there.name,
      `towpath.dev/cluster-confirmed=${uid}`,
    );
  await confirmed(await uidOf(stage.cluster));
  const own = await untilEnvironment(stage, there, 'ClusterIsHome');
  assert.match(readyOf(own)?.message ?? '', /Make an Environment without spec\.cluster/);
  assert.equal(own.status?.cluster?.uid, await uidOf(other));
  await stage.until(
    'web',
    (application) => conditionOf(application, 'Ready')?.reason === 'ClusterIsHome',
    'the Application to tell of it',
  );
  assert.equal(await webIn(stage.cluster, there.namespace), undefined, 'nothing is written there');

  const uid = '00000000-0000-4000-8000-000000000001';
  const proxy = await startFaultProxy(other);
  t.after(() => proxy.stop());
  poseAs(proxy, uid);
  const another = proxy.kubeConfigFor(await newAccount(other, account));
  await storeKubeConfig(stage, 'there', another);
  const changed = await untilEnvironment(stage, there, 'ClusterChanged');
  assert.ok(readyOf(changed)?.message.includes(`towpath.dev/cluster-confirmed=${uid}`));
  assert.equal(changed.status?.cluster?.uid, await uidOf(other));
  const written = () => proxy.find({ where: isWrite }).map(({ verb, path }) => `${verb} ${path}`);
  assert.deepEqual(written(), [], 'nothing is written there');
  assert.deepEqual(await webIn(other, there.namespace), before, 'and nothing changed in the old one');

  await storeKubeConfig(stage, 'there', good);
  await stage.untilReadyAt('web', second);
  assert.deepEqual(await webIn(other, there.namespace), { version: '2', uid: before?.uid });

  await storeKubeConfig(stage, 'there', another);
  await untilEnvironment(stage, there, 'ClusterChanged');
  // As a backup restores it: the records know where it was.
  const path = `${ENVIRONMENTS}/${there.name}/status`;
  const lost = await stage.cluster.request('PATCH', path, {
    body: { status: null },
    contentType: 'application/merge-patch+json',
  });
  assert.equal(lost.status, 200, lost.body);
  assert.equal((JSON.parse(lost.body) as Environment).status, undefined);
  const restored = await untilEnvironment(stage, there, 'ClusterChanged');
  assert.equal(restored.status?.cluster?.uid, undefined, 'it is taken for none that nobody confirmed');
  assert.deepEqual(written(), []);
  await confirmed(uid);
  const available = await untilEnvironment(stage, there, 'Available');
  assert.equal(available.status?.cluster?.uid, uid);
  const third = await stage.repository.commit(configMap('3'));
  await stage.untilReadyAt('web', third);
  assert.ok(written().length > 0, 'it is deployed by the kubeconfig that was confirmed');
  assert.equal((await webIn(other, there.namespace))?.version, '3');
});

test('S17: a kubeconfig whose Secret names its hosts leads to no other: that is told, nothing is sent there, and what runs stays', async (t) => {
  const other = await useOtherCluster();
  const proxy = await startFaultProxy(other);
  t.after(() => proxy.stop());
  const stage = await newStage(t, { files: configMap('1') });
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, other, there.namespace);
  const bind = (hosts: string) =>
    stage.kubectl('annotate', '--overwrite', 'secret', 'there', `towpath.dev/hosts=${hosts}`);
  await stage.kubectl('create', 'secret', 'generic', 'there');
  await bind('eu.example.com');
  await storeKubeConfig(
    stage,
    'there',
    proxy.kubeConfigFor(await newAccount(other, `of-${stage.namespace}`)),
  );
  await stage.application('web', { environments: [{ name: there.name }] });
  const { host } = new URL(proxy.serverUrl);
  const says = new RegExp(
    `^Secret ${stage.namespace}/there may not be sent to ${host}, which \`server\` of its kubeconfig names: .* lists eu\\.example\\.com\\. Add the host`,
  );
  const toldBoth = async () => {
    const { status } = await untilEnvironment(stage, there, 'HostNotListed');
    assert.ok(status?.conditions?.some(({ type, status }) => type === 'Stalled' && status === 'True'));
    const web = await stage.until(
      'web',
      ({ status }) => environmentOf(status, there.name)?.blockedBy?.[0]?.reason === 'HostNotListed',
      'the Application to say so, too',
    );
    return environmentOf(web.status, there.name)?.blockedBy?.[0]?.message ?? '';
  };
  assert.match(await toldBoth(), says);
  assert.deepEqual(proxy.find({}), [], 'nothing was sent');

  await bind(host);
  const first = await stage.repository.revParse('main');
  await stage.untilReadyAt('web', first);
  await bind('eu.example.com');
  assert.match(await toldBoth(), says);
  const second = await stage.repository.commit(configMap('2'));
  assert.equal((await webIn(other, there.namespace))?.version, '1', 'what runs stays');
  await bind(`eu.example.com,${host}`);
  await stage.untilReadyAt('web', second);
});

test("S2: where the kubeconfig's account loses view the ServiceAccount watches its namespace, until that is back", async (t) => {
  const other = await useOtherCluster();
  const proxy = await startFaultProxy(other);
  t.after(() => proxy.stop());
  const stage = await newStage(t, { files: configMap('1') });
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, other, there.namespace);
  const account = `of-${stage.namespace}`;
  // With all its roles, and another token each time.
  const give = async () =>
    storeKubeConfig(stage, 'there', proxy.kubeConfigFor(await newAccount(other, account)));
  const where = ({ query }: RecordedRequest) => query.get('labelSelector') === 'towpath.dev/target';
  const ofAll = { path: /^\/api\/v1\/configmaps/, where };
  const inNamespace = { path: new RegExp(`/namespaces/${there.namespace}/configmaps`), where };
  const watched = (wide: number, narrow: number, describe: string) =>
    eventually(() => proxy.openWatches(ofAll) === wide && proxy.openWatches(inNamespace) === narrow, {
      describe,
    });
  const repaired = async (by: string) => {
    const path = `/api/v1/namespaces/${there.namespace}/configmaps/web`;
    assert.equal((await other.request('DELETE', path)).status, 200);
    await eventually(async () => (await webIn(other, there.namespace))?.version === '1', {
      describe: `drift that ${by} sees to be repaired`,
    });
  };
  await give();
  await stage.deployed('web', { environments: [{ name: there.name }] });
  await watched(1, 0, 'one watch for all namespaces');
  const before = await webIn(other, there.namespace);

  await other.request('DELETE', `/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/view-${account}`);
  proxy.forget();
  proxy.expireWatches();
  await watched(0, 1, 'the watch of the ServiceAccount in its place');
  assert.ok(proxy.find(ofAll).some(({ status }) => status === 403));
  assert.deepEqual(proxy.find({ where: isWrite }), []);
  assert.deepEqual(
    await webIn(other, there.namespace),
    before,
    'what nobody saw for a while is not made anew',
  );
  await repaired('the ServiceAccount');

  await give();
  await eventually(() => proxy.openWatches(ofAll) === 1, { describe: 'one watch for all namespaces again' });
  await repaired('the account of the kubeconfig');
  await watched(1, 0, 'the other one to end');
});

test('S16: in another cluster, too, nobody acts as the account of others by a name: not before the platform labels the namespace, and no longer', async (t) => {
  const other = await useOtherCluster();
  const stage = await newStage(t, { files: configMap('1') });
  const there = await newRemoteEnvironment(t, stage, 'there', 'there', '{namespace}-{name}');
  // What an Application `web` of this namespace makes of the pattern is the namespace of somebody else.
  const landing = `${stage.namespace}-web`;
  await newLanding(t, other, landing);
  const label = async (tenant: string) => {
    const { status, body } = await other.request('PATCH', `/api/v1/namespaces/${landing}`, {
      body: { metadata: { labels: { 'towpath.dev/managed-for': tenant } } },
      contentType: 'application/merge-patch+json',
    });
    assert.equal(status, 200, body);
  };
  const told = async (words: RegExp) => {
    const { status } = await stage.until(
      'web',
      ({ status }) => words.test(environmentOf(status, there.name)?.blockedBy?.[0]?.message ?? ''),
      `the Application to say ${words}`,
    );
    const [block] = environmentOf(status, there.name)?.blockedBy ?? [];
    assert.equal(block?.reason, 'NamespaceNotManaged');
    assert.equal(environmentOf(status, there.name)?.sync, 'Blocked');
  };
  await storeKubeConfig(
    stage,
    'there',
    kubeConfigOf(other, await newAccount(other, `of-${stage.namespace}`)),
  );
  const web = { environments: [{ name: there.name }] };
  await stage.application('web', web);
  await told(new RegExp(`kubectl label namespace ${landing} towpath.dev/managed-for=${stage.namespace}$`));
  await label('victim');
  await told(/is for the Applications of victim /);
  assert.equal(await webIn(other, landing), undefined);
  // What was never let in leaves nothing to wait for.
  await stage.kubectl('delete', 'application', 'web', '--timeout=20s');

  await label(stage.namespace);
  const revision = await stage.deployed('web', web);
  assert.equal((await webIn(other, landing))?.version, '1');

  // Taken back while nobody looked: no repair is made there either, and what runs stays.
  await stage.operator.stop('SIGKILL');
  await label('victim');
  await other.request('DELETE', `/api/v1/namespaces/${landing}/configmaps/web`);
  await stage.restart();
  await told(/is for the Applications of victim /);
  assert.equal(await webIn(other, landing), undefined);
  await label(stage.namespace);
  await stage.untilReadyAt('web', revision);
  assert.equal((await webIn(other, landing))?.version, '1');
});

test('S16: in another cluster, too, no hook of a deletion is run as the account of others, by a process that begins with that', async (t) => {
  const other = await useOtherCluster();
  const hook =
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: farewell, annotations: {"helm.sh/hook": pre-delete}}\n';
  const files = {
    'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'templates/web.yaml': configMap('1')['web.yaml'],
    'templates/hook.yaml': hook,
  };
  const stage = await newStage(t, { files });
  const there = await newRemoteEnvironment(t, stage, 'there', 'there', '{namespace}-{environment}');
  const landing = `${stage.namespace}-${there.name}`;
  await newLanding(t, other, landing);
  const path = `/api/v1/namespaces/${landing}`;
  const label = async (tenant: string) => {
    const { status, body } = await other.request('PATCH', path, {
      body: { metadata: { labels: { 'towpath.dev/managed-for': tenant } } },
      contentType: 'application/merge-patch+json',
    });
    assert.equal(status, 200, body);
  };
  await label(stage.namespace);
  const account = await newAccount(other, `of-${stage.namespace}`);
  await storeKubeConfig(stage, 'there', kubeConfigOf(other, account));
  await stage.deployed('web', { environments: [{ name: there.name }] });

  await stage.operator.stop('SIGKILL');
  await label('victim');
  await stage.kubectl('delete', 'tapp', 'web', '--wait=false');
  await stage.restart();
  await stage.kubectl('wait', '--for=delete', 'tapp/web', '--timeout=30s');
  const [left = ''] = await toldOf(stage, 'web', 'HooksLeft');
  assert.match(
    left,
    /without its hook ConfigMap .*\/farewell \(pre-delete\): .* is for the Applications of vic/,
  );
  assert.equal((await other.request('GET', `${path}/configmaps/farewell`)).status, 404);
  assert.equal(await webIn(other, landing), undefined, 'what is recorded is deleted');
});

test('B5, D11: what ends while its cluster is replaced, and that is confirmed, ends without a hook in the new one, and is told as left behind in the former one', async (t) => {
  const other = await useOtherCluster();
  const hookOf = (event: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${event}, annotations: {"helm.sh/hook": ${event}}}\n`;
  const files = {
    'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'templates/web.yaml': configMap('1')['web.yaml'].replace('name: web', 'name: {{ .Release.Name }}'),
    'templates/hook.yaml': hookOf('pre-delete').replace('name: pre', 'name: {{ .Release.Name }}-pre'),
  };
  const stage = await newStage(t, { files });
  const here = await newEnvironment(t, stage, 'here');
  const there = await newRemoteEnvironment(t, stage, 'there');
  for (const cluster of [other, stage.cluster]) await newLanding(t, cluster, there.namespace);
  const account = await newAccount(other, `of-${stage.namespace}`);
  await storeKubeConfig(stage, 'there', kubeConfigOf(other, account));
  const entries = (...of: { name: string }[]) => ({ environments: of.map(({ name }) => ({ name })) });
  const revision = await stage.deployed('web', entries(here, there));
  await stage.application('api', entries(there));
  await stage.untilReadyAt('api', revision);
  const namesIn = async ({ request }: Pick<Cluster, 'request'>) => {
    const { body } = await request('GET', `/api/v1/namespaces/${there.namespace}/configmaps`);
    const { items } = JSON.parse(body) as { items: { metadata: { name: string } }[] };
    return items.map(({ metadata: { name } }) => name).filter((name) => name !== 'kube-root-ca.crt');
  };
  const before = await namesIn(other);
  assert.equal(before.length, 2, before.join());

  await stage.application('web', entries(here));
  await stage.until('web', (one) => environmentOf(one.status, there.name)?.pendingPrune, 'the question');
  const proxy = await startFaultProxy(stage.cluster);
  t.after(() => proxy.stop());
  const uid = '00000000-0000-4000-8000-000000000021';
  poseAs(proxy, uid);
  await storeKubeConfig(stage, 'there', proxy.kubeConfigFor(stage.cluster.adminToken));
  await untilEnvironment(stage, there, 'ClusterChanged');
  await stage.kubectl('delete', 'tapp', 'api', '--wait=false');
  for (const name of ['web', 'api']) {
    const lost = await stage.until(
      name,
      (one) => /another cluster than before/.test(environmentOf(one.status, there.name)?.message ?? ''),
      `${name} to say why it waits`,
    );
    const { sync, health } = environmentOf(lost.status, there.name) ?? {};
    assert.deepEqual([sync, health, lost.status?.health], ['Blocked', 'Unknown', 'Unknown'], name);
  }

  const confirm = `towpath.dev/cluster-confirmed=${uid}`;
  await stage.kubectl('annotate', '--overwrite', 'environment', there.name, confirm);
  await stage.kubectl('wait', '--for=delete', 'tapp/api', '--timeout=30s');
  await stage.until('web', (one) => environmentOf(one.status, there.name) === undefined, 'the entry to go');
  const stays =
    /^(Application|Environment) .* is gone\. Nothing was deleted in there-\S+, since its cluster was replaced: what the former cluster has stays there/;
  assert.match((await toldOf(stage, 'api', 'Deleted'))[0] ?? '', stays);
  assert.match((await toldOf(stage, 'web', 'EnvironmentLeft'))[0] ?? '', stays);
  assert.equal(
    timesLogged(stage.operator, /Objects are left behind\..*Replaced|Replaced.*Objects are left behind\./),
    2,
  );
  assert.deepEqual(await namesIn(stage.cluster), [], 'no hook was run');
  assert.deepEqual(await namesIn(other), before);
  await stage.application('web', entries(here, there));
  await stage.until(
    'web',
    (one) => environmentOf(one.status, there.name)?.sync === 'Synced',
    'it to be deployed anew when it is named again',
  );
  assert.equal((await namesIn(stage.cluster)).length, 1);
});

/** Whoever has taken over the account of the kubeconfig binds what is to be bound, where it is to be, and nothing else. */
async function bindsOnlyWhereItMay(t: TestContext, other: Cluster): Promise<void> {
  await make(other, '/api/v1/namespaces', {
    metadata: { name: 'for-shop', labels: { 'towpath.dev/managed-for': 'shop' } },
  });
  t.after(() => other.request('DELETE', '/api/v1/namespaces/for-shop'));
  const bind = async (namespace: string, { role = 'edit', subject = namespace } = {}) => {
    const input = JSON.stringify({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'towpath-managed', namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: 'towpath', namespace: subject }],
    });
    const as = '--as=system:serviceaccount:towpath-system:towpath-remote';
    const how = ['--server-side', '--dry-run=server', as, '-f', '-'];
    const { code, stderr } = await other.kubectl(['apply', ...how], { input });
    return code === 0 ? '' : stderr;
  };
  // The API server takes a moment to go by a new policy.
  await eventually(async () => /only in namespaces with the label/.test(await bind('kube-system')), {
    describe: 'kube-system to be refused',
  });
  assert.match(await bind(OPERATORS), /only in namespaces with the label/);
  assert.match(await bind('default'), /only in namespaces with the label/);
  assert.match(await bind('for-shop', { subject: 'default' }), /of that namespace alone/);
  assert.match(
    await bind('for-shop', { role: 'admin' }),
    /attempting to grant RBAC permissions|only the ClusterRoles/,
  );
  assert.equal(await bind('for-shop'), '');

  const namespaceWith = async (labels: Record<string, string>) => {
    const input = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'taken', labels: { 'towpath.dev/managed-for': 'shop', ...labels } },
    });
    const as = '--as=system:serviceaccount:towpath-system:towpath-remote';
    const { code, stderr } = await other.kubectl(['create', '--dry-run=server', as, '-f', '-'], { input });
    return code === 0 ? '' : stderr;
  };
  const level = 'pod-security.kubernetes.io/enforce';
  await eventually(async () => /level baseline of Pod Security or a stricter/.test(await namespaceWith({})), {
    describe: 'a namespace without a level to be refused',
  });
  assert.match(await namespaceWith({ [level]: 'privileged' }), /level baseline of Pod Security/);
  assert.equal(await namespaceWith({ [level]: 'baseline' }), '');
}

/** Makes a StorageClass, by which a claim waits for its first Pod; it goes with the test. */
async function newStorageClass(t: TestContext, cluster: Cluster, name: string): Promise<string> {
  const path = '/apis/storage.k8s.io/v1/storageclasses';
  t.after(() => cluster.request('DELETE', `${path}/${name}`));
  const volumeBindingMode = 'WaitForFirstConsumer';
  await make(cluster, path, { metadata: { name }, provisioner: 'example.com/none', volumeBindingMode });
  return name;
}

interface Labelled {
  metadata: { labels?: Record<string, string> };
}

/** A claim in a wave before that of all else. */
function claimBefore(storageClassName: string) {
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'dumps', annotations: { 'towpath.dev/wave': '-1' } },
    spec: { storageClassName, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  return { 'claim.yaml': JSON.stringify(claim) };
}

test('S16: the commands of docs/clusters.md make a kubeconfig with which access is managed and an Application deployed there, a claim that waits for its first Pod in it, and that can bind nothing else', async (t) => {
  const other = await useOtherCluster();
  const stage = await newStage(t);
  // What comes after a claim that no Pod uses yet, `web` here, does not wait for it.
  const storageClass = await newStorageClass(t, other, `later-${stage.namespace}`);
  await stage.repository.commit({ ...configMap('1'), ...claimBefore(storageClass) });
  const directory = temporaryDirectory('kubeconfig');
  const page = 'clusters.md';
  writeFileSync(join(directory, 'towpath-remote.yaml'), documented(page, 'kind: ClusterRole'));
  await runCommands(other, documented(page, 'kubectl apply -f towpath-remote.yaml'), directory);
  await runCommands(other, documented(page, 'create token', 'SERVER='), directory);
  await bindsOnlyWhereItMay(t, other);
  const inNamespace = (commands: string) =>
    runCommands(stage.cluster, commands.replaceAll('towpath-system', stage.namespace), directory);
  await inNamespace(documented(page, 'create secret generic eu', '--from-file=kubeconfig=eu.kubeconfig\n'));

  const name = `docs-${stage.namespace}`;
  const landing = `${stage.namespace}-${name}`;
  const written = documented(page, 'kind: Environment').replace('name: eu\n', `name: ${name}\n`);
  t.after(async () => {
    await stage.cluster.request('DELETE', `${ENVIRONMENTS}/${name}`);
    await other.request('DELETE', `/api/v1/namespaces/${landing}`);
  });
  const applied = await stage.cluster.kubectl(['apply', '-f', '-'], { input: written });
  assert.equal(applied.code, 0, applied.stderr);
  const revision = await stage.deployed('web', { environments: [{ name }] });
  assert.ok(revision);
  assert.equal((await webIn(other, landing))?.version, '1');
  const made = JSON.parse((await other.request('GET', `/api/v1/namespaces/${landing}`)).body) as Labelled;
  assert.equal(made.metadata.labels?.['pod-security.kubernetes.io/enforce'], 'baseline');
  const { status } = await untilEnvironment(stage, { name }, 'Available');
  assert.equal(status?.cluster?.context, 'eu');

  // Rotated as the page says it: the token is another one, and nothing is made anew.
  const before = await webIn(other, landing);
  const former = status?.cluster?.credentialExpiresAt;
  const shorter = documented(page, 'create token', 'SERVER=').replace('2160h', '1h');
  await runCommands(other, shorter, directory);
  await inNamespace(documented(page, 'eu.kubeconfig --dry-run=client'));
  const untilOtherThan = (expiresAt: string | undefined) =>
    eventually(
      async () => {
        const now = (await environment(stage, { name })).status?.cluster?.credentialExpiresAt;
        return now !== expiresAt && now;
      },
      { describe: 'the new token in the status' },
    );
  const byHand = await untilOtherThan(former);
  await renewAsCronJob(stage, other, page);
  await untilOtherThan(byHand);
  await stage.untilReadyAt('web', revision);
  assert.deepEqual(await webIn(other, landing), before);
});

/** Makes what the page has a CronJob need, and runs its script as the accounts that it names. */
async function renewAsCronJob(stage: Stage, other: Cluster, page: string): Promise<void> {
  const there = await other.kubectl(['apply', '-f', '-'], {
    input: documented(page, 'serviceaccounts/token'),
  });
  assert.equal(there.code, 0, there.stderr);
  const written = documented(page, 'kind: CronJob').replaceAll('towpath-system', stage.namespace);
  const here = await stage.cluster.kubectl(['apply', '-f', '-'], { input: written });
  assert.equal(here.code, 0, here.stderr);
  const cronJob = JSON.parse(await stage.kubectl('get', 'cronjob', 'towpath-renew-eu', '-o', 'json')) as {
    spec: { jobTemplate: { spec: { template: { spec: { containers: { args: string[] }[] } } } } };
  };
  const [script = ''] = cronJob.spec.jobTemplate.spec.template.spec.containers[0]?.args ?? [];
  const directory = temporaryDirectory('renewed');
  const stored = await stage.kubectl('get', 'secret', 'eu', '-o', 'jsonpath={.data.kubeconfig}');
  writeFileSync(join(directory, 'kubeconfig'), Buffer.from(stored, 'base64'));
  const kubeconfigPath = join(directory, 'own');
  const token = (await stage.kubectl('create', 'token', 'towpath-renew')).trim();
  writeFileSync(kubeconfigPath, kubeConfigText({ ...stage.cluster, token }));
  const commands = script
    .replaceAll('/eu/', `${directory}/`)
    .replaceAll('/tmp/kubeconfig', `${directory}/renewed`)
    // The account in the other cluster stands where the page has it.
    .replace(`-n ${stage.namespace} create token`, '-n towpath-system create token');
  await runCommands({ ...stage.cluster, kubeconfigPath }, commands, directory);
}
