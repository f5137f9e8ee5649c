/** So many questions in a row without an answer: one alone may have had bad luck. */
const TOLD_AFTER = 2;
/**
 * One that came back a while ago has to be silent for so long before it is told as lost again. With the question that
 * was under way, and its time-out, that is within a minute, too (B2).
 */
const FLAPPING_MS = 30_000;
/** For so long after it came back it may be one that flaps. */
const SUSPECT_MS = 10 * 60_000;

/**
 * When a cluster that does not answer is told as lost: that is a write for each Application there, and another one when
 * it is back, so that a link which goes and comes every few seconds is told once and not each time (A14).
 */
export class Reachability {
  #failures = 0;
  #failingSince = 0;
  #isLost = false;
  #backAt = Number.NEGATIVE_INFINITY;

  /** Questions in a row without an answer. */
  get failures(): number {
    return this.#failures;
  }

  answered(now: number): void {
    if (this.#failures >= TOLD_AFTER) this.#backAt = now;
    this.#isLost = false;
    this.#failures = 0;
  }

  /** Whether it is to be told as lost by now. @param how `Refused`: it answered, and said no. */
  failed(how: 'Unanswered' | 'Refused', now: number): boolean {
    if (this.#failures === 0) this.#failingSince = now;
    this.#failures += 1;
    const isSuspect = how === 'Unanswered' && now - this.#backAt < SUSPECT_MS;
    const patienceMs = isSuspect ? FLAPPING_MS : 0;
    if (this.#failures >= TOLD_AFTER && now - this.#failingSince >= patienceMs) this.#isLost = true;
    return this.#isLost;
  }

  /** Another kubeconfig: what was said by the one before says nothing of it. */
  startAnew(): void {
    this.#failures = 0;
  }
}
