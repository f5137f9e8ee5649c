import { TowpathError } from '../../api/errors.ts';
import { earliest } from '../../promote/earliest.ts';
import { isUndecided, verifyEndsAt } from '../../promote/verify.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import {
  awaitedUntil,
  blockedByOf,
  dueAt,
  endsChosen,
  isInterim,
  isOfWanted,
  isToChoose,
  lastTry,
  obstacleOf,
  promotedThere,
  restingTry,
  stageOf,
  waitsAt,
  wasSuspended,
} from './stage.ts';
import type { Action, Deed, TargetState } from './state.ts';
import { isHandled } from './words/handled-request.ts';
import { standingOf } from './words/sync-and-reason.ts';

/** What cannot be seen is looked for again after so long. */
export const PATIENCE_MS = 30_000;

/** What there is to do next: exactly one thing, by the state alone. */
export function next(state: TargetState): Action {
  if (isInterim(state)) return wait(state.now);
  const action = nextOfLook(state);
  if (action.type !== 'Wait') return action;
  if (isHealthToNote(state)) return act('NoteHealth');
  if (isToCheck(state)) return act('Check');
  if (isToNote(state)) return act('NoteRequest');
  const unnoted = state.found.isRequestUnnoted === true ? inPatience(state) : undefined;
  return wait(earliest(action.until, unnoted, state.found.checked?.again));
}

/** At the end of a look that tells how it is. */
function isHealthToNote(state: TargetState): boolean {
  if (!state.soaks && !isVerifying(state)) return false;
  if (state.found.isHealthNoted === true) return false;
  return stageOf(state) !== 'Awaiting' && !endsChosen(state);
}

/** The same, where something may be written. */
function isToCheck(state: TargetState): boolean {
  const { isChecked, refusal, settings, found } = state;
  if (!isChecked || found.checked !== undefined || found.sight !== 'Seen') return false;
  if (refusal !== undefined || settings.suspended !== undefined) return false;
  return stageOf(state) !== 'Awaiting' && !endsChosen(state);
}

/** One environment's share of a request is in no status, and must not be acted on again by another process. */
function isToNote(state: TargetState): boolean {
  const { isOneOfSeveral, requestKey, handledRequest, refusal } = state;
  if (!isOneOfSeveral || refusal !== undefined || handledRequest === requestKey) return false;
  return isHandled(state, standingOf(state));
}

function nextOfLook(state: TargetState): Action {
  const { settings, refusal, deployment, found } = state;
  if (found.sight === undefined) return act('See');
  if (refusal !== undefined) return wait();
  if (settings.suspended !== undefined) return found.clock === undefined ? act('Pause') : wait();
  const isPaused = deployment?.pausedAt !== undefined || wasSuspended(state);
  if (isPaused && found.clock === undefined) return act('Resume');
  if (state.asked?.type === 'Resume') return act('LetGo');
  if (isToGoBack(state)) return act('GoBack');
  const onWay = isOnWayBack(state) ? nextOfTidied(state) : wait();
  if (onWay.type !== 'Wait') return onWay;
  if (found.wanted === undefined && found.obstacle === undefined) return act('Resolve');
  // Nothing is begun for it that would end that.
  if (state.hold !== undefined && promotedThere(state) !== undefined) return act('LetGo');
  if (found.sight !== 'Seen') return wait(inPatience(state));
  // What was looked after first says nothing of anything newer.
  const isFirst = found.first !== undefined && (!isOfWanted(state) || state.memory.renderAnew);
  return found.isTidied === true && !isFirst ? nextOfRunning(state) : nextOfWanted(state);
}

/**
 * What a person goes back from, or takes back, and what failed after it entered, whatever is wanted by now: once, where that can be
 * tried. Where a person has it stay, that is written down.
 */
function isToGoBack({ deployment, found, asked }: TargetState): boolean {
  const { verify } = deployment ?? {};
  if (found.sight !== 'Seen' || found.lookedAfter?.how === 'Not') return false;
  if (asked !== undefined && asked.type !== 'Resume') return true;
  return verify?.outcome === 'Failed' && verify.onFailure === 'Rollback' && verify.wentBack === undefined;
}

/** What is gone back to goes on before anything is asked of the Git server (D12). */
function isOnWayBack({ deployment, found, promoted }: TargetState): boolean {
  // Nor does what a person promotes wait for it.
  if (promoted !== undefined) return false;
  if (found.sight !== 'Seen' || found.wanted !== undefined || found.obstacle !== undefined) return false;
  return deployment?.trigger === 'Rollback' && deployment.outcome === undefined;
}

function nextOfWanted(state: TargetState): Action {
  if (isToChoose(state)) return act('Choose');
  switch (stageOf(state)) {
    case 'Unjudged':
      return act('Judge');
    case 'Unparked':
      return act('Park');
    case 'Lost':
      return act('Restore');
    case 'Judged':
      return act('Begin');
    case 'Awaiting':
      return wait(awaitedUntil(state));
    case 'Parked':
    case 'Current':
      return lookAfter(state);
    case 'Obstructed':
    case 'Held':
      // Of what is wanted itself nothing more is done; what runs in its place is kept running (A4, D6).
      return isLeft(state) ? waitOf(state) : lookAfter(state);
  }
}

/** Whether it is what runs itself that may not. What failed, and is only not begun anew for now, is kept as far as it got. */
function isLeft(state: TargetState): boolean {
  return isRenderedAnew(state) || (isOfWanted(state) && !isKeptOut(state));
}

/** Nothing but what keeps anything out is in its way. */
function isKeptOut(state: TargetState): boolean {
  const { error } = obstacleOf(state) ?? {};
  return error instanceof TowpathError && error.reason === blockedByOf(state, 'Blocked')?.reason;
}

/** What runs has lost its manifests, and what was rendered in their place has other bytes: random values, say. */
function isRenderedAnew({ deployment, memory, found: { wanted } }: TargetState): boolean {
  return memory.renderAnew && wanted !== undefined && deployment?.candidate.id === wanted.candidate.id;
}

function lookAfter(state: TargetState): Action {
  return state.deployment === undefined ? waitOf(state) : nextOfTidied(state);
}

function nextOfTidied(state: TargetState): Action {
  return state.found.isTidied === true ? nextOfRunning(state) : act('Tidy');
}

function nextOfRunning(state: TargetState): Action {
  const { deployment, found, memory } = state;
  if (found.lookedAfter !== undefined) return waitOf(state);
  if (found.failure?.isCounted === false) return act('Count');
  if (deployment?.exhausted === true) return act('Repair');
  if (found.failure !== undefined || restingTry(state) !== undefined) return waitOf(state);
  return found.isUndisturbed === true && memory.kept.length === 0 ? act('Confirm') : act('Advance');
}

function act(type: Deed): Action {
  return { type };
}

function wait(until?: Date): Action {
  return { type: 'Wait', until };
}

/** Until the first of all that ends by itself; what changes wakes the target before. */
function waitOf(state: TargetState): Action {
  // What the newest waits for by then is told of the next look.
  if (endsChosen(state)) return wait(state.now);
  return wait(
    earliest(
      endOfObstacle(state),
      endOfRunning(state),
      endOfGate(state),
      state.found.chosen?.againAt,
      state.mayEnterAt,
      endOfVerify(state),
    ),
  );
}

/** It is deployed, or failed at that, and what its policy wants of it is not decided. */
function isVerifying({ deployment }: TargetState): boolean {
  return deployment?.outcome !== undefined && isUndecided(deployment.verify);
}

function endOfVerify({ deployment, settings, found, now }: TargetState): Date | undefined {
  // Before it was looked at, it is not known whether it goes on.
  if (found.isHealthNoted !== true) return undefined;
  const end = verifyEndsAt(deployment?.verify, settings.timeoutMs);
  // What is healthy for long enough waits for checks, whose end wakes it.
  return end === undefined || end <= now ? undefined : end;
}

function inPatience({ now }: TargetState): Date {
  return new Date(now.getTime() + PATIENCE_MS);
}

/** When what keeps the wanted candidate from running, or from being known, is tried again. */
export function endOfObstacle(state: TargetState): Date | undefined {
  const obstacle = obstacleOf(state);
  if (obstacle === undefined) return undefined;
  if (obstacle.error instanceof Quarantine) return obstacle.error.retry?.nextAt;
  const { unresolved, retry } = state.memory;
  if (obstacle.at === 'Resolving') return unresolved.nextAt;
  if (retry === undefined) return undefined;
  return retry.triedAt < state.since ? dueAt(retry) : retry.nextAt;
}

/**
 * What waits at a gate is looked at when that clears, or another one shuts, and not before; what a person promotes, too, whatever
 * the newest waits for.
 */
function endOfGate(state: TargetState): Date | undefined {
  const { refusal, blockedBy = [] } = state.promoted ?? {};
  const isPromotedKeptOut = refusal === undefined && blockedBy.length > 0;
  const isWaiting = isPromotedKeptOut || (stageOf(state) === 'Parked' && waitsAt(state) !== undefined);
  return isWaiting ? state.gatesChangeAt : undefined;
}

function endOfRunning(state: TargetState): Date | undefined {
  const { lookedAfter, isTidied } = state.found;
  if (isTidied !== true) return undefined;
  if (lookedAfter === undefined) return lastTry(state)?.nextAt;
  if (lookedAfter.how === 'Confirmed') return undefined;
  if (lookedAfter.how === 'Not') return lookedAfter.againAt;
  const progress = lookedAfter.result?.progress;
  if (progress?.state === 'RepairDelayed') return progress.until;
  return progress?.state === 'Waiting' ? progress.deadline : undefined;
}
