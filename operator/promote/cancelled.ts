/** What a person took back while it was on its way does not come back by itself. Pure. */

import { fitBetween } from '../api/v1alpha1/bound-status.ts';
import type { BlockedBy } from './gate.ts';

/** Kept in the target's record, until a person promotes these manifests, or something else enters. */
export interface Cancelled {
  /** Of the manifests. */
  readonly digest: string;
  /** Name of the Cancel. */
  readonly promotion: string;
  readonly by: string;
  /** RFC 3339, by the clock at home. */
  readonly at: string;
}

/** @param which the revision, as people read it */
export function tookBack({
  promotion,
  by,
  reason,
}: Pick<Cancelled, 'promotion' | 'by'> & { reason: string }) {
  const why = reason === '' ? '.' : `: ${reason}`;
  return fitBetween(`${by.slice(0, 60)} took it back by Promotion ${promotion.slice(0, 80)}`, why, '');
}

/** Else what follows the source would begin anew in the next look. @param how arguments of `kubectl towpath promote` */
export function cancelledGate(
  { promotion, by }: Pick<Cancelled, 'promotion' | 'by'>,
  how: string,
): BlockedBy {
  return {
    reason: 'Cancelled',
    message: fitBetween(
      `${by.slice(0, 60)} took these manifests back here (Promotion ${promotion.slice(0, 80)})`,
      ': they wait until a person promotes them, and a newer commit enters as usual',
      `: kubectl towpath promote ${how}`,
    ),
    remedy: 'Resource',
    standing: 'Waiting',
    untilPromoted: true,
  };
}
