import type { Application } from '../../api/v1alpha1/application.ts';
import type { TargetAccess } from '../../apply/target.ts';
import { type SearchParts, searchTarget, type WatchedKind } from '../cluster/search.ts';

/**
 * The kinds and namespaces of a target that has no record. Where its status tells that something was deployed,
 * the record is lost, and the API server is asked kind by kind what carries the target's marks: so nothing is
 * left behind when it is pruned or deleted.
 */
export async function whereLost(
  parts: SearchParts,
  application: Application,
  access: TargetAccess,
): Promise<WatchedKind[]> {
  if (!wasDeployed(application)) return [];
  return searchTarget(parts, access, application.metadata.namespace);
}

function wasDeployed({ status }: Application): boolean {
  const target = status?.environments?.[0];
  return (target?.history?.length ?? 0) > 0 || target?.revision !== undefined || (target?.objects ?? 0) > 0;
}
