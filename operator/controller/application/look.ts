import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { FINALIZER } from '../../api/v1alpha1/names.ts';
import { hasInexactNumber, isTooDeep, valuesText } from '../../api/v1alpha1/values-text.ts';
import type { KubeObject } from '../../kube/client.ts';
import { isAlreadyExists, isConflict } from '../../kube/errors.ts';
import type { LookResult } from '../../observe/work-metrics.ts';
import { backoffMs } from '../../retry/backoff.ts';
import type { Facts } from '../target/facts.ts';
import { PATIENCE_MS } from '../target/next.ts';
import { reconcile } from '../target/reconcile.ts';
import type { Parts } from '../target/run.ts';
import { newSession } from '../target/session.ts';
import { LOOKING } from '../target/standing.ts';
import { Progress } from '../work/progress.ts';
import type { ApplicationCache, CachedApplication } from './application-cache.ts';
import {
  type DeletionParts,
  deleteApplication,
  hookRetryAfter,
  hookRetryInMs,
  releaseUnreadable,
} from './deletion.ts';
import { type Fault, isDefect, tellFailed } from './failed-looks.ts';
import { APPLICATIONS, type ApplicationWriter } from './status/writer.ts';
import type { Targets } from './targets.ts';

export interface LooksOptions {
  applications: ApplicationCache;
  deletion: DeletionParts;
  lookAgain(key: string, delayMs: number): void;
  /** Told of an Application that was read anew. */
  onAnswer(object: KubeObject): void;
  onFault(application: string, fault: Fault): void;
  onLooked(result: LookResult, seconds: number): void;
}

/** Before the next look where the API server knew something newer, where something failed, and where a defect did. */
const OUTDATED = { firstMs: 100, longestMs: PATIENCE_MS };
const FAILED = { firstMs: 1_000, longestMs: PATIENCE_MS };
const DEFECT = { firstMs: 1_000, longestMs: 10 * 60_000 };
/** So many in a row are no accident, and told as what else fails is. */
const UNLIKELY_CONFLICTS = 6;
/** A sync that takes longer says every so often how far it is; shorter ones write their status once, at the end. */
export const TELL_AFTER_MS = 5_000;

/** A look at one Application: whatever it needs by now, its deletion too, and what follows where that fails. */
export class Looks {
  readonly #options: LooksOptions;
  readonly #applications: ApplicationCache;
  readonly #deletion: DeletionParts;
  readonly #parts: Parts;
  readonly #targets: Targets;
  readonly #writer: ApplicationWriter;

  constructor(options: LooksOptions) {
    this.#options = options;
    this.#applications = options.applications;
    this.#deletion = options.deletion;
    this.#parts = options.deletion.parts;
    this.#targets = options.deletion.targets;
    this.#writer = options.deletion.writer;
  }

  /** One look at the Application with that key, where there is one. */
  async look(key: string, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    let result: LookResult = 'error';
    try {
      result = await this.#look(key, signal);
    } catch (error) {
      if (signal.aborted) result = 'requeue';
      throw error;
    } finally {
      this.#options.onLooked(result, (performance.now() - started) / 1000);
    }
  }

  async #look(key: string, signal: AbortSignal): Promise<LookResult> {
    const cached = this.#applications.get(key);
    if (cached === undefined) return 'success';
    const { memory } = cached;
    memory.looks.take(performance.now());
    if (memory.isRecordInDoubt) {
      for (const target of this.#targets.named(key)) await this.#parts.store.readAnew(target, signal);
      memory.isRecordInDoubt = false;
    }
    const result = await this.#doWhatIsDue(key, cached, signal);
    // One that is gone by now is not to be remembered as looked at.
    if (this.#applications.get(key) !== undefined) this.#parts.wishes.noteLook(key);
    memory.failedLooks = 0;
    return result;
  }

  async #doWhatIsDue(key: string, cached: CachedApplication, signal: AbortSignal): Promise<LookResult> {
    const { application, object, errors } = cached;
    const isDeleted = object.metadata.deletionTimestamp !== undefined;
    if (application !== undefined)
      return isDeleted
        ? this.#delete(key, application, signal)
        : this.#reconcile(key, cached, application, signal);
    if (isDeleted) await releaseUnreadable(this.#deletion, object, signal);
    else await this.#writer.tellInvalid(object, errors, signal);
    return 'success';
  }

  async #reconcile(
    key: string,
    cached: CachedApplication,
    application: Application,
    signal: AbortSignal,
  ): Promise<LookResult> {
    const { object, memory } = cached;
    if (!application.metadata.finalizers.includes(FINALIZER)) {
      await this.#writer.setFinalizers(
        application.metadata,
        [...application.metadata.finalizers, FINALIZER],
        signal,
      );
      const current = this.#applications.get(key)?.application;
      if (current === undefined) return 'success';
      application = current;
    }
    const [target] = this.#targets.of(application);
    const session = memory.session ?? newSession(application, target, memory.unreported);
    memory.session = session;
    const values = await this.#exactValues(object, application, signal);
    const latest = () => this.#applications.get(key)?.application ?? application;
    const progress = new Progress(TELL_AFTER_MS);
    const onFacts = (now: () => Facts) =>
      progress.start(async () => {
        // A look that found nothing to do yet changes nothing that the status says.
        if (application.status?.sync !== undefined && now().standing === LOOKING) return;
        await this.#writer.tell(latest(), now(), session.unreported, signal);
      });
    try {
      const { facts, requeueAt } = await reconcile(this.#parts, {
        application,
        target,
        values,
        session,
        signal,
        onFacts,
        tellNow: () => progress.now(),
      });
      await progress.stop();
      await this.#writer.tell(latest(), facts, session.unreported, signal);
      if (requeueAt === undefined) return 'success';
      const delayMs = Math.max(0, requeueAt.getTime() - this.#parts.home.now().getTime()) + 5;
      this.#options.lookAgain(key, delayMs);
      return 'requeue_after';
    } finally {
      // Before the next look begins: it must not meet a status of this one.
      await progress.stop();
    }
  }

  async #delete(key: string, application: Application, signal: AbortSignal): Promise<LookResult> {
    if (await deleteApplication(this.#deletion, application, signal)) {
      this.#parts.wanted.forget(key);
      return 'success';
    }
    // The watches tell when something goes; this is for what they cannot tell.
    this.#options.lookAgain(key, Math.min(5_000, hookRetryInMs(this.#deletion, application)));
    return 'requeue_after';
  }

  /** Numbers that JSON.parse cannot hold are read again, from the text that the API server sends. */
  async #exactValues(
    object: KubeObject,
    application: Application,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { values } = application.spec.helm ?? {};
    // What is nested too deep is told as soon as the commit is known; until then nothing may follow it to its end.
    if (values === undefined || isTooDeep(values)) return undefined;
    if (!hasInexactNumber(values)) return JSON.stringify(values);
    const { name, namespace } = application.metadata;
    const text = await this.#parts.home.getText({ resource: APPLICATIONS, namespace, name }, { signal });
    return (
      valuesText(text) ??
      JSON.stringify((object as { spec?: { helm?: { values?: unknown } } }).spec?.helm?.values)
    );
  }

  /** A look ended with an error: says when the next one is, and tells of it. */
  failed(key: string, error: unknown): void {
    const cached = this.#applications.get(key);
    if (cached === undefined) return;
    this.#parts.wishes.noteLook(key);
    const { application, memory } = cached;
    memory.failedLooks += 1;
    const count = memory.failedLooks;
    const chance = { jitter: 'Fifth', random: this.#parts.random() } as const;
    const isOutdated = isConflict(error) || isAlreadyExists(error);
    // Somebody else wrote: what the watches have not told yet is read first.
    const readAgain = isOutdated && application !== undefined ? this.#readAgain(application) : undefined;
    if (isOutdated && count < UNLIKELY_CONFLICTS) {
      const pause = backoffMs({ ...OUTDATED, failures: count, ...chance });
      void Promise.resolve(readAgain)
        .catch(() => undefined)
        .then(() => this.#options.lookAgain(key, pause));
      return;
    }
    void readAgain?.catch(() => undefined);
    const now = this.#parts.home.now().getTime();
    const isDeleted = application?.metadata.deletionTimestamp !== undefined;
    // A deletion of which the hook failed rests as long as its retries say.
    const nextAt =
      isDeleted && error instanceof TowpathError && error.reason === 'HookFailed'
        ? hookRetryAfter(this.#deletion, application, error)
        : new Date(now + backoffMs({ ...(isDefect(error) ? DEFECT : FAILED), failures: count, ...chance }));
    this.#options.lookAgain(key, nextAt.getTime() - now + 5);
    const failed = { key, application, error, retry: { attempts: count, nextAt } };
    void tellFailed(this.#deletion, failed, {
      onFault: this.#options.onFault,
      isOver: () => memory.failedLooks !== count,
    });
  }

  async #readAgain(application: Application): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    const { name, namespace } = application.metadata;
    for (const target of this.#targets.of(application)) await this.#parts.store.reload(target, signal);
    this.#options.onAnswer(
      await this.#parts.home.get({ resource: APPLICATIONS, namespace, name }, { signal }),
    );
  }
}
