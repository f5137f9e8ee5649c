import { TowpathError } from '../../api/errors.ts';
import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../api/v1alpha1/names.ts';
import type { LookResult } from '../../observe/work-metrics.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { isAboutPlaceOf, type TargetRecord } from '../record/record.ts';
import type { RefusedTarget, Target, TargetIdentity } from '../record/target.ts';
import { ProgressReports } from '../work/progress-reports.ts';
import { answerEnding, answerRefused } from './answer-commands.ts';
import { errorToTell, type Fault, faultOf, isAccident, isOutdated, pauseAfter } from './failed-looks.ts';
import { inherit } from './handover/inherit.ts';
import { wasDeployed } from './lost-record.ts';
import type { TargetMemory } from './memory.ts';
import { reconcile } from './reconcile.ts';
import { isAbandoned } from './removal/abandoned.ts';
import { handoverOf, hooksOfRemoval, type Left, leaveTarget } from './removal/leaving.ts';
import { type LeftBehind, leftBehind } from './removal/left-behind.ts';
import {
  hookRetryAfter,
  lookAgainMs,
  type Removal,
  type RemovalSpeaker,
  type Removed,
  refusedRemoval,
  removeTarget,
  tellUnremoved,
} from './removal/removal.ts';
import { handledAs } from './request-annotations.ts';
import type { Parts } from './run.ts';
import { newSession } from './session.ts';
import type { Facts } from './words/facts.ts';
import { LOOKING } from './words/sync-and-reason.ts';
import type { Retry, TargetUpdate } from './words/target-update.ts';

/** A target as its Application has it, where that can be read. */
interface Specified {
  application: Application;
  target: Target;
  /** The Application has other targets, too. */
  isOneOfSeveral: boolean;
}

/**
 * A target as its Application has it now, and what is due: `Removal` where that is being deleted, `Leaving` where it
 * names the environment no more, `Release` where nobody can read, too, what it wants done with its objects.
 */
export type DueTarget = { identity: TargetIdentity; memory: TargetMemory } & (
  | { due: 'Sync'; specified: Specified; unplaced?: never }
  /** `successors` land where it did, and take its objects over, or did before the Application was deleted. */
  | { due: 'Removal' | 'Leaving'; specified: Specified; successors: readonly Target[]; unplaced?: never }
  /** It is not known where it is: neither what is wanted there nor its removal can be done. */
  | {
      due: 'Refusal' | 'RemovalRefusal';
      unplaced: Unplaced;
      successors: readonly Target[];
      specified?: never;
    }
  | { due: 'Release'; applicationUID: string; specified?: never; unplaced?: never }
  | { due: 'Nothing'; specified?: never; unplaced?: never }
);

interface Unplaced {
  application: Application;
  target: RefusedTarget;
}

/** What looks at targets need of the Applications, which they know by their targets alone. */
export interface TargetLooksOptions {
  parts: Parts;
  /** By name; undefined: there is no such target, or its Application is not ready for it. */
  find(name: string): DueTarget | undefined;
  /** Resolves when the Application's status says so; rejects with what keeps it from that. */
  tell(target: TargetIdentity, update: TargetUpdate, signal: AbortSignal): Promise<void>;
  /** Told as an event. */
  warn(application: Application, reason: string, message: string): void;
  /** Nothing of the target is left. */
  onGone(target: TargetIdentity): void;
  /** Exact JSON texts of values, by their fields. */
  valuesOf(target: Target, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** Reads the target's Application anew. */
  readAgain(target: TargetIdentity, signal: AbortSignal): Promise<void>;
  lookAgain(name: string, delayMs: number): void;
  /** Told of a look that failed: without values of Secrets. */
  onFault(target: TargetIdentity, fault: Fault): void;
  onLooked(result: LookResult, seconds: number): void;
}

/** A sync that takes longer says every so often how far it is; shorter ones write their status once, at the end. */
export const TELL_AFTER_MS = 5_000;
/** How long it may take to find out what to keep silent about, to read something anew, and to tell of a look that failed. */
const TELL_MS = 10_000;

/** A look at one target: whatever it needs by now, its removal too, and what follows where that fails. */
export class TargetLooks {
  readonly #options: TargetLooksOptions;
  readonly #parts: Parts;

  constructor(options: TargetLooksOptions) {
    this.#options = options;
    this.#parts = options.parts;
  }

  /** One look at the target with that name, where there is one. */
  async look(name: string, signal: AbortSignal): Promise<void> {
    const target = this.#options.find(name);
    if (target === undefined) return;
    if (target.due === 'Nothing') {
      this.#parts.wishes.noteLook(name);
      return;
    }
    const started = performance.now();
    let result: LookResult = 'error';
    try {
      result = await this.#look(target, signal);
    } catch (error) {
      if (signal.aborted) result = 'requeue';
      throw error;
    } finally {
      this.#options.onLooked(result, (performance.now() - started) / 1000);
    }
  }

  async #look(target: DueTarget, signal: AbortSignal): Promise<LookResult> {
    const { identity, memory } = target;
    memory.looks.take(performance.now());
    if (memory.isRecordInDoubt) {
      await this.#parts.store.readAnew(identity, signal);
      memory.isRecordInDoubt = false;
    }
    const result = await this.#doWhatIsDue(target, signal);
    // One that is gone by now is not to be remembered as looked at.
    if (this.#options.find(identity.name) !== undefined) this.#parts.wishes.noteLook(identity.name);
    memory.failedLooks = 0;
    return result;
  }

  async #doWhatIsDue(target: DueTarget, signal: AbortSignal): Promise<LookResult> {
    // Who is promoted after it waits until it can be looked at.
    if (target.due !== 'Sync') this.#parts.evidence.note(target.identity, undefined);
    switch (target.due) {
      case 'Sync':
        return this.#reconcile(target.memory, target.specified, signal);
      case 'Removal':
      case 'Leaving': {
        this.answersEnding(target.identity.name);
        const { due, specified, memory, successors } = target;
        const behind = this.#leaveBehind(target, specified, signal);
        if (behind !== undefined) return behind;
        const left = { ...specified, memory, successors };
        return due === 'Removal' ? this.#remove(left, signal) : this.#leave(left, signal);
      }
      case 'Refusal':
        return this.#refuse(target, target.unplaced, signal);
      case 'RemovalRefusal':
        return this.#refuseRemoval(target, target.unplaced, target.successors, signal);
      case 'Release':
        return this.#release(target, target.applicationUID, signal);
      case 'Nothing':
        return 'success';
    }
  }

  async #reconcile(
    memory: TargetMemory,
    { application, target, isOneOfSeveral }: Specified,
    signal: AbortSignal,
  ): Promise<LookResult> {
    const seen = isOneOfSeveral ? asSeenBy(target, application) : application;
    const former = this.#recordOfOther(target);
    if (former !== undefined) await this.#removeRecord(former, application.metadata.uid, signal);
    await inherit(this.#parts, target, signal);
    memory.session ??= newSession(seen, target, memory.unreported);
    const { session } = memory;
    const values = await this.#options.valuesOf(target, signal);
    const reports = new ProgressReports(TELL_AFTER_MS);
    const tell = (facts: Facts) => this.#options.tell(target, { kind: 'Facts', facts }, signal);
    const onFacts = (now: () => Facts) =>
      reports.start(async () => {
        const facts = now();
        // A look that found nothing to do yet changes nothing that the status says.
        if (seen.status?.sync !== undefined && facts.standing === LOOKING) return;
        await tell(facts);
      });
    try {
      const { facts, requeueAt, waits } = await reconcile(this.#parts, {
        application: seen,
        target,
        isOneOfSeveral,
        values,
        session,
        signal,
        onFacts,
        tellNow: () => reports.now(),
      });
      await reports.stop();
      if (facts !== undefined) await tell(facts);
      this.#noteInLedger(target, application, waits);
      this.#parts.claims.settle(target.name);
      if (requeueAt === undefined) return 'success';
      const delayMs = Math.max(0, requeueAt.getTime() - this.#parts.home.now().getTime()) + 5;
      this.#options.lookAgain(target.name, delayMs);
      return 'requeue_after';
    } finally {
      // Before the next look begins: it must not meet a status of this one.
      await reports.stop();
    }
  }

  /** How its deployments ended, when who waits for that has heard it. */
  #noteInLedger(target: Target, { metadata }: Application, waits: readonly BlockedBy[]): void {
    const record = this.#parts.store.get(target);
    if (record !== undefined) this.#parts.ledger.note(target, metadata.uid, record, { waits });
  }

  /** A person confirmed that the target is in another cluster from now on: what was done in the one before is lost. */
  #recordOfOther(target: Target): TargetRecord | undefined {
    const record = this.#parts.store.get(target);
    return record === undefined || isAboutPlaceOf(target, record) ? undefined : record;
  }

  /**
   * Of one that is to end, and has all that is recorded of it in a cluster that was replaced: in the one that is there now it has
   * nothing, no hooks are run for it, and nobody is asked. Undefined: that is not the case.
   */
  #leaveBehind(
    due: DueTarget,
    { application, target }: Specified,
    signal: AbortSignal,
  ): Promise<LookResult> | undefined {
    const former = this.#recordOfOther(target);
    return former && this.#release(due, application.metadata.uid, signal, leftBehind('Replaced', former));
  }

  /** Of what stays as it is, and is nobody's from then on. */
  async #removeRecord(record: TargetRecord, applicationUID: string, signal: AbortSignal): Promise<void> {
    if (record.deployment !== undefined) await this.#parts.ledger.gone(record.target, applicationUID, record);
    await this.#parts.store.remove(record, signal);
  }

  async #remove(removed: Left, signal: AbortSignal): Promise<LookResult> {
    const hooks = hooksOfRemoval(this.#parts, removed);
    const removal = await removeTarget(this.#parts, removed, this.#speakerOf(removed), signal, { hooks });
    return this.#afterRemoval(removed, removal);
  }

  async #leave(left: Left, signal: AbortSignal): Promise<LookResult> {
    left.memory.session = undefined;
    const removal = await leaveTarget(this.#parts, left, this.#speakerOf(left), signal);
    return this.#afterRemoval(left, removal);
  }

  #afterRemoval({ target, memory }: Removed, removal: Removal): LookResult {
    if (removal === 'Gone') this.#options.onGone(target);
    if (removal !== 'Waiting') return 'success';
    this.#options.lookAgain(target.name, lookAgainMs(this.#parts, memory));
    return 'requeue_after';
  }

  /** What runs there stays as it is; what changes that wakes it. */
  async #refuse(
    { identity, memory }: DueTarget,
    { application, target: { refusal, settings } }: Unplaced,
    signal: AbortSignal,
  ): Promise<LookResult> {
    // What was found out there may be another cluster's by the next time.
    memory.session = undefined;
    const asked = application.metadata.annotations[ANNOTATION_SYNC_REQUESTED];
    // That is the answer to what is asked of it, but where it comes to be known by itself.
    const isAnswer = settings.request !== undefined && refusal.remedy !== 'Time';
    const handled = asked === undefined || !isAnswer ? {} : { handledSyncRequest: handledAs(asked) };
    await this.#options.tell(identity, { kind: 'Refused', error: refusal, ...handled }, signal);
    answerRefused(this.#parts, identity, refusal);
    return 'success';
  }

  /** What was never deployed there is gone; what was stays until it is known where, or a person lets go of it. */
  async #refuseRemoval(
    due: DueTarget,
    { application, target }: Unplaced,
    successors: readonly Target[],
    signal: AbortSignal,
  ): Promise<LookResult> {
    const { identity } = due;
    const { refusal, environment } = target;
    const isLetGo = isAbandoned(this.#parts.store, target);
    const handover = isLetGo ? undefined : await handoverOf(this.#parts, identity, successors, signal);
    if (handover === 'TakenOver') return this.#release(due, application.metadata.uid, signal);
    const told = environmentOf(application.status, environment);
    // Its record may be lost.
    const record = this.#parts.store.get(identity);
    const isThere = record !== undefined || (told !== undefined && wasDeployed(told));
    const behind = record && leftBehind('Abandoned', record);
    if (isLetGo || !isThere) return this.#release(due, application.metadata.uid, signal, behind);
    const unseen = { ...refusedRemoval(environment, refusal, record), health: 'Unknown' } as const;
    await this.#options.tell(identity, handover ?? unseen, signal);
    return 'success';
  }

  #speakerOf({ application, target }: Removed): RemovalSpeaker {
    return {
      tell: (update, signal) => this.#options.tell(target, update, signal),
      warn: (reason, message) => this.#options.warn(application, reason, message),
    };
  }

  /**
   * What an Application that cannot be read wants done with its objects is unknown: they are left, like with
   * deletionPolicy Orphan.
   */
  async #release(
    { identity, memory }: DueTarget,
    applicationUID: string,
    signal: AbortSignal,
    behind?: LeftBehind,
  ): Promise<LookResult> {
    const record = this.#parts.store.get(identity);
    if (record !== undefined) await this.#removeRecord(record, applicationUID, signal);
    memory.gone = { kept: [], behind };
    this.#options.onGone(identity);
    return 'success';
  }

  /** What a person asks for where the target is being removed is answered while that goes on, however long its hooks take. */
  answersEnding(name: string): boolean {
    const target = this.#options.find(name);
    if (target === undefined || !isEnding(target)) return false;
    answerEnding(this.#parts, target.identity);
    return true;
  }

  /** A look ended with an error: says when the next one is, and tells of it. */
  failed(name: string, error: unknown): void {
    const target = this.#options.find(name);
    if (target === undefined) return;
    this.#parts.wishes.noteLook(name);
    const { memory, specified } = target;
    memory.failedLooks += 1;
    const count = memory.failedLooks;
    const pause = pauseAfter(error, count, this.#parts.random());
    const readAgain = isOutdated(error) && specified !== undefined ? this.#readAgain(target) : undefined;
    if (isAccident(error, count)) {
      void Promise.resolve(readAgain)
        .catch(() => undefined)
        .then(() => this.#options.lookAgain(name, pause));
      return;
    }
    void readAgain?.catch(() => undefined);
    const now = this.#parts.home.now().getTime();
    // A deletion of which the hook failed rests as long as its retries say.
    const nextAt =
      isEnding(target) && error instanceof TowpathError && error.reason === 'HookFailed'
        ? hookRetryAfter(this.#parts, { ...target.specified, memory }, error)
        : new Date(now + pause);
    this.#options.lookAgain(name, nextAt.getTime() - now + 5);
    void this.#tellFailed(target, error, { attempts: count, nextAt });
  }

  /** Never rejects. */
  async #tellFailed(target: DueTarget, error: unknown, retry: Retry): Promise<void> {
    const { identity, memory, specified } = target;
    const { wanted, secrecy } = this.#parts;
    const { tell, onFault } = this.#options;
    // A process that began with the deletion has not read its Secrets yet.
    if (isEnding(target))
      await wanted
        .learnSecrets(target.specified.application, AbortSignal.timeout(TELL_MS))
        .catch(() => undefined);
    onFault(identity, faultOf(error, specified?.application, secrecy));
    if (specified === undefined) return;
    const { application } = specified;
    if (isEnding(target)) {
      const removed = { ...specified, memory };
      return tellUnremoved(this.#parts, removed, error, this.#speakerOf(removed)).catch(() => undefined);
    }
    const cause = errorToTell(error, retry.attempts, application, secrecy);
    // Meanwhile it may have come to an end, or have been changed.
    if (cause === undefined || memory.failedLooks !== retry.attempts) return;
    const failing = { kind: 'Failing', error: cause, retry } as const;
    await tell(identity, failing, AbortSignal.timeout(TELL_MS)).catch(() => undefined);
  }

  async #readAgain({ identity }: DueTarget): Promise<void> {
    const signal = AbortSignal.timeout(TELL_MS);
    await this.#parts.store.reload(identity, signal);
    await this.#options.readAgain(identity, signal);
  }
}

/** Whether it is to be removed: what fails of that is told otherwise. */
function isEnding(target: DueTarget): target is Extract<DueTarget, { due: 'Removal' | 'Leaving' }> {
  return target.due === 'Removal' || target.due === 'Leaving';
}

/** The Application with the status that it would have if this were its only target. */
function asSeenBy({ environment }: TargetIdentity, application: Application): Application {
  const { status } = application;
  if (status === undefined) return application;
  const { sync, health } = environmentOf(status, environment) ?? {};
  const { sync: _, health: __, ...others } = status;
  return {
    ...application,
    status: {
      ...others,
      ...(sync === undefined ? {} : { sync }),
      ...(health === undefined ? {} : { health }),
    },
  };
}
