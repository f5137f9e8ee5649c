import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { cloneOf } from '../harness/clone.ts';
import { fastLease } from '../harness/operator.ts';
import { kubeconfigWith } from '../harness/operator-rights.ts';
import { newPluginShell, type PluginShell } from '../harness/plugin.ts';
import { eventually } from '../harness/wait.ts';
import { chartOf, configMap, hookJob, newSteps, podOf, reasonOf, type Steps } from './steps.ts';

interface Ground extends Steps, PluginShell {
  /** An Application of one ConfigMap that is Ready; its commit. */
  begin(name: string, sync?: object): Promise<string>;
}

async function newGround(t: TestContext): Promise<Ground> {
  const steps = await newSteps(t, { flags: fastLease });
  const { stage, push } = steps;
  const shell = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
  const begin = async (name: string, sync: object = {}) => {
    const commit = await push(name, [configMap(name)]);
    await stage.application(name, { source: { path: name }, sync });
    await stage.untilReadyAt(name, commit);
    return commit;
  };
  return { ...steps, ...shell, begin };
}

const outOf = ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr;

test('kubectl towpath shows and asks, in words', async (t) => {
  const { stage, push, towpath, complete, begin } = await newGround(t);
  const commit = await begin('web');
  const seven = commit.slice(0, 7);

  await t.test('status is a tree of environments with what runs there', async () => {
    const { code, stdout } = await towpath('status', 'web');
    assert.equal(code, 0);
    assert.match(
      stdout,
      new RegExp(`^web  main@${seven}  Synced, Healthy\n└─ default  Synced, Healthy  ${seven}  1 object\n$`),
    );
  });

  await t.test('status of a name that is not there tells those that are, and fails', async () => {
    const answer = await towpath('status', 'wbe');
    assert.equal(answer.code, 1);
    assert.match(outOf(answer), /There is no Application wbe here; in namespace \S+ there are .*\bweb\b/);
    const environment = await towpath('why', 'web', 'prod');
    assert.equal(environment.code, 1);
    assert.match(outOf(environment), /has no environment prod; it has default\./);
  });

  await t.test('-o json gives what the status says', async () => {
    const { stdout } = await towpath('status', 'web', '-o', 'json');
    const { status } = await stage.get('web');
    assert.deepEqual(JSON.parse(stdout), { namespace: stage.namespace, name: 'web', ...status });
    const all = JSON.parse((await towpath('status', '-o', 'json')).stdout) as { name: string }[];
    assert.ok(all.some(({ name }) => name === 'web'));
  });

  await t.test('history lists the deployments, newest first', async () => {
    const next = await push('web', [configMap('web', { key: 'next' })]);
    await stage.untilReadyAt('web', next);
    const { stdout } = await towpath('history', 'web');
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/).slice(0, 3));
    assert.deepEqual(rows, [
      ['ENV', 'ID', 'REVISION'],
      ['default', '2', next.slice(0, 7)],
      ['default', '1', seven],
    ]);
    assert.match(stdout, /Succeeded +Commit/);
  });

  await t.test(
    'why says what a manual Application waits for, and how it goes on; sync does that',
    async () => {
      await begin('manual-web');
      await stage.application('manual-web', { source: { path: 'manual-web' }, sync: { mode: 'Manual' } });
      const next = await push('manual-web', [configMap('manual-web', { key: 'next' })]);
      await stage.until('manual-web', (one) => reasonOf(one) === 'AwaitingSync', 'the wait');
      const said = (await towpath('why', 'manual-web')).stdout;
      assert.match(
        said,
        /AwaitingSync \(since \d+s ago\): .*\n {2}→ kubectl towpath sync manual-web -n \S+\n/,
      );
      assert.match((await towpath('sync', 'manual-web')).stdout, /^Asked for a sync of \S+\/manual-web;/);
      await stage.untilReadyAt('manual-web', next);
      assert.match((await towpath('why', 'manual-web')).stdout, /\nNothing: /);
    },
  );

  await t.test('a commit that is refused: why has every error with its file', async () => {
    await stage.repository.commit({ 'bad/objects.yaml': 'kind: [' });
    await stage.application('bad', { source: { path: 'bad' } });
    await stage.until('bad', ({ status }) => status?.sync === 'Quarantined', 'the quarantine');
    assert.match(
      (await towpath('why', 'bad')).stdout,
      /Refused [0-9a-f]{7}: (?!.*objects\.yaml.*objects\.yaml).*objects\.yaml/,
    );
    assert.match((await towpath('status', 'bad')).stdout, /^bad .*Quarantined/);
  });

  await t.test('suspended, a sync says so and how to go on, and fails', async () => {
    await begin('paused');
    assert.match((await towpath('suspend', 'paused')).stdout, /is suspended now\./);
    await stage.until('paused', ({ status }) => status?.sync === 'Suspended', 'the suspension');
    const refused = await towpath('sync', 'paused');
    assert.equal(refused.code, 8);
    assert.match(
      refused.stdout,
      /is suspended, so a sync would do nothing: kubectl towpath resume paused -n \S+\n/,
    );
    assert.match((await towpath('suspend', 'paused')).stdout, /is suspended already\./);
    assert.equal((await towpath('resume', 'paused')).code, 0);
    await stage.until('paused', ({ status }) => status?.sync === 'Synced', 'the sync');
  });

  await t.test('what a user may not do is told in the words of the API server', async () => {
    const { cluster, namespace } = stage;
    const name = `viewer-${randomBytes(4).toString('hex')}`;
    await stage.kubectl('create', 'serviceaccount', name);
    await stage.kubectl(
      'create',
      'role',
      name,
      '--verb=get,list,watch',
      '--resource=applications.towpath.dev',
    );
    await stage.kubectl(
      'create',
      'rolebinding',
      name,
      `--role=${name}`,
      `--serviceaccount=${namespace}:${name}`,
    );
    const token = (await stage.kubectl('create', 'token', name)).trim();
    const viewer = await newPluginShell(t, cluster, {
      namespace,
      kubeconfigPath: kubeconfigWith(cluster, token),
    });
    assert.equal((await viewer.towpath('status', 'web')).code, 0);
    const refused = await viewer.towpath('sync', 'web');
    assert.equal(refused.code, 1);
    assert.match(outOf(refused), /cannot patch resource "applications"/);
  });

  await t.test('kubectl completes commands, Applications and environments', async () => {
    assert.deepEqual(await complete('su'), ['suspend']);
    assert.deepEqual(await complete('-n', stage.namespace, 'status', 'we'), ['web']);
    assert.deepEqual(await complete('-n', stage.namespace, 'status', 'web', ''), ['default']);
    assert.deepEqual(await complete('diff', 'web', '--lo'), ['--local']);
  });
});

test('kubectl towpath wait answers about exactly the commit that was asked about', async (t) => {
  const { stage, push, towpath, begin } = await newGround(t);
  const wait = (name: string, revision: string, ...flags: string[]) =>
    towpath(
      'wait',
      name,
      '--revision',
      revision,
      `--operator-namespace=${stage.namespace}`,
      '--timeout=60s',
      ...flags,
    );

  await t.test('0: it is so already, or was; or comes to be', async () => {
    const first = await begin('web');
    assert.equal((await wait('web', first)).code, 0);
    const next = await push('web', [configMap('web', { key: 'next' })]);
    const { code, stdout } = await wait('web', next, '--for=synced');
    assert.equal(code, 0, stdout);
    await stage.untilReadyAt('web', next);
    const before = await wait('web', first);
    assert.equal(before.code, 0);
    assert.match(before.stdout, new RegExp(`was healthy with it at .*; ${next.slice(0, 7)} runs now`));
    const candidate = (await stage.get('web')).status?.source?.candidate ?? '';
    const short = `c-${candidate.replace('sha256:', '').slice(0, 12)}`;
    const ofCandidate = () => towpath('wait', 'web', '--candidate', short, '--timeout=60s');
    assert.equal((await ofCandidate()).code, 0);
    const beside = await stage.repository.commit({ 'README.md': 'Nothing of the chart.\n' });
    await stage.untilReadyAt('web', beside);
    const same = await ofCandidate();
    assert.equal(same.code, 0, same.stdout);
    assert.match(
      same.stdout,
      / runs it: Synced, Healthy\./,
      'A11: it is no deployment, and runs all the same',
    );
  });

  await t.test('3: nobody has seen it in time, and the newest that was seen is told', async () => {
    const { code, stdout } = await wait('web', 'abcdef0123', '--timeout=3s');
    assert.equal(code, 3);
    const { status } = await stage.get('web');
    assert.match(
      stdout,
      new RegExp(`Not within 3s\\. The newest that was seen is ${status?.source?.revision?.slice(0, 7)}`),
    );
  });

  await t.test('3: kubectl itself never answers', async (t) => {
    const shell = await newPluginShell(t, stage.cluster, { namespace: stage.namespace, hangsAt: 'get' });
    const { code, stdout } = await shell.towpath('wait', 'web', '--revision=abcdef0123', '--timeout=1s');
    assert.equal(code, 3);
    assert.match(stdout, /^Not within 1s\. The cluster did not answer kubectl: /);
  });

  await t.test('4: it failed for good', async () => {
    const sync = { retries: { limit: 0 } };
    await stage.repository.commit(chartOf('fails', [configMap('fails')]));
    await stage.deployed('fails', { source: { path: 'fails' }, sync });
    const commit = await stage.repository.commit(
      chartOf('fails', [configMap('fails'), hookJob('fails', 'pre-upgrade', {}, 'fails')]),
    );
    const { code, stdout } = await wait('fails', commit);
    assert.equal(code, 4, stdout);
  });

  await t.test('5: it was refused', async () => {
    await begin('refused');
    const commit = await stage.repository.commit({ 'refused/objects.yaml': 'kind: [' });
    const { code, stdout } = await wait('refused', commit);
    assert.equal(code, 5, stdout);
    assert.match(
      stdout,
      /^In \S+\/refused in default it was refused: .* All errors: kubectl towpath why refused -n \S+\n$/,
    );
  });

  await t.test('6: a newer one took its place, also while kubectl does not say who leads', async (t) => {
    const { namespace, cluster } = stage;
    const shell = await newPluginShell(t, cluster, { namespace, hangsAt: 'leases.coordination.k8s.io' });
    await stage.repository.commit(chartOf('overtaken', [configMap('overtaken')]));
    await stage.deployed('overtaken', { source: { path: 'overtaken' } });
    const stuck = await stage.repository.commit(
      chartOf('overtaken', [configMap('overtaken'), hookJob('stuck', 'pre-upgrade', {}, 'runs')]),
    );
    await podOf(stage, 'stuck');
    const waiting = shell.towpath('wait', 'overtaken', `--revision=${stuck}`);
    await eventually(() => shell.hanging() > 0, { describe: 'the question who leads' });
    await stage.repository.commit(chartOf('overtaken', [configMap('overtaken')]));
    const { code, stdout } = await waiting;
    assert.equal(code, 6, stdout);
  });

  await t.test('8: it is suspended', async () => {
    await begin('paused');
    await towpath('suspend', 'paused');
    const commit = await push('paused', [configMap('paused', { key: 'next' })]);
    const { code, stdout } = await wait('paused', commit);
    assert.equal(code, 8, stdout);
    assert.match(stdout, /kubectl towpath resume paused -n \S+/);
  });

  await t.test('2: without saying what to wait for', async () => {
    const { code, stderr } = await towpath('wait', 'web');
    assert.equal(code, 2);
    assert.match(stderr, /--revision \(a commit, or the version of a published chart\) and --candidate/);
  });

  await t.test('7: no operator leads any more; status warns of it', async () => {
    await stage.operator.stop();
    const { code, stdout } = await wait('web', 'abcdef0123');
    assert.equal(code, 7, stdout);
    const runs = environmentOf((await stage.get('web')).status, 'default')?.revision ?? '';
    const stale = await wait('web', runs);
    assert.equal(stale.code, 7, 'B2: it was healthy when somebody looked last');
    assert.match(stale.stdout, /runs it: Synced, Healthy\. But no operator has led/);
    const deployed = await wait('web', runs, '--for=synced');
    assert.equal(deployed.code, 0, 'it was deployed, whoever leads');
    assert.match(deployed.stderr, /^Warning: no operator has led in namespace /);
    const review = JSON.parse(await stage.kubectl('auth', 'whoami', '--output=json')) as {
      metadata: { creationTimestamp: string };
    };
    const awayMs = Date.now() - Date.parse(review.metadata.creationTimestamp);
    assert.ok(Math.abs(awayMs) < 5_000, 'by which clock that is asked');
    const { directory } = await cloneOf(stage.repository);
    for (const [command, ...args] of [
      ['status'],
      ['diff', '--local', directory],
      ['render', '--local', directory],
    ] as const) {
      const said = await towpath(command, 'web', `--operator-namespace=${stage.namespace}`, ...args);
      assert.equal(said.code, 0, said.stderr);
      assert.match(said.stderr, /^Warning: no operator has led in namespace /, command);
    }
  });
});

test('kubectl towpath status --watch tells each change until Ctrl-C', async (t) => {
  const { stage, push, begin } = await newGround(t);
  await begin('web');
  const { startWatching } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
  const watching = startWatching('status', 'web', '--watch');
  await eventually(() => watching.text().includes('web  main@'), { describe: 'the first tree' });
  const next = await push('web', [configMap('web', { key: 'next' })]);
  await eventually(() => watching.text().includes(`main@${next.slice(0, 7)}  Synced, Healthy`), {
    describe: 'the next commit',
  });
  assert.equal(await watching.interrupt(), 130);
});
