import { TowpathError } from '../../api/errors.ts';
import type { EnvironmentResourceStatus, Freeze } from '../../api/v1alpha1/environment.ts';
import { heldBy } from '../../promote/gates/freeze.ts';

/** What this installation deploys to an Environment. */
export interface Uses {
  /** Keys of Applications that name it, or have something there still. */
  readonly applications: readonly string[];
  /** Objects that they have there. */
  readonly objects: number;
}

/** So many are named where all have no room. */
const NAMED = 3;

/** Why an Environment that is being deleted stays. */
export function inUse(environment: string, { applications }: Uses): TowpathError | undefined {
  if (applications.length === 0) return undefined;
  const named = applications.toSorted().slice(0, NAMED).join(', ');
  const others = applications.length - NAMED;
  const more = others > 0 ? ` and ${others} more` : '';
  const next = 'Take it out of their spec.environments, or delete them.';
  return new TowpathError(
    'Resource',
    'EnvironmentInUse',
    `Environment ${environment} is to be deleted, and stays until nothing is deployed there any more. It has ${named}${more}. ${next}`,
    { next },
  );
}

/** What an Environment's status counts, and until when it is frozen. */
export function countsOf(
  { applications, objects }: Uses,
  freezes: readonly Freeze[] | undefined,
  now: Date,
): Pick<EnvironmentResourceStatus, 'frozenUntil' | 'applications' | 'objects'> {
  const held = heldBy(freezes ?? [], now);
  return {
    applications: applications.length,
    objects,
    frozenUntil: held === undefined ? undefined : (held.until ?? 'lifted'),
  };
}
