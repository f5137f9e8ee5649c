/**
 * Many Applications under constant change, for long: commits, changes by hand, faults and restarts of the API server,
 * and at the beginning of the operator. It fails where a user would see an error, or memory grows.
 *
 *   node test/soak/main.ts [--minutes=20] [--applications=1000] [--profile=directory]
 */
import { parseArgs } from 'node:util';
import { KubeClient } from '../../operator/kube/client.ts';
import type { BenchOperator } from '../bench/operator-process.ts';
import { Stage } from '../bench/stage.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { startLoopControl } from '../harness/event-loop.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { installCRDs } from '../harness/operator.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import { DISTURBANCES } from './disturbances.ts';
import { Fleet } from './fleet.ts';
import { readLogs } from './logs.ts';
import { Observations } from './observations.ts';

/** Of the time, the share in which the operator is killed or stopped in every turn. */
const RESTARTS_SHARE = 0.2;
/** Applications that somebody changes by hand in each turn. */
const DRIFTS = 20;
/** From nothing, and after what was wrong has ended, all is as in Git within so many milliseconds of a fast machine. */
const FIRST_MS = 900_000;
const AGAIN_MS = 180_000;
const TELL_EVERY_MS = 30_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    applications: { type: 'string' },
    profile: { type: 'string', default: '' },
  },
});
const minutes = Number(values.minutes || 20);
const applications = Number(values.applications || 1_000);

const startedAt = performance.now();
const elapsed = () => (performance.now() - startedAt) / 1000;
const say = (text: string) => process.stderr.write(`[${elapsed().toFixed(0).padStart(5)} s] ${text}\n`);

say('starting a control plane …');
const controlPlane = await startControlPlane();
await installCRDs(controlPlane);
const gitRoot = temporaryDirectory('soak-git');
const ground = {
  cluster: controlPlane,
  client: KubeClient.fromKubeConfig(controlPlane.kubeConfigText),
  git: await startGitHttp({ root: gitRoot }),
  gitRoot,
  options: { quick: false, profileDirectory: values.profile || undefined, say },
  stop: () => controlPlane.stop(),
};
const proxy = await startFaultProxy(controlPlane);
const stage = await Stage.open(ground, 'soak');
const start = () => stage.startOperator({ kubeconfigPath: proxy.kubeconfigPath, profile: 'soak' });
let operator = await start();
const logs = [operator.logPath];
const loop = startLoopControl();
const observations = new Observations(() => operator);
const progress = setInterval(() => {
  say(observations.inWords());
  // What the proxy noted is for tests that look at requests.
  proxy.forget();
}, TELL_EVERY_MS).unref();
const fleet = await Fleet.create(stage, applications);

async function restart(turn: number): Promise<void> {
  if (turn % 2 === 0) process.kill(operator.pid, 'SIGKILL');
  await operator.stop();
  operator = await start();
  logs.push(operator.logPath);
}

async function turn(count: number, between: () => Promise<void>): Promise<void> {
  const disturbance = DISTURBANCES[count % DISTURBANCES.length];
  if (disturbance === undefined) return;
  const disturbed = disturbance.run(proxy, controlPlane);
  const drifted = Array.from({ length: DRIFTS }, (_, index) => (count * 37 + index * 101) % applications);
  await fleet.commit(count);
  // While the API server is away nobody changes anything by hand either.
  for (const application of drifted) await fleet.drift(application).catch(() => undefined);
  await between();
  await disturbed;
  await observations.caughtUp(disturbance.name, () => converged(AGAIN_MS));
}

async function converged(within: number): Promise<void> {
  await eventually(async () => (await fleet.amiss()) === undefined, {
    within,
    every: 250,
    describe: `all Applications to be as in Git; ${operatorTail(operator)}`,
  }).catch(async (error: unknown) => {
    throw new Error(`${await fleet.amiss()}: ${error instanceof Error ? error.message : error}`);
  });
}

function operatorTail(one: BenchOperator): string {
  return `operator: ${one.logTail(5)}`;
}

const failures: string[] = [];
try {
  await converged(FIRST_MS);
  const began = elapsed();
  say(`${applications} Applications are Ready`);
  const isBefore = (share: number) => elapsed() - began < minutes * 60 * share;
  let count = 1;
  for (; isBefore(RESTARTS_SHARE); count++) await turn(count, () => restart(count));
  say(`${count - 1} turns with a restart each; from now on one life`);
  observations.oneLife();
  for (; isBefore(1); count++) await turn(count, () => Promise.resolve());
} catch (error) {
  failures.push(error instanceof Error ? error.message : String(error));
}
for (const [complaint, times] of fleet.complaints)
  failures.push(`${times} times a user was asked to act: ${complaint}`);
clearInterval(progress);
loop.stop();
const told = readLogs(logs);
failures.push(...observations.failures(), ...told.failures(loop.limit()));
process.stdout.write(`${observations.report({ minutes, applications })}\n${told.report()}\n`);
for (const failure of failures) process.stderr.write(`FAILED: ${failure}\n`);
await fleet.stop();
await stage.stop();
await proxy.stop();
await ground.git.stop();
await ground.client.close();
await controlPlane.stop();
process.exit(failures.length > 0 ? 1 : 0);
