import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isRunning, temporaryDirectory } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

const root = join(import.meta.dirname, '../..');
/** The demo's own waits have limits; this one is for a machine that does much else. */
const limit = 170_000;

interface Demo {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Settles with the exit code; null after a signal that it did not catch. */
  readonly ended: Promise<number | null>;
}

function startDemo(t: TestContext, temporary: string): Demo {
  const { KEEP: _keep, CLUSTER: _cluster, ...environment } = process.env;
  const child = spawn(process.execPath, [join(root, 'hack/demo/main.ts')], {
    env: { ...environment, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let written = '';
  child.stdout.on('data', (chunk: Buffer) => {
    written += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    written += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  t.after(() => {
    child.kill('SIGTERM');
    return ended;
  });
  return { child, ended, output: () => written };
}

/** Waits until the demo has written something, and returns the ids of all processes that it has then. */
async function processesAt(demo: Demo, text: string): Promise<number[]> {
  let isWritten = false;
  const written = eventually(() => demo.output().includes(text), {
    within: limit,
    describe: `the demo to write "${text}"`,
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${demo.output()}`);
  });
  const ended = demo.ended.then((code) => {
    if (!isWritten) throw new Error(`It ended with ${code} before it wrote "${text}":\n${demo.output()}`);
  });
  await Promise.race([written, ended]);
  isWritten = true;
  return descendants(demo.child.pid ?? 0);
}

/** From /proc: every process that this one, or one of its children, started. */
function descendants(of: number): number[] {
  const parents = readdirSync('/proc')
    .filter((entry) => /^[0-9]+$/.test(entry))
    .flatMap((entry) => {
      try {
        // The name in parentheses may contain anything; state and parent follow it.
        const [, parent] = readFileSync(`/proc/${entry}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
        return [{ id: Number(entry), parent: Number(parent) }];
      } catch {
        return [];
      }
    });
  const below = (id: number): number[] =>
    parents.filter(({ parent }) => parent === id).flatMap((child) => [child.id, ...below(child.id)]);
  return below(of);
}

const withoutProc = process.platform === 'linux' ? false : 'the processes are read from /proc';

test('the demo shows all that it promises, and leaves nothing', async (t) => {
  const temporary = temporaryDirectory('demo-test');
  const demo = startDemo(t, temporary);
  assert.equal(await demo.ended, 0, demo.output());
  const output = demo.output();
  const lines = [
    /^ {2}\$ kubectl apply -f application\.yaml$/m,
    /^ {2}podinfo +True +Synced +Healthy +main@[0-9a-f]{7} +1\/1 /m,
    /^ {2}Good morning$/m,
    /"lastBy":"night-shift"/,
    /^ {2}podinfo +False +Quarantined +Healthy +main@[0-9a-f]{7} +0\/1 /m,
    /^ {2}Service podinfo: .*Invalid value: 98980/m,
    /^ {2}Deployment podinfo: .*spec\.replicas/m,
    /^ {2}podinfo +4\/4 /m,
    /^ {2}3 +[0-9a-f]{7} +Commit +Succeeded /m,
    /^ {2}shop +True +Synced +Healthy +[^ ]+ +2\/2 /m,
    /^ {2}demo-prod +True +v1\.\d+\.\d+ +1 /m,
    /^ {2}Hello from staging$/m,
    /^ {2}Hello from prod$/m,
    /^ {2}demo-prod: Soak \(since .*, clears in \d+s, at \d{4}-\d\d-\d\d \d\d:\d\d UTC\S*\): /m,
    /^ {2}shop +True +Waiting +Healthy +main@[0-9a-f]{7} +1\/2 /m,
    /^ {2}You approved manifests sha256:[0-9a-f]{64} of towpath-demo\/shop in demo-prod .*, as olga\./m,
    /^ {2}Promotion shop-demo-prod-2: Succeeded\.$/m,
    /^ {2}demo-prod: Rejected .*: Not healthy in time: Deployment towpath-demo-prod\/shop: .*Unschedulable/m,
    /^ {2}fatal: unable to access .*podinfo\.git/m,
    /^ {2}shop +True +Held +Healthy /m,
    /^ {2}shop-demo-prod-3 .* RolledBack +towpath:Promotion /m,
    /^ {2}shop-demo-prod-4 .* Succeeded +towpath:Rollback /m,
    /^ {2}shop-demo-prod-[a-z0-9]{5} .* Succeeded +otto /m,
    /^ {2}demo-prod +5 +[0-9a-f]{7} +podinfo-\S+ +Succeeded +Rollback /m,
    /^ {2}Good day from greeter 1\.0\.0$/m,
    /^ {2}greeter +True +Synced +Healthy +1\.1\.0 /m,
    /^ {2}Good day from greeter 1\.1\.0$/m,
    /^ {2}1\.1\.0 sha256:[0-9a-f]{64}$/m,
    /^ {2}No resources found in towpath-demo namespace\.$/m,
    /^ {2}No resources found in towpath-demo-prod namespace\.$/m,
  ];
  for (const line of lines) assert.match(output, line);
  assert.deepEqual(readdirSync(temporary), []);
});

for (const moment of ['Starting etcd', '5. A pushed change']) {
  test(`an interrupt at "${moment}" ends all processes and removes all files`, {
    skip: withoutProc,
  }, async (t) => {
    const temporary = temporaryDirectory('demo-test');
    const demo = startDemo(t, temporary);
    const processes = await processesAt(demo, moment);
    demo.child.kill('SIGINT');
    assert.equal(await demo.ended, 130, demo.output());
    await eventually(() => !processes.some(isRunning), {
      describe: 'all of its processes to end',
    });
    assert.deepEqual(readdirSync(temporary), []);
  });
}

test('kill -9 ends all processes, and the next demo removes the files', {
  skip: withoutProc,
}, async (t) => {
  const temporary = temporaryDirectory('demo-test');
  const killed = startDemo(t, temporary);
  const processes = await processesAt(killed, '2. A Git repository');
  assert.ok(processes.length >= 6, `it has ${processes.length} processes`);
  killed.child.kill('SIGKILL');
  await eventually(() => !processes.some(isRunning), {
    describe: 'all of its processes to end',
  });
  const next = startDemo(t, temporary);
  await processesAt(next, 'Starting etcd');
  next.child.kill('SIGINT');
  await next.ended;
  assert.deepEqual(readdirSync(temporary), []);
});
