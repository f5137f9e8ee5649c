/**
 * Runs the operator from source against the cluster that $KUBECONFIG names: builds the render engine, applies
 * the CRDs, unless others brought newer ones, and the operator's namespace, then starts operator/main.ts with the arguments given.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type KubectlResult, runProgram } from '../test/harness/cluster.ts';
import { buildEngine } from './build-engine.ts';
import { clusterBinary } from './programs.ts';
import { DEFINITIONS, DEVELOPMENT, type LiveDefinition, whyKept } from './run-definitions.ts';

const root = join(import.meta.dirname, '..');
const namespace = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'towpath-system' },
});

async function run(args: readonly string[], input?: string): Promise<KubectlResult> {
  return runProgram(await clusterBinary(), ['kubectl', ...args], input);
}

/** What kubectl prints; where it fails, this process ends with what it says. */
async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const result = await run(args, input);
  if (result.code === 0) return result.stdout;
  console.error(result.stderr.trim());
  const { code, stderr } = await run(['get', '--raw=/version', '--request-timeout=10s']);
  if (code !== 0 && !/\((Unauthorized|Forbidden)\)/.test(stderr))
    console.error(`Is the cluster of ${process.env.KUBECONFIG} there? "make cluster" starts one.`);
  process.exit(1);
}

async function apply(files: readonly string[], input?: string): Promise<void> {
  // A chart, or an operator that leads, may have written them before.
  const how = ['--server-side', '--force-conflicts', `--field-manager=${DEVELOPMENT}`];
  const given = files.map((file) => `--filename=${file}`);
  process.stdout.write(await kubectl(['apply', ...how, ...given], input));
}

async function applyDefinitions(): Promise<void> {
  const names = DEFINITIONS.map(({ name }) => name);
  const how = ['--ignore-not-found', '--show-managed-fields', '--output=json'];
  const found = await kubectl(['get', 'customresourcedefinitions', ...names, ...how]);
  const { items } = (found === '' ? { items: [] } : JSON.parse(found)) as { items: LiveDefinition[] };
  const kept = new Map(items.map((definition) => [definition.metadata.name, whyKept(definition)]));
  for (const why of kept.values()) if (why !== undefined) console.log(why);
  const applied = DEFINITIONS.filter(({ name }) => kept.get(name) === undefined);
  if (applied.length > 0)
    await apply(applied.map(({ plural }) => join(root, `crds/towpath.dev_${plural}.yaml`)));
}

const engine = await buildEngine();
await applyDefinitions();
await apply(['-'], namespace);

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
