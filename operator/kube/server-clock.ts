/**
 * The API server's clock, told from the Date headers of its answers and advanced by our monotonic clock, so that
 * nothing depends on the local clock being right (A13).
 */
export class ServerClock {
  readonly #monotonic: () => number;
  /** Server time minus monotonic time, in milliseconds. */
  #offset: number | undefined;

  /** @param monotonic milliseconds of a clock that only goes forward */
  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /**
   * A Date header and the monotonic times at which its request was sent and its answer came. The header has whole
   * seconds, so each one only bounds the offset from both sides; together they tell it to a few milliseconds.
   */
  observe(date: string | string[] | undefined, sentAt: number, receivedAt: number): void {
    const serverTime = typeof date === 'string' ? Date.parse(date) : Number.NaN;
    if (Number.isNaN(serverTime)) return;
    const least = serverTime - receivedAt;
    const most = serverTime + 1000 - sentAt;
    this.#offset = Math.min(Math.max(this.#offset ?? least, least), most);
  }

  /** The local clock's time until an answer has told the server's. */
  now(): Date {
    return new Date(this.#offset === undefined ? Date.now() : this.#monotonic() + this.#offset);
  }
}
