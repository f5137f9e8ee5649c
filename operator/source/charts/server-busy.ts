import { TowpathError } from '../../api/errors.ts';
import { BoundedMap } from '../bounded-map.ts';

/** However long a server asks to be left alone. */
const LONGEST_MS = 5 * 60_000;
const MOST_REFUSED = 10_000;
/** Characters of a date in a header. */
const LONGEST_DATE = 64;

export interface Busy {
  status: number;
  host: string;
  /** What was asked for, for messages. */
  what: string;
  /** The header Retry-After, where there is one. */
  retryAfter: string | undefined;
  /** For how long it is left alone where it does not say. */
  busyMs: number;
}

/** A server that is asked too often (429), or has a fault of its own: it is not asked for the same for a while. */
export class ServerBusy extends TowpathError {
  readonly status: number;
  /** On the clock of performance.now(). */
  readonly until: number;

  constructor({ status, host, what, retryAfter, busyMs }: Busy) {
    const asksMs = retryAfterMs(retryAfter ?? '', Date.now());
    const why = status === 429 ? ': it is asked too often' : '';
    const when =
      asksMs === undefined
        ? 'It is tried again.'
        : 'It is left alone for as long as it asks for, five minutes at most, and tried again then.';
    const more =
      status === 429
        ? ' A registry may answer an account more often: name a Secret with one in spec.helm.registries.'
        : '';
    super(
      'Time',
      'ServerError',
      `The chart repository at ${host} answers ${status} for ${what}${why}. ${when}${more}`,
    );
    this.status = status;
    this.until = performance.now() + Math.min(asksMs ?? busyMs, LONGEST_MS);
  }
}

/** Seconds, or a date (RFC 9110, section 10.2.3); undefined where it is neither, or past. */
export function retryAfterMs(text: string, now: number): number | undefined {
  const seconds = Number(text);
  const ms = Number.isNaN(seconds) ? Date.parse(text.slice(0, LONGEST_DATE)) - now : seconds * 1_000;
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/** Until when what failed so is not asked for again, on the clock of performance.now(); 0: it may be at once. */
function busyUntil(error: unknown): number {
  if (error instanceof ServerBusy) return error.until;
  return error instanceof Error && error.cause !== undefined ? busyUntil(error.cause) : 0;
}

/** What servers had no time for is not asked for again for a while: who wants it meanwhile is told the same. */
export class BusyServers {
  readonly #refused = new BoundedMap<string, unknown>(MOST_REFUSED);

  async ask<T>(key: string, asking: () => Promise<T>): Promise<T> {
    const refused = this.#refused.get(key);
    if (busyUntil(refused) > performance.now()) throw refused;
    try {
      return await asking();
    } catch (error) {
      if (busyUntil(error) > performance.now()) this.#refused.set(key, error);
      throw error;
    }
  }
}
