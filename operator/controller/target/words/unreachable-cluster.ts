import type { TowpathError } from '../../../api/errors.ts';
import type { Application } from '../../../api/v1alpha1/application.ts';
import { classify } from '../../../apply/classify.ts';
import type { TargetAccess } from '../../../apply/target.ts';
import { explainForbidden } from './missing-service-account.ts';

/** Why a target's objects cannot be seen: its cluster is out of reach, or does not let the ServiceAccount watch them. */
export async function whyUnseen(
  { metadata: { namespace, name } }: Application,
  { client, as, signal }: TargetAccess,
  error: unknown,
): Promise<TowpathError> {
  const object = { group: '', kind: 'Application', namespace, name };
  const why = classify(error, 'watch the objects of', object).error;
  return explainForbidden(client, as, why, signal);
}
