import type { Application } from '../../api/v1alpha1/application.ts';
import { FINALIZER } from '../../api/v1alpha1/names.ts';
import type { KubeObject } from '../../kube/client.ts';
import { ApiError } from '../../kube/errors.ts';
import { applicationKey } from '../record/application-key.ts';
import type { TargetIdentity } from '../record/target.ts';
import {
  errorToTell,
  type Fault,
  faultOf,
  isAccident,
  isOutdated,
  pauseAfter,
} from '../target/failed-looks.ts';
import { tellUnremoved } from '../target/removal/removal.ts';
import type { Parts } from '../target/run.ts';
import type { Retry, TargetUpdate } from '../target/words/target-update.ts';
import { abortedLater } from '../work/aborted-later.ts';
import type { ApplicationCache, CachedApplication } from './application-cache.ts';
import type { EndedTarget } from './status/end-texts.ts';
import { APPLICATIONS, type ApplicationWriter } from './status/writer.ts';
import { isPlaced } from './targets.ts';

export interface ApplicationLooksOptions {
  parts: Parts;
  applications: ApplicationCache;
  writer: ApplicationWriter;
  /** Whether a look at the target with that name is under way. */
  isLookedAt(target: string): boolean;
  lookAgain(key: string, delayMs: number): void;
  /** Told of an Application that was read anew. */
  onAnswer(object: KubeObject): void;
  onFault(application: string, fault: Fault): void;
}

/** How long it may take to read something anew, and to tell of a look that failed. */
const TELL_MS = 10_000;
/** With more environments than that, what they tell is gathered for so long before it is written again (A14). */
const MANY_ENVIRONMENTS = 8;
const WRITE_EVERY_MS = 1_000;
/** So long what one target told waits for others of its Application that are being looked at: together it is one write. */
const GATHER_MS = 100;
/** So long a write of the status may still be answered when something newer has come: one that hangs is not waited for. */
const ANSWER_MS = 1_000;

/**
 * What is done for an Application as a whole, between its targets: it is told when it cannot be read, gets our
 * finalizer before anything of it is deployed, is told what its targets told, and is let go when they are gone. None of
 * it waits for a target.
 */
export class ApplicationLooks {
  readonly #options: ApplicationLooksOptions;
  /** Of Applications that were let go and may be there still, by their keys: what to tell when they are gone. */
  readonly #letGo = new Map<string, { application: Application; targets: readonly EndedTarget[] }>();

  constructor(options: ApplicationLooksOptions) {
    this.#options = options;
  }

  async look(key: string, signal: AbortSignal): Promise<void> {
    const cached = this.#options.applications.get(key);
    if (cached === undefined) return;
    await this.#look(key, cached, signal);
    cached.memory.failures = 0;
  }

  async #look(key: string, cached: CachedApplication, signal: AbortSignal): Promise<void> {
    const { application, object, memory, errors } = cached;
    const { metadata } = object;
    const isDeleted = metadata.deletionTimestamp !== undefined;
    const isReady = this.#options.applications.isReady(key);
    if (isDeleted && !isReady) return this.tellGone(key);
    if (isDeleted && areGone(cached)) return this.#letGoOf(key, cached, signal);
    if (application === undefined) {
      if (!isDeleted) await this.#options.writer.tellInvalid(object, errors, signal);
      return;
    }
    if (!isDeleted && !isReady) {
      const finalizers = [...application.metadata.finalizers, FINALIZER];
      // The event of it wakes the targets, also where its answer is lost.
      await this.#options.writer.setFinalizers(application.metadata, finalizers, signal);
    }
    const now = performance.now();
    // The steps of a removal wait for what they told.
    const restMs = Math.max(restOf(cached, now), isDeleted ? 0 : this.#gatheringMs(cached, now));
    if (restMs > 0) return this.#options.lookAgain(key, restMs);
    // A write that is interrupted is there for everybody to see, and no event tells of it where its answer is not heard.
    const answered = abortedLater(signal, ANSWER_MS);
    await memory.updates.settle((environments) => this.#tell(key, environments, answered), signal);
    if (!isDeleted) await this.#tellLeft(key, answered);
  }

  /** Milliseconds until what one told is written without what others are about to tell. */
  #gatheringMs({ targets, memory: { updates } }: CachedApplication, now: number): number {
    const { waitingSince } = updates;
    if (waitingSince === undefined || waitingSince + GATHER_MS <= now) return 0;
    const isAwaited = targets.some(
      ({ name, environment }) => this.#options.isLookedAt(name) && !updates.isWaiting(environment),
    );
    return isAwaited ? waitingSince + GATHER_MS - now : 0;
  }

  /** Targets that the Application left are gone: its status has them no longer, and nothing is known of them. */
  async #tellLeft(key: string, signal: AbortSignal): Promise<void> {
    const cached = this.#options.applications.get(key);
    if (cached?.application === undefined || endedOf(cached, cached.left).length === 0) return;
    await this.#write(cached, cached.application, cached.memory.updates.latest, new Set(), signal);
  }

  /** Writes what the targets told last; `environments` told it since the last write. */
  async #tell(key: string, environments: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const cached = this.#options.applications.get(key);
    if (cached?.application === undefined) return;
    const { latest } = cached.memory.updates;
    await this.#write(cached, cached.application, latest, environments, signal);
    cached.memory.writtenAt = performance.now();
  }

  /**
   * Whatever is told, what is gone is in the status no longer, and nobody would know later that it was there: that is told
   * with it.
   *
   * @param latest by environment, who told last at the end.
   */
  async #write(
    cached: CachedApplication,
    application: Application,
    latest: ReadonlyMap<string, TargetUpdate>,
    news: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<void> {
    const { memory, targets, left } = cached;
    const former = new Set(left.map(({ environment }) => environment));
    // With the Application it is told of all its targets.
    const ended = application.metadata.deletionTimestamp === undefined ? endedOf(cached, left) : [];
    const gathered = targets.flatMap(({ name, environment }) => {
      const { unreported, gone } = memory.targets.get(name) ?? {};
      const update = latest.get(environment);
      const hasLeft = former.has(environment);
      return unreported === undefined || (hasLeft && gone !== undefined)
        ? []
        : [{ environment, unreported, update, isNew: news.has(environment), hasLeft }];
    });
    // What they are to have in Git, those that are named know.
    const last = [...latest.keys()].filter((environment) => !former.has(environment)).at(-1);
    const { writer, applications } = this.#options;
    await writer.tell(application, gathered, last, signal);
    for (const target of ended) writer.tellLeft(application, target);
    if (ended.length > 0) applications.learnAnew(applicationKey(application));
  }

  async #letGoOf(key: string, cached: CachedApplication, signal: AbortSignal): Promise<void> {
    const { application, object, targets } = cached;
    const { metadata } = object;
    if (application !== undefined) this.#letGo.set(key, { application, targets: endedOf(cached, targets) });
    // Another's finalizer that went in the meantime must not come back.
    const finalizers = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
    try {
      await this.#options.writer.setFinalizers(metadata, finalizers, signal);
    } catch (error) {
      // It was not let go by that, and where another process does it, that one tells.
      if (error instanceof ApiError && error.code < 500) this.#letGo.delete(key);
      throw error;
    }
    this.tellGone(key);
    this.#options.parts.wanted.forget(key);
  }

  /**
   * An Application was let go. Whoever sees it first tells, once: the watch may before the answer to our own write
   * does, and that answer may be lost.
   */
  tellGone(key: string): void {
    const gone = this.#letGo.get(key);
    this.#letGo.delete(key);
    if (gone !== undefined) this.#options.writer.tellDeleted(gone.application, gone.targets);
  }

  /** A look ended with an error: says when the next one is, and tells of it. */
  failed(key: string, error: unknown): void {
    const cached = this.#options.applications.get(key);
    if (cached === undefined) return;
    // Nobody waits any longer for what its targets would want.
    for (const { name } of cached.targets) this.#options.parts.wishes.noteLook(name);
    const { application, memory, object } = cached;
    memory.failures += 1;
    const { failures } = memory;
    const pause = pauseAfter(error, failures, this.#options.parts.random());
    const readAgain = isOutdated(error) ? this.readAgain(object) : Promise.resolve();
    const isRead = readAgain.catch(() => undefined);
    if (isAccident(error, failures)) {
      void isRead.then(() => this.#options.lookAgain(key, pause));
      return;
    }
    this.#options.lookAgain(key, pause);
    const { secrecy, home } = this.#options.parts;
    this.#options.onFault(key, faultOf(error, application, secrecy));
    if (application === undefined) return;
    const nextAt = new Date(home.now().getTime() + pause);
    void this.#tellFailed(cached, application, error, { attempts: failures, nextAt }).catch(() => undefined);
  }

  /** Nothing of its targets is told meanwhile: what failed comes first. */
  async #tellFailed(
    cached: CachedApplication,
    application: Application,
    error: unknown,
    retry: Retry,
  ): Promise<void> {
    const { parts } = this.#options;
    if (application.metadata.deletionTimestamp !== undefined)
      return this.#tellUnremoved(cached, application, error);
    const cause = errorToTell(error, retry.attempts, application, parts.secrecy);
    if (cause === undefined) return;
    const failing = { kind: 'Failing', error: cause, retry } as const;
    const updates = cached.targets.map(({ environment }) => [environment, failing] as const);
    await this.#tellOfAll(cached, application, updates, AbortSignal.timeout(TELL_MS));
  }

  async #tellUnremoved(cached: CachedApplication, application: Application, error: unknown): Promise<void> {
    const { parts, writer } = this.#options;
    const updates: [string, TargetUpdate][] = [];
    const warn = (reason: string, message: string) => writer.warn(application, reason, message);
    for (const target of [...cached.specified, ...cached.left].filter(isPlaced)) {
      const memory = cached.memory.targets.get(target.name);
      if (memory === undefined) continue;
      const tell = async (update: TargetUpdate) => void updates.push([target.environment, update]);
      await tellUnremoved(parts, { application, target, memory }, error, { tell, warn });
    }
    await this.#tellOfAll(cached, application, updates, AbortSignal.timeout(TELL_MS));
  }

  /** @param updates by environment, what is told of them in place of what they told themselves. */
  #tellOfAll(
    cached: CachedApplication,
    application: Application,
    updates: Iterable<readonly [string, TargetUpdate]>,
    signal: AbortSignal,
  ): Promise<void> {
    const news = new Map(updates);
    const latest = new Map([...cached.memory.updates.latest, ...news]);
    return this.#write(cached, application, latest, new Set(news.keys()), signal);
  }

  /** What the watch has not told yet. */
  async readAgain({ metadata }: KubeObject, signal = AbortSignal.timeout(TELL_MS)): Promise<void> {
    const { namespace = '', name } = metadata;
    const { home } = this.#options.parts;
    this.#options.onAnswer(await home.get({ resource: APPLICATIONS, namespace, name }, { signal }));
  }
}

/** Milliseconds until what targets told may be written. */
function restOf({ targets, memory }: CachedApplication, now: number): number {
  return targets.length > MANY_ENVIRONMENTS ? memory.writtenAt + WRITE_EVERY_MS - now : 0;
}

/** Those of these targets that are over. */
function endedOf({ memory }: CachedApplication, targets: readonly TargetIdentity[]): EndedTarget[] {
  return targets.flatMap(({ name, environment }) => {
    const { gone, unreported } = memory.targets.get(name) ?? {};
    return gone === undefined || unreported === undefined ? [] : [{ environment, unreported, ...gone }];
  });
}

function areGone({ memory, targets }: CachedApplication): boolean {
  return targets.every(({ name }) => memory.targets.get(name)?.gone !== undefined);
}
