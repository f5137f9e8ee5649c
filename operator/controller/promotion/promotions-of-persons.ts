import type { Promotion, PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import { isNewerVersion } from '../../kube/resource-version.ts';

/** A Promotion that a person made. */
export interface Known {
  readonly namespace: string;
  readonly name: string;
  /** `<namespace>/<application>/<environment>` */
  readonly target: string;
  readonly uid: string;
  readonly spec: Promotion['spec'];
  readonly status: PromotionStatus;
  readonly createdAt: Date;
  readonly resourceVersion: string;
}

export function keyOf({ namespace, name }: Pick<Known, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/**
 * So many of each type are heard for one target, the newest: of all that wait there one is acted on at most, and how many
 * there are nobody else decides but who makes them.
 */
export const MOST_HEARD = 16;

/** Where a Promotion stands among those of its target: milliseconds. */
interface Place {
  readonly key: string;
  readonly created: number;
  readonly seen: number;
}

interface Entry {
  known: Known;
  readonly created: number;
  /** When it was seen first, as its status says or is to say. */
  seen: number | undefined;
  /** Present: its end is known, and not written yet. */
  end?: Place;
}

/** What of a target came to no end that is known. */
interface Open {
  /** In the order in which they were made. */
  readonly heard: readonly Known[];
  /** Too many of a type came after these, by the newest of which they are told. */
  readonly surplus: readonly { readonly one: Known; readonly newest: Known }[];
}

const NOTHING: Open = Object.freeze({ heard: [], surplus: [] });

export interface PromotionsOfPersonsOptions {
  /** Whether something was begun, or answered, for it. */
  isActedOn(one: Known): boolean;
  /** By the clock at home. */
  now(): Date;
}

/** The Promotions of persons that have not ended, by target, in the order in which they were made. */
export class PromotionsOfPersons {
  readonly #options: PromotionsOfPersonsOptions;
  readonly #byKey = new Map<string, Entry>();
  readonly #keyByUID = new Map<string, string>();
  /** By target those of which no end is known. */
  readonly #openOf = new Map<string, Set<Entry>>();
  /** The same as it was found out last. */
  readonly #found = new Map<string, Open>();
  /** By target those whose end is not written, the oldest first. */
  readonly #endsOf = new Map<string, Place[]>();
  #latest = 0;

  constructor(options: PromotionsOfPersonsOptions) {
    this.#options = options;
  }

  get(key: string): Known | undefined {
    return this.#byKey.get(key)?.known;
  }

  ofUID(uid: string): Known | undefined {
    return this.get(this.#keyByUID.get(uid) ?? '');
  }

  /** Takes in one that has not ended, or what changed of it. */
  put(known: Known): void {
    const key = keyOf(known);
    const { requestedAt } = known.status;
    const seen = requestedAt === undefined ? undefined : Date.parse(requestedAt);
    const before = this.#byKey.get(key);
    this.#found.delete(known.target);
    if (before !== undefined) {
      before.known = known;
      before.seen = seen ?? before.seen;
      return;
    }
    const entry = { known, created: known.createdAt.getTime(), seen };
    this.#byKey.set(key, entry);
    this.#keyByUID.set(known.uid, key);
    const open = this.#openOf.get(known.target) ?? new Set<Entry>();
    this.#openOf.set(known.target, open.add(entry));
  }

  forget(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    this.#close(entry);
    this.written(key);
    this.#byKey.delete(key);
    this.#keyByUID.delete(entry.known.uid);
  }

  /** Its end is known: it is to be written. */
  end(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined || entry.end !== undefined) return;
    const { known, created } = entry;
    this.#close(entry);
    entry.end = { key, created, seen: this.#seen(entry) };
    const ends = this.#endsOf.get(known.target) ?? [];
    ends.splice(placeIn(ends, entry.end), 0, entry.end);
    this.#endsOf.set(known.target, ends);
  }

  /** Its end is written, or there is nothing to write it to. */
  written(key: string): void {
    const { end, known } = this.#byKey.get(key) ?? {};
    const ends = this.#endsOf.get(known?.target ?? '');
    if (end === undefined || ends === undefined) return;
    const place = placeIn(ends, end);
    if (ends[place] === end) ends.splice(place, 1);
    if (ends.length === 0) this.#endsOf.delete(known?.target ?? '');
  }

  /** Of those of a target whose end is not written the oldest, by its key. */
  oldestEnd(target: string): string | undefined {
    return this.#endsOf.get(target)?.[0]?.key;
  }

  targetsOfEnds(): string[] {
    return [...this.#endsOf.keys()];
  }

  /** Where some have come to no end that is known. */
  targets(): string[] {
    return [...this.#openOf.keys()];
  }

  isAskedOf(target: string): boolean {
    return this.#openOf.has(target);
  }

  /** Of a target, as they were made: of two of the same second that one which was seen first, or has the older version. */
  open(target: string): Open {
    const open = this.#openOf.get(target);
    if (open === undefined) return NOTHING;
    const found = this.#found.get(target) ?? this.#find(open);
    this.#found.set(target, found);
    return found;
  }

  /** When it was seen first: later than each before it. */
  seenAt(one: Known): Date {
    const entry = this.#byKey.get(keyOf(one));
    return entry === undefined ? this.#options.now() : new Date(this.#seen(entry));
  }

  #find(open: ReadonlySet<Entry>): Open {
    const sorted = [...open].sort(asMade);
    for (const entry of sorted) this.#seen(entry);
    const newest = new Map<string, { readonly known: Known; count: number }>();
    const [heard, surplus]: [Known[], Open['surplus'][number][]] = [[], []];
    for (const { known } of sorted.reverse()) {
      const { type } = known.spec;
      const of = newest.get(type) ?? { known, count: 0 };
      newest.set(type, of);
      if (known.status.deployment !== undefined || this.#options.isActedOn(known)) heard.push(known);
      else if (of.count >= MOST_HEARD) surplus.push({ one: known, newest: of.known });
      else {
        of.count += 1;
        heard.push(known);
      }
    }
    return { heard: heard.reverse(), surplus: surplus.reverse() };
  }

  /** No two are seen at the same moment. */
  #seen(entry: Entry): number {
    if (entry.seen === undefined) {
      this.#latest = Math.max(this.#latest + 1, this.#options.now().getTime());
      entry.seen = this.#latest;
    }
    return entry.seen;
  }

  #close(entry: Entry): void {
    const { target } = entry.known;
    const open = this.#openOf.get(target);
    if (open?.delete(entry) !== true) return;
    this.#found.delete(target);
    if (open.size === 0) this.#openOf.delete(target);
  }
}

function asMade(one: Entry, other: Entry): number {
  if (one.created !== other.created) return one.created - other.created;
  if (one.seen !== undefined && other.seen !== undefined) return one.seen - other.seen;
  if (one.seen !== undefined) return -1;
  if (other.seen !== undefined) return 1;
  return isNewerVersion(one.known.resourceVersion, other.known.resourceVersion) ? 1 : -1;
}

/** Where it stands, or is to stand, among those that are in order. */
function placeIn(ends: readonly Place[], place: Place): number {
  let [from, until] = [0, ends.length];
  while (from < until) {
    const middle = Math.floor((from + until) / 2);
    const other = ends[middle];
    if (other !== undefined && isBefore(other, place)) from = middle + 1;
    else until = middle;
  }
  return from;
}

function isBefore(one: Place, other: Place): boolean {
  if (one.created !== other.created) return one.created < other.created;
  if (one.seen !== other.seen) return one.seen < other.seen;
  return one.key < other.key;
}
