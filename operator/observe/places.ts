/** What somebody holds of what all share. */
export interface Place {
  /** Takes so much more; whoever is dropped for it may be the holder itself. */
  grow(by: number): void;
  /** Gives it back. Once is enough, more do no harm. */
  leave(): void;
}

interface Held {
  from: string;
  size: number;
  drop: () => void;
}

/**
 * What is shared by senders who have proved nothing yet. It is never full: for the newest, others are dropped, of
 * the address that holds most, its oldest first. So an address that floods drops its own, and where all come by one
 * address (an Ingress) whoever is done within the time in which all places change hands is not in danger.
 */
export class Places {
  readonly #most: number;
  /** In the order of taking. */
  readonly #held = new Set<Held>();
  #sum = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** `drop` is called once, where it has to give way; it need not call `leave`. */
  take(from: string, drop: () => void, size = 0): Place {
    const held = { from, size: 0, drop };
    this.#held.add(held);
    this.#grow(held, size);
    return { grow: (by) => this.#grow(held, by), leave: () => this.#leave(held) };
  }

  #grow(held: Held, by: number): void {
    if (!this.#held.has(held)) return;
    held.size += by;
    this.#sum += by;
    while (this.#sum > this.#most) {
      const first = this.#oldestOfMost();
      if (first === undefined) return;
      this.#leave(first);
      first.drop();
    }
  }

  #leave(held: Held): void {
    if (this.#held.delete(held)) this.#sum -= held.size;
  }

  #oldestOfMost(): Held | undefined {
    const sums = new Map<string, number>();
    for (const { from, size } of this.#held) sums.set(from, (sums.get(from) ?? 0) + size);
    let most: string | undefined;
    for (const [from, sum] of sums) if (most === undefined || sum > (sums.get(most) ?? 0)) most = from;
    for (const held of this.#held) if (held.from === most && held.size > 0) return held;
    return undefined;
  }
}
