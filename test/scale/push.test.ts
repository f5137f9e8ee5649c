import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeClient } from '../../operator/kube/client.ts';
import { ApplicationWatch, inParallel } from '../bench/applications.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { parseExposition, sumOf } from '../harness/exposition.ts';
import { createRepository } from '../harness/git-repository.ts';
import { newStage, type RunningOperator, type Stage, startOperator } from '../harness/operator.ts';
import { median, scaled } from '../harness/slowness.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';
import { deliver, webhookDeliveries } from '../harness/webhook-delivery.ts';

const COUNT = 1_000;
const MIB = 2 ** 20;
const SAMPLE_MS = 200;
/** Of operator and engines together, while all are rendered: far below where TowpathMemory would fire. */
const MOST_MEMORY = 0.8 * 2_048 * MIB;
/** For a push of another namespace, meanwhile, on a machine that has nothing left. Milliseconds. */
const OTHERS_MEDIAN_MS = 5_000;
const secret = 'a secret of more than 16 characters';
const flags = ['--webhook-host-aliases=git.example.com=127.0.0.1', '--watch-namespace='];
const values = (is: string) => ({ 'chart/values.yaml': `is: ${is}\n` });
const configMap = (is: string) => ({
  'one.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {is: "${is}"}\n`,
});

interface Done {
  polls: number;
  fetches: number;
  renders: number;
  busyEngines: number;
  memory: number;
}

async function doneBy(operator: RunningOperator): Promise<Done> {
  const families = parseExposition(await operator.metrics());
  return {
    polls: sumOf(families, 'towpath_git_polls_total'),
    fetches: sumOf(families, 'towpath_git_fetches_total'),
    renders: sumOf(families, 'towpath_renders_total'),
    busyEngines: sumOf(families, 'towpath_engine_processes', { state: 'busy' }),
    memory: sumOf(families, 'towpath_resident_memory_bytes'),
  };
}

interface Neighbour {
  repoURL: string;
  /** Commits, tells of it, and waits. @returns the milliseconds from the push to Ready. */
  push(webhookUrl: string): Promise<number>;
}

/** An Application of another namespace and repository, which has nothing to do with the others. */
async function neighbour(t: TestContext, stage: Stage, client: KubeClient): Promise<Neighbour> {
  const namespace = await namespaceFor(t, stage.cluster);
  const repository = await createRepository({
    root: stage.repository.root,
    name: 'neighbour.git',
    files: configMap('0'),
  });
  const repoURL = stage.git.url(repository.name);
  const watch = new ApplicationWatch(client, namespace);
  t.after(() => watch.stop());
  const objects = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'towpath', namespace } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'towpath', namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'ServiceAccount', name: 'towpath', namespace }],
    },
    {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Application',
      metadata: { name: 'neighbour', namespace },
      spec: { source: { repoURL, interval: '1h' }, deletionPolicy: 'Orphan' },
    },
  ];
  for (const object of objects) {
    const input = JSON.stringify(object);
    const { code, stderr } = await stage.cluster.kubectl(['apply', '-f', '-'], { input });
    assert.equal(code, 0, stderr);
  }
  await watch.readyAt(namespace, 'neighbour', await repository.revParse('main'));
  const path = new URL(repoURL).pathname.slice(1);
  const { GitHub } = webhookDeliveries({ host: 'git.example.com', path }, secret);
  assert.ok(GitHub !== undefined);
  let version = 0;
  return {
    repoURL,
    push: async (webhookUrl) => {
      version += 1;
      const revision = await repository.commit(configMap(String(version)));
      const pushedAt = performance.now();
      assert.equal((await deliver(webhookUrl, GitHub)).status, 200);
      return (await watch.readyAt(namespace, 'neighbour', revision, 300_000)) - pushedAt;
    },
  };
}

test('A15: one push of the repository of 1,000 Applications is one question, one fetch and a render of each, no more of them at once than there is room for, and nobody else waits for it, at the leader and at a follower', async (t) => {
  // One of its own: the operator looks after every namespace there is.
  const cluster = await startControlPlane();
  const stage = await newStage(t, {
    cluster,
    flags,
    files: {
      'chart/Chart.yaml': 'apiVersion: v2\nname: one\nversion: 1.0.0\n',
      'chart/templates/one.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {is: "{{ .Values.is }}"}\n',
      ...values('one'),
    },
  });
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'towpath-webhooks' },
    stringData: { github: secret },
  });
  const client = KubeClient.fromKubeConfig(stage.cluster.kubeConfigText);
  const watch = new ApplicationWatch(client, stage.namespace);
  const names = Array.from({ length: COUNT }, (_, index) => `app-${index}`);
  await inParallel(names, 16, (name) =>
    stage.application(name, {
      source: { path: 'chart', interval: '1h' },
      deletionPolicy: 'Orphan',
    }),
  );
  await watch.allReadyAt(COUNT, await stage.repository.revParse('main'), 600_000);
  const other = await neighbour(t, stage, client);
  const follower = await startOperator(t, stage.cluster, stage.namespace, { flags });
  // After what all others still ask of it.
  t.after(async () => {
    await watch.stop();
    await client.close();
    await cluster.stop();
  });
  const path = new URL(stage.repoURL).pathname.slice(1);
  const { GitHub } = webhookDeliveries({ host: 'git.example.com', path }, secret);
  assert.ok(GitHub !== undefined);
  for (const [where, operator] of [
    ['the leader', stage.operator],
    ['a follower', follower],
  ] as const) {
    const url = await operator.url('webhook');
    const readyUrl = `${await operator.url('probe')}/readyz`;
    await eventually(async () => (await fetch(readyUrl)).status === 200, {
      describe: `${where} to be ready`,
    });
    const before = await Promise.all([doneBy(stage.operator), doneBy(follower)]);
    const rendersBefore = before[0].renders;
    const revision = await stage.repository.commit(values(where));
    const pushedAt = performance.now();
    const first = watch.allReadyAt(1, revision, 300_000);
    let isUnderway = true;
    const all = watch.allReadyAt(COUNT, revision, 300_000).finally(() => {
      isUnderway = false;
    });
    assert.equal((await deliver(url, GitHub)).status, 200);
    const firstTook = (await first) - pushedAt;
    const renderedAtFirst = (await doneBy(stage.operator)).renders - rendersBefore;
    const others: number[] = [];
    const samples: (Done & { ahead: number })[] = [];
    const told = (async () => {
      while (isUnderway) others.push(await other.push(url));
    })();
    while (isUnderway) {
      const done = await doneBy(stage.operator);
      const ahead = done.renders - rendersBefore - others.length - watch.countReadyAt(revision);
      samples.push({ ...done, ahead });
      await delay(SAMPLE_MS);
    }
    await told;
    const allTook = (await all) - pushedAt;
    const most = (of: (sample: (typeof samples)[number]) => number) => Math.max(...samples.map(of));
    const otherMedian = median(others);
    const figures = `push at ${where}: the first is Ready after ${Math.round(firstTook)} ms, when ${renderedAtFirst} were rendered, all ${COUNT} after ${Math.round(allTook)} ms; ${others.length} pushes of another repository meanwhile took ${Math.round(otherMedian)} ms (median), ${Math.round(Math.max(...others))} ms at most; at most ${most(({ ahead }) => ahead)} were rendered and not yet Ready, ${most(({ busyEngines }) => busyEngines)} engines at work, ${Math.round(most(({ memory }) => memory) / MIB)} MiB`;
    t.diagnostic(figures);
    const after = await Promise.all([doneBy(stage.operator), doneBy(follower)]);
    const count = others.length;
    const asked = after.map(({ polls, fetches, renders }, at) => [
      polls - (before[at]?.polls ?? 0),
      fetches - (before[at]?.fetches ?? 0),
      renders - (before[at]?.renders ?? 0),
    ]);
    assert.deepEqual(
      asked,
      [
        [1 + count, 1 + count, COUNT + count],
        [0, 0, 0],
      ],
      `questions, fetches and renders of the leader and the follower, at ${where}`,
    );
    assert.ok(renderedAtFirst <= COUNT / 4, figures);
    // 32 are worked on at once, and beside them those that took longer than a second: many, on a machine at its limit.
    assert.ok(most(({ ahead }) => ahead) <= (3 * COUNT) / 4, figures);
    // Two, and two that take over slow renders.
    assert.ok(most(({ busyEngines }) => busyEngines) <= 4, figures);
    assert.ok(most(({ memory }) => memory) <= MOST_MEMORY, figures);
    assert.ok(count >= 5, figures);
    assert.ok(otherMedian < scaled(OTHERS_MEDIAN_MS) && otherMedian < allTook / 4, figures);
  }
});
