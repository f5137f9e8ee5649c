import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NODE_ADDRESS } from '../harness/real-node.ts';
import { scaled } from '../harness/slowness.ts';
import { eventually } from '../harness/wait.ts';

/** Runs kubectl, and gives what it prints. */
export type Kubectl = (...args: string[]) => Promise<string>;

/** Where it is installed. */
export const SYSTEM = ['--namespace', 'towpath-system'];

/** What the operator's own account may not do, with the rights that the chart gave it. */
const NOT_ITS_OWN = [
  ['*', '*'],
  ['create', 'pods'],
  ['delete', 'deployments.apps'],
  ['update', 'secrets'],
  ['create', 'clusterrolebindings.rbac.authorization.k8s.io'],
  ['impersonate', 'users'],
  ['impersonate', 'groups'],
];

export async function mayNot(kubectl: Kubectl): Promise<void> {
  const account = await kubectl(
    ...[...SYSTEM, 'get', 'deployment', 'towpath'],
    ...['-o', 'jsonpath={.spec.template.spec.serviceAccountName}'],
  );
  const as = `--as=system:serviceaccount:towpath-system:${account}`;
  // It ends with 1 where the answer is no.
  const can = (verb: string, resource: string) =>
    kubectl('auth', 'can-i', verb, resource, '--all-namespaces', as).catch((error: Error) => error.message);
  assert.equal(await can('list', 'applications.towpath.dev'), 'yes');
  for (const [verb = '', resource = ''] of NOT_ITS_OWN)
    assert.doesNotMatch(await can(verb, resource), /^yes/, `${verb} ${resource}`);
}

/** What answers each request with the way to the metadata service of a cloud. */
export async function startRedirect(): Promise<{ url: string; stop(): void }> {
  const server = createServer((_, response) =>
    response.writeHead(302, { location: 'http://169.254.169.254/x.git' }).end(),
  );
  await new Promise<void>((resolve) => server.listen(0, NODE_ADDRESS, resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://${NODE_ADDRESS}:${port}/x.git`, stop: () => server.close() };
}

const TERMINATED = 'jsonpath={.status.containerStatuses[0].state.terminated.exitCode}';

/** Asks the leader to end, as a drain does, and says when it was gone and when another one led. Milliseconds. */
export async function endLeader(
  kubectl: Kubectl,
): Promise<{ endedMs: number; ledMs: number; exitCode: string }> {
  const leader = await podOfLeader(kubectl);
  const finalizers = (names: string[]) =>
    kubectl(
      ...[...SYSTEM, 'patch', 'pod', leader, '--type=merge'],
      ...['-p', JSON.stringify({ metadata: { finalizers: names } })],
    );
  // So that how it ended can be read.
  await finalizers(['test.towpath.dev/read']);
  const began = performance.now();
  await kubectl(...SYSTEM, 'delete', 'pod', leader, '--wait=false');
  const since = () => performance.now() - began;
  const ended = eventually(() => kubectl(...SYSTEM, 'get', 'pod', leader, '-o', TERMINATED), {
    describe: 'the end of the leader',
  }).then((exitCode) => ({ exitCode, endedMs: since() }));
  const led = eventually(
    async () => {
      const pod = await podOfLeader(kubectl);
      return pod !== '' && pod !== leader;
    },
    { describe: 'another leader' },
  ).then(since);
  try {
    const [{ exitCode, endedMs }, ledMs] = await Promise.all([ended, led]);
    return { exitCode, endedMs, ledMs };
  } finally {
    await finalizers([]);
  }
}

/** It ends with 0 within 10 s, and by 2 s later another one leads. */
export function assertEndsInOrder({ exitCode, endedMs, ledMs }: Awaited<ReturnType<typeof endLeader>>): void {
  assert.equal(exitCode, '0');
  assert.ok(endedMs < scaled(10_000), `it took ${endedMs} ms to end`);
  assert.ok(ledMs < endedMs + scaled(2_000), `another one led ${ledMs - endedMs} ms after its end`);
}

/** The id of the only container of a Pod. */
export async function containerOf(kubectl: Kubectl, pod: string): Promise<string> {
  const id = await kubectl(
    ...[...SYSTEM, 'get', 'pod', pod, '-o', 'jsonpath={.status.containerStatuses[0].containerID}'],
  );
  return id.replace(/^.*:\/\//, '');
}

/** Ids of the processes in a container, as the node knows them; at least one. */
export function processesOf(container: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isOf(name, container));
  assert.notEqual(pids.length, 0, `processes of ${container}`);
  return pids.map(Number);
}

/** Stops the processes of a Pod, which then answers nothing any more, as one whose event loop is stuck. */
export async function freeze(kubectl: Kubectl, pod: string): Promise<void> {
  for (const pid of processesOf(await containerOf(kubectl, pod))) process.kill(pid, 'SIGSTOP');
}

/** The Pod of the replica that leads; the Lease names its holder by it and what tells a process from the one before. */
export async function podOfLeader(kubectl: Kubectl): Promise<string> {
  const holder = await kubectl(...SYSTEM, 'get', 'lease', 'towpath', '-o', 'jsonpath={.spec.holderIdentity}');
  return holder.replace(/-[^-]+$/, '');
}

/** The Pod of the replica that stands by. */
export async function podOfFollower(kubectl: Kubectl): Promise<string> {
  const leader = await podOfLeader(kubectl);
  const pods = ['get', 'pods', '-l', 'app.kubernetes.io/name=towpath'];
  const names = await kubectl(...SYSTEM, ...pods, '-o', 'jsonpath={.items[*].metadata.name}');
  const [follower, ...more] = names.split(' ').filter((name) => name !== leader);
  assert.ok(follower !== undefined && more.length === 0, names);
  return follower;
}

function isOf(pid: string, container: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(container);
  } catch {
    return false;
  }
}

/** A process that is stuck takes no part any more, and is replaced by a new one that does. */
export async function assertRestarted(kubectl: Kubectl, pod: string): Promise<void> {
  const status = async (path: string) =>
    kubectl(...SYSTEM, 'get', 'pod', pod, '-o', `jsonpath={.status.${path}}`);
  await eventually(async () => (await status('containerStatuses[0].ready')) === 'false', {
    describe: 'the stuck Pod not to be ready',
  });
  await eventually(async () => (await status('containerStatuses[0].restartCount')) === '1', {
    within: 180_000,
    describe: 'a new start',
  });
  await eventually(async () => (await status('containerStatuses[0].ready')) === 'true', {
    describe: 'the Pod to be ready again',
  });
}
