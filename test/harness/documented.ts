import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterBinary } from '../../hack/programs.ts';
import { type Cluster, runProgram } from './cluster.ts';

/** The only block of code of a page in docs/ that has all of these words, as it stands there. */
export function documented(page: string, ...words: readonly string[]): string {
  const text = readFileSync(join(import.meta.dirname, '../../docs', page), 'utf8');
  const blocks = [...text.matchAll(/^```(?:yaml)?\n([^`]{1,6000})^```$/gm)].map(([, block = '']) => block);
  const found = blocks.filter((block) => words.every((word) => block.includes(word)));
  const [block] = found;
  assert.ok(block !== undefined && found.length === 1, `${found.length} blocks of ${words.join(', ')}`);
  return block;
}

/** Runs commands with a shell whose kubectl is the cluster's, and expects each to succeed. */
export async function runCommands(cluster: Cluster, commands: string, directory = '.'): Promise<void> {
  const program = `"${await clusterBinary()}" kubectl --kubeconfig "${cluster.kubeconfigPath}"`;
  const script = `set -eu\ncd "${directory}"\nkubectl() { ${program} "$@"; }\n${commands}`;
  const { code, stdout, stderr } = await runProgram('sh', ['-c', script]);
  assert.equal(code, 0, `${commands}\n${stdout}${stderr}`);
}
