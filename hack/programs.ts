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
  cost: 'the first build takes 5 minutes on 2 cores, twice that on slow ones; later ones nothing',
};

/** Path of the control plane's binary; built first if the cache lacks it. */
export function clusterBinary(): Promise<string> {
  return goBinary(clusterProgram);
}
