import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FaultProxy } from '../harness/fault-proxy.ts';
import { fastLease, type Stage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { isWrite, newProxiedStage } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { environmentOf } from '../harness/target.ts';
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

/** A write in words that are the same each time: `patch record`, `create hook`. */
function inWords({ verb, path }: RecordedRequest): string {
  const [, plural = '', subresource = ''] =
    /\/(applications|secrets|configmaps|jobs)(?:\/[^/?]+)?(?:\/(status))?(?:\?|$)/.exec(path) ?? [];
  const what: Record<string, string> = {
    applications: subresource === '' ? 'Application' : subresource,
    secrets: 'record',
    configmaps: 'object',
    jobs: 'hook',
  };
  return `${verb} ${what[plural] ?? path}`;
}

/** All that is written, asserted once: a further write is a further instant at which the operator may be killed. */
const WRITES = {
  sync: [
    'patch record',
    'patch status',
    'create hook',
    'patch record',
    'delete hook',
    'apply object',
    'apply object',
    'delete object',
    'patch record',
    'patch status',
  ],
  install: [
    'patch Application',
    'create record',
    'patch status',
    'create hook',
    'patch record',
    'delete hook',
    'apply object',
    'apply object',
    'patch record',
    'patch status',
  ],
  deletion: [
    'patch status',
    'create hook',
    'patch record',
    'delete hook',
    'delete object',
    'delete object',
    'patch status',
    'delete record',
    'patch Application',
  ],
} as const;

/** A write by its words, and how many of the same words there are up to it. */
interface Instant {
  words: string;
  count: number;
}

function instantsOf(writes: readonly string[]): Instant[] {
  return writes.map((words, index) => ({
    words,
    count: writes.slice(0, index + 1).filter((other) => other === words).length,
  }));
}

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
    { describe: 'the operator to be at rest' },
  );
}

/** What is written of what `begin` begins, until it is over. */
async function writesOf(
  ground: Ground,
  begin: () => Promise<unknown>,
  isOver: () => Promise<unknown>,
): Promise<string[]> {
  ground.proxy.forget();
  await begin();
  await isOver();
  return ground.proxy.find({ where: isWriteOfSync }).map(inWords);
}

/**
 * Kills the operator at that write of what `begin` begins, and starts it again. Rejects where it is over without it;
 * `isOver` is the fact that says so.
 */
async function killAt(
  ground: Ground,
  at: (typeof INSTANTS)[number],
  { words, count }: Instant,
  begin: () => Promise<unknown>,
  isOver: () => Promise<unknown>,
): Promise<void> {
  const { proxy, stage } = ground;
  let seen = 0;
  const held = proxy.hold({
    at,
    where: (request) => isWriteOfSync(request) && inWords(request) === words && ++seen === count,
  });
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
  assert.ok(isHeld, `${words}, the ${count}. of them, was not met`);
  await stage.operator.stop('SIGKILL');
  held.drop();
  await stage.restart();
  held.release();
}

const names = (text: string) => text.split(/\s+/).filter(Boolean).sort();

/** What is left in the namespace besides what tests and Kubernetes itself put there. */
async function leftovers({ stage }: Ground): Promise<string[]> {
  const jobs = await stage.kubectl('get', 'jobs,pods', '-o', 'name');
  const secrets = await stage.kubectl('get', 'secrets', '-o', 'name');
  const ours = await stage.kubectl('get', 'configmaps,secrets', '-l', 'towpath.dev/target', '-o', 'name');
  return [...new Set([...names(jobs), ...names(secrets), ...names(ours)])].sort();
}

/**
 * Every other write, before it and after it: what is after one is what is before the next, so that each state which a
 * kill can leave is met once. Each turn costs a start of the operator.
 */
const everyOther = (writes: readonly string[]) => instantsOf(writes).filter((_, index) => index % 2 === 0);

for (const at of INSTANTS) {
  test(`D7: killed ${when(at)} every other write of a sync in turn, the next start finishes the job`, async (t) => {
    const ground = await start(t, files(1));
    const { stage } = ground;
    await stage.deployed('web', { revisionHistoryLimit: 100 });
    await atRest(ground);
    const [record = ''] = await leftovers(ground).then((all) =>
      all.filter((one) => /towpath-application/.test(one)),
    );
    let version = 1;
    let revision = '';
    const begin = async () => {
      version += 1;
      revision = await stage.repository.commit(files(version));
      await stage.requestSync('web');
    };
    const isReady = () => stage.untilReadyAt('web', revision);
    const settled = () => isReady().then(() => atRest(ground));
    assert.deepEqual(await writesOf(ground, begin, settled), WRITES.sync);
    for (const instant of everyOther(WRITES.sync)) {
      const write = `${when(at)} ${instant.words} (${instant.count})`;
      await killAt(ground, at, instant, begin, isReady);
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
      const history = environmentOf(done.status)?.history ?? [];
      assert.deepEqual(
        history.map((entry) => [entry.id, entry.outcome]),
        Array.from({ length: version }, (_, index) => [version - index, 'Succeeded']),
        `history after kill ${write}`,
      );
      assert.equal(history[0]?.revision, revision);
    }
  });
}

for (const at of INSTANTS) {
  test(`D7: killed ${when(at)} every other write of a first install and of a deletion, the next start finishes both`, async (t) => {
    const ground = await start(t, {
      ...files(1),
      'templates/hook.yaml': [hook('install', 'pre-install'), hook('delete', 'pre-delete')].join('---\n'),
    });
    const { stage } = ground;
    const revision = await stage.repository.revParse('main');
    const isReady = () => stage.untilReadyAt('web', revision);
    const begin = () => stage.application('web');
    const isGone = () =>
      stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/web', '--timeout=60s');
    const beginDeletion = () => stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
    const settled = () => isReady().then(() => atRest(ground));
    assert.deepEqual(await writesOf(ground, begin, settled), WRITES.install);
    assert.deepEqual(await writesOf(ground, beginDeletion, isGone), WRITES.deletion);
    const deletions = everyOther(WRITES.deletion);
    for (const [turn, install] of everyOther(WRITES.install).entries()) {
      const deletion = deletions[turn] ?? deletions[0];
      assert.ok(deletion !== undefined);
      const where = `${when(at)} ${install.words} (${install.count}) and ${deletion.words} (${deletion.count})`;
      await killAt(ground, at, install, begin, isReady);
      const done = await isReady();
      assert.deepEqual(
        environmentOf(done.status)?.history?.map((entry) => [entry.id, entry.outcome]),
        [[1, 'Succeeded']],
        `history after a kill ${where}`,
      );
      await killAt(ground, at, deletion, beginDeletion, isGone);
      await isGone();
      await eventually(async () => (await leftovers(ground)).length === 0, {
        describe: `nothing to be left after a kill ${where}: ${await leftovers(ground)}`,
      });
    }
  });
}
