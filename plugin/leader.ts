import { z } from 'zod';
import type { Kubectl } from './kubectl.ts';
import { clusterTime } from './who-am-i.ts';

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

type Asks = Pick<Kubectl, 'jsonIfAny'>;

/** When a leader was heard of last. */
export interface Renewal {
  /** RFC 3339, by the operator's clock. */
  at: string;
  durationMs: number;
}

/**
 * The newest renewal of an operator's Lease; undefined where there is none, or where that cannot be seen with the
 * user's rights: most users may not read Leases of another namespace.
 */
export async function lastRenewal(
  kubectl: Asks,
  namespace: string,
  signal: AbortSignal,
): Promise<Renewal | undefined> {
  const args = ['get', 'leases.coordination.k8s.io', `--namespace=${namespace}`];
  const leases = leasesSchema.safeParse(await kubectl.jsonIfAny(args, signal));
  if (!leases.success) return undefined;
  let latest: Renewal | undefined;
  for (const { metadata, spec } of leases.data.items) {
    const { renewTime: at, leaseDurationSeconds } = spec;
    if (!at || !/^towpath(-|$)/.test(metadata.name)) continue;
    if (latest === undefined || Date.parse(at) > Date.parse(latest.at))
      latest = { at, durationMs: 1_000 * (leaseDurationSeconds ?? DEFAULT_DURATION) };
  }
  return latest;
}

/**
 * Since when no operator leads: a time in RFC 3339. Undefined where one does, or where that cannot be seen.
 *
 * @param now by the user's clock; where that says something else than that one leads, the cluster's is asked.
 */
export async function nobodyLeadsSince(
  kubectl: Asks,
  namespace: string,
  now: Date,
  signal: AbortSignal,
): Promise<string | undefined> {
  const renewal = await lastRenewal(kubectl, namespace, signal);
  if (renewal === undefined || !isOld(renewal, now)) return undefined;
  return isOld(renewal, (await clusterTime(kubectl, signal)) ?? now) ? renewal.at : undefined;
}

export function isOld({ at, durationMs }: Renewal, now: Date): boolean {
  return now.getTime() - Date.parse(at) >= DURATIONS * durationMs;
}

/**
 * Hears of a leader again and again. Whatever clocks say, one whose Lease is renewed meanwhile leads, and one that was
 * not renewed for long enough while somebody looked does not.
 */
export class LeaderWatch {
  #heard: { at: string; sinceMs: number } | undefined;

  /**
   * @param byClock what the user's clock says of the renewal
   * @param ms of a clock that nobody sets
   * @returns since when no operator leads: a time in RFC 3339. Undefined where one does, or where nobody knows yet.
   */
  note({ at, durationMs }: Renewal, byClock: 'Old' | 'New', ms: number): string | undefined {
    if (this.#heard?.at !== at) this.#heard = { at, sinceMs: ms };
    const silentMs = ms - this.#heard.sinceMs;
    return silentMs >= (byClock === 'Old' ? 1 : DURATIONS) * durationMs ? at : undefined;
  }
}
