import { TowpathError } from '../api/errors.ts';
import { size } from './limits.ts';

/** What is kept on the disk and can be fetched again, as far as others may need its room. */
export interface Occupant {
  readonly tenant: string;
  readonly cached: { bytes: number; lastUsed: number };
  /** Nothing is being fetched into it, or waits for that. */
  readonly isIdle: boolean;
  /** Gives its room back at once; its files go in a moment. */
  evict(): void;
}

/** Whose it is that comes. */
export interface ArrivalOwner {
  /** Those who share what one may have at once. */
  tenant: string;
  /** What it is, for messages: the URL of a repository. */
  where: string;
}

/** What the disk is for, as it is told. */
export interface DiskUse {
  /** Of what has no room. */
  reason: 'RepositoryCacheFull' | 'ChartCacheFull';
  /** What comes is of these. */
  of: string;
}

/** What one tenant has of the disk: all of it, and what is on its way. Bytes. */
interface Part {
  all: number;
  coming: number;
}

/** Of the bound, what is coming for one tenant may take one of so many parts, and so may all of it where others want room. */
const PARTS = 2;

/**
 * The room of what is fetched on the disk, within a bound in which what is coming counts as what is there does (S9).
 * For what comes that goes which was not used for longest, that of a tenant first who has more than half of all; where
 * that is not enough, the tenant that has most loses the fetch that it began last, so that the older ones get to their
 * end. What goes counts no more at once, though its files take a moment.
 */
export class DiskSpace {
  readonly #limit: number;
  readonly #use: DiskUse;
  readonly #occupants: () => Iterable<Occupant>;
  readonly #parts = new Map<string, Part>();
  /** In the order in which they began. */
  readonly #arrivals = new Set<Arrival>();
  #bytes = 0;

  constructor(limit: number, use: DiskUse, occupants: () => Iterable<Occupant>) {
    this.#limit = limit;
    this.#use = use;
    this.#occupants = occupants;
  }

  /** Of those for whom something comes in common the one that has least coming, and so most room; '' of none. */
  leastOf(tenants: Iterable<string>): string {
    const coming = (tenant: string) => this.#parts.get(tenant)?.coming ?? 0;
    let least: string | undefined;
    for (const tenant of tenants) if (least === undefined || coming(tenant) < coming(least)) least = tenant;
    return least ?? '';
  }

  /** Something begins to come. */
  begin(owner: ArrivalOwner): Arrival {
    const arrival: Arrival = new Arrival(owner, {
      grow: (bytes) => this.#grow(arrival, bytes),
      over: (kept) => this.#over(arrival, kept),
    });
    this.#arrivals.add(arrival);
    return arrival;
  }

  /** What was kept is no more. */
  free(tenant: string, bytes: number): void {
    this.#count(tenant, -bytes, 0);
  }

  #grow(arrival: Arrival, bytes: number): void {
    const { tenant } = arrival.owner;
    this.#count(tenant, bytes, bytes);
    const isOverShare = () => (this.#parts.get(tenant)?.coming ?? 0) > this.#limit / PARTS;
    while (isOverShare() && this.#endLastOf(tenant));
    while (this.#bytes > this.#limit && (this.#evictOne() || this.#endOfLargest()));
  }

  #over(arrival: Arrival, kept: number | undefined): void {
    if (!this.#arrivals.delete(arrival)) return;
    this.#count(arrival.owner.tenant, (kept ?? 0) - arrival.bytes, -arrival.bytes);
  }

  #evictOne(): boolean {
    const isOverShare = ({ tenant }: Occupant) => (this.#parts.get(tenant)?.all ?? 0) > this.#limit / PARTS;
    let oldest: Occupant | undefined;
    for (const occupant of this.#occupants()) {
      if (!occupant.isIdle || occupant.cached.bytes === 0) continue;
      if (oldest === undefined || goesBefore(occupant, oldest, isOverShare)) oldest = occupant;
    }
    oldest?.evict();
    return oldest !== undefined;
  }

  #endOfLargest(): boolean {
    const all = ({ owner }: Arrival) => this.#parts.get(owner.tenant)?.all ?? 0;
    const arrivals = [...this.#arrivals].filter(({ bytes }) => bytes > 0);
    const largest = arrivals.filter((each) => each.isReceiving).sort((a, b) => all(b) - all(a))[0];
    // What comes alone may be more than the bound: otherwise nobody would ever get it.
    if (largest === undefined || arrivals.length < 2) return false;
    const bound = `the ${size(this.#limit)} that the operator keeps of them on its disk`;
    return this.#end(largest.owner.tenant, `more comes of ${this.#use.of} at the moment than ${bound}`);
  }

  #endLastOf(tenant: string): boolean {
    const own = [...this.#arrivals].filter(({ owner, bytes }) => owner.tenant === tenant && bytes > 0);
    if (own.length < 2) return false;
    const share = `the ${size(this.#limit / PARTS)} of the operator's disk that it may have for that`;
    return this.#end(tenant, `more comes of ${this.#use.of} for one namespace at the moment than ${share}`);
  }

  #end(tenant: string, why: string): boolean {
    const last = [...this.#arrivals].findLast(
      ({ owner, bytes, isReceiving }) => owner.tenant === tenant && bytes > 0 && isReceiving,
    );
    last?.end(
      new TowpathError(
        'Time',
        this.#use.reason,
        `The fetch of ${last.owner.where} made room for those that began before it: ${why}. It is tried again.`,
      ),
    );
    return last !== undefined;
  }

  #count(tenant: string, all: number, coming: number): void {
    const part = this.#parts.get(tenant) ?? { all: 0, coming: 0 };
    part.all += all;
    part.coming += coming;
    this.#bytes += all;
    if (part.all > 0 || part.coming > 0) this.#parts.set(tenant, part);
    else this.#parts.delete(tenant);
  }
}

/** Who has more than its share makes room before others do. */
function goesBefore(one: Occupant, other: Occupant, isOverShare: (occupant: Occupant) => boolean): boolean {
  const [first, second] = [isOverShare(one), isOverShare(other)];
  return first === second ? one.cached.lastUsed < other.cached.lastUsed : first;
}

/** What an arrival tells of itself. */
interface ArrivalSpace {
  grow(bytes: number): void;
  /** @param kept bytes of it that stay; undefined where none do. */
  over(kept: number | undefined): void;
}

/** A pack, an index or an archive that is coming. */
export class Arrival {
  readonly owner: ArrivalOwner;
  /** What has come of it. */
  bytes = 0;
  /** Whether more may come of it, and it can be ended. */
  isReceiving = true;
  readonly #ended = new AbortController();
  readonly #space: ArrivalSpace;

  constructor(owner: ArrivalOwner, space: ArrivalSpace) {
    this.owner = owner;
    this.#space = space;
  }

  /** Aborted when it has to make room for others. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Takes room for so many bytes more, before they are written. @throws TowpathError RepositoryCacheFull, ChartCacheFull. */
  grow(bytes: number): void {
    this.signal.throwIfAborted();
    this.bytes += bytes;
    this.#space.grow(bytes);
    this.signal.throwIfAborted();
  }

  /** All of it is there; what is done with it is ended for nobody. */
  received(): void {
    this.signal.throwIfAborted();
    this.isReceiving = false;
  }

  /** It stays, and takes so many bytes of the disk with what was made of it. */
  keep(bytes: number): void {
    this.#space.over(bytes);
  }

  /** Nothing of it stays. */
  drop(): void {
    this.#space.over(undefined);
  }

  end(reason: TowpathError): void {
    this.#space.over(undefined);
    this.#ended.abort(reason);
  }
}
