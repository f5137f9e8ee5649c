import definitions from '../operator/api/v1alpha1/definitions.json' with { type: 'json' };
import { ANNOTATION_VERSION } from '../operator/api/v1alpha1/names.ts';
import { fieldsBeyond, type Versioned } from '../operator/controller/home/kept-fields.ts';
import { compareVersions, parseVersion } from '../operator/source/semver.ts';

/** As whom `make run` writes. */
export const DEVELOPMENT = 'towpath-development';

/** Fields that are told of a definition. */
const MOST_TOLD = 5;

/** A definition as a cluster has it, with its managedFields. */
export interface LiveDefinition {
  metadata: {
    name: string;
    annotations?: Record<string, string>;
    managedFields?: readonly { manager?: string; subresource?: string }[];
  };
  spec: { versions: readonly Versioned[] };
}

/** The names of the definitions of this checkout, each of which has a file `crds/towpath.dev_<plural>.yaml`. */
export const DEFINITIONS: readonly { name: string; plural: string }[] = definitions.map(
  ({ metadata, spec }) => ({ name: metadata.name, plural: spec.names.plural }),
);

/**
 * Why a definition of the cluster is not to be replaced by that of this checkout, as a sentence; undefined where it may
 * be: one that a newer version wrote, or a later build of the same one that others installed. Objects would lose what
 * ours does not know. What `make run` alone wrote may also lose a field: that is what its user is at.
 */
export function whyKept({ metadata, spec }: LiveDefinition): string | undefined {
  const ours = definitions.find((definition) => definition.metadata.name === metadata.name);
  if (ours === undefined) return undefined;
  const [live, here] = [
    metadata.annotations?.[ANNOTATION_VERSION],
    ours.metadata.annotations[ANNOTATION_VERSION],
  ];
  const [theirs, own] = [parseVersion(live ?? ''), parseVersion(here)];
  if (theirs !== undefined && own !== undefined && compareVersions(theirs, own) > 0)
    return `The definition ${metadata.name} in the cluster is of Towpath ${live}, and stays as it is; this checkout is of ${here}.`;
  const others = (metadata.managedFields ?? []).some(
    ({ manager, subresource }) => manager !== DEVELOPMENT && subresource === undefined,
  );
  const lost = others ? fieldsBeyond(spec.versions, ours.spec.versions, MOST_TOLD) : [];
  if (lost.length === 0) return undefined;
  return `The definition ${metadata.name} in the cluster has fields that this checkout does not know (${lost.join(', ')}), and stays as it is: objects would lose them. If nobody needs them, run "kubectl apply --server-side --force-conflicts -f crds".`;
}
