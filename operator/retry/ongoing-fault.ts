/** What goes wrong at each try, until it is over: told once for as long as it is the same, however often it is tried. */
export class OngoingFault {
  #message: string | undefined;

  /** `message`: of one that is no news, because nothing was tried yet. */
  constructor(message?: string) {
    this.#message = message;
  }

  /** Why the last try failed; undefined where it did not. */
  get message(): string | undefined {
    return this.#message;
  }

  /** Takes in why a try failed; answers whether that is another fault than before, and so to be told. */
  note(message: string): boolean {
    const isNews = message !== this.#message;
    this.#message = message;
    return isNews;
  }

  /** A try succeeded: the same fault is told again when it comes back. */
  end(): void {
    this.#message = undefined;
  }
}
