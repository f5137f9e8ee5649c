import { z } from 'zod';
import type { Kubectl } from './kubectl.ts';

const reviewSchema = z.object({
  status: z.object({
    userInfo: z.object({ username: z.string().min(1), groups: z.array(z.string()).default([]) }),
  }),
});

/** As the API server knows the user: it proves both, and where it can it fills them in. @throws CommandError */
export async function whoAmI(kubectl: Kubectl): Promise<{ username: string; groups: string[] }> {
  return reviewSchema.parse(await kubectl.json(['auth', 'whoami'])).status.userInfo;
}
