import { goBinary } from './go-binary.ts';

/**
 * Path of the rendering engine's binary, built first if its sources changed.
 * `TOWPATH_ENGINE` names a binary to use instead.
 */
export async function buildEngine(): Promise<string> {
  return (
    process.env.TOWPATH_ENGINE ||
    goBinary({
      name: 'engine',
      moduleDir: 'operator/render/engine',
      cost: 'the first build takes a minute or two on 2 cores',
    })
  );
}

if (import.meta.main) process.stdout.write(`${await buildEngine()}\n`);
