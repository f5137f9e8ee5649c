import { type GoProgram, goBinary } from './go-binary.ts';

const kubernetesVersion = 'v1.37.2';

// Discovery reports v0.0.0 without these.
const ldflags = [
  `-X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`,
  '-X k8s.io/component-base/version.gitMajor=1',
  '-X k8s.io/component-base/version.gitMinor=37',
];

/** etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl in one binary. */
export const clusterProgram: GoProgram = {
  name: 'cluster',
  moduleDir: 'hack/cluster',
  ldflags,
  cost: 'the first build takes 5 minutes on 2 cores, twice that on slow ones; later ones nothing',
};

/** Path of the control plane's binary; built first if the cache lacks it. */
export function clusterBinary(): Promise<string> {
  return goBinary(clusterProgram);
}

/** Path of the program that is kubelet and kube-proxy. */
export function nodeBinary(): Promise<string> {
  return goBinary({
    name: 'node',
    moduleDir: 'hack/cluster',
    package: './node',
    ldflags,
    cost: 'after the control plane the first build takes a minute or two on 2 cores',
  });
}

/** Path of what holds the namespaces of each Pod: all that is in the pause image. */
export function pauseBinary(): Promise<string> {
  return goBinary({ name: 'pause', moduleDir: 'hack/cluster', package: './pause' });
}
