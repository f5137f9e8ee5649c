import { buildHelm } from '../../hack/build-helm.ts';
import { type KubectlResult, runProgram } from './cluster.ts';
import { temporaryDirectory } from './process.ts';

/** Whether it is that of `make test HELM=3`. */
export const isHelm3 = process.env.HELM === '3';

let home: string | undefined;

/** Runs the helm command with a home of its own; never throws for helm's own failures. */
export async function helm(...args: string[]): Promise<KubectlResult> {
  home ??= temporaryDirectory('helm');
  const homes = ['HOME', 'HELM_CACHE_HOME', 'HELM_CONFIG_HOME', 'HELM_DATA_HOME'].map((name) => [name, home]);
  return runProgram(await buildHelm(), args, undefined, { ...process.env, ...Object.fromEntries(homes) });
}
