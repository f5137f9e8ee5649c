import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseExposition, sumOf } from '../harness/exposition.ts';
import { isReadyAt, newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

const COUNT = 60;
const names = Array.from({ length: COUNT }, (_, index) => `app-${index}`);
const pathOf = (name: string) => `apps/${name}`;

function manifest(name: string, is: string): Record<string, string> {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { is } };
  return { [`${pathOf(name)}/all.yaml`]: JSON.stringify(object) };
}

/** Applications of one repository, each with a directory of its own, all Ready. */
async function monorepo(t: TestContext): Promise<Stage> {
  const files = Object.assign({}, ...names.map((name) => manifest(name, 'first')));
  const stage = await newStage(t, { files });
  const first = await stage.repository.revParse('main');
  await Promise.all(
    names.map((name) => stage.application(name, { source: { path: pathOf(name), interval: '1h' } })),
  );
  await eventually(async () => (await readyAt(stage, first)).length === COUNT, {
    describe: 'all to be Ready',
    within: 120_000,
  });
  return stage;
}

async function readyAt(stage: Stage, revision: string): Promise<string[]> {
  const list = JSON.parse(await stage.kubectl('get', 'applications', '-o', 'json'));
  return list.items
    .filter((one: Parameters<typeof isReadyAt>[0]) => isReadyAt(one, revision))
    .map((one: { metadata: { name: string } }) => one.metadata.name);
}

async function rendersOf({ operator }: Stage): Promise<number> {
  return sumOf(parseExposition(await operator.metrics()), 'towpath_renders_total');
}

test('A3: of 60 Applications of one repository the one that a commit changes is Synced before the others tell of it, with one render; who is asked tells at once', async (t) => {
  const stage = await monorepo(t);
  const before = await rendersOf(stage);
  const second = await stage.repository.commit(manifest('app-37', 'second'));
  // As a push's webhook would have it looked at.
  await stage.requestSync('app-37');
  await eventually(async () => isReadyAt(await stage.get('app-37'), second), { describe: 'the one' });
  const told = await readyAt(stage, second);
  assert.ok(told.length < COUNT / 2, `${told.length} were told of beside it`);

  const asked = names.filter((name) => !told.includes(name)).at(-1) ?? '';
  await stage.requestSync(asked);
  await stage.until(asked, (one) => isReadyAt(one, second), 'the one that was asked');

  await eventually(async () => (await readyAt(stage, second)).length === COUNT, {
    describe: 'all to tell of the commit, one by one',
  });
  assert.equal((await rendersOf(stage)) - before, 1, 'nothing else is rendered');
});
