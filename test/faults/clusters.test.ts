import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newEnvironment } from '../harness/environments.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { newStage } from '../harness/operator.ts';
import {
  ENVIRONMENTS,
  newAccount,
  newLanding,
  newRemoteEnvironment,
  OPERATORS,
  storeKubeConfig,
  useOtherCluster,
} from '../harness/other-cluster.ts';
import { median, scaled } from '../harness/slowness.ts';
import { eventually } from '../harness/wait.ts';

const SAMPLES = 5;
/** Of the machine's own unrest in what takes a fraction of a second. */
const ALLOWANCE_MS = 150;

const configMap = (name: string, version: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {version: "${version}"}\n`;

const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {is: one}\n';

/** Another cluster behind a proxy that does harm, and an environment here, of one Application. */
async function newWeb(t: TestContext) {
  const other = await useOtherCluster();
  const proxy = await startFaultProxy(other);
  t.after(() => proxy.stop());
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', '0'), 'secret.yaml': SECRET } });
  const here = await newEnvironment(t, stage, 'here');
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, other, there.namespace);
  const kubeConfig = proxy.kubeConfigFor(await newAccount(other, stage.namespace));
  await storeKubeConfig(stage, 'there', kubeConfig);
  const environments = [{ name: here.name }, { name: there.name }];
  await stage.deployed('web', { environments });
  return { stage, other, proxy, here, there, kubeConfig };
}

test('A3: a cluster that hangs does not slow down the same Application elsewhere, and catches up', async (t) => {
  const { stage, other, proxy, here, there } = await newWeb(t);
  const versionIn = async (cluster: typeof stage.cluster, namespace: string) => {
    const { body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
    return (JSON.parse(body) as { data?: { version?: string } }).data?.version;
  };
  let version = 0;
  const sync = async () => {
    version += 1;
    const wanted = String(version);
    await stage.repository.commit({ 'web.yaml': configMap('web', wanted) });
    const asked = performance.now();
    await stage.requestSync('web');
    await eventually(async () => (await versionIn(stage.cluster, here.namespace)) === wanted, {
      every: 20,
      within: 60_000,
      describe: `version ${wanted} here; operator: ${stage.operator.process.logTail(5)}`,
    });
    return performance.now() - asked;
  };
  const sample = async () => {
    const times: number[] = [];
    for (let count = 0; count < SAMPLES; count += 1) times.push(await sync());
    return median(times);
  };
  await sync();
  const before = await sample();
  proxy.fail({ fault: 'hang' });
  proxy.stallWatches();
  // Whether that cluster refuses the commit in principle is waited for once, for five seconds at most.
  const first = await sync();
  assert.ok(first < 5_000 + before * 1.5 + scaled(ALLOWANCE_MS), `${first} ms, and ${before} ms before`);
  const atOnce = await sample();
  await stage.until(
    'web',
    ({ status }) =>
      status?.environments?.some(({ blockedBy }) => blockedBy?.[0]?.reason === 'ClusterUnreachable'),
    'the Application to tell of the cluster',
  );
  const whileTold = await sample();
  t.diagnostic(
    `median of ${SAMPLES}: ${before.toFixed(0)} ms before, ${atOnce.toFixed(0)} ms when it began to hang, ${whileTold.toFixed(0)} ms when that was told`,
  );
  for (const during of [atOnce, whileTold])
    assert.ok(during < before * 1.5 + scaled(ALLOWANCE_MS), `${during} ms, and ${before} ms before`);
  proxy.clear();
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  assert.equal(await versionIn(other, there.namespace), String(version));
});

test('B7: Environments with the same kubeconfig share its watches, and one with another account has its own', async (t) => {
  const { stage, other, proxy, kubeConfig } = await newWeb(t);
  const open = async (expected: number, describe: string) => {
    const paths = () => proxy.find({ verb: 'watch' }).map(({ path }) => path);
    await eventually(() => proxy.openWatches() === expected, {
      within: 30_000,
      describe: `${expected} watches ${describe}; ${proxy.openWatches()} of ${paths().join(' ')}`,
    });
  };
  const add = async (suffix: string, secret: string) => {
    const more = await newRemoteEnvironment(t, stage, suffix, secret);
    await newLanding(t, other, more.namespace);
    await stage.deployed(suffix, { environments: [{ name: more.name }] });
  };
  // Definitions, autoscalers, ConfigMaps; and Secrets in each namespace.
  await open(3 + 1, 'of one Environment');
  await add('same', 'there');
  await open(3 + 2, 'with one more of the same Secret');
  await storeKubeConfig(stage, 'copied', kubeConfig);
  await add('copied', 'copied');
  await open(3 + 3, 'with one whose Secret has the same content');

  const account = await newAccount(other, `${stage.namespace}-own`);
  await storeKubeConfig(stage, 'own', proxy.kubeConfigFor(account));
  await add('own', 'own');
  await open(6 + 3 + 1, 'with one of another account');
  const blind = await newAccount(other, `${stage.namespace}-blind`, [OPERATORS]);
  await storeKubeConfig(stage, 'blind', proxy.kubeConfigFor(blind));
  await add('blind', 'blind');
  // Definitions; and autoscalers, ConfigMaps, Secrets in each namespace.
  await open(10 + 1 + 3, 'with one whose account may list nothing everywhere');

  for (const gone of ['own', 'blind']) {
    await stage.kubectl('delete', 'application', gone);
    await stage.cluster.request('DELETE', `${ENVIRONMENTS}/${gone}-${stage.namespace}`);
  }
  await open(6, 'when nobody uses these two any more');
});
