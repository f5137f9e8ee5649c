import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KubeClient } from '../../operator/kube/client.ts';
import { ApplicationWatch, inParallel } from '../bench/applications.ts';
import { newStage, type RunningOperator, startOperator } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { deliver, webhookDeliveries } from '../harness/webhook-delivery.ts';

const COUNT = 1_000;
const secret = 'a secret of more than 16 characters';
const flags = ['--webhook-host-aliases=git.example.com=127.0.0.1'];
const values = (is: string) => ({ 'chart/values.yaml': `is: ${is}\n` });

interface Asked {
  polls: number;
  fetches: number;
}

async function askedBy(operator: RunningOperator): Promise<Asked> {
  const text = await operator.metrics();
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]{0,200}\\})? (\\d+)$`, 'gm'))].reduce(
      (all, [, count]) => all + Number(count),
      0,
    );
  return { polls: sum('towpath_git_polls_total'), fetches: sum('towpath_git_fetches_total') };
}

test('A15: one push of the repository of 1,000 Applications is one question and one fetch, at the leader and at a follower', async (t) => {
  const stage = await newStage(t, {
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
  t.after(async () => {
    await watch.stop();
    await client.close();
  });
  const names = Array.from({ length: COUNT }, (_, index) => `app-${index}`);
  await inParallel(names, 16, (name) =>
    stage.application(name, {
      source: { path: 'chart', interval: '1h' },
      deletionPolicy: 'Orphan',
    }),
  );
  await watch.allReadyAt(COUNT, await stage.repository.revParse('main'), 600_000);
  const follower = await startOperator(t, stage.cluster, stage.namespace, { flags });
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
    const before = await Promise.all([askedBy(stage.operator), askedBy(follower)]);
    const revision = await stage.repository.commit(values(where));
    const pushedAt = performance.now();
    const first = watch.allReadyAt(1, revision, 300_000);
    const all = watch.allReadyAt(COUNT, revision, 300_000);
    assert.equal((await deliver(url, GitHub)).status, 200);
    const took = [(await first) - pushedAt, (await all) - pushedAt].map(Math.round);
    t.diagnostic(
      `push at ${where}: the first is Ready after ${took[0]} ms, all ${COUNT} after ${took[1]} ms`,
    );
    const after = await Promise.all([askedBy(stage.operator), askedBy(follower)]);
    const asked = after.map(({ polls, fetches }, at) => [
      polls - (before[at]?.polls ?? 0),
      fetches - (before[at]?.fetches ?? 0),
    ]);
    assert.deepEqual(
      asked,
      [
        [1, 1],
        [0, 0],
      ],
      `questions and fetches of the leader and the follower, at ${where}`,
    );
  }
});
