import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { fastLease, newStage, type RunningOperator, type Stage, startOperator } from '../harness/operator.ts';
import { polls } from '../harness/polls.ts';
import { freePort } from '../harness/process.ts';
import { median, scaled } from '../harness/slowness.ts';
import { eventually } from '../harness/wait.ts';
import { deliver, type WebhookDelivery, webhookDeliveries } from '../harness/webhook-delivery.ts';

const secret = 'a secret of more than 16 characters';
const configMap = (is: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: "${is}"}\n`,
});
const flags = [...fastLease, '--webhook-host-aliases=git.example.com=127.0.0.1'];

/** An Application that would not look at its repository for an hour by itself. */
async function hourlyStage(t: TestContext): Promise<Stage> {
  const stage = await newStage(t, { files: configMap('one'), flags });
  await stage.deployed('web', { source: { interval: '1h' } });
  return stage;
}

async function putSecret(stage: Stage): Promise<void> {
  const keys = ['github', 'gitlab', 'gitea', 'bitbucket', 'azure', 'generic'];
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'towpath-webhooks' },
    stringData: Object.fromEntries(keys.map((key) => [key, secret])),
  });
}

function deliveriesOf(stage: Stage, host: string): Record<string, WebhookDelivery> {
  return webhookDeliveries({ host, path: new URL(stage.repoURL).pathname.slice(1) }, secret);
}

/** Sends it until the Secret has been noticed. */
async function accepted(operator: RunningOperator, delivery: WebhookDelivery): Promise<void> {
  const url = await operator.url('webhook');
  await eventually(async () => (await deliver(url, delivery)).status === 200, {
    describe: 'the delivery to be accepted',
  });
}

test('S13: a push reaches the status at once instead of an hour later, and without a secret nothing is accepted', async (t) => {
  const stage = await hourlyStage(t);
  const { GitHub, generic } = deliveriesOf(stage, 'git.example.com:8443');
  assert.ok(GitHub !== undefined && generic !== undefined);
  const url = await stage.operator.url('webhook');
  const before = polls(stage);
  assert.equal((await deliver(url, GitHub)).status, 404);
  await putSecret(stage);
  const second = await stage.repository.commit(configMap('two'));
  await accepted(stage.operator, GitHub);
  await stage.untilReadyAt('web', second);
  assert.equal(polls(stage), before + 1, 'one ls-remote for one push');
  const third = await stage.repository.commit(configMap('three'));
  await accepted(stage.operator, generic);
  await stage.untilReadyAt('web', third);

  await stage.kubectl('delete', 'secret', 'towpath-webhooks');
  await eventually(async () => (await deliver(url, GitHub)).status === 404, {
    describe: 'the secret to be forgotten',
  });
});

test('S13: a line of a webhook secret that cannot be used is told, and takes nothing from those beside it', async (t) => {
  const stage = await hourlyStage(t);
  const lines = ['short', secret, ...[1, 2, 3, 4].map((index) => `another secret, number ${index}`)];
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'towpath-webhooks' },
    stringData: { github: lines.join('\n') },
  });
  const place = { host: 'git.example.com', path: new URL(stage.repoURL).pathname.slice(1) };
  const signedWith = (one: string) => {
    const { GitHub } = webhookDeliveries(place, one);
    assert.ok(GitHub !== undefined);
    return GitHub;
  };
  await accepted(stage.operator, signedWith(secret));
  const url = await stage.operator.url('webhook');
  assert.equal((await deliver(url, signedWith('another secret, number 3'))).status, 200);
  for (const unused of ['short', 'another secret, number 4'])
    assert.notEqual((await deliver(url, signedWith(unused))).status, 200, unused);
  const log = stage.operator.process.logTail(200);
  assert.match(log, /has fewer than 16 characters in 1 line, which is not used/);
  assert.match(log, /has more than 4 lines: what comes after the fourth is not used/);
});

test('a push that arrives at a replica that follows reaches the status as well, through the leader', async (t) => {
  const stage = await hourlyStage(t);
  await putSecret(stage);
  const follower = await startOperator(t, stage.cluster, stage.namespace, { flags });
  const { Gitea } = deliveriesOf(stage, 'git.example.com');
  assert.ok(Gitea !== undefined);
  for (const is of ['two', 'three']) {
    const before = polls(stage);
    const revision = await stage.repository.commit(configMap(is));
    await accepted(follower, Gitea);
    await stage.untilReadyAt('web', revision);
    assert.equal(polls(stage), before + 1, 'the leader alone asks the Git server');
  }
  assert.match(
    await follower.metrics(),
    /^leader_election_master_status\{name="towpath",lease="towpath"\} 0$/m,
  );
});

/** A repository is asked once in a second, however often it is pushed to. */
const AGAIN_MS = 1_000;
const ROUNDS = 5;

test('a push that a webhook tells of, at the leader or at a follower, is Ready as soon as one that a sync request tells of', async (t) => {
  const stage = await hourlyStage(t);
  await putSecret(stage);
  const follower = await startOperator(t, stage.cluster, stage.namespace, { flags });
  const { GitHub } = deliveriesOf(stage, 'git.example.com');
  assert.ok(GitHub !== undefined);
  const ways: Record<string, () => Promise<unknown>> = { 'a sync request': () => stage.requestSync('web') };
  for (const [where, operator] of Object.entries({ 'the leader': stage.operator, 'a follower': follower })) {
    await accepted(operator, GitHub);
    const url = await operator.url('webhook');
    ways[where] = async () => assert.equal((await deliver(url, GitHub)).status, 200);
  }
  const took: Record<string, number[]> = {};
  for (let round = 1; round <= ROUNDS; round += 1)
    for (const [way, tell] of Object.entries(ways)) {
      const revision = await stage.repository.commit(configMap(`${round}, told by ${way}`));
      const pushedAt = performance.now();
      await tell();
      await stage.untilReadyAt('web', revision);
      took[way] = [...(took[way] ?? []), performance.now() - pushedAt];
    }
  const { 'a sync request': asked = [], ...told } = took;
  const limit = scaled(AGAIN_MS) + 3 * median(asked);
  for (const [where, times] of Object.entries(told))
    assert.ok(median(times) < limit, `${where}: ${times.map(Math.round)} ms, limit ${Math.round(limit)} ms`);
  t.diagnostic(JSON.stringify(took, (_, value) => (typeof value === 'number' ? Math.round(value) : value)));
});

test('a replica that has not listed what it needs to know says so, and takes the push once it has', async (t) => {
  const stage = await hourlyStage(t);
  await putSecret(stage);
  const { GitHub } = deliveriesOf(stage, 'git.example.com');
  assert.ok(GitHub !== undefined);
  const proxy = await startFaultProxy(stage.cluster);
  t.after(() => proxy.stop());
  const applications = proxy.hold({ verb: 'list', path: /\/applications\?/ });
  const secrets = proxy.hold({ verb: 'list', path: /\/secrets\?.*towpath-webhooks/ });
  const port = await freePort();
  // Nothing it has to say of where it listens before it has listed them.
  await startOperator(t, stage.cluster, stage.namespace, {
    proxy,
    flags: [...flags, `--webhook-address=127.0.0.1:${port}`],
  });
  const answer = () => deliver(`http://127.0.0.1:${port}`, GitHub);
  const isNotReady = ({ status, headers }: Response) =>
    status === 503 && Number(headers.get('retry-after')) > 0;
  await Promise.all([applications.seen, secrets.seen]);
  assert.ok(isNotReady(await answer()), 'the secret is not known yet');
  secrets.release();
  await eventually(async () => /does not know the Applications/.test(await (await answer()).text()), {
    describe: 'the secret to be listed',
  });
  assert.ok(isNotReady(await answer()), 'the Applications are not known yet');
  const second = await stage.repository.commit(configMap('two'));
  applications.release();
  await eventually(async () => (await answer()).status === 200, { describe: 'the push to be taken' });
  await stage.untilReadyAt('web', second);
});

test('a push of a repository that no Application has is counted, and logged with what Applications have', async (t) => {
  const stage = await hourlyStage(t);
  await putSecret(stage);
  const { GitHub } = deliveriesOf(stage, 'git.other.example');
  assert.ok(GitHub !== undefined);
  const url = await stage.operator.url('webhook');
  await eventually(async () => (await deliver(url, GitHub)).status === 202, { describe: 'the answer' });
  assert.match(
    await stage.operator.metrics(),
    /^towpath_webhook_deliveries_total\{provider="github",outcome="Unmatched"\} [1-9]/m,
  );
  const path = new URL(stage.repoURL).pathname.replace(/\.git$/, '');
  // The log is written beside the answer.
  const line = await eventually(
    () =>
      stage.operator.process
        .logTail(50)
        .split('\n')
        .find((each) => each.includes('no Application has')),
    { describe: 'the delivery to be logged' },
  );
  assert.ok(line.includes(`git.other.example${path}`) && line.includes(`127.0.0.1${path}`), line);
});

test('S13: with an empty --webhook-address nothing is listened on, whatever the image says and whatever secret there is', async (t) => {
  const stage = await newStage(t, { files: configMap('one'), startOperator: false });
  await putSecret(stage);
  const [webhook, probe] = [await freePort(), await freePort()];
  await startOperator(t, stage.cluster, stage.namespace, {
    flags: [...fastLease, '--webhook-address=', `--probe-address=127.0.0.1:${probe}`],
    environment: { TOWPATH_WEBHOOK_ADDRESS: `127.0.0.1:${webhook}` },
  });
  await stage.deployed('web', { source: { interval: '1h' } });
  assert.equal((await fetch(`http://127.0.0.1:${probe}/readyz`)).status, 200);
  const { GitHub } = deliveriesOf(stage, 'git.example.com:8443');
  assert.ok(GitHub !== undefined);
  await assert.rejects(deliver(`http://127.0.0.1:${webhook}`, GitHub), /ECONNREFUSED|fetch failed/);
});
