import { z } from 'zod';
import { APPROVAL_LIMITS } from '../operator/api/v1alpha1/approval.ts';
import type { Kubectl } from './kubectl.ts';

const reviewSchema = z.object({
  metadata: z.object({ creationTimestamp: z.iso.datetime({ offset: true }).nullish() }).default({}),
  status: z.object({
    userInfo: z.object({ username: z.string().min(1), groups: z.array(z.string()).default([]) }),
  }),
});

/** Who a user is, and when that was asked. */
export interface WhoAmI {
  readonly username: string;
  readonly groups: string[];
  /** By the clock of the API server, at the begin of the second that it says; undefined where it does not say. */
  readonly askedAt: Date | undefined;
}

/** As the API server knows the user: it proves both, and where it can it fills them in. @throws CommandError */
export async function whoAmI(kubectl: Pick<Kubectl, 'json'>): Promise<WhoAmI> {
  const { metadata, status } = reviewSchema.parse(await kubectl.json(['auth', 'whoami']));
  const at = metadata.creationTimestamp;
  return { ...status.userInfo, askedAt: at ? new Date(at) : undefined };
}

/** Those of a user's groups that an Approval names, as the chart's mutating policy takes them. */
export function writtenOf(groups: readonly string[]): string[] {
  return groups
    .filter((group) => [...group].length <= APPROVAL_LIMITS.group)
    .slice(0, APPROVAL_LIMITS.groups);
}

/** Who asks is answered with the time at which that was. */
const timeSchema = z.object({
  metadata: z.object({ creationTimestamp: z.iso.datetime({ offset: true }) }),
});

/**
 * What time it is by the clock of the API server, however wrong the user's is: at the end of the second that it says, so
 * that what happened until now is before it. Undefined where it does not say.
 */
export async function clusterTime(
  kubectl: Pick<Kubectl, 'jsonIfAny'>,
  signal: AbortSignal,
): Promise<Date | undefined> {
  const review = timeSchema.safeParse(await kubectl.jsonIfAny(['auth', 'whoami'], signal));
  return review.success ? new Date(Date.parse(review.data.metadata.creationTimestamp) + 999) : undefined;
}
