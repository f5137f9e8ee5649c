import { BoundedMap } from '../bounded-map.ts';

const MOST = 1_000;
/** Twice as long as who gave up waiting may take until the next try. */
const KEPT_MS = 60_000;

/** What came after somebody had given up waiting for it: who asks again is not made to wait for it once more. */
export class LateAnswers {
  readonly #answers = new BoundedMap<string, { text: string; cameAt: number }>(MOST);

  find(key: string): string | undefined {
    const answer = this.#answers.get(key);
    const isRecent = answer !== undefined && performance.now() - answer.cameAt < KEPT_MS;
    return isRecent ? answer.text : undefined;
  }

  keep(key: string, answer: Promise<string>): void {
    answer.then(
      (text) => this.#answers.set(key, { text, cameAt: performance.now() }),
      // What failed is asked for again.
      () => undefined,
    );
  }
}
