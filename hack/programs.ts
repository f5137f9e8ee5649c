import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GoProgram, goBinary } from './go-binary.ts';

/** The minor of Kubernetes that `make test KUBERNETES=1.36` asks for; unset or empty: the newest. */
export const KUBERNETES_VARIABLE = 'KUBERNETES';

const root = join(import.meta.dirname, '..');
const moduleDir = 'hack/cluster';
/** The same programs with the modules of older minors: `<minor>.mod`, and what `go mod tidy -modfile=` writes. */
const OLDER_DIRECTORY = 'hack/kubernetes';

/** Where the newest is built from, or an older one: whatever a minor's file requires. */
function kubernetesModule(): Pick<GoProgram, 'moduleDir' | 'ldflags'> & { modFile?: string } {
  const minor = process.env[KUBERNETES_VARIABLE] ?? '';
  const newest = versionIn(`${moduleDir}/go.mod`);
  if (minor === '' || newest.startsWith(`v${minor}.`)) return { moduleDir, ldflags: versionFlags(newest) };
  const modFile = `${OLDER_DIRECTORY}/${minor}.mod`;
  if (!/^1\.\d{1,3}$/.test(minor) || !existsSync(join(root, modFile)))
    throw new Error(
      `no Kubernetes ${minor}; there are ${[...olderMinors(), minorOf(newest)].join(', ')} (${OLDER_DIRECTORY} says from which modules)`,
    );
  return { moduleDir, modFile, ldflags: versionFlags(versionIn(modFile)) };
}

function olderMinors(): string[] {
  return globSync('*.mod', { cwd: join(root, OLDER_DIRECTORY) })
    .map((name) => name.replace('.mod', ''))
    .sort();
}

function versionIn(path: string): string {
  const [, version] = /^\tk8s\.io\/kubernetes (v\S+)/m.exec(readFileSync(join(root, path), 'utf8')) ?? [];
  if (version === undefined) throw new Error(`${path} requires no k8s.io/kubernetes`);
  return version;
}

/** `1.37` of `v1.37.2`. */
function minorOf(version: string): string {
  return version.slice(1).split('.').slice(0, 2).join('.');
}

/** Discovery reports v0.0.0 without these. */
function versionFlags(version: string): string[] {
  const [major, minor] = minorOf(version).split('.');
  const variable = 'k8s.io/component-base/version';
  return [
    `-X ${variable}.gitVersion=${version}`,
    `-X ${variable}.gitMajor=${major}`,
    `-X ${variable}.gitMinor=${minor}`,
  ];
}

/** The minor of the control plane that is built here: `1.37`. */
export function kubernetesMinor(): string {
  const { modFile } = kubernetesModule();
  return minorOf(versionIn(modFile ?? `${moduleDir}/go.mod`));
}

/** etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl in one binary. */
export function clusterProgram(): GoProgram {
  return {
    name: 'cluster',
    ...kubernetesModule(),
    cost: 'the first build takes 5 minutes on 2 cores, twice that on slow ones; later ones nothing',
  };
}

/** Path of the control plane's binary; built first if the cache lacks it. */
export function clusterBinary(): Promise<string> {
  return goBinary(clusterProgram());
}

/** Path of the program that is kubelet and kube-proxy. */
export function nodeBinary(): Promise<string> {
  return goBinary({
    name: 'node',
    ...kubernetesModule(),
    package: './node',
    cost: 'after the control plane the first build takes a minute or two on 2 cores',
  });
}

/** Path of what holds the namespaces of each Pod: all that is in the pause image. */
export function pauseBinary(): Promise<string> {
  return goBinary({ name: 'pause', moduleDir, package: './pause' });
}

/** Path of the reference OCI registry. */
export function registryBinary(): Promise<string> {
  return goBinary({
    name: 'registry',
    moduleDir: 'hack/registry',
    cost: 'the first build takes a minute on 2 cores',
  });
}
