import { type Application, type EnvironmentStatus, environmentOf } from '../../api/v1alpha1/application.ts';
import type { TargetAccess } from '../../apply/target.ts';
import { type Search, searchTarget } from '../cluster/lost-objects.ts';
import type { TargetRecord } from '../record/record.ts';
import type { Target } from '../record/target.ts';

const NOTHING: Search = { kinds: [], objects: 0, unlisted: [] };

/**
 * What there is of a target that has no record. Where its status tells that something was deployed, the record is lost,
 * and the API server is asked kind by kind what carries the target's marks: so nothing is left behind when it is pruned
 * or deleted.
 */
export async function whereLost(
  application: Application,
  target: Target,
  access: TargetAccess,
): Promise<Search> {
  if (!toldDeployed(application, target)) return NOTHING;
  return searchTarget(access, target.namespace);
}

/** Nothing was written by it. What it took over of another name, and who holds it, may be in a record that is made anew. */
export function isBlank({ deployment, kinds }: TargetRecord): boolean {
  return deployment === undefined && kinds.length === 0;
}

/** How many objects the status tells of. */
export function toldObjects({ status }: Application, { environment }: Pick<Target, 'environment'>): number {
  return environmentOf(status, environment)?.objects ?? 0;
}

/** Whether the status tells that something was deployed there. */
export function toldDeployed({ status }: Application, { environment }: Pick<Target, 'environment'>): boolean {
  const entry = environmentOf(status, environment);
  return entry !== undefined && wasDeployed(entry);
}

/** Whether something of the environment may be there. */
export function wasDeployed({ history = [], revision, objects = 0 }: EnvironmentStatus): boolean {
  return history.length > 0 || revision !== undefined || objects > 0;
}
