import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FaultProxy } from '../harness/fault-proxy.ts';
import { fastLease, type Stage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { isWrite, newProxiedStage } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { eventually } from '../harness/wait.ts';

const HOOK_POLICY = 'helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"';
const hook = (name: string, events: string) => `apiVersion: batch/v1
kind: Job
metadata:
  name: ${name}
  annotations: {helm.sh/hook: "${events}", ${HOOK_POLICY}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/main:1}]}
`;

/** Two ConfigMaps, one of which each version replaces by another. */
const objects = (version: number) =>
  [
    ['kept', `"${version}"`],
    [`only-${version % 2}`, '"x"'],
  ]
    .map(
      ([name, value]) =>
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {version: ${value}}\n`,
    )
    .join('---\n');

const files = (version: number) => ({
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'templates/objects.yaml': objects(version),
  'templates/hook.yaml': hook('hook', 'pre-upgrade'),
});

/** What a sync writes: no dry-run, which is a question. */
const isWriteOfSync = (request: RecordedRequest) => isWrite(request) && !request.dryRun;

const INSTANTS = ['request', 'response'] as const;
const when = (at: (typeof INSTANTS)[number]) => (at === 'request' ? 'before' : 'after');

interface Ground {
  proxy: FaultProxy;
  stage: Stage;
}

async function start(t: TestContext, chart: Record<string, string>): Promise<Ground> {
  const { proxy, stage } = await newProxiedStage(t, { files: chart, flags: fastLease });
  return { proxy, stage };
}

/** Whether the operator is at rest: the Git server was asked twice more, and nothing was written meanwhile. */
async function atRest({ proxy, stage }: Ground): Promise<void> {
  const writes = () => proxy.find({ where: isWriteOfSync }).length;
  await eventually(
    async () => {
      const before = writes();
      await untilPolled(stage, 2);
      return writes() === before;
    },
    { within: 60_000, describe: 'the operator to be at rest' },
  );
}

/**
 * Kills the operator at the write with that number of what `begin` begins, and starts it again. False: what it
 * begins has fewer writes, and is over. `isOver` is the fact that says so.
 */
async function killAt(
  ground: Ground,
  at: (typeof INSTANTS)[number],
  write: number,
  begin: () => Promise<unknown>,
  isOver: () => Promise<unknown>,
): Promise<boolean> {
  const { proxy, stage } = ground;
  let seen = 0;
  const held = proxy.hold({ at, where: (request) => isWriteOfSync(request) && ++seen === write });
  let isHeld = false;
  const holding = held.seen.then(() => {
    isHeld = true;
  });
  await begin();
  // A sync that takes longer than its limit has failed, and is not over. After a kill nobody waits for rest, which
  // never comes where the Application is gone: Git is not asked any more.
  const over = isOver().then(() => (isHeld ? undefined : atRest(ground)));
  await Promise.race([holding, over]);
  over.catch(() => undefined);
  if (isHeld) {
    await stage.operator.stop('SIGKILL');
    held.drop();
    await stage.restart();
  }
  held.release();
  return isHeld;
}

const names = (text: string) => text.split(/\s+/).filter(Boolean).sort();

/** What is left in the namespace besides what tests and Kubernetes itself put there. */
async function leftovers({ stage }: Ground): Promise<string[]> {
  const jobs = await stage.kubectl('get', 'jobs,pods', '-o', 'name');
  const secrets = await stage.kubectl('get', 'secrets', '-o', 'name');
  const ours = await stage.kubectl('get', 'configmaps,secrets', '-l', 'towpath.dev/target', '-o', 'name');
  return [...new Set([...names(jobs), ...names(secrets), ...names(ours)])].sort();
}

for (const at of INSTANTS) {
  test(`D7: killed ${when(at)} each write of a sync in turn, the next start finishes the job`, {
    timeout: 400_000,
  }, async (t) => {
    const ground = await start(t, files(1));
    const { stage } = ground;
    await stage.deployed('web', { revisionHistoryLimit: 100 });
    await atRest(ground);
    const [record = ''] = await leftovers(ground).then((all) =>
      all.filter((one) => /towpath-target/.test(one)),
    );
    let version = 1;
    for (let write = 1, isHeld = true; isHeld; write += 1) {
      version += 1;
      const next = version;
      let revision = '';
      const isReady = () => stage.untilReadyAt('web', revision, 60_000);
      isHeld = await killAt(
        ground,
        at,
        write,
        async () => {
          revision = await stage.repository.commit(files(next));
          await stage.requestSync('web');
        },
        isReady,
      );
      const done = await isReady();
      await eventually(async () => (await leftovers(ground)).every((one) => !/job|pod/.test(one)), {
        describe: 'Kubernetes to clear the Pods of the hook away',
      });
      const found = await stage.kubectl(
        ...['get', 'configmaps', '-l', 'towpath.dev/target', '-o'],
        'jsonpath={range .items[*]}{.metadata.name}={.data.version} {end}',
      );
      assert.equal(found.trim(), `kept=${version} only-${version % 2}=x`, `objects after kill ${write}`);
      const expected = ['configmap/kept', `configmap/only-${version % 2}`, record];
      assert.deepEqual(await leftovers(ground), expected.sort(), `what is left after kill ${write}`);
      const history = done.status?.environments?.[0]?.history ?? [];
      assert.deepEqual(
        history.map((entry) => [entry.id, entry.outcome]),
        Array.from({ length: version }, (_, index) => [version - index, 'Succeeded']),
        `history after kill ${write}`,
      );
      assert.equal(history[0]?.revision, revision);
      if (isHeld) continue;
      t.diagnostic(`${write - 1} kills`);
      assert.ok(write > 6, `a sync has at least 6 writes, ${write - 1} were met`);
    }
  });
}

/**
 * Of a first install and a deletion, each with a hook. Before the odd ones, after the even ones: what is between two
 * writes is the same either way, and each turn costs two starts of the operator.
 */
const WRITES = { request: [1, 3, 5, 7, 9], response: [2, 4, 6, 8] } as const;

for (const at of INSTANTS) {
  test(`D7: killed ${when(at)} every other write of a first install and of a deletion, the next start finishes both`, {
    timeout: 400_000,
  }, async (t) => {
    const ground = await start(t, {
      ...files(1),
      'templates/hook.yaml': [hook('install', 'pre-install'), hook('delete', 'pre-delete')].join('---\n'),
    });
    const { stage } = ground;
    const revision = await stage.repository.revParse('main');
    const met: Record<'install' | 'delete', number> = { install: 0, delete: 0 };
    for (const write of WRITES[at]) {
      const isReady = () => stage.untilReadyAt('web', revision, 60_000);
      const begin = () => stage.application('web');
      if (await killAt(ground, at, write, begin, isReady)) met.install = write;
      const done = await isReady();
      assert.deepEqual(
        done.status?.environments?.[0]?.history?.map((entry) => [entry.id, entry.outcome]),
        [[1, 'Succeeded']],
        `history after kill ${write}`,
      );
      const isGone = () =>
        stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/web', '--timeout=60s');
      const beginDeletion = () => stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
      if (await killAt(ground, at, write, beginDeletion, isGone)) met.delete = write;
      await isGone();
      await eventually(async () => (await leftovers(ground)).length === 0, {
        describe: `nothing to be left after kill ${write}: ${await leftovers(ground)}`,
        within: 10_000,
      });
    }
    t.diagnostic(`killed at write ${met.install} of an install at most, at ${met.delete} of a deletion`);
    assert.ok(met.install >= 5 && met.delete >= 5, JSON.stringify(met));
  });
}
