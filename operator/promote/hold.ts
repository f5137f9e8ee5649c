/** An environment that a person went back in stays there, whatever the source says. Pure. */

import { fitBetween } from '../api/v1alpha1/bound-status.ts';
import type { BlockedBy } from './gate.ts';

/** Kept in the target's record, from when the rollback was accepted. */
export interface Hold {
  /** Name and uid of the Promotion that asked for it. */
  readonly promotion: string;
  readonly uid: string;
  readonly by: string;
  /** RFC 3339, by the clock at home. */
  readonly since: string;
  /** Its rollback was refused, and began nothing: what runs there nobody asked for. */
  readonly refused?: true;
}

/** Whether a person wants what runs there to stay, also where it fails. */
export function keepsThere(hold: Hold | undefined): hold is Hold {
  return hold !== undefined && hold.refused !== true;
}

/** What came of what a person asked for, where no deployment tells; kept in the target's record. */
export interface Answered {
  /** Of the Promotion. */
  readonly uid: string;
  readonly phase: 'Succeeded' | 'Failed' | 'Cancelled' | 'Superseded';
  /** A sentence. */
  readonly message: string;
}

/** So many answers are remembered: what is older stands in the status of its Promotion. */
const MOST_ANSWERED = 16;

export function withAnswer(answered: readonly Answered[], answer: Answered): readonly Answered[] {
  return [...answered.filter(({ uid }) => uid !== answer.uid), answer].slice(-MOST_ANSWERED);
}

/** The same while somebody waits to go back: what is not begun is held by nothing that a person could let go of. */
export function goingBackGate(
  { promotion, by }: Pick<Hold, 'promotion' | 'by'>,
  namespace: string,
): BlockedBy {
  return {
    reason: 'Held',
    message: fitBetween(
      `${by.slice(0, 60)} goes back here (Promotion ${promotion.slice(0, 80)})`,
      ', which could not be begun yet: nothing enters until it is',
      `; to take it back: kubectl towpath cancel ${promotion} -n ${namespace}`,
    ),
    remedy: 'Resource',
    standing: 'Waiting',
    untilPromoted: true,
  };
}

/** One that waits is in no record: where Promotions cannot be listed, it may be there. @param why a sentence */
export function mayBeHeldGate(environment: string, why: string): BlockedBy {
  return {
    reason: 'PromotionsUnknown',
    message: `It is not known whether a person goes back in environment ${environment}, so that nothing new enters; it is tried again: ${why}`,
    remedy: 'Time',
    standing: 'Blocked',
  };
}

/** Nothing new enters. @param how arguments of `kubectl towpath resume` */
export function heldGate({ promotion, by }: Pick<Hold, 'promotion' | 'by'>, how: string): BlockedBy {
  return {
    reason: 'Held',
    message: fitBetween(
      `${by.slice(0, 60)} went back here and holds it (Promotion ${promotion.slice(0, 80)})`,
      ': nothing new enters until a person promotes it, or lets go',
      `: kubectl towpath resume ${how}`,
    ),
    remedy: 'Resource',
    standing: 'Waiting',
    untilPromoted: true,
  };
}
