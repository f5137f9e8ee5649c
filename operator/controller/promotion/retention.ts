import { isFinished, type Promotion } from '../../api/v1alpha1/promotion.ts';

/** What of a target is kept, whatever came after it. */
export interface Kept {
  /** So many that ended, the newest. */
  readonly finished: number;
  /** Id of the deployment that runs, or ran last. */
  readonly running: number | undefined;
  /** Name of the one by which a person holds it there: who lets go of it names that. */
  readonly holding?: string | undefined;
}

/** `<application>/<environment>` */
export function targetIn({
  spec: { application, environment },
}: {
  spec: { application: string; environment: string };
}): string {
  return `${application}/${environment}`;
}

/**
 * Of the Promotions of one target those that may go once the archive has them, the oldest first: not what is under way,
 * not the last ones that ended, and not what runs or holds, however long ago it came. Each target has its own, so that no busy one
 * pushes out what a quiet one has (A23). In the order in which they ended, never of their names (A19).
 */
export function surplusOf(
  promotions: readonly Promotion[],
  { finished, running, holding }: Kept,
): Promotion[] {
  const ended = promotions.filter(({ status }) => isFinished(status?.phase));
  ended.sort((one, other) => endOf(other) - endOf(one) || idOf(other) - idOf(one));
  return ended
    .slice(finished)
    .filter((promotion) => running === undefined || idOf(promotion) !== running)
    .filter(({ metadata }) => metadata.name !== holding)
    .reverse();
}

/** Milliseconds since 1970. */
export function endOf({ status, metadata }: Promotion): number {
  return Date.parse(status?.finishedAt ?? metadata.creationTimestamp ?? '') || 0;
}

/** Of the deployment that it is; 0 where it is none. */
export function idOf({ spec, status }: Promotion): number {
  return status?.deployment ?? spec.deployment?.id ?? 0;
}
