import { z } from 'zod';
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
