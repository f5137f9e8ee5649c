import { z } from 'zod';
import type { Kubectl } from './kubectl.ts';

const leasesSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({
        leaseDurationSeconds: z.int().nullish(),
        renewTime: z.string().nullish(),
      }),
    }),
  ),
});

/** One that was not renewed for so many times its duration is not only being handed over. */
const DURATIONS = 4;
/** Of the chart, in seconds. */
const DEFAULT_DURATION = 15;

/**
 * Since when no operator leads: a time in RFC 3339. Undefined where one does, or where that cannot be seen with the
 * user's rights: most users may not read Leases of another namespace.
 */
export async function nobodyLeadsSince(
  kubectl: Kubectl,
  namespace: string,
  now: Date,
  signal: AbortSignal,
): Promise<string | undefined> {
  const args = ['get', 'leases.coordination.k8s.io', `--namespace=${namespace}`];
  const answer = await kubectl.jsonIfAny(args, signal);
  const leases = leasesSchema.safeParse(answer);
  if (!leases.success) return undefined;
  let latest: string | undefined;
  for (const { metadata, spec } of leases.data.items) {
    const { renewTime, leaseDurationSeconds } = spec;
    if (!renewTime || !/^towpath(-|$)/.test(metadata.name)) continue;
    const agoMs = now.getTime() - Date.parse(renewTime);
    if (agoMs < DURATIONS * 1_000 * (leaseDurationSeconds ?? DEFAULT_DURATION)) return undefined;
    if (latest === undefined || Date.parse(renewTime) > Date.parse(latest)) latest = renewTime;
  }
  return latest;
}
