import type { EnvironmentStatus } from '../../../api/v1alpha1/application.ts';
import { describeObject, type ObjectId, objectKey } from '../../../manifest/manifest.ts';
import type { Drift } from '../words/facts.ts';

/** An object that differs from what was applied. */
export interface Drifted {
  object: ObjectId;
  /** It is not found by its label any more. */
  isGone: boolean;
  /** Who changed it and when (RFC 3339); a deletion, or a field taken away, leaves neither behind. */
  by?: { manager: string; time: string };
}

interface Noticed {
  by: string | undefined;
  at: string;
}

/**
 * Remembers since when objects differ. Drift that is left for a while is told with its first time: every further
 * change by the same manager would be a write of the status (A14).
 */
export class DriftMemory {
  readonly #noticed = new Map<string, Noticed>();
  /** What an earlier process told of drift that was there, until the first look. */
  #reported: EnvironmentStatus['drift'];

  constructor(reported?: EnvironmentStatus['drift']) {
    if (reported !== undefined && reported.count > 0) this.#reported = reported;
  }

  /** Nothing differs any more. */
  clear(): void {
    this.#noticed.clear();
    this.#reported = undefined;
  }

  /** What is told of all that differs now: how much, and the newest. `now` is RFC 3339 with whole seconds. */
  note(drifted: readonly Drifted[], now: string): Drift | undefined {
    const noticed = new Map<string, Noticed>();
    let last: { one: Drifted; at: string } | undefined;
    for (const one of drifted) {
      const by = one.by?.manager;
      const earlier = this.#noticed.get(objectKey(one.object));
      const isReported =
        describeObject(one.object) === this.#reported?.lastObject && by === this.#reported.lastBy;
      const started = isReported
        ? this.#reported?.lastAt
        : earlier !== undefined && earlier.by === by
          ? earlier.at
          : undefined;
      const at = started ?? this.#startOf(one, now, drifted.length);
      noticed.set(objectKey(one.object), { by, at });
      if (last === undefined || at > last.at || (at === last.at && isReported)) last = { one, at };
    }
    this.clear();
    for (const [key, entry] of noticed) this.#noticed.set(key, entry);
    if (last === undefined) return undefined;
    const { object, isGone, by } = last.one;
    return {
      count: drifted.length,
      lastAt: last.at,
      ...(by === undefined ? {} : { lastBy: by.manager }),
      lastObject: object,
      isGone,
    };
  }

  /** When a change that was not noticed before, one of so many, was made, as far as that can be known. */
  #startOf({ by }: Drifted, now: string, count: number): string {
    const before = this.#reported?.lastAt;
    const isMore = count > (this.#reported?.count ?? 0);
    if (before === undefined) return by?.time || now;
    // What was there at the first look is not newer than what an earlier process told, unless there is more of it.
    if (by === undefined || by.time === '') return before;
    return isMore || by.time < before ? by.time : before;
  }
}
