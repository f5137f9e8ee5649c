/** What a person took back while it was on its way does not come back by itself. Pure. */

import { fitBetween } from '../api/v1alpha1/bound-status.ts';
import type { BlockedBy } from './gate.ts';

/** Kept in the target's record, until a person promotes these manifests, or something else enters. */
export interface Cancelled extends TakenBack {
  /** Of what was taken back before, the newest first: what came in between was taken back itself. */
  readonly earlier?: readonly TakenBack[];
}

interface TakenBack {
  /** Of the manifests. */
  readonly digest: string;
  /** Name of the Cancel. */
  readonly promotion: string;
  readonly by: string;
  /** RFC 3339, by the clock at home. */
  readonly at: string;
  /** Id of their candidate, where they are those of another target, whose place this one took: its own have another digest. */
  readonly candidate?: string;
}

/** So many are remembered besides the newest. */
const MOST_EARLIER = 15;

/** With one more, the newest: who takes back what entered meanwhile lets nothing of before in. */
export function withCancelled(before: Cancelled | undefined, one: TakenBack): Cancelled {
  const earlier = allOf(before).filter(({ digest }) => digest !== one.digest);
  return earlier.length === 0 ? one : { ...one, earlier: earlier.slice(0, MOST_EARLIER) };
}

/** These manifests are wanted again. */
export function withoutCancelled(
  before: Cancelled | undefined,
  digest: string,
  candidate?: string,
): Cancelled | undefined {
  if (cancelledOf(before, digest, candidate) === undefined) return before;
  const [newest, ...earlier] = allOf(before).filter((one) => !isAbout(one, digest, candidate));
  if (newest === undefined) return undefined;
  return earlier.length === 0 ? newest : { ...newest, earlier };
}

export function cancelledOf(
  cancelled: Cancelled | undefined,
  digest: string | undefined,
  candidate?: string,
): TakenBack | undefined {
  return allOf(cancelled).find((one) => isAbout(one, digest, candidate));
}

function isAbout(one: TakenBack, digest: string | undefined, candidate: string | undefined): boolean {
  return one.digest === digest || (one.candidate !== undefined && one.candidate === candidate);
}

function allOf(cancelled: Cancelled | undefined): readonly TakenBack[] {
  if (cancelled === undefined) return [];
  const { earlier = [], ...newest } = cancelled;
  return [newest, ...earlier];
}

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
