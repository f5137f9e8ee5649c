import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { NEXT_VERSION } from '../../hack/image/next-release.ts';
import { createRepository } from '../harness/git-repository.ts';
import { eventually } from '../harness/wait.ts';
import { drainAndReturn } from './drain.ts';
import { type Kubectl, mayNot, podOfLeader, SYSTEM } from './in-the-pod.ts';
import {
  approve,
  prodOf,
  promotionsToProd,
  setUpPromotion,
  storeOf,
  untilApprovalIsAwaited,
  untilStoreAnswers,
} from './promotion.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { definitionOf, imageValues, settledObjects, untilShown } from './releases.ts';
import { next, type Site, setting, skip, startSite, stepsOf, today, version, waiting } from './site.ts';
import { admitWeb, untilWebAnswers, webAnswer, webOf } from './web.ts';
import { newWebhooks, type Webhooks } from './webhook.ts';

let site: Site;
let posts: Receiver;
let webhooks: Webhooks;

const web = (text: string) => webOf(today.image, text);

const RUNNING = 'jsonpath={.items[?(@.status.phase=="Running")].spec.containers[0].image}';

const kubectl: Kubectl = (...args) => site.kubectl(...args);
const run: Kubectl = (...args) => site.helm(...args);

async function untilAnswers(text: string): Promise<void> {
  await untilWebAnswers(kubectl, text);
  await site.untilReady('web', 'shop');
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

/** Of all objects of shop and store the versions, when none of them changes by itself any more. */
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
  const store = await settledObjects(kubectl, 'store');
  assert.ok(
    Object.keys(store).some((key) => key.startsWith('Promotion ')),
    'Promotions',
  );
  const environments = ['get', 'environments', '-o', 'jsonpath={.items[*].metadata.resourceVersion}'];
  const inStore = Object.entries(store).map(([key, version]) => [`store: ${key}`, version]);
  return { ...all, ...Object.fromEntries(inStore), environments: await kubectl(...environments) };
}

before(async () => {
  if (skip !== false) return;
  site = await startSite({ 'web/web.yaml': web('one') });
  posts = await startReceiver();
});

after(async () => {
  posts?.stop();
  await site?.stop();
});

test('I2: installed by helm, it deploys what runs and answers on a real node', { skip }, async (t) => {
  const step = stepsOf(t);
  await step('I1: two Pods run under the restricted Pod Security level', async () => {
    await kubectl('create', 'namespace', 'towpath-system');
    await kubectl('label', 'namespace', 'towpath-system', 'pod-security.kubernetes.io/enforce=restricted');
    webhooks = await newWebhooks(kubectl);
    await site.install('--set=webhooks.enabled=true');
    const pods = await kubectl(...SYSTEM, 'get', 'pods');
    assert.equal(pods.match(/1\/1 +Running +0/g)?.length, 2, pods);
    assert.match(await podOfLeader(kubectl), /^towpath-/);
    const tested = await run('test', 'towpath', ...SYSTEM, '--logs', '--timeout=120s');
    assert.match(tested, /is ready and leads\./);
  });

  await step('an Application comes up, and answers over its Service', async () => {
    await site.admit('shop');
    await kubectl('label', 'namespace', 'shop', 'pod-security.kubernetes.io/enforce=restricted');
    await admitWeb(kubectl);
    await site.applyApplication('web', 'shop', { path: 'web' });
    await untilAnswers('one');
  });

  await step('a push replaces the Pods', async () => {
    await site.repository.commit({ 'web/web.yaml': web('two') });
    await untilAnswers('two');
  });

  await step('a push reaches prod after staging, and with the yes of a second person', async () => {
    await setUpPromotion(site);
    await site.repository.commit({ 'store/store.yaml': storeOf(today.image, 'one') });
    await site.applyApplication(...(['store', 'store', { path: 'store' }] as const), {
      spec: { environments: [{ name: 'staging' }, { name: 'prod' }], sync: { timeout: '20s' } },
    });
    await untilStoreAnswers(site, 'staging', 'one');
    await approve(site);
    await untilStoreAnswers(site, 'prod', 'one');
    await eventually(async () => (await promotionsToProd(site)) === 'Succeeded', {
      within: 60_000,
      describe: 'the record of what prod runs, verified',
    });
  });

  await step('what breaks in prod alone fails its verification there, and is rolled back', async () => {
    await site.repository.commit({ 'store/store.yaml': storeOf(today.image, 'two', 'in prod') });
    await untilStoreAnswers(site, 'staging', 'two');
    await approve(site);
    await eventually(async () => (await promotionsToProd(site)) === 'Succeeded RolledBack Succeeded', {
      within: 90_000,
      describe: 'prod to be back at what ran before',
    });
    await untilStoreAnswers(site, 'prod', 'one');
    await untilStoreAnswers(site, 'staging', 'two');
    assert.equal(await prodOf(site, '.history[0].trigger'), 'Rollback');
    // What waits for a yes does so until towpath was upgraded, rolled back and installed anew.
    await site.repository.commit({ 'store/store.yaml': storeOf(today.image, 'three') });
    await untilStoreAnswers(site, 'staging', 'three');
    await untilApprovalIsAwaited(site);
  });

  await step('a push that GitHub tells of is deployed an hour before the next poll', async () => {
    const config = (text: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\ndata: {text: ${text}}\n`;
    const [root, name] = [site.repository.root, 'told.git'];
    const repository = await createRepository({ root, name, files: { 'config.yaml': config('one') } });
    const repoURL = site.git.url(name);
    await site.applyApplication('told', 'shop', { repoURL, interval: '1h' });
    await site.untilReady('told', 'shop');
    await repository.commit({ 'config.yaml': config('two') });
    assert.equal(await webhooks.tellService(repoURL), 200);
    const text = () => kubectl('-n', 'shop', 'get', 'configmap', 'told', '-o', 'jsonpath={.data.text}');
    await eventually(async () => (await text()) === 'two', { describe: 'the push to be deployed' });
    await kubectl('-n', 'shop', 'delete', 'applications.towpath.dev', 'told', '--timeout=60s');
  });

  await step('S15: it has the rights of the chart, and no more', () => mayNot(kubectl));

  await step(
    'another operator is deployed, is healthy as it says itself, and leaves after what it looks after',
    async () => {
      await kubectl('create', 'namespace', 'notices');
      await kubectl('-n', 'notices', 'create', 'serviceaccount', 'towpath');
      const admin = ['--clusterrole=cluster-admin', '--serviceaccount=notices:towpath'];
      await kubectl('create', 'clusterrolebinding', 'notices', ...admin);
      await site.repository.commit(filesOf(today.notifyChart, 'notify'));
      const deploy = ({ notifyImage }: typeof today, notice: object) => {
        const values = { image: imageValues(notifyImage), notice };
        return site.applyApplication('notify', 'notices', { path: 'notify' }, { spec: { helm: { values } } });
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
      await site.untilReady('notify', 'notices');
      const told = JSON.stringify({ application: 'shop/web', word: 'Ready' }).slice(1, -1);
      await eventually(() => posts.received.some((post) => post.includes(told)), { describe: 'a post' });

      // Its next release, with another image and definition, which tells of another push.
      assert.equal(await definitionOf(kubectl, 'notices.notify.example.com'), '');
      await site.repository.commit(filesOf(next.notifyChart, 'notify'));
      await deploy(next, { url: posts.url, namespace: 'shop', applications: ['web'] });
      await eventually(
        async () =>
          (await definitionOf(kubectl, 'notices.notify.example.com')) === `Since ${NEXT_VERSION}.` &&
          (await kubectl('-n', 'notices', 'get', 'pods', '-o', RUNNING)) ===
            `docker.io/library/${next.notifyImage}`,
        { describe: 'the next release of the other operator' },
      );
      await site.untilReady('notify', 'notices');
      posts.received.length = 0;
      await site.repository.commit({ 'web/web.yaml': web('two and a half') });
      await untilAnswers('two and a half');
      const ofNext = JSON.stringify({ version: NEXT_VERSION }).slice(1, -1);
      await eventually(() => posts.received.some((post) => post.includes(told) && post.includes(ofNext)), {
        describe: 'a post of the push',
      });
      await site.untilReady('notify', 'notices');

      await kubectl('-n', 'notices', 'delete', 'applications.towpath.dev', 'notify', '--timeout=60s');
      assert.match(posts.received.at(-1) ?? '', /"farewell":true/);
      assert.equal(await kubectl('-n', 'notices', 'get', 'deployments', '-o', 'name'), '');
    },
  );

  await step('D8: the leader is killed, and another one acts', async () => {
    const leader = await podOfLeader(kubectl);
    await kubectl(...SYSTEM, 'delete', 'pod', leader, '--force', '--grace-period=0');
    await site.repository.commit({ 'web/web.yaml': web('three') });
    await untilAnswers('three');
    assert.notEqual(await podOfLeader(kubectl), leader);
    await kubectl(...SYSTEM, 'rollout', 'status', 'deployment/towpath', '--timeout=60s');
  });

  await step(
    'I3: the next release brings its image and its definition, and changes no object of a user',
    async () => {
      await untilShown(run, kubectl, { version, ...today });
      assert.equal(await definitionOf(kubectl), version);
      const before = await versions();
      const reuse = '--reset-then-reuse-values';
      await run('upgrade', 'towpath', next.chart, ...SYSTEM, reuse, ...setting(next), ...waiting);
      await untilShown(run, kubectl, { version: NEXT_VERSION, ...next });
      await eventually(
        async () => (await definitionOf(kubectl)) === `${NEXT_VERSION} Since ${NEXT_VERSION}.`,
        {
          describe: 'the definition of the next release',
        },
      );
      assert.deepEqual(await versions(), before);
      await site.repository.commit({ 'web/web.yaml': web('three and a half') });
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
      await site.repository.commit({ 'web/web.yaml': web('four') });
      await untilAnswers('four');
      // It leads by now, and would have brought its own.
      assert.equal(await definitionOf(kubectl), `${NEXT_VERSION} Since ${NEXT_VERSION}.`);
    },
  );

  await step('I3: uninstalled, all runs on; installed anew, it goes on', async () => {
    const before = await versions();
    await run('uninstall', 'towpath', ...SYSTEM, '--wait', '--timeout=60s');
    assert.deepEqual(await versions(), before);
    assert.equal(await webAnswer(kubectl), 'four');
    // The definition that is left is newer than the chart's, and Helm would take that for a conflict.
    await site.install('--skip-crds');
    await site.repository.commit({ 'web/web.yaml': web('five') });
    await untilAnswers('five');
    await approve(site);
    await untilStoreAnswers(site, 'prod', 'three');
    await kubectl('-n', 'store', 'delete', 'applications.towpath.dev', 'store', '--timeout=60s');
    await kubectl('delete', 'environments', 'staging', 'prod', '--timeout=60s');
  });

  await step(
    'a drain of the node takes one replica after the other, and waits as long as only one is left',
    async () => {
      await drainAndReturn(site.controlPlane, site.node.name, kubectl);
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
      await site.repository.commit(filesOf(release.chart, 'chart'));
      await site.applyApplication(...(['towpath', 'towpath-system', { path: 'chart' }] as const), {
        spec: { helm: { values: { image: imageValues(release.image) } }, deletionPolicy: 'Orphan' },
        annotations: { 'towpath.dev/adopt': 'true' },
      });
      const wanted = `${release === next ? NEXT_VERSION : version} docker.io/library/${release.image}`;
      await eventually(
        async () => (await kubectl(...SYSTEM, 'get', 'deployment', 'towpath', '-o', shown)) === wanted,
        {
          describe: `the Deployment of ${wanted}`,
        },
      );
      await kubectl(...SYSTEM, 'rollout', 'status', 'deployment/towpath', '--timeout=60s');
      await site.untilReady('towpath', 'towpath-system');
    }
    assert.equal(await definitionOf(kubectl), `${NEXT_VERSION} Since ${NEXT_VERSION}.`);
    await site.repository.commit({ 'web/web.yaml': web('six') });
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
