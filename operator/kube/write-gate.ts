/** What writes to one API server. */
export interface Writer {
  /** Resolves when its writes that are under way now have ended. */
  writesEnded(): Promise<void>;
}

/**
 * Whether this process may write (D8). There is one for all API servers: who lost the Lease starts no write to any of
 * them, and whoever waits for the last write waits for all of them.
 */
export class WriteGate {
  readonly #isOpen: () => boolean;
  readonly #writers = new Set<Writer>();

  /** `isOpen` is asked in the instant before each write goes out. */
  constructor(isOpen: () => boolean) {
    this.#isOpen = isOpen;
  }

  isOpen(): boolean {
    return this.#isOpen();
  }

  /** Every client that writes through the gate, until it calls what is returned. */
  add(writer: Writer): () => void {
    this.#writers.add(writer);
    return () => this.#writers.delete(writer);
  }

  /** Resolves when all writes that are under way now have ended, at every API server. */
  async writesEnded(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.writesEnded()));
  }
}
