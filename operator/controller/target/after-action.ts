import { TowpathError } from '../../api/errors.ts';
import type { Wanted } from '../candidate/wanted.ts';
import { afterBlocked, afterCounted, afterUnresolved } from './next-try.ts';
import { inputsOf, isOfWanted, judgedAs, obstacleOf } from './stage.ts';
import type { EarlierFindings, Findings, LookedAfter, Outcome, TargetState } from './state.ts';

export const NOTHING_REMEMBERED: EarlierFindings = { unresolved: { tries: 0 }, renderAnew: false, kept: [] };

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
    case 'Chosen':
      return foundChosen(found, outcome);
    case 'Judged':
      return { ...found, judgement: { deferred: outcome.deferred } };
    case 'Held':
      return { ...found, held: outcome.held };
    case 'Tidied':
      return foundTidied(state, outcome);
    case 'FailedTry':
      return { ...found, failure: { error: outcome.error, isCounted: false } };
    case 'Counted':
      return { ...found, failure: { error: outcome.error, isCounted: true } };
    case 'LookedAfter':
      return { ...found, ...firstOf(state), isTidied: true, lookedAfter: outcome.lookedAfter };
    case 'HealthNoted':
      return { ...found, isHealthNoted: true };
    case 'Checked':
      return { ...found, checked: outcome.again === undefined ? {} : { again: outcome.again } };
    case 'WentBack':
      return { ...found, wentBack: true };
    case 'RequestUnnoted':
      return { ...found, isRequestUnnoted: true };
    case 'Refused':
      return obstructed(state, outcome.quarantine);
    case 'Blocked':
    case 'Broken':
      return obstructed(state, outcome.error);
    default:
      return found;
  }
}

function foundTidied(state: TargetState, { isUndisturbed }: Extract<Outcome, { type: 'Tidied' }>): Findings {
  // What is remembered of it may be dropped meanwhile; what this look tells is decided.
  const obstacle = obstacleOf(state);
  return {
    ...state.found,
    ...firstOf(state),
    isTidied: true,
    isUndisturbed,
    ...(obstacle === undefined ? {} : { obstacle }),
  };
}

/** Of what is looked after before it is known what is wanted. */
function firstOf({ found, deployment }: TargetState): Pick<Findings, 'first'> {
  const isKnown = found.wanted !== undefined || found.obstacle !== undefined;
  return isKnown ? {} : { first: deployment?.id ?? 0 };
}

/** What was found of the newest is not about what was chosen in its place. */
function foundChosen(
  { obstacle, judgement: _, held: __, ...found }: Findings,
  { wanted, chosen }: Pick<Extract<Outcome, { type: 'Chosen' }>, 'wanted' | 'chosen'>,
): Findings {
  const { error } = obstacle?.at === 'Resolving' ? obstacle : {};
  const ofSource = error instanceof TowpathError && error.remedy === 'Time' ? { sourceError: error } : {};
  return { ...found, ...ofSource, wanted, chosen };
}

function sourceErrorOf({ sourceError }: { sourceError?: TowpathError }): Pick<Findings, 'sourceError'> {
  return sourceError === undefined ? {} : { sourceError };
}

function obstructed(state: TargetState, error: unknown): Findings {
  const { found } = state;
  const obstacle = { at: 'Deploying', error } as const;
  const isOfAnother = found.first !== undefined && !isOfWanted(state);
  if (found.isTidied !== true || isOfAnother) return { ...found, obstacle };
  return { ...found, obstacle, lookedAfter: { how: 'Not', error } };
}

/** What is remembered of the target after an action. @param random from 0 to 1, for the pauses before what is tried again */
export function memoryAfter(state: TargetState, outcome: Outcome, random: number): EarlierFindings {
  const { memory } = state;
  switch (outcome.type) {
    case 'Seen':
      return outcome.lostKinds === undefined ? memory : { ...memory, lostKinds: outcome.lostKinds };
    case 'Resolved':
      return ofInputs(
        state,
        {
          ...memory,
          ...(outcome.toldWishes === undefined ? {} : { toldWishes: outcome.toldWishes }),
          unresolved: { tries: 0 },
        },
        outcome.wanted,
      );
    case 'Unresolved':
      return afterUnresolved(state, outcome.error, random);
    case 'Chosen':
      return ofInputs(state, { ...memory, toldWishes: outcome.toldWishes }, outcome.wanted);
    case 'Judged':
      return afterJudged(state, outcome.deferred);
    case 'Parked':
      return withoutAwaiting(memory);
    case 'Restored':
    case 'Begun':
      return { ...withoutAwaiting(memory), renderAnew: false };
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
      return afterCounted({ ...state, memory: withoutRetry(state) }, outcome, random);
    case 'LookedAfter':
      return afterLook(state, outcome.lookedAfter);
    default:
      return memory;
  }
}

/** What was judged before it waited at a gate, or to be asked for, is judged anew when it may be begun. */
function withoutAwaiting({ awaiting: _, ...memory }: EarlierFindings): EarlierFindings {
  return memory;
}

function afterJudged(state: TargetState, deferred: readonly string[]): EarlierFindings {
  const { memory, now, isOneOfSeveral } = state;
  const { wanted } = state.found;
  if (wanted === undefined) return memory;
  const awaiting = { inputs: inputsOf(state, wanted), deferred, since: now };
  const judged = judgedAs(state, wanted.candidate);
  return { ...memory, judged, ...(isOneOfSeveral ? { awaiting } : {}) };
}

/** With other inputs, what failed with the former ones says nothing. */
function ofInputs(
  state: TargetState,
  { retry, refused, ...memory }: EarlierFindings,
  wanted: Wanted,
): EarlierFindings {
  const inputs = inputsOf(state, wanted);
  return {
    ...memory,
    ...(retry?.inputs === inputs ? { retry } : {}),
    ...(refused?.inputs === inputs ? { refused } : {}),
  };
}

function afterLook(state: TargetState, lookedAfter: LookedAfter): EarlierFindings {
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
function withoutRetry(state: TargetState): EarlierFindings {
  const { retry: _retry, ...memory } = state.memory;
  return isOfWanted(state) && state.found.obstacle === undefined ? memory : state.memory;
}

function withoutFailed({ failed: _failed, ...memory }: EarlierFindings): EarlierFindings {
  return memory;
}
