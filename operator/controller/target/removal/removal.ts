import { TowpathError } from '../../../api/errors.ts';
import type { Application } from '../../../api/v1alpha1/application.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import type { TargetRecord } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import type { HookRetry, TargetMemory } from '../memory.ts';
import { syncRetryMs } from '../next-try.ts';
import type { Parts } from '../run.ts';
import { explainForbidden } from '../words/forbidden.ts';
import { leftMessage } from '../words/sync-and-reason.ts';
import type { TargetUpdate } from '../words/target-update.ts';
import { howToAbandon, isOutdated, whyOutdated } from './abandoned.ts';
import { type Deletion, type Finalized, finalize, type Hold } from './finalize.ts';

/** How long it may take to find out what to keep silent about, and to tell. */
const TELL_MS = 10_000;

/** A target whose Application is being deleted, or which it left. */
export interface Removed {
  application: Application;
  target: Target;
  memory: TargetMemory;
}

export interface RemovalSpeaker {
  tell(update: TargetUpdate, signal: AbortSignal): Promise<void>;
  /** Told as an event. */
  warn(reason: string, message: string): void;
}

/** How far a removal is: `Held` until something changes that the target is woken for. */
export type Removal = 'Gone' | 'Waiting' | 'Held';

/**
 * Deletes what was deployed there; of what is gone `memory.gone` has the rest.
 *
 * @param how what is asked before, and whether hooks are run.
 */
export async function removeTarget(
  parts: Parts,
  removed: Removed,
  speaker: RemovalSpeaker,
  signal: AbortSignal,
  how: Pick<Deletion, 'ask' | 'hooks'> = { hooks: 'Run' },
): Promise<Removal> {
  const { application, target, memory } = removed;
  const hookRetry = takeHookRetry(removed);
  const mayRunHooks =
    hookRetry === undefined ||
    hookRetry.until <= parts.home.now() ||
    hookRetry.syncRequest !== target.settings.request;
  // It takes over nothing any more.
  parts.wishes.tell(target.name, new Set());
  const leaving = { kind: 'Leaving', reason: 'Deleting', isStalled: false } as const;
  const finalized = await finalize(parts, application, target, signal, {
    tell: (message) => speaker.tell({ ...leaving, message }, signal),
    warn: (reason, message) => speaker.warn(reason, message),
    mayRunHooks,
    onHooksRun: () => {
      memory.hookRetry = undefined;
    },
    unreported: memory.unreported,
    ...unlessOutdated(parts, removed),
    ...how,
  });
  signal.throwIfAborted();
  switch (finalized.state) {
    case 'Gone':
      memory.gone = { kept: finalized.kept, behind: finalized.behind };
      return 'Gone';
    case 'Resting':
      // Again, in case it could not be told when it failed.
      if (hookRetry?.error !== undefined)
        await tellUnremoved(parts, removed, hookRetry.error, { tell: speaker.tell });
      return 'Waiting';
    case 'Waiting':
      await speaker.tell({ ...leaving, message: finalized.message, kept: finalized.kept }, signal);
      return 'Waiting';
    case 'Held':
      await speaker.tell(heldUpdate(target.environment, finalized, parts.store.get(target)), signal);
      // Nothing wakes it where the namespace, or our definition, goes: then nobody is waited for.
      return finalized.hold.state === 'Outdated' ? 'Waiting' : 'Held';
  }
}

/**
 * Nobody is asked before an Application's objects are deleted, but who wrote that they are to be left, and relies on that
 * although it counts no more. What is going already cannot be left.
 */
function unlessOutdated({ store }: Parts, { application, target }: Removed): Pick<Deletion, 'ask'> {
  if (application.spec.deletionPolicy !== 'Prune' || !isOutdated(store, target)) return {};
  return {
    ask: async (objects, record) =>
      objects.some(({ deleting }) => !deleting)
        ? { state: 'Outdated', message: whyOutdated(target.environment, record) }
        : undefined,
  };
}

/** What is told of one whose objects may not be touched, though it is to end. */
export function refusedRemoval(
  environment: string,
  { message, remedy }: TowpathError,
  record?: TargetRecord,
): Extract<TargetUpdate, { kind: 'Leaving' }> {
  const text = fitBetween('Deleting: ', message, howToAbandon(environment, record));
  return { kind: 'Leaving', reason: 'DeletionFailed', isStalled: remedy !== 'Time', message: text };
}

/** What is told of a target that is to end, and of which nothing is deleted yet. */
export function whyHeld(
  environment: string,
  hold: Hold,
  record?: TargetRecord,
): Extract<TargetUpdate, { kind: 'Leaving' }> {
  if (hold.state === 'Refused') return refusedRemoval(environment, hold.refusal, record);
  if (hold.state === 'PruneHeld') {
    const message = leftMessage(environment, hold);
    return { kind: 'Leaving', reason: 'PruneHeld', isStalled: true, message, pendingPrune: hold };
  }
  if (hold.state === 'Outdated')
    return { kind: 'Leaving', reason: 'DeletionFailed', isStalled: true, message: hold.message };
  const message = `It left spec.environments: environment ${hold.to} takes over its objects.`;
  return { kind: 'Leaving', reason: 'HandingOver', isStalled: false, message };
}

/** The same with how what stays meanwhile is. */
function heldUpdate(
  environment: string,
  { hold, health, kept }: Extract<Finalized, { state: 'Held' }>,
  record: TargetRecord | undefined,
): TargetUpdate {
  return { ...whyHeld(environment, hold, record), health, kept };
}

/** Notes that a hook failed; returns when it may run again: as spec.sync.retries says, however often that is. */
export function hookRetryAfter(parts: Parts, { application, target, memory }: Removed, error: unknown): Date {
  const tries = (memory.hookRetry?.tries ?? 0) + 1;
  const pause = syncRetryMs(application, tries, parts.random());
  const until = new Date(parts.home.now().getTime() + pause);
  memory.hookRetry = { tries, until, syncRequest: target.settings.request, error };
  return until;
}

/** The watches tell when something goes; this is for what they cannot tell. */
const DELETION_MS = 5_000;

/** After how long to look again: a hook that failed may be through with its rest before. */
export function lookAgainMs(parts: Parts, { hookRetry }: TargetMemory): number {
  const restMs = hookRetry === undefined ? 0 : hookRetry.until.getTime() - parts.home.now().getTime();
  return restMs <= 0 ? DELETION_MS : Math.min(DELETION_MS, restMs + 5);
}

/** Says why a deletion did not get on, and what a person can do about it, without values of Secrets (S5). */
export async function tellUnremoved(
  parts: Parts,
  { application, target, memory }: Removed,
  error: unknown,
  { tell, warn }: Pick<RemovalSpeaker, 'tell'> & Partial<RemovalSpeaker>,
): Promise<void> {
  const signal = AbortSignal.timeout(TELL_MS);
  await parts.wanted.learnSecrets(application, signal).catch(() => undefined);
  const hidden = parts.secrecy.hide(application, error);
  const explained =
    hidden instanceof TowpathError ? await explainForbidden(parts, target, hidden, signal) : hidden;
  const why = explained instanceof Error ? explained.message : String(explained);
  // Without the right, or without an answer, only the person can say that the objects are to be left.
  const abandon = howToAbandon(target.environment, parts.store.get(target));
  const message = fitBetween('Deleting: ', why, abandon);
  warn?.('DeletionFailed', message);
  const { hookRetry } = memory;
  const isHook = explained instanceof TowpathError && explained.reason === 'HookFailed';
  const retry =
    isHook && hookRetry !== undefined
      ? { retry: { attempts: hookRetry.tries, nextAt: hookRetry.until } }
      : {};
  const isStalled = !(explained instanceof TowpathError && explained.remedy === 'Time' && !isHook);
  await tell({ kind: 'Leaving', reason: 'DeletionFailed', message, isStalled, ...retry }, signal);
}

function takeHookRetry({ application, target, memory }: Removed): HookRetry | undefined {
  memory.hookRetry ??= hookRetryInStatus(application, target);
  return memory.hookRetry;
}

/** A restart is no reason to run it before its time. */
function hookRetryInStatus(
  application: Application,
  { environment, settings }: Pick<Target, 'environment' | 'settings'>,
): HookRetry | undefined {
  const { conditions = [], retry } = application.status ?? {};
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.reason !== 'DeletionFailed' || retry?.nextAt === undefined) return undefined;
  if ((retry.environment ?? environment) !== environment) return undefined;
  return { tries: retry.attempts, until: new Date(retry.nextAt), syncRequest: settings.request };
}
