import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { KubeClient } from '../../operator/kube/client.ts';
import { ApplicationWatch, inParallel } from '../bench/applications.ts';
import { parseExposition, sumOf } from '../harness/exposition.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { scaled } from '../harness/slowness.ts';

const COUNT = 60;
const names = Array.from({ length: COUNT }, (_, index) => `app-${index}`);
const pathOf = (name: string) => `apps/${name}`;

function manifest(name: string, is: string): Record<string, string> {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { is } };
  return { [`${pathOf(name)}/all.yaml`]: JSON.stringify(object) };
}

/** Applications of one repository, each with a directory of its own, all Ready, and a watch of their statuses. */
async function monorepo(t: TestContext): Promise<{ stage: Stage; watch: ApplicationWatch }> {
  const files = Object.assign({}, ...names.map((name) => manifest(name, 'first')));
  const stage = await newStage(t, { files });
  const client = KubeClient.fromKubeConfig(stage.cluster.kubeConfigText);
  const watch = new ApplicationWatch(client, stage.namespace);
  t.after(async () => {
    await watch.stop();
    await client.close();
  });
  await inParallel(names, 8, (name) =>
    stage.application(name, { source: { path: pathOf(name), interval: '1h' } }),
  );
  await watch.allReadyAt(COUNT, await stage.repository.revParse('main'), 120_000);
  return { stage, watch };
}

async function rendersOf({ operator }: Stage): Promise<number> {
  return sumOf(parseExposition(await operator.metrics()), 'towpath_renders_total');
}

test('A3: of 60 Applications of one repository the one that a commit changes is Synced before the others tell of it, with one render; who is asked tells at once, and all do in time', async (t) => {
  const { stage, watch } = await monorepo(t);
  const before = await rendersOf(stage);
  const second = await stage.repository.commit(manifest('app-37', 'second'));
  const pushedAt = performance.now();
  // As a push's webhook would have it looked at.
  await stage.requestSync('app-37');
  const took = (await watch.readyAt(stage.namespace, 'app-37', second)) - pushedAt;
  // The others begin a second after the commit was seen, fifty in a second.
  const most = 1 + Math.max(0, (took - 1_000) / 20);
  const told = watch.countReadyAt(second);
  assert.ok(told <= most, `${told} tell of it after ${took.toFixed(0)} ms, when ${most.toFixed(0)} may`);

  await stage.requestSync('app-59');
  await watch.readyAt(stage.namespace, 'app-59', second);
  const all = (await watch.allReadyAt(COUNT, second, 60_000)) - pushedAt;
  t.diagnostic(`the one after ${took.toFixed(0)} ms, all after ${all.toFixed(0)} ms`);
  assert.ok(all <= scaled(10_000), `all of them only after ${all.toFixed(0)} ms`);
  assert.equal((await rendersOf(stage)) - before, 1, 'nothing else is rendered');
});
