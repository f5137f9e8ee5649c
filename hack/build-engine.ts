import { ourArchitecture } from './architecture.ts';
import { type GoProgram, goBinary } from './go-binary.ts';

/**
 * Path of the rendering engine's binary, built first if its sources changed.
 * `TOWPATH_ENGINE` names a binary to use instead.
 */
export async function buildEngine(): Promise<string> {
  return process.env.TOWPATH_ENGINE || goBinary(program);
}

/** The same for a Linux of another architecture, as Go names it: amd64, arm64. */
export function buildEngineFor(architecture: string): Promise<string> {
  const isOurs = process.platform === 'linux' && architecture === ourArchitecture();
  return goBinary(isOurs ? program : { ...program, env: { GOOS: 'linux', GOARCH: architecture } });
}

const program: GoProgram = {
  name: 'engine',
  moduleDir: 'operator/render/engine',
  cost: 'the first build takes a minute or two on 2 cores',
};

if (import.meta.main) process.stdout.write(`${await buildEngine()}\n`);
