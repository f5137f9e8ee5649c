import { TowpathError } from '../../api/errors.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { ApiError } from '../../kube/errors.ts';
import { backoffMs } from '../../retry/backoff.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import type { Wanted } from '../candidate/wanted.ts';
import { PATIENCE_MS } from './next.ts';
import { inputsOf, isOfWanted, judgedAs, obstacleOf } from './stage.ts';
import type { Findings, LookedAfter, Memory, Outcome, TargetState } from './state.ts';
import { syncRetryMs } from './sync-retries.ts';

/** The first pause between tries of what is not the candidate's own failure. */
const FIRST_MS = 1_000;
/** What another resource decides that nobody watches: asked for again at short intervals. */
const UNSEEN: ReadonlySet<string> = new Set(['AlreadyAllocated', 'QuotaExceeded']);
const UNSEEN_MS = 5_000;
/** The API server's clock is told in whole seconds: what is known of it may move by that much meanwhile. */
const CLOCK_ERROR_MS = 1_000;

export const NOTHING_REMEMBERED: Memory = { unresolved: { tries: 0 }, renderAnew: false, kept: [] };

/** What the look knows after an action. Pure, as what follows. */
export function foundAfter(state: TargetState, outcome: Outcome): Findings {
  const { found } = state;
  switch (outcome.type) {
    case 'Seen':
      return { ...found, sight: 'Seen' };
    case 'Unseen':
      return { ...found, sight: { unseen: outcome.error } };
    case 'Paused':
    case 'Resumed':
      return { ...found, clock: outcome.type };
    case 'Resolved':
      return { ...found, wanted: outcome.wanted, ...sourceErrorOf(outcome) };
    case 'Unresolved': {
      const { error, isAnswer, wanted } = outcome;
      const obstacle = { at: 'Resolving', error, isAnswer } as const;
      return { ...found, obstacle, ...(wanted === undefined ? {} : { wanted }) };
    }
    case 'Judged':
      return { ...found, judgement: { deferred: outcome.deferred } };
    case 'Held':
      return { ...found, held: outcome.held };
    case 'Tidied': {
      // What is remembered of it may be dropped meanwhile; what this look tells is decided.
      const obstacle = obstacleOf(state);
      return { ...found, isTidied: true, ...(obstacle === undefined ? {} : { obstacle }) };
    }
    case 'FailedTry':
      return { ...found, failure: { error: outcome.error, isCounted: false } };
    case 'Counted':
      return { ...found, failure: { error: outcome.error, isCounted: true } };
    case 'LookedAfter':
      return { ...found, isTidied: true, lookedAfter: outcome.lookedAfter };
    case 'Refused':
      return obstructed(found, outcome.quarantine);
    case 'Blocked':
    case 'Broken':
      return obstructed(found, outcome.error);
    default:
      return found;
  }
}

function sourceErrorOf({ sourceError }: { sourceError?: TowpathError }): Pick<Findings, 'sourceError'> {
  return sourceError === undefined ? {} : { sourceError };
}

function obstructed(found: Findings, error: unknown): Findings {
  const obstacle = { at: 'Deploying', error } as const;
  if (found.isTidied !== true) return { ...found, obstacle };
  return { ...found, obstacle, lookedAfter: { how: 'Not', error } };
}

/** What is remembered of the target after an action. @param random from 0 to 1, for the pauses before what is tried again */
export function memoryAfter(state: TargetState, outcome: Outcome, random: number): Memory {
  const { memory } = state;
  switch (outcome.type) {
    case 'Seen':
      return outcome.lostKinds === undefined ? memory : { ...memory, lostKinds: outcome.lostKinds };
    case 'Resolved':
      return ofInputs(
        state,
        { ...memory, toldWishes: outcome.toldWishes, unresolved: { tries: 0 } },
        outcome.wanted,
      );
    case 'Unresolved':
      return afterUnresolved(state, outcome.error, random);
    case 'Judged':
      return state.found.wanted === undefined
        ? memory
        : { ...memory, judged: judgedAs(state, state.found.wanted.candidate) };
    case 'Restored':
    case 'Begun':
      return { ...memory, renderAnew: false };
    case 'Refused':
      return state.found.wanted === undefined
        ? memory
        : {
            ...memory,
            refused: { inputs: inputsOf(state, state.found.wanted), quarantine: outcome.quarantine },
          };
    case 'Blocked':
      return afterBlocked(state, outcome.error, random);
    case 'Counted':
      return afterCounted(state, outcome, random);
    case 'LookedAfter':
      return afterLook(state, outcome.lookedAfter);
    default:
      return memory;
  }
}

/** With other inputs, what failed with the former ones says nothing. */
function ofInputs(state: TargetState, { retry, refused, ...memory }: Memory, wanted: Wanted): Memory {
  const inputs = inputsOf(state, wanted);
  return {
    ...memory,
    ...(retry?.inputs === inputs ? { retry } : {}),
    ...(refused?.inputs === inputs ? { refused } : {}),
  };
}

/** When to look again after an error that no watch and no poll tells the end of. */
function afterUnresolved({ memory, now, application }: TargetState, error: unknown, random: number): Memory {
  const { retry: _retry, unresolved, ...rest } = memory;
  if (error instanceof Quarantine) return { ...rest, unresolved: { tries: unresolved.tries } };
  if (error instanceof TowpathError && error.remedy === 'Resource')
    return { ...memory, unresolved: { tries: unresolved.tries } };
  const tries = unresolved.tries + 1;
  const firstMs = isForPerson(error) ? parseDuration(application.spec.source.interval) : FIRST_MS;
  const pause = pauseAfter(tries, { firstMs, longestMs: Math.max(firstMs, PATIENCE_MS) }, random);
  return { ...memory, unresolved: { tries, nextAt: later(now, pause) } };
}

function afterBlocked(state: TargetState, error: TowpathError, random: number): Memory {
  const { memory, now, found } = state;
  if (found.wanted === undefined) return memory;
  const attempts = (memory.retry?.attempts ?? 0) + 1;
  const least = retryAfterMsOf(error);
  const asked = least === 0 ? 0 : Math.min(least, PATIENCE_MS) * (1 + 0.2 * random) + CLOCK_ERROR_MS;
  const longestMs = UNSEEN.has(error.reason) ? UNSEEN_MS : PATIENCE_MS;
  const pause = Math.max(pauseAfter(attempts, { firstMs: FIRST_MS, longestMs }, random), asked);
  const inputs = inputsOf(state, found.wanted);
  const retry = { inputs, error, attempts, triedAt: now, nextAt: later(now, pause) };
  return { ...memory, retry, renderAnew: memory.renderAnew || error.reason === 'RecordDamaged' };
}

function afterCounted(
  state: TargetState,
  { error, attempts }: { error: TowpathError; attempts: number },
  random: number,
): Memory {
  const { application, deployment, now } = state;
  const { failed: _failed, ...memory } = withoutRetry(state);
  if (deployment === undefined || deployment.exhausted === true) return memory;
  const nextAt = later(now, syncRetryMs(application, attempts, random));
  const { generation } = application.metadata;
  return { ...memory, failed: { deployment: deployment.id, generation, error, nextAt } };
}

function afterLook(state: TargetState, lookedAfter: LookedAfter): Memory {
  if (lookedAfter.how === 'Not') {
    const { error } = lookedAfter;
    const isDamaged = error instanceof TowpathError && error.reason === 'RecordDamaged';
    return isDamaged ? { ...state.memory, renderAnew: true } : state.memory;
  }
  const memory = withoutRetry(state);
  if (lookedAfter.how === 'Confirmed') return withoutFailed(memory);
  const { result } = lookedAfter;
  const looked = result === undefined ? memory : { ...memory, kept: result.kept };
  return lookedAfter.how === 'Advanced' ? withoutFailed(looked) : looked;
}

/** What is wanted got on. */
function withoutRetry(state: TargetState): Memory {
  const { retry: _retry, ...memory } = state.memory;
  return isOfWanted(state) && state.found.obstacle === undefined ? memory : state.memory;
}

function withoutFailed({ failed: _failed, ...memory }: Memory): Memory {
  return memory;
}

function isForPerson(error: unknown): boolean {
  return error instanceof TowpathError && error.remedy === 'Person';
}

/** How long the API server asked to wait (Retry-After), in milliseconds. */
function retryAfterMsOf(error: Error): number {
  if (error instanceof ApiError) return error.retryAfterMs ?? 0;
  return error.cause instanceof Error ? retryAfterMsOf(error.cause) : 0;
}

function pauseAfter(failures: number, pace: { firstMs: number; longestMs: number }, random: number): number {
  return backoffMs({ ...pace, failures, jitter: 'Fifth', random });
}

function later(now: Date, ms: number): Date {
  return new Date(now.getTime() + ms);
}
