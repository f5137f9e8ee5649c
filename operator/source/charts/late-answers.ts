import { BoundedMap } from '../bounded-map.ts';

/** Several times as long as who gave up waiting may take until the next try: what a range came to is wanted until its archive is there. */
const KEPT_MS = 120_000;

/** An answer by what was asked; undefined: there is nothing. */
export interface Answer<T> {
  key: string;
  answer: T | undefined;
}

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

  /** That there is nothing is asked for again, as what failed is: it may have been published since. */
  keep(coming: Promise<Answer<T>>): void {
    coming.then(
      ({ key, answer }) => {
        if (answer !== undefined) this.#answers.set(key, { answer, cameAt: performance.now() });
      },
      () => undefined,
    );
  }
}
