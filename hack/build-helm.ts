import { goBinary } from './go-binary.ts';

/** Path of the helm command that tests and benchmarks compare the engine with, built first if need be. */
export function buildHelm(): Promise<string> {
  return goBinary({
    name: 'helm',
    moduleDir: 'hack/helm',
    package: 'helm.sh/helm/v4/cmd/helm',
    cost: 'the first build takes a minute or two on 2 cores',
  });
}

if (import.meta.main) process.stdout.write(`${await buildHelm()}\n`);
