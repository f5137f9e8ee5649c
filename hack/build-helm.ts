import { type GoProgram, goBinary } from './go-binary.ts';

const HELM_4: GoProgram = {
  name: 'helm',
  moduleDir: 'hack/helm',
  package: 'helm.sh/helm/v4/cmd/helm',
  cost: 'the first build takes a minute or two on 2 cores',
};

/** Helm 4 finds out by itself which Kubernetes it renders for without a cluster; Helm 3's own build tells it. */
const KUBERNETES = ['chartutil', 'lint/rules'].flatMap((room) =>
  Object.entries({ Major: '1', Minor: '37' }).map(
    ([part, value]) => `-X helm.sh/helm/v3/pkg/${room}.k8sVersion${part}=${value}`,
  ),
);

/** What many still install with: `make test-release HELM=3`. */
const HELM_3: GoProgram = {
  ...HELM_4,
  name: 'helm3',
  moduleDir: 'hack/helm3',
  package: 'helm.sh/helm/v3/cmd/helm',
  ldflags: KUBERNETES,
};

/** Path of the helm command that tests and benchmarks compare the engine with, built first if need be. */
export function buildHelm(): Promise<string> {
  return goBinary(process.env.HELM === '3' ? HELM_3 : HELM_4);
}

if (import.meta.main) process.stdout.write(`${await buildHelm()}\n`);
