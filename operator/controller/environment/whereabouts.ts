import { TowpathError } from '../../api/errors.ts';
import type { Environment } from '../../api/v1alpha1/environment.ts';
import { ANNOTATION_CLUSTER_CONFIRMED } from '../../api/v1alpha1/names.ts';
import { HOME } from '../record/target.ts';
import type { ClusterStand } from './clusters.ts';

/** In which cluster an Environment is, as it is used and told. */
export type Whereabouts =
  /** `cluster`: the uid by which it is known, or HOME. */
  | { readonly is: 'Known'; readonly cluster: string }
  /** It is found out, and not yet to be told. */
  | { readonly is: 'Pending' }
  /** A person confirmed that it is that one from now on, or none was known before: that is to be written down first. */
  | { readonly is: 'Found'; readonly uid: string }
  | { readonly is: 'Lost'; readonly error: TowpathError };

/**
 * Where an Environment is. Pure. Whom its kubeconfig leads to is compared with whom it led to before: nothing is
 * written to a cluster that is not written down (B5).
 *
 * @param recorded Clusters in which records have something of it. They outlive a status, which no backup restores.
 */
export function whereaboutsOf(
  { metadata, spec, status }: Pick<Environment, 'metadata' | 'spec' | 'status'>,
  stand: ClusterStand | undefined,
  recorded: ReadonlySet<string> = new Set(),
): Whereabouts {
  if (spec.cluster === undefined) return { is: 'Known', cluster: HOME };
  // Not followed yet, or no more: it is never the one at home.
  if (stand === undefined) return { is: 'Pending' };
  const { state } = stand;
  if (state.is === 'Connecting') return { is: 'Pending' };
  if (state.is === 'Lost') return state;
  const known = status?.cluster?.uid ?? [...recorded].find((cluster) => cluster !== state.uid);
  if (known === state.uid) return { is: 'Known', cluster: state.uid };
  const confirmed = metadata.annotations[ANNOTATION_CLUSTER_CONFIRMED];
  if (known === undefined || confirmed === state.uid) return { is: 'Found', uid: state.uid };
  return { is: 'Lost', error: clusterChanged(metadata.name, known, state.uid) };
}

function clusterChanged(name: string, known: string, found: string): TowpathError {
  const next = `If that is meant: kubectl annotate --overwrite environment ${name} ${ANNOTATION_CLUSTER_CONFIRMED}=${found}`;
  const before = known === HOME ? "the operator's own" : known;
  return new TowpathError(
    'Person',
    'ClusterChanged',
    `The kubeconfig of Environment ${name} leads to another cluster than before (${before}): nothing is written or deleted there. ${next}`,
    { next },
  );
}
