import type { TowpathError } from '../../../api/errors.ts';
import { classify } from '../../../apply/classify.ts';
import type { Target } from '../../record/target.ts';
import type { Parts } from '../run.ts';
import { explainForbidden } from './forbidden.ts';

/** Why a target's objects cannot be seen: its cluster is out of reach, or does not let the ServiceAccount watch them. */
export async function whyUnseen(
  parts: Pick<Parts, 'home' | 'clusterOf' | 'access'>,
  target: Target,
  error: unknown,
  signal: AbortSignal,
): Promise<TowpathError> {
  const [namespace = '', name = ''] = target.application.split('/');
  const object = { group: '', kind: 'Application', namespace, name };
  const why = classify(error, 'watch the objects of', object).error;
  return explainForbidden(parts, target, why, signal);
}
