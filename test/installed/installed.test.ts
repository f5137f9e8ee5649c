import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { NEXT_VERSION, nextRelease } from '../../hack/image/next-release.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { type GitHttpServer, startGitHttp } from '../harness/git-http.ts';
import { createRepository, type GitRepository } from '../harness/git-repository.ts';
import { helm } from '../harness/helm.ts';
import { NODE_ADDRESS, prepareNetwork, type RealNode, startNode } from '../harness/real-node.ts';
import { eventually } from '../harness/wait.ts';
import { drainAndReturn } from './drain.ts';
import {
  assertEndsInOrder,
  assertRestarted,
  endLeader,
  freeze,
  mayNot,
  SYSTEM,
  startRedirect,
} from './in-the-pod.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { definitionOf, imageValues, settledObjects, untilShown } from './releases.ts';
import { IMAGES_VARIABLE, TAG, WITHOUT_NODE_VARIABLE } from './variables.ts';
import { webOf } from './web.ts';

const missing = process.env[WITHOUT_NODE_VARIABLE];
const archives = process.env[IMAGES_VARIABLE];
const skip = missing ?? (archives === undefined ? 'Start it by make e2e.' : false);

const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const images = { image: `towpath:${TAG}`, notifyImage: `towpath-notify:${TAG}` };
const today = {
  ...images,
  chart: join(root, 'charts/towpath'),
  notifyChart: join(root, 'examples/notify/chart'),
};
const next = nextRelease(archives ?? '', images);

let controlPlane: ControlPlane;
let node: RealNode;
let git: GitHttpServer;
let repository: GitRepository;
let posts: Receiver;

const web = (text: string) => webOf(images.image, text);

const RUNNING = 'jsonpath={.items[?(@.status.phase=="Running")].spec.containers[0].image}';

async function kubectl(...args: string[]): Promise<string> {
  const result = await controlPlane.kubectl(args);
  assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
  return result.stdout.trim();
}

async function run(...args: string[]): Promise<string> {
  const result = await helm(...args, '--kubeconfig', controlPlane.kubeconfigPath);
  if (result.code === 0) return result.stdout;
  const pods = await kubectl(...SYSTEM, 'get', 'pods,events');
  const selector = '--selector=app.kubernetes.io/name=towpath';
  const logs = await controlPlane.kubectl([...SYSTEM, 'logs', selector, '--tail=20', '--prefix']);
  throw new Error(`helm ${args.join(' ')}: ${result.stderr}\n${pods}\n${logs.stdout}${logs.stderr}`);
}

/** What somebody reads who opens the page. */
async function answer(): Promise<string> {
  const address = await kubectl('-n', 'shop', 'get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
  return (await fetch(`http://${address}/`, { signal: AbortSignal.timeout(2_000) })).text();
}

async function untilAnswers(text: string): Promise<void> {
  await eventually(async () => (await answer()) === text, { within: 60_000, describe: `the answer ${text}` });
  const ready = ['wait', '--for=condition=Ready', 'applications.towpath.dev/web', '--timeout=60s'];
  await kubectl('-n', 'shop', ...ready);
}

async function applyApplication(
  name: string,
  namespace: string,
  source: object,
  spec = {},
  annotations = {},
) {
  const application = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace, annotations },
    spec: { ...spec, source: { repoURL: git.url(repository.name), interval: '1s', ...source } },
  };
  const applied = await controlPlane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(application) });
  assert.equal(applied.code, 0, applied.stderr);
}

/** The files of a directory, as they are committed below another one. */
function filesOf(directory: string, below: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const paths = files.map((file) => join(file.parentPath, file.name));
  const texts = paths.map((path) => [`${below}/${relative(directory, path)}`, readFileSync(path, 'utf8')]);
  return Object.fromEntries(texts);
}

/** Of all objects of the shop the versions, when none of them changes by itself any more. */
async function versions(): Promise<Record<string, string>> {
  await kubectl('-n', 'shop', 'rollout', 'status', 'deployment/web', '--timeout=60s');
  const pods = () => kubectl('-n', 'shop', 'get', 'pods', '-o', 'name');
  await eventually(async () => (await pods()).split('\n').length === 2, { describe: 'the old Pods to go' });
  const all = await settledObjects(kubectl, 'shop');
  for (const name of ['Application web', 'Pod', 'EndpointSlice', 'PriorityClass shop-web'])
    assert.ok(
      Object.keys(all).some((key) => key.startsWith(name)),
      name,
    );
  return all;
}

const setting = ({ image }: { image: string }) =>
  Object.entries(imageValues(image)).map(([key, value]) => `--set=image.${key}=${value}`);
const waiting = ['--wait', '--timeout=120s'];

const install = (...more: string[]) =>
  run('install', 'towpath', today.chart, ...SYSTEM, ...setting(today), ...waiting, ...more);

/** The Lease names its holder by the Pod's name and what tells a process from the one before it. */
async function podOfLeader(): Promise<string> {
  const holder = await kubectl(...SYSTEM, 'get', 'lease', 'towpath', '-o', 'jsonpath={.spec.holderIdentity}');
  return holder.replace(/-[^-]+$/, '');
}

before(async () => {
  if (skip !== false || archives === undefined) return;
  prepareNetwork();
  controlPlane = await startControlPlane({ nodeAddress: NODE_ADDRESS });
  node = await startNode(controlPlane, join(archives, 'pause.tar'));
  for (const image of ['towpath', 'notify']) node.load(join(archives, `${image}.tar`));
  posts = await startReceiver();
  repository = await createRepository({ files: { 'web/web.yaml': web('one') } });
  git = await startGitHttp({ root: repository.root, host: NODE_ADDRESS });
});

after(async () => {
  await git?.stop();
  posts?.stop();
  await node?.stop();
  await controlPlane?.stop();
});

test('I2: installed by helm, it deploys what runs and answers on a real node', { skip }, async (t) => {
  let failed = '';
  // Each stands on the one before.
  const step = (name: string, work: () => Promise<void>) =>
    t.test(name, async () => {
      assert.equal(failed, '', 'an earlier step failed');
      failed = name;
      await work();
      failed = '';
    });
  await step('I1: two Pods run under the restricted Pod Security level', async () => {
    await kubectl('create', 'namespace', 'towpath-system');
    await kubectl('label', 'namespace', 'towpath-system', 'pod-security.kubernetes.io/enforce=restricted');
    await install();
    const pods = await kubectl(...SYSTEM, 'get', 'pods');
    assert.equal(pods.match(/1\/1 +Running +0/g)?.length, 2, pods);
    assert.match(await podOfLeader(), /^towpath-/);
    const tested = await run('test', 'towpath', ...SYSTEM, '--logs', '--timeout=120s');
    assert.match(tested, /is ready and leads\./);
  });

  await step('an Application comes up, and answers over its Service', async () => {
    await kubectl('create', 'namespace', 'shop');
    await kubectl('label', 'namespace', 'shop', 'pod-security.kubernetes.io/enforce=restricted');
    await kubectl('-n', 'shop', 'create', 'serviceaccount', 'towpath');
    const subject = '--serviceaccount=shop:towpath';
    await kubectl('-n', 'shop', 'create', 'rolebinding', 'towpath', '--clusterrole=edit', subject);
    const classes = ['--verb=*', '--resource=priorityclasses.scheduling.k8s.io'];
    await kubectl('create', 'clusterrole', 'priorities', ...classes);
    await kubectl('create', 'clusterrolebinding', 'priorities', '--clusterrole=priorities', subject);
    await applyApplication('web', 'shop', { path: 'web' });
    await untilAnswers('one');
  });

  await step('a push replaces the Pods', async () => {
    await repository.commit({ 'web/web.yaml': web('two') });
    await untilAnswers('two');
  });

  await step('S15: it has the rights of the chart, and no more', () => mayNot(kubectl));

  await step('S11: what leads to a metadata service or into the Pod itself is not asked', async () => {
    const redirect = await startRedirect();
    const cases = [
      ['address', 'http://169.254.169.254/x.git', 'AddressRefused'],
      ['name', 'http://localhost:8081/x.git', 'AddressRefused'],
      ['redirect', redirect.url, 'RedirectRefused'],
    ] as const;
    try {
      for (const [name, repoURL, refusal] of cases) {
        await applyApplication(name, 'shop', { repoURL });
        const reason = 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}';
        const get = ['get', 'applications.towpath.dev', name, '-o', reason];
        await eventually(async () => (await kubectl('-n', 'shop', ...get)) === refusal, {
          describe: `the refusal of ${repoURL}`,
        });
        await kubectl('-n', 'shop', 'delete', 'applications.towpath.dev', name, '--timeout=60s');
      }
    } finally {
      redirect.stop();
    }
  });

  await step(
    'another operator is deployed, is healthy as it says itself, and leaves after what it looks after',
    async () => {
      await kubectl('create', 'namespace', 'notices');
      await kubectl('-n', 'notices', 'create', 'serviceaccount', 'towpath');
      const admin = ['--clusterrole=cluster-admin', '--serviceaccount=notices:towpath'];
      await kubectl('create', 'clusterrolebinding', 'notices', ...admin);
      await repository.commit(filesOf(today.notifyChart, 'notify'));
      const deploy = ({ notifyImage }: typeof images, notice: object) => {
        const values = { image: imageValues(notifyImage), notice };
        return applyApplication('notify', 'notices', { path: 'notify' }, { helm: { values } });
      };
      const healthOf = () =>
        kubectl('-n', 'notices', 'get', 'applications.towpath.dev', 'notify', '-o', 'jsonpath={.status}');

      // Until its posts are taken its Notice is not Ready, and so is not the Application.
      posts.status = 503;
      await deploy(today, { url: posts.url, namespace: 'shop' });
      await eventually(async () => /answered 503. It is tried again/.test(await healthOf()), {
        within: 60_000,
        describe: 'the reason of the Notice in the status of the Application',
      });
      posts.status = 200;
      const wait = ['wait', '--for=condition=Ready', 'applications.towpath.dev/notify', '--timeout=60s'];
      await kubectl('-n', 'notices', ...wait);
      const told = JSON.stringify({ application: 'shop/web', word: 'Ready' }).slice(1, -1);
      await eventually(() => posts.received.some((post) => post.includes(told)), { describe: 'a post' });

      // Its next release, with another image and definition, which tells of another push.
      assert.equal(await definitionOf(kubectl, 'notices.notify.example.com'), '');
      await repository.commit(filesOf(next.notifyChart, 'notify'));
      await deploy(next, { url: posts.url, namespace: 'shop', applications: ['web'] });
      await eventually(
        async () =>
          (await definitionOf(kubectl, 'notices.notify.example.com')) === `Since ${NEXT_VERSION}.` &&
          (await kubectl('-n', 'notices', 'get', 'pods', '-o', RUNNING)) ===
            `docker.io/library/${next.notifyImage}`,
        { describe: 'the next release of the other operator' },
      );
      await kubectl('-n', 'notices', ...wait);
      posts.received.length = 0;
      await repository.commit({ 'web/web.yaml': web('two and a half') });
      await untilAnswers('two and a half');
      const ofNext = JSON.stringify({ version: NEXT_VERSION }).slice(1, -1);
      await eventually(() => posts.received.some((post) => post.includes(told) && post.includes(ofNext)), {
        describe: 'a post of the push',
      });
      await kubectl('-n', 'notices', ...wait);

      await kubectl('-n', 'notices', 'delete', 'applications.towpath.dev', 'notify', '--timeout=60s');
      assert.match(posts.received.at(-1) ?? '', /"farewell":true/);
      assert.equal(await kubectl('-n', 'notices', 'get', 'deployments', '-o', 'name'), '');
    },
  );

  await step('S13: a push that a webhook tells of is deployed long before the next poll', async () => {
    const secret = randomBytes(32).toString('hex');
    await kubectl(
      ...SYSTEM,
      ...['create', 'secret', 'generic', 'towpath-webhooks', `--from-literal=generic=${secret}`],
    );
    const on = '--set=webhooks.enabled=true';
    await run('upgrade', 'towpath', today.chart, ...SYSTEM, ...setting(today), on, ...waiting);
    const configMap = (text: string) => ({
      'config.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hooked}\ndata: {text: ${text}}\n`,
    });
    const hooked = await createRepository({
      root: repository.root,
      name: 'hooked.git',
      files: configMap('before'),
    });
    const repoURL = git.url(hooked.name);
    await applyApplication('hooked', 'shop', { repoURL, interval: '1h' });
    const ready = ['wait', '--for=condition=Ready', 'applications.towpath.dev/hooked', '--timeout=60s'];
    await kubectl('-n', 'shop', ...ready);
    await hooked.commit(configMap('after'));
    const body = JSON.stringify({ repository: repoURL });
    const deliver = async (key: string) => {
      const signature = createHmac('sha256', key).update(body).digest('hex');
      const where = [
        'get',
        'service',
        'towpath-webhooks',
        '-o',
        'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}',
      ];
      const address = await kubectl(...SYSTEM, ...where);
      const headers = { 'x-signature': `sha256=${signature}` };
      return (await fetch(`http://${address}/generic`, { method: 'POST', body, headers })).status;
    };
    assert.equal(await deliver('another secret of somebody'), 401);
    // Whichever replica gets it.
    for (let count = 0; count < 4; count += 1) assert.equal(await deliver(secret), 200);
    const text = ['get', 'configmap', 'hooked', '-o', 'jsonpath={.data.text}'];
    await eventually(async () => (await kubectl('-n', 'shop', ...text)) === 'after', {
      describe: 'the push',
    });
    await kubectl('-n', 'shop', 'delete', 'applications.towpath.dev', 'hooked', '--timeout=60s');
  });

  await step('D8: the leader is killed, and another one acts', async () => {
    const leader = await podOfLeader();
    await kubectl(...SYSTEM, 'delete', 'pod', leader, '--force', '--grace-period=0');
    await repository.commit({ 'web/web.yaml': web('three') });
    await untilAnswers('three');
    assert.notEqual(await podOfLeader(), leader);
    await kubectl(...SYSTEM, 'rollout', 'status', 'deployment/towpath', '--timeout=60s');
  });

  await step('A7: a leader that is asked to end does so at once, and another one acts', async () => {
    assertEndsInOrder(await endLeader(kubectl, podOfLeader));
    await kubectl(...SYSTEM, 'rollout', 'status', 'deployment/towpath', '--timeout=60s');
  });

  await step('A9: a process that is stuck is not ready, and is started anew', async () => {
    const leader = await podOfLeader();
    const pods = await kubectl(...SYSTEM, 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}');
    const follower = pods.split(' ').find((name) => name !== leader) ?? '';
    await freeze(kubectl, follower);
    await assertRestarted(kubectl, follower);
  });

  await step(
    'I3: the next release brings its image and its definition, and changes no object of a user',
    async () => {
      await untilShown(run, kubectl, { version, ...today });
      assert.equal(await definitionOf(kubectl), version);
      const before = await versions();
      await run('upgrade', 'towpath', next.chart, ...SYSTEM, ...setting(next), ...waiting);
      await untilShown(run, kubectl, { version: NEXT_VERSION, ...next });
      await eventually(
        async () => (await definitionOf(kubectl)) === `${NEXT_VERSION} Since ${NEXT_VERSION}.`,
        {
          describe: 'the definition of the next release',
        },
      );
      assert.deepEqual(await versions(), before);
      await repository.commit({ 'web/web.yaml': web('three and a half') });
      await untilAnswers('three and a half');
    },
  );

  await step(
    'I3: a rollback changes no object of a user, and takes nothing from the definition',
    async () => {
      const before = await versions();
      await run('rollback', 'towpath', '1', ...SYSTEM, ...waiting);
      await untilShown(run, kubectl, { version, ...today });
      assert.deepEqual(await versions(), before);
      await repository.commit({ 'web/web.yaml': web('four') });
      await untilAnswers('four');
      // It leads by now, and would have brought its own.
      assert.equal(await definitionOf(kubectl), `${NEXT_VERSION} Since ${NEXT_VERSION}.`);
    },
  );

  await step('I3: uninstalled, all runs on; installed anew, it goes on', async () => {
    const before = await versions();
    await run('uninstall', 'towpath', ...SYSTEM, '--wait', '--timeout=60s');
    assert.deepEqual(await versions(), before);
    assert.equal(await answer(), 'four');
    // The definition that is left is newer than the chart's, and Helm would take that for a conflict.
    await install('--skip-crds');
    await repository.commit({ 'web/web.yaml': web('five') });
    await untilAnswers('five');
  });

  await step(
    'a drain of the node takes one replica after the other, and waits as long as only one is left',
    async () => {
      await drainAndReturn(controlPlane, node.name, kubectl, podOfLeader);
      await untilAnswers('five');
    },
  );

  await step('I2: it takes over itself, upgrades itself to the next release, and goes on', async () => {
    await kubectl(...SYSTEM, 'create', 'serviceaccount', 'towpath');
    const admin = ['--clusterrole=cluster-admin', '--serviceaccount=towpath-system:towpath'];
    await kubectl('create', 'clusterrolebinding', 'towpath-itself', ...admin);
    const shown =
      'jsonpath={.metadata.labels.app\\.kubernetes\\.io/version} {.spec.template.spec.containers[0].image}';
    for (const release of [today, next]) {
      await repository.commit(filesOf(release.chart, 'chart'));
      await applyApplication(
        ...(['towpath', 'towpath-system', { path: 'chart' }] as const),
        { helm: { values: { image: imageValues(release.image) } }, deletionPolicy: 'Orphan' },
        { 'towpath.dev/adopt': 'true' },
      );
      const wanted = `${release === next ? NEXT_VERSION : version} docker.io/library/${release.image}`;
      await eventually(
        async () => (await kubectl(...SYSTEM, 'get', 'deployment', 'towpath', '-o', shown)) === wanted,
        {
          describe: `the Deployment of ${wanted}`,
        },
      );
      await kubectl(...SYSTEM, 'rollout', 'status', 'deployment/towpath', '--timeout=60s');
      const ready = ['--for=condition=Ready', 'applications.towpath.dev/towpath', '--timeout=60s'];
      await kubectl(...SYSTEM, 'wait', ...ready);
    }
    assert.equal(await definitionOf(kubectl), `${NEXT_VERSION} Since ${NEXT_VERSION}.`);
    await repository.commit({ 'web/web.yaml': web('six') });
    await untilAnswers('six');
    await kubectl(...SYSTEM, 'delete', 'applications.towpath.dev', 'towpath', '--timeout=60s');
    await kubectl(...SYSTEM, 'rollout', 'status', 'deployment/towpath', '--timeout=60s');
  });

  await step('a deleted Application takes what it deployed with it', async () => {
    await kubectl('-n', 'shop', 'delete', 'applications.towpath.dev', 'web', '--timeout=60s');
    assert.equal(await kubectl('-n', 'shop', 'get', 'deployments,services', '-o', 'name'), '');
    assert.equal(await kubectl('get', 'priorityclasses', 'shop-web', '--ignore-not-found', '-o', 'name'), '');
  });
});
