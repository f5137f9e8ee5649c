import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type GoProgram, goBinary } from './go-binary.ts';

const kubernetesVersion = 'v1.37.2';

/** etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl in one binary. */
export const clusterProgram: GoProgram = {
  name: 'cluster',
  moduleDir: 'hack/cluster',
  // Discovery reports v0.0.0 without these.
  ldflags: [
    `-X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`,
    '-X k8s.io/component-base/version.gitMajor=1',
    '-X k8s.io/component-base/version.gitMinor=37',
  ],
  cost: 'the first build takes 5 to 8 minutes on 2 cores, later ones nothing',
};

/** Simulates nodes and the pods on them. */
export const kwokProgram: GoProgram = {
  name: 'kwok',
  moduleDir: 'hack/kwok',
  package: 'sigs.k8s.io/kwok/cmd/kwok',
  cost: 'the first build takes a minute or two on 2 cores',
};

/** Path of the control plane's binary; built first if the cache lacks it. */
export function clusterBinary(): Promise<string> {
  return goBinary(clusterProgram);
}

/** Path of kwok's binary; built first if the cache lacks it. */
export function kwokBinary(): Promise<string> {
  return goBinary(kwokProgram);
}

/**
 * Path of a file with kwok's stages "node/fast" and "pod/fast": nodes and pods become ready at once, pods of
 * Jobs complete. Taken from kwok's own module and kept beside its binary.
 */
export async function kwokStages(): Promise<string> {
  const path = join(dirname(await kwokBinary()), 'stages.yaml');
  if (existsSync(path)) return path;
  const kwokModule = await moduleDirectory('sigs.k8s.io/kwok', join(import.meta.dirname, 'kwok'));
  const texts: string[] = [];
  for (const kind of ['node', 'pod']) {
    const directory = join(kwokModule, 'kustomize/stage', kind, 'fast');
    for (const file of (await readdir(directory)).sort()) {
      if (file.startsWith(`${kind}-`)) texts.push(await readFile(join(directory, file), 'utf8'));
    }
  }
  const written = `${path}.${process.pid}`;
  await writeFile(written, texts.join('\n---\n'));
  await rename(written, path);
  return path;
}

async function moduleDirectory(module: string, cwd: string): Promise<string> {
  const go = (...args: string[]) => promisify(execFile)('go', args, { cwd });
  await go('mod', 'download', module);
  return (await go('list', '-m', '-f', '{{.Dir}}', module)).stdout.trim();
}
