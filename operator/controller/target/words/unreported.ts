import type { TowpathError } from '../../../api/errors.ts';
import {
  type ApplicationStatus,
  environmentOf,
  type HistoryEntry,
} from '../../../api/v1alpha1/application.ts';
import type { LiveObject } from '../../../manifest/live.ts';
import { idOf, type ObjectId } from '../../../manifest/manifest.ts';
import type { Deployment } from '../../record/record.ts';
import type { Repaired } from './facts.ts';

/** What events and log lines of one write of the status tell. */
export interface Report {
  environment: string;
  /** The status that events told of last: what differs from it is news. */
  before: ApplicationStatus | undefined;
  begun: readonly Begun[];
  /** Deployments that ended and that an earlier write was to tell of, oldest first. */
  outcomes: readonly HistoryEntry[];
  /** What could not be found out before the first write, and is decided by the apply. */
  warnings: readonly TowpathError[];
  /** What was done since it was told last. */
  done: {
    repaired: readonly Repaired[];
    pruned: readonly ObjectId[];
    /** Hooks' objects that had not ended and that nothing waits for any more, and were deleted. */
    endedHooks: readonly ObjectId[];
  };
}

/** A deployment under way: begun, or taken up from an earlier process. */
export interface Begun {
  how: 'begun' | 'takenUp';
  deployment: Pick<Deployment, 'id' | 'candidate' | 'trigger' | 'promoted'>;
}

/** What deletions are told as. */
export type Deletions = 'pruned' | 'endedHooks';

type Doomed = Pick<LiveObject, 'uid'> & ObjectId;

/** Of the same kind, at a time. */
const MOST = 5;
/** As many as a history may have. */
const MOST_OUTCOMES = 200;
/** A candidate has no more objects. */
const MOST_DONE = 5_000;

/**
 * What was done and found of a target and not told yet. It outlives the look that did it: where that is broken
 * off, fails, or its status is refused, the next status that is written tells it, and no other one.
 */
export class Unreported {
  readonly environment: string;
  #begun: readonly Begun[] = [];
  #outcomes: readonly HistoryEntry[] = [];
  /** The last that was begun, told or not. */
  #underWay: number | undefined;
  #warnings: readonly TowpathError[] = [];
  #repaired: readonly Repaired[] = [];
  readonly #deleted: Record<Deletions, readonly ObjectId[]> = { pruned: [], endedHooks: [] };
  /** Deletions without an answer so far. */
  readonly #sent: Record<Deletions, readonly Doomed[]> = { pruned: [], endedHooks: [] };
  /** Present from a write of the status that failed on: it may have happened, and only its answer got lost. */
  #before: { status: ApplicationStatus | undefined } | undefined;

  constructor(environment: string) {
    this.environment = environment;
  }

  /** Each once. */
  begin(begun: Begun): void {
    if (this.#underWay === begun.deployment.id) return;
    this.#underWay = begun.deployment.id;
    this.#begun = [...this.#begun, begun].slice(-MOST);
  }

  /** The same one once. */
  warn(warnings: readonly TowpathError[]): void {
    const isNew = ({ reason, message }: TowpathError) =>
      !this.#warnings.some((one) => one.reason === reason && one.message === message);
    this.#warnings = [...this.#warnings, ...warnings.filter(isNew)].slice(0, MOST);
  }

  repaired(repaired: readonly Repaired[]): void {
    this.#repaired = [...this.#repaired, ...repaired].slice(0, MOST_DONE);
  }

  /** Deletions that are about to be sent. Whether one happened whose answer is lost, `findDeleted` tells. */
  deleting(as: Deletions, objects: readonly Doomed[]): void {
    this.#sent[as] = [...this.#sent[as], ...objects.map(({ uid, ...object }) => ({ ...idOf(object), uid }))];
  }

  /** Answers came: these are gone or going. */
  deleted(as: Deletions, objects: readonly Doomed[]): void {
    const answered = new Set(objects.map(({ uid }) => uid));
    this.#sent[as] = this.#sent[as].filter(({ uid }) => !answered.has(uid));
    this.#deleted[as] = [...this.#deleted[as], ...objects.map(idOf)].slice(0, MOST_DONE);
  }

  /** Of the deletions without an answer, those of what is not there any more happened; the others did not. */
  findDeleted(as: Deletions, isThere: (object: Doomed) => boolean): void {
    this.deleted(
      as,
      this.#sent[as].filter((object) => !isThere(object)),
    );
    this.#sent[as] = [];
  }

  /** Somebody else may have written and told meanwhile. */
  forgetStatus(): void {
    this.#before = undefined;
    this.#outcomes = [];
  }

  /** `status` was written, but of it no more was told than its conditions and what ended. */
  leaveRest({ before }: Report, status: ApplicationStatus): void {
    const { conditions } = status;
    const written = environmentOf(status, this.environment);
    const former = environmentOf(before, this.environment) ?? written;
    const others = before?.environments?.filter(({ name }) => name !== this.environment) ?? [];
    const environments =
      former === undefined ? others : [...others, { ...former, history: written?.history ?? [] }];
    this.#before = {
      status: {
        ...before,
        ...(conditions === undefined ? {} : { conditions }),
        ...(environments.length === 0 ? {} : { environments }),
      },
    };
  }

  /** Hands all of it over, to be told with a write that changes `status`. */
  take(status: ApplicationStatus | undefined): Report {
    const report = {
      environment: this.environment,
      before: this.#before === undefined ? status : this.#before.status,
      begun: this.#begun,
      outcomes: this.#outcomes,
      warnings: this.#warnings,
      done: { repaired: this.#repaired, ...this.#deleted },
    };
    this.#before = undefined;
    this.#begun = [];
    this.#outcomes = [];
    this.#warnings = [];
    this.#repaired = [];
    this.#deleted.pruned = [];
    this.#deleted.endedHooks = [];
    return report;
  }

  /** It could not be told after all. */
  putBack({ before, begun, outcomes, warnings, done }: Report): void {
    const since = this.take(undefined);
    this.#before = { status: before };
    this.#begun = [...begun, ...since.begun].slice(-MOST);
    this.#outcomes = outcomes.slice(-MOST_OUTCOMES);
    this.warn([...warnings, ...since.warnings]);
    this.repaired([...done.repaired, ...since.done.repaired]);
    this.#deleted.pruned = [...done.pruned, ...since.done.pruned].slice(0, MOST_DONE);
    this.#deleted.endedHooks = [...done.endedHooks, ...since.done.endedHooks].slice(0, MOST_DONE);
  }
}
