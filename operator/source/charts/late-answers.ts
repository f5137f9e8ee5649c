import { BoundedMap } from '../bounded-map.ts';

/** Twice as long as who gave up waiting may take until the next try. */
const KEPT_MS = 60_000;

/** What came after somebody had given up waiting for it: who asks again is not made to wait for it once more. */
export class LateAnswers<T> {
  readonly #answers: BoundedMap<string, { answer: T; cameAt: number }>;

  /** @param most that are kept. */
  constructor(most: number) {
    this.#answers = new BoundedMap(most);
  }

  find(key: string): T | undefined {
    const kept = this.#answers.get(key);
    const isRecent = kept !== undefined && performance.now() - kept.cameAt < KEPT_MS;
    return isRecent ? kept.answer : undefined;
  }

  keep(key: string, coming: Promise<T>): void {
    coming.then(
      (answer) => this.#answers.set(key, { answer, cameAt: performance.now() }),
      // What failed is asked for again.
      () => undefined,
    );
  }
}
