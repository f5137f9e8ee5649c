import type { Freeze } from '../../api/v1alpha1/environment.ts';
import { earliest } from '../earliest.ts';
import type { BlockedBy, Entry } from '../gate.ts';

/** A time in which nothing new is deployed. What has its first write is no matter of gates, and goes on. */
export function freeze({ environment, freezes, now }: Entry): BlockedBy | undefined {
  return frozenBy(`Environment ${environment}`, freezes, now);
}

/** The same of whoever says it, named as a sentence begins. */
export function frozenBy(whose: string, freezes: readonly Freeze[], now: Date): BlockedBy | undefined {
  const held = heldBy(freezes, now);
  if (held === undefined) return undefined;
  const { until, reasons } = held;
  const why = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`;
  const how = until === undefined ? 'until its freeze is lifted' : `until ${until}`;
  return {
    reason: 'Frozen',
    message: `${whose} is frozen ${how}${why}. What is new waits; who runs it can end that in its spec.freezes.`,
    remedy: until === undefined ? 'Resource' : 'Time',
    standing: 'Waiting',
    ...(until === undefined ? {} : { clearsAt: new Date(until) }),
  };
}

export interface Held {
  /** As it was written; undefined: it has no end. */
  readonly until: string | undefined;
  readonly reasons: readonly string[];
}

/** What is frozen now, until when all that holds now or follows without a gap is over. */
export function heldBy(freezes: readonly Freeze[], now: Date): Held | undefined {
  let held: { until: string | undefined; reasons: string[] } | undefined;
  let end = now.getTime();
  for (const { from, until, reason } of freezes.toSorted((a, b) => Date.parse(a.from) - Date.parse(b.from))) {
    if (Date.parse(from) > end) break;
    const over = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until);
    // One that is over counts no more, also at the very instant of its end.
    if (over <= end && !(held === undefined && over > now.getTime())) continue;
    end = over;
    const reasons = reason === undefined ? [] : [reason];
    held = { until, reasons: [...(held?.reasons ?? []), ...reasons] };
    if (until === undefined) break;
  }
  return held;
}

/** When the next freeze begins or ends; undefined: nothing changes any more by itself. */
export function nextChange(freezes: readonly Freeze[], now: Date): Date | undefined {
  const times = freezes
    .flatMap(({ from, until }) => [from, ...(until === undefined ? [] : [until])])
    .map((time) => new Date(time))
    .filter((time) => time > now);
  return earliest(...times);
}
