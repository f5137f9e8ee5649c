import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { startGitHttp } from '../harness/git-http.ts';
import { createRepository } from '../harness/git-repository.ts';
import { objectVersions } from '../harness/object-versions.ts';
import { looks } from '../harness/operator.ts';
import { LINK_LOCAL_ADDRESS, NODE_ADDRESS } from '../harness/real-node.ts';
import { eventually } from '../harness/wait.ts';
import {
  assertEndsInOrder,
  assertRestarted,
  endLeader,
  freeze,
  podOfFollower,
  podOfLeader,
  SYSTEM,
  startRedirect,
} from './in-the-pod.ts';
import { memoryOf } from './memory.ts';
import { settledObjects, untilPodsRun } from './releases.ts';
import { type Site, setting, skip, startSite, stepsOf, today, waiting } from './site.ts';
import { admitWeb, untilWebAnswers, webOf } from './web.ts';
import { newWebhooks, type Webhooks } from './webhook.ts';

/** Applications, each a path of one repository, and a ConfigMap that tells the round. */
const NAMES = Array.from({ length: 10 }, (_, index) => `app-${index}`);
const filesOf = (round: number) =>
  Object.fromEntries(
    NAMES.map((name) => [
      `${name}/config.yaml`,
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {round: "${round}", text: ${FILLER}}\n`,
    ]),
  );
const FILLER = 'x'.repeat(20_000);

const WARM_UP = 20;
/** After these, in whose two halves the memory is compared. */
const ROUNDS = 48;
/**
 * V8 lets garbage pile up to 1.6 times what is in use: some 50 MiB come and go with it. 300 kB kept of each change would be
 * more than this. What grows more slowly, `make soak` finds.
 */
const GROWTH_BYTES = 64 * 2 ** 20;
/** What the chart asks for. */
const REQUESTED_BYTES = 475 * 2 ** 20;

/** Of one repository with ten Applications: what it has, asked once, and once fetched where the Pod has nothing of it. */
const MOST_REQUESTS = 2;

let site: Site;
before(async () => {
  if (skip === false) site = await startSite(filesOf(0));
});
after(() => site?.stop());

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

test('what is promised of the process holds in its Pods', { skip }, async (t) => {
  const step = stepsOf(t);
  const { kubectl, node, git, repository } = site;
  let webhooks: Webhooks;
  await site.admit('shop');
  await kubectl('create', 'namespace', 'towpath-system');

  const reasonOf = (name: string) =>
    kubectl(
      ...['-n', 'shop', 'get', 'applications.towpath.dev', name, '-o'],
      'jsonpath={.status.conditions[?(@.type=="Ready")].reason}',
    );
  const untilReason = (name: string, reason: string) =>
    eventually(async () => (await reasonOf(name)) === reason, { describe: `${name} to be ${reason}` });

  await step('S11: what leads to a metadata service or into the Pod itself is not asked', async () => {
    await site.install();
    const redirect = await startRedirect();
    const cases = [
      ['address', 'http://169.254.169.254/x.git', 'AddressRefused'],
      ['localhost', 'http://localhost:8081/x.git', 'AddressRefused'],
      ['redirect', redirect.url, 'RedirectRefused'],
    ] as const;
    try {
      for (const [name, repoURL, refusal] of cases) {
        await site.applyApplication(name, 'shop', { repoURL });
        await untilReason(name, refusal);
        await kubectl('-n', 'shop', 'delete', 'applications.towpath.dev', name, '--timeout=60s');
      }
    } finally {
      redirect.stop();
    }
  });

  await step(
    'S11: a name is not asked once it is that of a link-local address, unless that is allowed',
    async () => {
      const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
      const inside = await createRepository({
        files: { 'first/a.yaml': configMap('first'), 'second/a.yaml': configMap('second') },
      });
      // The same behind both addresses: nothing but the address can be what is refused.
      const linkLocal = await startGitHttp({ root: inside.root, host: LINK_LOCAL_ADDRESS });
      const usual = await startGitHttp({ root: inside.root, host: NODE_ADDRESS, port: linkLocal.port });
      try {
        node.hosts.set('git.example.com', NODE_ADDRESS);
        const repoURL = `http://git.example.com:${usual.port}/${inside.name}`;
        await site.applyApplication('first', 'shop', { repoURL, path: 'first' });
        await site.untilReady('first', 'shop');
        assert.equal(linkLocal.requests.length, 0);

        node.hosts.set('git.example.com', LINK_LOCAL_ADDRESS);
        await usual.stop();
        await site.applyApplication('second', 'shop', { repoURL, path: 'second' });
        await untilReason('second', 'AddressRefused');
        assert.deepEqual(linkLocal.requests, []);

        webhooks = await newWebhooks(kubectl);
        const flags = ['--set=git.allowLinkLocal=true', '--set=webhooks.enabled=true'];
        await site.helm(
          'upgrade',
          'towpath',
          today.chart,
          ...SYSTEM,
          ...setting(today),
          ...flags,
          ...waiting,
        );
        await untilPodsRun(kubectl, today.image);
        await site.untilReady('second', 'shop');
        assert.notEqual(linkLocal.requests.length, 0);
      } finally {
        await linkLocal.stop();
      }
      await kubectl('-n', 'shop', 'delete', 'applications.towpath.dev', 'first', 'second', '--timeout=60s');
    },
  );

  const repoURL = git.url(repository.name);
  // Asked again and again: not by kubectl, which takes longer to start than a round takes.
  const deployed = '/api/v1/namespaces/shop/configmaps?labelSelector=towpath.dev%2Ftarget';
  const roundsOf = async () => {
    const { body } = await site.controlPlane.request('GET', deployed);
    const { items } = JSON.parse(body) as { items: { data: { round: string } }[] };
    return items.map(({ data }) => data.round);
  };
  const allAt = (round: number) => NAMES.map(() => String(round));
  const untilRound = (round: number) =>
    eventually(async () => isDeepStrictEqual(await roundsOf(), allAt(round)), {
      describe: `round ${round} of all Applications`,
    });

  await step(
    'S13: a push of which the follower alone is told is deployed long before the next poll',
    async () => {
      for (const name of NAMES) await site.applyApplication(name, 'shop', { path: name, interval: '1h' });
      for (const name of NAMES) await site.untilReady(name, 'shop');
      assert.deepEqual(await roundsOf(), allAt(0));
      await repository.commit(filesOf(1));
      assert.equal(await webhooks.tellForged(repoURL), 401);
      assert.equal(await webhooks.tell(await podOfFollower(kubectl), repoURL), 200);
      await untilRound(1);
      await repository.commit(filesOf(2));
      assert.equal(await webhooks.tellService(repoURL), 200);
      await untilRound(2);
    },
  );

  await step('a push that GitHub tells of replaces Pods, an hour before the next poll', async () => {
    await admitWeb(kubectl);
    await repository.commit({ 'web/web.yaml': webOf(today.image, 'one') });
    await site.applyApplication('web', 'shop', { path: 'web', interval: '1h' });
    await untilWebAnswers(kubectl, 'one');
    await site.untilReady('web', 'shop');
    await repository.commit({ 'web/web.yaml': webOf(today.image, 'two') });
    assert.equal(await webhooks.tellService(repoURL), 200);
    await untilWebAnswers(kubectl, 'two');
    await kubectl('-n', 'shop', 'delete', 'applications.towpath.dev', 'web', '--timeout=60s');
  });

  await step('A8: under constant change it takes no more memory than before', async (t) => {
    const leader = await podOfLeader(kubectl);
    const memory = await memoryOf(kubectl, leader);
    const samples: number[] = [];
    for (let round = 3; round < 3 + WARM_UP + ROUNDS; round += 1) {
      await repository.commit(filesOf(round));
      assert.equal(await webhooks.tell(leader, repoURL), 200);
      await untilRound(round);
      samples.push(memory());
    }
    const middle = WARM_UP + ROUNDS / 2;
    const [first, last] = [samples.slice(WARM_UP, middle), samples.slice(middle)].map(median);
    t.diagnostic(`${samples.map((one) => (one / 2 ** 20).toFixed(0)).join(' ')} MiB`);
    assert.ok(Number(last) - Number(first) < GROWTH_BYTES, `it grew from ${first} to ${last} bytes`);
    assert.ok(Math.max(...samples) < REQUESTED_BYTES, `${Math.max(...samples)} bytes at most`);
    assert.equal(await podOfLeader(kubectl), leader);
  });

  await step(
    'A7, A11: a leader that is asked to end does so at once; the next one writes nothing, and does not fall upon Git',
    async () => {
      const before = await settledObjects(kubectl, 'shop');
      const asked = git.requests.length;
      assertEndsInOrder(await endLeader(kubectl));
      const leader = await podOfLeader(kubectl);
      const ip = await kubectl(...SYSTEM, 'get', 'pod', leader, '-o', 'jsonpath={.status.podIP}');
      const metrics = async () => (await fetch(`http://${ip}:8082/metrics`)).text();
      await eventually(async () => (await looks({ operator: { metrics } })) >= NAMES.length, {
        describe: 'the new leader to have looked at all Applications',
      });
      assert.deepEqual(await objectVersions(kubectl, 'shop'), before);
      const requests = git.requests.slice(asked).map(({ method, url }) => `${method} ${url}`);
      t.diagnostic(requests.join(', '));
      assert.ok(requests.length <= MOST_REQUESTS, `${requests}`);
      await kubectl(...SYSTEM, 'rollout', 'status', 'deployment/towpath', '--timeout=60s');
    },
  );

  await step('A9: a process that is stuck is not ready, and is started anew', async () => {
    const follower = await podOfFollower(kubectl);
    await freeze(kubectl, follower);
    await assertRestarted(kubectl, follower);
  });
});
