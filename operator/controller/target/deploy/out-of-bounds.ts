import type { Refusal } from '../../../apply/classify.ts';
import { boundsRefusal, type TargetAccess } from '../../../apply/target.ts';
import type { ObjectId } from '../../../manifest/manifest.ts';
import { combined } from '../words/refusals.ts';

/**
 * What an Environment does not allow is not even asked about (S3), nor is anything else that comes with it: of a
 * candidate before it is judged, and of what runs, where the Environment allows less by now.
 *
 * @throws TowpathError OutOfBounds that lists all such objects
 */
export function refuseOutside(
  access: TargetAccess,
  objects: Iterable<ObjectId & { readonly file?: string }>,
): void {
  if (access.bounds === undefined) return;
  const refusals: Refusal[] = [];
  for (const object of objects) {
    const error = boundsRefusal(access, object);
    if (error !== undefined) refusals.push({ verdict: 'State', error });
  }
  if (refusals.length > 0) throw combined(refusals, 'nothing is applied');
}
