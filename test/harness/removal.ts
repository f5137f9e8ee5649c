import definitions from '../../operator/api/v1alpha1/definitions.json' with { type: 'json' };
import type { Cluster } from './cluster.ts';
import { documented, runCommands } from './documented.ts';

/** What stays of an installation until somebody takes it away. */
export type Step = 'release' | 'namespace' | 'definitions';

/** In which a removal may end. */
export const ORDERS: readonly (readonly Step[])[] = [
  ['release', 'namespace', 'definitions'],
  ['release', 'definitions', 'namespace'],
  ['namespace', 'release', 'definitions'],
  ['namespace', 'definitions', 'release'],
  ['definitions', 'release', 'namespace'],
  ['definitions', 'namespace', 'release'],
];

const PAGE = 'installation.md';
const APPLICATIONS = 'applications.towpath.dev';
const CRDS = definitions.map(({ metadata }) => metadata.name);

/** Lets Applications go that no operator looks after any more, with the page's own commands. */
export const letGo = (cluster: Cluster) =>
  runCommands(cluster, documented(PAGE, `kubectl get ${APPLICATIONS} -A`));

/** Removes what a release left whose namespace went before it, with the page's own commands. */
export const removeLeftovers = (cluster: Cluster) =>
  runCommands(cluster, documented(PAGE, 'kubectl delete clusterroles'));

/** How one takes the installation away that is towpath in towpath-system. */
export interface Removal {
  cluster: Cluster;
  kubectl(...args: string[]): Promise<unknown>;
  uninstall(): Promise<unknown>;
}

/** One step of the page; `gone` is what went before, and with release or namespace the operator. */
export async function remove(
  step: Step,
  gone: readonly Step[],
  { cluster, kubectl, uninstall }: Removal,
): Promise<void> {
  const runs = !gone.includes('release') && !gone.includes('namespace');
  if (step === 'definitions') {
    await kubectl('delete', 'crd', ...CRDS, '--wait=false');
    if (!runs) await letGo(cluster);
    await kubectl('wait', '--for=delete', ...CRDS.map((name) => `crd/${name}`), '--timeout=60s');
  } else if (step === 'namespace') {
    await kubectl('delete', 'namespace', 'towpath-system', '--timeout=120s');
  } else if (gone.includes('namespace')) {
    await removeLeftovers(cluster);
  } else {
    await uninstall();
  }
}
