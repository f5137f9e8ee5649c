import { matches, type RecordedRequest, type RequestMatch } from './recorded-request.ts';

/**
 * What happens to a matching request:
 * - `latencyMs`: passed on after that time,
 * - `until`: passed on when that is settled,
 * - `status`: answered with a Status object, `retryAfter` (seconds) as header if given,
 * - `reset`: the connection is reset,
 * - `hang`: never answered, neither after `clear`; the socket stays open,
 * - `malformed`: answered 200 with text that is no JSON (a watch gets it as a line and stays open),
 * - `line`: answered 200 with this line alone.
 */
export type Fault =
  | { latencyMs: number }
  | { until: Promise<void> }
  | { status: number; retryAfter?: number }
  | { line: string }
  | 'reset'
  | 'hang'
  | 'malformed';

export interface FaultRule {
  /** How many requests it has met. */
  readonly met: number;
  remove(): void;
}

/** One request stopped on its way. */
export interface HeldRequest {
  /** Settles when a matching request has come; with `at: 'response'` after the API server has done its work. */
  readonly seen: Promise<RecordedRequest>;
  /** Lets it go on. */
  release(): void;
  /** Resets its connection instead. */
  drop(): void;
  /** Answers with a Status object of this code instead. */
  answer(status: number): void;
}

type Stage = 'request' | 'response';
type Decision = 'release' | 'drop' | { status: number };

interface Rule {
  match: RequestMatch;
  fault: Fault;
  left: number;
  met: number;
}

interface Hold {
  match: RequestMatch;
  at: Stage;
  taken: boolean;
  seen: PromiseWithResolvers<RecordedRequest>;
  decision: PromiseWithResolvers<Decision>;
}

/** The faults that a test has asked for, in the order asked. */
export class FaultRules {
  #rules: Rule[] = [];
  #holds: Hold[] = [];

  fail(options: RequestMatch & { fault: Fault; times?: number }): FaultRule {
    const { fault, times = Number.POSITIVE_INFINITY, ...match } = options;
    const rule: Rule = { match, fault, left: times, met: 0 };
    this.#rules.push(rule);
    return {
      get met() {
        return rule.met;
      },
      remove: () => {
        this.#rules = this.#rules.filter((other) => other !== rule);
      },
    };
  }

  hold(options: RequestMatch & { at?: Stage }): HeldRequest {
    const { at = 'request', ...match } = options;
    const hold: Hold = {
      match,
      at,
      taken: false,
      seen: Promise.withResolvers(),
      decision: Promise.withResolvers(),
    };
    this.#holds.push(hold);
    const decide = (decision: Decision) => () => {
      this.#holds = this.#holds.filter((other) => other !== hold);
      hold.decision.resolve(decision);
    };
    return {
      seen: hold.seen.promise,
      release: decide('release'),
      drop: decide('drop'),
      answer: (status) => decide({ status })(),
    };
  }

  /** Forgets all rules and lets all held requests go. */
  clear(): void {
    this.#rules = [];
    for (const hold of this.#holds) hold.decision.resolve('release');
    this.#holds = [];
  }

  /** Waits if the request is to be held at this stage; `drop` asks for its connection's reset. */
  async heldAt(stage: Stage, request: RecordedRequest): Promise<Decision> {
    const hold = this.#holds.find((hold) => !hold.taken && hold.at === stage && matches(hold.match, request));
    if (hold === undefined) return 'release';
    hold.taken = true;
    hold.seen.resolve(request);
    return hold.decision.promise;
  }

  /** The faults for a request; counts them as met. The first that does more than delay is the last. */
  meet(request: RecordedRequest): Fault[] {
    const faults: Fault[] = [];
    for (const rule of this.#rules) {
      if (rule.left <= 0 || !matches(rule.match, request)) continue;
      rule.left--;
      rule.met++;
      faults.push(rule.fault);
      if (!isDelay(rule.fault)) break;
    }
    return faults;
  }
}

function isDelay(fault: Fault): boolean {
  return typeof fault === 'object' && ('latencyMs' in fault || 'until' in fault);
}
