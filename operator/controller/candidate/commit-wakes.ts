import type { Slices } from '../../observe/event-loop-slices.ts';
import type { Repository } from '../../source/sources.ts';
import type { Rank } from '../work/waiting-line.ts';
import type { Concern } from './followers.ts';
import { Touched } from './touched.ts';

/** How an Application is looked at of whose source something is new. */
export interface Wake {
  rank: Rank;
  /** Milliseconds until then, where it breaks off nothing; undefined: at once, whatever is under way. */
  afterMs?: number;
}

export interface CommitWakesOptions {
  slices: Slices;
  /** How many follow a repository. */
  followersOf(repository: Repository): number;
  wake(application: string, wake: Wake): void;
}

/** An Application whose ref names another commit. */
export interface Moved {
  application: string;
  repository: Repository;
  from: string;
  to: string;
  /** What the commit is to it; undefined where it need not be told: it has seen it, or follows it no more. */
  concern(touched: Touched): Concern | undefined;
}

/** With so many followers all are looked at: it costs less than to find out who need be. */
const FEW = 10;
/** So long it may take to find out what a commit changed: who hangs is told of by those who look at it. */
const PATIENCE_MS = 3_000;
/**
 * Whom a commit does not change is looked at after that, one after the other, to tell of it: they are not to take the
 * time of whom it does. However many they are, the last is within a minute.
 */
const FIRST_MS = 1_000;
const EVERY_MS = 20;
const ALL_WITHIN_MS = 60_000;

interface Round {
  repository: Repository;
  moved: Moved[];
  over: Promise<void>;
}

/** Who is looked at first when a ref names another commit, and who when those are through. */
export class CommitWakes {
  readonly #options: CommitWakesOptions;
  /** By repository and commits, while it is found out. */
  readonly #rounds = new Map<string, Round>();

  constructor(options: CommitWakesOptions) {
    this.#options = options;
  }

  tell(moved: Moved): void {
    const { application, repository, from, to } = moved;
    if (this.#options.followersOf(repository) <= FEW) {
      this.#options.wake(application, { rank: 'First' });
      return;
    }
    const id = `${repository.key} ${from} ${to}`;
    const round = this.#rounds.get(id);
    if (round !== undefined) {
      round.moved.push(moved);
      return;
    }
    const begun: Round = { repository, moved: [moved], over: Promise.resolve() };
    this.#rounds.set(id, begun);
    // Not a turn later than it is over: who is told of in between would be in a round that nobody goes through.
    begun.over = this.#decide(begun, from, to, () => this.#rounds.delete(id));
  }

  /** Resolves when those are woken that have been told of until now, and are to be at once. */
  async decided(repository: Repository): Promise<void> {
    const rounds = [...this.#rounds.values()].filter((round) => round.repository === repository);
    await Promise.all(rounds.map(({ over }) => over));
  }

  async #decide({ repository, moved }: Round, from: string, to: string, onOver: () => void): Promise<void> {
    const changes = await repository
      .changes(from, to, AbortSignal.timeout(PATIENCE_MS))
      .catch(() => undefined);
    const touched = changes && new Touched(changes);
    const all = this.#options.followersOf(repository);
    const everyMs = Math.min(EVERY_MS, (ALL_WITHIN_MS - FIRST_MS) / Math.max(1, all));
    let later = 0;
    // More may be told of meanwhile.
    for (let one = moved.shift(); one !== undefined; one = moved.shift()) {
      const pause = this.#options.slices.pause();
      if (pause !== undefined) await pause;
      const wake = wakeFor(one, touched, FIRST_MS + later * everyMs);
      if (wake?.afterMs !== undefined) later += 1;
      if (wake !== undefined) this.#options.wake(one.application, wake);
    }
    onOver();
  }
}

function wakeFor({ concern }: Moved, touched: Touched | undefined, afterMs: number): Wake | undefined {
  const is = concern(touched ?? NOTHING_KNOWN);
  if (is === undefined) return undefined;
  if (touched === undefined) return { rank: 'InTurn' };
  if (is === 'No') return { rank: 'InTurn', afterMs };
  return { rank: is === 'Yes' ? 'First' : 'InTurn' };
}

const NOTHING_KNOWN = new Touched([]);
