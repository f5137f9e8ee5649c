import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment } from '../harness/environments.ts';
import { type FaultProxy, type RecordedRequest, startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import {
  ENVIRONMENTS,
  newAccount,
  newLanding,
  newRemoteEnvironment,
  OPERATORS,
  storeKubeConfig,
  useOtherCluster,
} from '../harness/other-cluster.ts';
import { inWords, isWrite, newProxiedStage, watchesForApplications } from '../harness/proxied-stage.ts';
import { median, scaled } from '../harness/slowness.ts';
import { eventually } from '../harness/wait.ts';
import { chartOf, hookJob, configMap as objectOf } from '../integration/steps.ts';

/** Of each state of the cluster that hangs. */
const SAMPLES = 5;
/** How long a cluster that is slow takes for each request; one that is out of reach takes longer. */
const SLOW_MS = 3_000;
/** So long an environment waits for what the others say of a commit. */
const OTHERS_MS = 2_000;
/** Of the machine's own unrest in what takes a fraction of a second. */
const UNREST_MS = 150;
/** Applications in each of two environments, and commits that all of them follow. */
const APPLICATIONS = 4;
const COMMITS = 4;

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

test('A3: a cluster that hangs slows down no other environment of the same Application, and catches up', async (t) => {
  const { stage, other, proxy, here, there } = await newWeb(t);
  let version = 0;
  const sync = async () => {
    version += 1;
    const revision = await stage.repository.commit({ 'web.yaml': configMap('web', String(version)) });
    const asked = performance.now();
    await stage.requestSync('web');
    await eventually(async () => (await versionIn(stage.cluster, here.namespace)) === String(version), {
      every: 20,
      describe: `version ${version} here; operator: ${stage.operator.process.logTail(5)}`,
    });
    return { took: performance.now() - asked, revision };
  };
  const sample = async () => {
    const times: number[] = [];
    for (let count = 0; count < SAMPLES; count += 1) times.push((await sync()).took);
    return median(times);
  };
  await sync();
  const before = await sample();
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  const last = version;
  const { promise: until, resolve: answer } = Promise.withResolvers<void>();
  t.after(() => answer());
  const silence = proxy.fail({ fault: { until } });
  // Whether that cluster refuses the commit in principle is waited for, once.
  const { took: first } = await sync();
  const during = await sample();
  t.diagnostic(
    `median of ${SAMPLES}: ${before.toFixed(0)} ms before, ${during.toFixed(0)} ms while it hangs, the first ${first.toFixed(0)} ms`,
  );
  assert.ok(silence.met > 0, 'it hangs');
  assert.ok(first < before + scaled(4_000), `${first} ms, and ${before} ms before`);
  assert.ok(during < before * 1.5 + scaled(UNREST_MS), `${during} ms, and ${before} ms before`);
  assert.equal(await versionIn(other, there.namespace), String(last), 'nothing reached that cluster');
  silence.remove();
  answer();
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  assert.equal(await versionIn(other, there.namespace), String(version));
});

test('A3: a cluster that is slow delays only its own environment, which says that it is on its way and then is', async (t) => {
  const { stage, other, proxy, here, there } = await newWeb(t);
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  // Each request: a look there takes several of them, and so does the question who is there.
  const slow = proxy.fail({ fault: { latencyMs: SLOW_MS } });
  const times: number[] = [];
  for (const version of ['1', '2', '3']) {
    await stage.repository.commit({ 'web.yaml': configMap('web', version) });
    const asked = performance.now();
    await stage.requestSync('web');
    await eventually(async () => (await versionIn(stage.cluster, here.namespace)) === version, {
      every: 20,
      describe: `version ${version} here; operator: ${stage.operator.process.logTail(5)}`,
    });
    times.push(performance.now() - asked);
  }
  const last = await stage.repository.revParse('main');
  t.diagnostic(`here after ${times.map((one) => one.toFixed(0)).join(', ')} ms`);
  // What that cluster thinks of a commit is waited for two seconds at most: there it takes some requests to say so.
  const longest = Math.max(...times);
  assert.ok(longest < OTHERS_MS + scaled(1_500), `${longest} ms, of which ${OTHERS_MS} are waited`);
  const underWay = await stage.until(
    'web',
    ({ status }) => environmentOf(status, there.name)?.sync === 'Syncing',
    'the slow one to say that it is on its way',
  );
  assert.equal(environmentOf(underWay.status, here.name)?.sync, 'Synced');
  assert.equal(environmentOf(underWay.status, here.name)?.revision, last);
  await stage.untilReadyAt('web', last, 120_000);
  assert.equal(await versionIn(other, there.namespace), '3');
  assert.ok(slow.met > 0);
  const { body } = await stage.cluster.request('GET', `${ENVIRONMENTS}/${there.name}`);
  assert.match(body, /"reachable":true/, 'slow is not out of reach');
});

/** One of two environments of the same API server, with an account and Applications of its own. */
interface Side {
  name: string;
  namespace: string;
  /** As the proxy sees them: the one at first, and the one that takes its place. */
  tokens: string[];
  applications: string[];
}

async function newSide(
  t: TestContext,
  { stage, other, proxy }: { stage: Stage; other: Parameters<typeof newAccount>[0]; proxy: FaultProxy },
  suffix: string,
): Promise<Side> {
  const { name, namespace } = await newRemoteEnvironment(t, stage, suffix);
  await newLanding(t, other, namespace);
  const token = await newAccount(other, `${stage.namespace}-${suffix}`);
  await storeKubeConfig(stage, suffix, proxy.kubeConfigFor(token));
  const applications = Array.from({ length: APPLICATIONS }, (_, index) => `${suffix}-${index}`);
  return { name, namespace, tokens: [token], applications };
}

function sentWith(proxy: FaultProxy, token: string | undefined): RecordedRequest[] {
  return proxy.find({ where: ({ authorization }) => authorization === `Bearer ${token}` });
}

/** Requests about the namespace of one side, or as its account there, by a token that is not its own. */
function crossing(requests: readonly RecordedRequest[], sides: readonly Side[]): string[] {
  return requests
    .filter(({ path, impersonate, authorization }) => {
      const of = sides.filter(
        ({ namespace }) =>
          `${path}/`.includes(`/namespaces/${namespace}/`) || impersonate.includes(`:${namespace}:`),
      );
      return of.some(({ tokens }) => !tokens.includes(authorization.replace(/^Bearer /, '')));
    })
    .map(({ verb, path, impersonate }) => `${verb} ${path} as ${impersonate}`);
}

test('B7: of two Environments on one API server no call is made with the account of the other one, also while one is rotated', async (t) => {
  const other = await useOtherCluster();
  const proxy = await startFaultProxy(other);
  t.after(() => proxy.stop());
  const stage = await newStage(t);
  const parts = { stage, other, proxy };
  const sides = [await newSide(t, parts, 'one'), await newSide(t, parts, 'two')] as const;
  const [one] = sides;
  const files = (version: number) => ({
    'all/Chart.yaml': 'apiVersion: v2\nname: all\nversion: 1.0.0\n',
    'all/templates/one.yaml': configMap('"{{ .Release.Name }}"', String(version)),
    'all/templates/secret.yaml': SECRET.replace('{name: web}', '{name: "{{ .Release.Name }}"}'),
  });
  await stage.repository.commit(files(0));
  for (const { name, applications } of sides)
    for (const application of applications)
      await stage.application(application, { source: { path: 'all' }, environments: [{ name }] });
  let head = await stage.repository.revParse('main');
  const all = sides.flatMap(({ applications }) => applications);
  for (const application of all) await stage.untilReadyAt(application, head);

  const drift = async ({ namespace, applications }: Side) => {
    for (const application of applications)
      await other.request('DELETE', `/api/v1/namespaces/${namespace}/configmaps/${application}`);
  };
  for (let version = 1; version <= COMMITS; version += 1) {
    head = await stage.repository.commit(files(version));
    await Promise.all([...all.map((application) => stage.requestSync(application)), ...sides.map(drift)]);
    if (version !== COMMITS / 2) continue;
    one.tokens.push(await newAccount(other, `${stage.namespace}-one-2`));
    await storeKubeConfig(stage, 'one', proxy.kubeConfigFor(one.tokens.at(-1) ?? ''));
    await eventually(() => sentWith(proxy, one.tokens.at(-1)).length > 0, { describe: 'the new account' });
  }
  for (const application of all) await stage.untilReadyAt(application, head);
  assert.deepEqual(crossing(proxy.requests, sides), []);
  for (const { name, namespace, tokens } of sides)
    for (const token of tokens) {
      const writes = sentWith(proxy, token).filter((request) => isWrite(request) && !request.dryRun);
      assert.ok(
        writes.length >= APPLICATIONS,
        `${writes.length} writes of an account of ${name}, which lands in ${namespace}`,
      );
    }
});

test('D11, B6: of a cluster that is gone for good an Application is let go by a word, with a hook that is under way, and leaves nothing here', async (t) => {
  const other = await useOtherCluster();
  const proxy = await startFaultProxy(other);
  t.after(() => proxy.stop());
  const files = chartOf('web', [objectOf('web'), hookJob('hook', 'post-install')]);
  const { stage, proxy: home } = await newProxiedStage(t, { files });
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, other, there.namespace);
  await storeKubeConfig(stage, 'there', proxy.kubeConfigFor(await newAccount(other, stage.namespace)));
  const finalizers = async () => {
    const { body } = await stage.cluster.request('GET', `${ENVIRONMENTS}/${there.name}`);
    return (JSON.parse(body) as { metadata: { finalizers?: string[] } }).metadata.finalizers;
  };
  const liveThere = async (path: string) =>
    (await other.request('GET', path.replace('NAMESPACE', there.namespace))).status === 200;
  await stage.application('web', { source: { path: 'web' }, environments: [{ name: there.name }] });
  // No node runs it.
  await eventually(() => liveThere('/apis/batch/v1/namespaces/NAMESPACE/jobs/hook'), {
    describe: 'the hook to be under way',
  });
  await eventually(async () => (await finalizers())?.length === 1, {
    describe: 'the finalizer of Environments in use',
  });

  await stage.kubectl('delete', 'secret', 'there');
  const lost = (reason: string) =>
    stage.until(
      'web',
      (one) => conditionOf(one, 'Ready')?.reason === reason,
      `the Application to say ${reason}`,
    );
  await lost('KubeConfigMissing');
  await eventually(() => proxy.openWatches() === 0, { describe: 'all watches of that cluster to end' });
  await stage.kubectl('delete', 'tapp', 'web', '--wait=false');
  const waiting = await lost('DeletionFailed');
  const message = conditionOf(waiting, 'Ready')?.message ?? '';
  assert.ok(message.includes(`annotate towpath.dev/abandon=${there.name}`), message);
  proxy.forget();
  await stage.kubectl('annotate', 'tapp', 'web', `towpath.dev/abandon=${there.name}`);
  await stage.kubectl('wait', '--for=delete', 'tapp/web', '--timeout=30s');

  const secrets = async () => (await stage.kubectl('get', 'secrets', '-o', 'name')).trim();
  await eventually(async () => (await secrets()) === '', {
    describe: `no record to be left: ${await secrets()}`,
  });
  await eventually(async () => (await finalizers()) === undefined, {
    describe: 'the Environment to be free',
  });
  await stage.cluster.request('DELETE', `${ENVIRONMENTS}/${there.name}`);
  await eventually(() => watchesForApplications(home) === 0, {
    describe: `no watch to be left; ${home.find({ verb: 'watch' }).map(({ path }) => path)}`,
  });
  assert.deepEqual(inWords(proxy.requests), [], 'that cluster was asked nothing any more');
  assert.ok(await liveThere('/api/v1/namespaces/NAMESPACE/configmaps/web'), 'what it has stays');
  assert.ok(await liveThere('/apis/batch/v1/namespaces/NAMESPACE/jobs/hook'));
});

async function versionIn(
  cluster: Pick<Stage['cluster'], 'request'>,
  namespace: string,
): Promise<string | undefined> {
  const { body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
  return (JSON.parse(body) as { data?: { version?: string } }).data?.version;
}
