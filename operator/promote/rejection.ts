/** Manifests that an environment takes no more, by their digest, until a person promotes them. Pure. */

import { cut, fitBetween } from '../api/v1alpha1/bound-status.ts';
import { shownDigest } from '../manifest/digest.ts';
import type { BlockedBy } from './gate.ts';

/** Kept in the target's record. */
export interface Rejection {
  /** Of the manifests. */
  readonly digest: string;
  /** A sentence: what failed. */
  readonly why: string;
  /** RFC 3339, by the clock at home. */
  readonly at: string;
  /** Id of their candidate, where they are those of another target, whose place this one took: its own have another digest. */
  readonly candidate?: string;
}

/** So many are remembered; what is older is not likely to come back. */
const MOST_REJECTED = 64;
/** What failed may quote what others wrote. */
const MOST_WORDS = 256;

/** With one more, the newest. */
export function withRejection(
  rejected: readonly Rejection[],
  { digest, why, at }: Rejection,
): readonly Rejection[] {
  const others = rejected.filter((one) => one.digest !== digest);
  return [...others, { digest, why: cut(why, MOST_WORDS), at }].slice(-MOST_REJECTED);
}

/** A person promotes them all the same. */
export function withoutRejection(
  rejected: readonly Rejection[],
  digest: string,
  candidate?: string,
): readonly Rejection[] {
  return rejected.filter((one) => !isAbout(one, digest, candidate));
}

export function rejectionOf(
  rejected: readonly Rejection[] | undefined,
  digest: string | undefined,
  candidate?: string,
): Rejection | undefined {
  return rejected?.find((one) => isAbout(one, digest, candidate));
}

function isAbout(
  one: Pick<Rejection, 'digest' | 'candidate'>,
  digest: string | undefined,
  candidate?: string,
) {
  return one.digest === digest || (one.candidate !== undefined && one.candidate === candidate);
}

/** What is new is held back where its very manifests failed before. */
export function heldBack(environment: string, { digest, why }: Rejection): BlockedBy {
  return {
    reason: 'Rejected',
    message: fitBetween(
      `Environment ${environment} has rejected manifests ${shownDigest(digest)}: `,
      why,
      ' Correct it in Git: a newer commit may enter.',
    ),
    remedy: 'Resource',
    standing: 'Waiting',
    untilPromoted: true,
  };
}
