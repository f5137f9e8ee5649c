/**
 * The control plane for daily work: stays when this script ends, keeps its objects, address and kubeconfig.
 *
 *   node hack/local-cluster.ts up|down
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startControlPlane } from '../test/harness/control-plane.ts';
import { isRunning } from '../test/harness/process.ts';
import { eventually } from '../test/harness/wait.ts';
import { clusterBinary } from './programs.ts';

const root = join(import.meta.dirname, '..');
const directory = join(root, '.run', 'cluster');
const processesPath = join(directory, 'processes.json');
const kubeconfigPath = join(directory, 'kubeconfig');

interface Component {
  name: string;
  pid: number;
}

/** The components that run; a process id that another program has by now is not among them. */
function running(): Component[] {
  if (!existsSync(processesPath)) return [];
  const components = JSON.parse(readFileSync(processesPath, 'utf8')) as Component[];
  return components.filter(({ pid }) => isRunning(pid) && commandLine(pid).includes(directory));
}

/** The command line of a process; where the system has no /proc, the directory that is looked for. */
function commandLine(pid: number): string {
  if (!existsSync('/proc/self/cmdline')) return directory;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function up(): Promise<void> {
  const started = performance.now();
  const present = running();
  if (present.length === 5) {
    console.log('The cluster is running already.');
  } else {
    await down();
    const { processes } = await startControlPlane({ nodes: 2, dataDir: directory, detached: true });
    const components = Object.values(processes).map(({ name, pid }) => ({ name, pid }));
    writeFileSync(processesPath, JSON.stringify(components));
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`The cluster is ready after ${seconds} s: ${components.map(({ name }) => name).join(', ')}.`);
  }
  const kubectl = writeKubectl(await clusterBinary());
  console.log(`
  export KUBECONFIG=${kubeconfigPath}
  kubectl get nodes        # or, where there is no kubectl: ${kubectl} get nodes

Logs are in ${relative(process.cwd(), directory) || '.'}/*.log; "make cluster-down" stops it and keeps its objects,
"make clean" removes them.`);
}

/** A kubectl of this cluster's version and for this cluster, for machines that have none; returns its path. */
function writeKubectl(binary: string): string {
  const path = join(root, '.run', 'kubectl');
  mkdirSync(join(root, '.run'), { recursive: true });
  const script = `#!/bin/sh\nKUBECONFIG=\${KUBECONFIG:-'${kubeconfigPath}'} exec '${binary}' kubectl "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
  return relative(process.cwd(), path);
}

/** Ends the components, etcd last, so that nothing complains about its loss. */
async function down(): Promise<void> {
  const components = running();
  const [etcd, others] = [
    components.filter(({ name }) => name === 'etcd'),
    components.filter(({ name }) => name !== 'etcd'),
  ];
  for (const group of [others, etcd]) {
    for (const { pid } of group) process.kill(pid, 'SIGTERM');
    await Promise.race([gone(group), delay(5_000, undefined, { ref: false })]);
    for (const { pid } of group) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    await gone(group);
  }
  rmSync(processesPath, { force: true });
}

function gone(group: readonly Component[]): Promise<boolean> {
  const describe = group.map(({ name }) => name).join(', ');
  return eventually(() => !group.some(({ pid }) => isRunning(pid)), {
    describe: `${describe} to end`,
  });
}

const [command] = process.argv.slice(2);
if (command === 'up') {
  await up();
} else if (command === 'down') {
  const count = running().length;
  await down();
  console.log(count > 0 ? 'The cluster is stopped; its objects are kept.' : 'The cluster was not running.');
} else {
  console.error('usage: node hack/local-cluster.ts up|down');
  process.exitCode = 2;
}
