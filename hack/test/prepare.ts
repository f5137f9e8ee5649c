import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { kubeConfigText, runProgram } from '../../test/harness/cluster.ts';
import { startControlPlane } from '../../test/harness/control-plane.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { sharedNodes } from '../../test/harness/use-control-plane.ts';
import { buildEngine } from '../build-engine.ts';
import { clusterBinary } from '../programs.ts';

/** Something done before the tests, or they themselves, and how long it took. */
export interface Phase {
  name: string;
  seconds: number;
  /** Of the processors' time the part that somebody on this machine used, from 0 to 1. */
  busy: number;
}

export async function timed<T>(phases: Phase[], name: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const before = processorTime();
  const result = await work();
  const after = processorTime();
  const busy = (after.busy - before.busy) / (after.all - before.all);
  phases.push({ name, seconds: (performance.now() - started) / 1000, busy });
  return result;
}

function processorTime(): { busy: number; all: number } {
  const times = cpus().map((one) => one.times);
  const idle = times.reduce((sum, one) => sum + one.idle, 0);
  const all = times.flatMap((one) => Object.values(one)).reduce((sum, one) => sum + one, 0);
  return { busy: all - idle, all };
}

/** Builds all programs that tests use, one after the other: each alone keeps all cores busy. */
export async function buildPrograms(): Promise<void> {
  await clusterBinary();
  await buildEngine();
}

export interface SharedCluster {
  kubeconfigPath: string;
  stop(): Promise<void>;
}

/** The cluster for all test files: one of our own, or with `current` the one that $KUBECONFIG names. */
export async function startSharedCluster(which: string): Promise<SharedCluster> {
  if (which === 'current') return enterCurrentCluster();
  if (which !== '') throw new Error(`no cluster ${which}; there is only CLUSTER=current`);
  return startControlPlane({ nodes: sharedNodes });
}

const namespace = 'towpath-test';

/**
 * Makes an administrator's ServiceAccount in the user's cluster, so that tests have a bearer token however
 * the user logs in, and removes it at the end.
 */
async function enterCurrentCluster(): Promise<SharedCluster> {
  const binary = await clusterBinary();
  const kubectl = async (...args: string[]) => {
    const result = await runProgram(binary, ['kubectl', ...args]);
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr.trim()}`);
    return result.stdout.trim();
  };
  if (!process.env.KUBECONFIG)
    throw new Error('CLUSTER=current uses the cluster that KUBECONFIG names: set it');
  const cluster = '{.clusters[0].cluster';
  const view = (path: string) =>
    kubectl('config', 'view', '--minify', '--raw', '--flatten', '-o', `jsonpath=${path}`);
  const serverUrl = await view(`${cluster}.server}`);
  const ca = Buffer.from(await view(`${cluster}.certificate-authority-data}`), 'base64').toString();
  const stop = async () => {
    await kubectl('delete', 'clusterrolebinding', namespace, '--ignore-not-found');
    await kubectl('delete', 'namespace', namespace, '--ignore-not-found');
  };
  // A run that was killed may have left them.
  await stop();
  try {
    await kubectl('create', 'namespace', namespace);
    await kubectl('create', 'serviceaccount', 'admin', `--namespace=${namespace}`);
    const subject = `--serviceaccount=${namespace}:admin`;
    await kubectl('create', 'clusterrolebinding', namespace, '--clusterrole=cluster-admin', subject);
    const token = await kubectl('create', 'token', 'admin', `--namespace=${namespace}`, '--duration=4h');
    const kubeconfigPath = join(temporaryDirectory('cluster'), 'kubeconfig');
    writeFileSync(kubeconfigPath, kubeConfigText({ serverUrl, ca, token }), { mode: 0o600 });
    return { kubeconfigPath, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
