/** A Git server, or a chart repository. */
export interface Asked {
  poll(): Promise<void>;
}

/** A question to one that a person asked for. */
interface Question {
  readonly request: string;
  readonly asked: Asked;
  /** Was sent for after the request was seen. */
  readonly answer: Promise<void>;
  isAnswered: boolean;
  /** A look gave up waiting: the answer wakes the next one. */
  isLate: boolean;
}

/** What each Application was last asked to look for. It outlives the look that asked, which may be broken off. */
export class Questions {
  readonly #onLate: (application: string) => void;
  /** By Application. */
  readonly #latest = new Map<string, Question>();

  /** @param onLate told of an answer, or that there is none, that a look did not wait for */
  constructor(onLate: (application: string) => void) {
    this.#onLate = onLate;
  }

  /**
   * Asks once for each request, however many looks it takes until the answer is there, and again where that got none.
   *
   * @param wait for the answer, with the patience that there is; what it throws is thrown.
   */
  async ask(
    application: string,
    asked: Asked,
    request: string,
    wait: (answer: Promise<void>) => Promise<void>,
  ): Promise<void> {
    const question = this.#questionFor(application, asked, request);
    if (question.isAnswered) return;
    try {
      await wait(question.answer);
    } catch (error) {
      question.isLate = true;
      throw error;
    }
  }

  #questionFor(application: string, asked: Asked, request: string): Question {
    const latest = this.#latest.get(application);
    return latest?.request === request && latest.asked === asked
      ? latest
      : this.#newQuestion(application, asked, request);
  }

  /** Whether the server answered since this request was seen. */
  isAnswered(application: string, request: string): boolean {
    const latest = this.#latest.get(application);
    return latest?.request === request && latest.isAnswered;
  }

  forget(application: string): void {
    this.#latest.delete(application);
  }

  clear(): void {
    this.#latest.clear();
  }

  #newQuestion(application: string, asked: Asked, request: string): Question {
    const answer = asked.poll();
    const question: Question = { request, asked, answer, isAnswered: false, isLate: false };
    this.#latest.set(application, question);
    const end = (outcome: 'Answered' | 'Failed') => {
      if (this.#latest.get(application) !== question) return;
      if (outcome === 'Answered') question.isAnswered = true;
      // Without an answer the next look asks anew.
      else this.#latest.delete(application);
      if (question.isLate) this.#onLate(application);
    };
    answer.then(
      () => end('Answered'),
      () => end('Failed'),
    );
    return question;
  }
}
