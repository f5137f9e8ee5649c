/**
 * Runs the operator from source against the cluster that $KUBECONFIG names: builds the render engine, applies
 * the CRDs and the operator's namespace, then starts operator/main.ts with the arguments given.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { runProgram } from '../test/harness/cluster.ts';
import { buildEngine } from './build-engine.ts';
import { clusterBinary } from './programs.ts';

const root = join(import.meta.dirname, '..');
const namespace = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'towpath-system' },
});

async function apply(file: string, input?: string): Promise<void> {
  const args = ['kubectl', 'apply', '--server-side', '--field-manager=towpath-development', '-f', file];
  const result = await runProgram(await clusterBinary(), args, input);
  process.stdout.write(result.stdout);
  if (result.code !== 0) {
    console.error(
      `${result.stderr.trim()}\nIs the cluster of ${process.env.KUBECONFIG} there? "make cluster" starts one.`,
    );
    process.exit(1);
  }
}

const engine = await buildEngine();
await apply(join(root, 'crds'));
await apply('-', namespace);

// Git servers of development run on this machine; a Git server anywhere else is allowed as ever.
const flags = ['--allow-loopback-repositories', ...process.argv.slice(2)];
const operator = spawn(process.execPath, [join(root, 'operator/main.ts'), ...flags], {
  stdio: 'inherit',
  env: { ...process.env, TOWPATH_ENGINE: engine },
});
// Ctrl-C reaches the operator by itself; this process only waits for its orderly end.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => operator.kill('SIGTERM'));
operator.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
});
