import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { newStage, type Stage } from '../harness/operator.ts';
import { startProcess, temporaryDirectory } from '../harness/process.ts';
import { always, eventually } from '../harness/wait.ts';

const NOTIFY = join(import.meta.dirname, '../../examples/notify');
const NAMES = ['one', 'two', 'three', 'four'];

interface Post {
  application: string;
  word: string;
}

/** A receiver that takes its time. */
async function slowReceiver(t: TestContext): Promise<{ url: string; posts: Post[] }> {
  const posts: Post[] = [];
  const server = createServer(async (request, response) => {
    posts.push((await json(request)) as Post);
    await delay(150);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, posts };
}

async function setReady(stage: Stage, name: string, status: 'True' | 'False'): Promise<void> {
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${stage.namespace}/applications/${name}/status`;
  const condition = {
    type: 'Ready',
    status,
    reason: status === 'True' ? 'Synced' : 'Failed',
    message: 'Set by the test.',
    lastTransitionTime: '2026-01-01T00:00:00Z',
    observedGeneration: 1,
  };
  const contentType = 'application/merge-patch+json';
  const body = { status: { conditions: [condition] } };
  const answer = await stage.cluster.request('PATCH', path, { body, contentType });
  assert.equal(answer.status, 200, answer.body);
}

test('examples/notify posts each change once, also of Applications that change together while the receiver is slow', async (t) => {
  const stage = await newStage(t, { startOperator: false });
  const { url, posts } = await slowReceiver(t);
  await stage.kubectl('apply', '-f', join(NOTIFY, 'chart/crds'));
  await stage.kubectl('wait', '--for=create', 'crd/notices.notify.example.com');
  await stage.kubectl('wait', '--for=condition=Established', 'crd/notices.notify.example.com');
  for (const name of NAMES) {
    await stage.application(name);
    await setReady(stage, name, 'False');
  }
  const logPath = join(temporaryDirectory('notify'), 'notify.log');
  const notify = startProcess({
    name: 'notify',
    command: process.execPath,
    args: [join(NOTIFY, 'notify.ts')],
    env: { ...(process.env as Record<string, string>), KUBECONFIG: stage.cluster.kubeconfigPath },
    logPath,
  });
  // While it runs: the finalizer is its own.
  t.after(async () => {
    await stage.kubectl('delete', 'notice', 'all', '--timeout=30s', '--ignore-not-found');
    await notify.stop('SIGTERM');
  });
  const notice = {
    apiVersion: 'notify.example.com/v1',
    kind: 'Notice',
    metadata: { name: 'all' },
    spec: { url },
  };
  await stage.apply(notice);
  const told = async (word: string) => {
    const all = JSON.parse(await stage.kubectl('get', 'notice', 'all', '-o', 'json')) as {
      status?: { told?: Record<string, string> };
    };
    return NAMES.every((name) => all.status?.told?.[`${stage.namespace}/${name}`] === word);
  };
  const each = (word: string) => NAMES.map((name) => `${stage.namespace}/${name} ${word}`).sort();
  const expected: string[][] = [];
  for (const [status, word] of [
    ['False', 'Failed'],
    ['True', 'Ready'],
    ['False', 'Failed'],
    ['True', 'Ready'],
  ] as const) {
    await Promise.all(NAMES.map((name) => setReady(stage, name, status)));
    await eventually(() => told(word), { describe: `all to be told as ${word}; ${notify.logTail(20)}` });
    expected.push(each(word));
  }
  // What would be posted twice comes by events that are there by now.
  await always(
    () => posts.length,
    (count) => assert.equal(count, NAMES.length * expected.length),
    2_000,
  );
  const rounds = expected.map((_, round) =>
    posts
      .slice(round * NAMES.length, (round + 1) * NAMES.length)
      .map(({ application, word }) => `${application} ${word}`)
      .sort(),
  );
  assert.deepEqual(rounds, expected);
  assert.doesNotMatch(readFileSync(logPath, 'utf8'), /409|Conflict| at /, 'and nothing goes wrong meanwhile');
});
