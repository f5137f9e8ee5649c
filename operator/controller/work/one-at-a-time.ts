/** Runs work by name, one at a time for each: what is asked for meanwhile is one more run after it. */
export class OneAtATime {
  readonly #work: (name: string) => Promise<void>;
  readonly #running = new Map<string, { again: boolean }>();

  /** `work` must not reject. */
  constructor(work: (name: string) => Promise<void>) {
    this.#work = work;
  }

  async run(name: string): Promise<void> {
    const running = this.#running.get(name);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    const mine = { again: true };
    this.#running.set(name, mine);
    while (mine.again) {
      mine.again = false;
      await this.#work(name);
    }
    this.#running.delete(name);
  }
}
