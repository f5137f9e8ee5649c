import { TowpathError } from '../../api/errors.ts';
import { environmentOf } from '../../api/v1alpha1/application.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import type { Wanted } from '../candidate/wanted.ts';
import { type Candidate, candidateKey, inputsKey } from '../record/record.ts';
import type { EarlierFindings, FailedTry, Obstacle, TargetState } from './state.ts';

/** What another resource decides is tried again when something wakes us, but not for every Pod that flaps (A14). */
const RESOURCE_PAUSE_MS = 500;

/** How far the wanted candidate is. */
export type Stage =
  /** It is not known, or may not run for now: `obstacleOf` says why. */
  | 'Obstructed'
  /** It would delete everything, and nobody consented to that (D2). */
  | 'Held'
  | 'Unjudged'
  /** It may run, and waits to be asked for (mode Manual): its bytes are to be kept, or are. */
  | 'Unparked'
  | 'Parked'
  /** It is what runs, but for its kept bytes. */
  | 'Lost'
  /** It may be begun. */
  | 'Judged'
  /** The deployment is of it. */
  | 'Current';

export function stageOf(state: TargetState): Stage {
  const { found, memory, parked } = state;
  const { wanted } = found;
  if (wanted === undefined || obstacleOf(state) !== undefined) return 'Obstructed';
  if (found.held !== undefined) return 'Held';
  if (!isToDeploy(state)) return 'Current';
  const { candidate } = wanted;
  if (mayOnlyPark(state)) {
    // What waits for a request was judged when it came; whatever wakes us since is no reason to ask again.
    if (memory.judged !== judgedAs(state, candidate) || state.unmet !== undefined) return 'Unjudged';
    return parked === candidateKey(candidate) ? 'Parked' : 'Unparked';
  }
  if (found.judgement === undefined) return 'Unjudged';
  return isLost(state) ? 'Lost' : 'Judged';
}

/** Why the wanted candidate is not known, or may not run: found just now, or remembered and not over yet. */
export function obstacleOf(state: TargetState): Obstacle | undefined {
  const { found, memory } = state;
  if (found.obstacle !== undefined || found.wanted === undefined) return found.obstacle;
  const inputs = inputsOf(state, found.wanted);
  if (memory.refused?.inputs === inputs) return { at: 'Deploying', error: memory.refused.quarantine };
  const { retry } = memory;
  if (retry?.inputs !== inputs || dueAt(retry) <= state.since) return undefined;
  return { at: 'Deploying', error: retry.error };
}

/** All that a failure of the wanted candidate may be due to: with another one it is tried again. */
export function inputsOf({ application, settings, request }: TargetState, { candidate }: Wanted): string {
  return `${inputsKey(candidate)} ${application.metadata.generation} ${settings.adopt} ${request ?? ''}`;
}

/** By which a judgement is remembered while its candidate waits. */
export function judgedAs({ application }: TargetState, candidate: Candidate): string {
  return `${inputsKey(candidate)} ${application.metadata.generation}`;
}

export function dueAt({ error, triedAt, nextAt }: NonNullable<EarlierFindings['retry']>): Date {
  const soonest = new Date(triedAt.getTime() + RESOURCE_PAUSE_MS);
  return error.remedy === 'Resource' && soonest < nextAt ? soonest : nextAt;
}

/** Whether the deployment that there is is one of the wanted candidate. */
export function isOfWanted({ deployment, found: { wanted } }: TargetState): boolean {
  if (deployment === undefined || wanted === undefined) return false;
  return candidateKey(deployment.candidate) === candidateKey(wanted.candidate);
}

/** In mode Manual nothing is begun that nobody asked for. */
function mayOnlyPark({ settings, request }: TargetState): boolean {
  return settings.mode === 'Manual' && request === undefined;
}

function isToDeploy(state: TargetState): boolean {
  const { deployment, application, request, memory } = state;
  const isAskedAgain =
    deployment?.outcome === 'Failed' &&
    (request !== undefined || deployment.generation !== application.metadata.generation);
  return !isOfWanted(state) || isAskedAgain || memory.renderAnew;
}

/** Whether what was rendered anew is exactly what runs, whose kept manifests were damaged. */
function isLost(state: TargetState): boolean {
  const { deployment, request, memory } = state;
  if (deployment?.outcome !== 'Succeeded' || request !== undefined) return false;
  return memory.renderAnew && isOfWanted(state);
}

/** The try that failed, where the next one is not due yet. */
export function restingTry(state: TargetState): FailedTry | undefined {
  const { failed } = state.memory;
  if (failed === undefined || state.isAskedNow || failed.nextAt <= state.since) return undefined;
  return isLatest(state, failed) ? failed : undefined;
}

/** The try that failed last, if it is of this deployment, in this look or before. */
export function lastTry(state: TargetState): FailedTry | undefined {
  const { failed } = state.memory;
  if (failed === undefined || !isLatest(state, failed)) return undefined;
  return state.found.failure === undefined ? restingTry(state) : failed;
}

function isLatest({ deployment, application }: TargetState, failed: FailedTry): boolean {
  return failed.deployment === deployment?.id && failed.generation === application.metadata.generation;
}

/** Whether what fails of the deployment is in the way of what is wanted, and not only of what runs in its place. */
export function isRunWanted(state: TargetState): boolean {
  return isOfWanted(state) && obstacleOf(state) === undefined && state.found.held === undefined;
}

/** Whether the target is told as suspended. */
export function wasSuspended({ application, environment }: TargetState): boolean {
  return environmentOf(application.status, environment)?.sync === 'Suspended';
}

/** What went wrong of what is wanted, or else of what runs, where no status has words for it. */
export function unforeseen(state: TargetState): { error: unknown } | undefined {
  // That the objects cannot be seen is what is told.
  if (state.found.sight !== 'Seen') return undefined;
  const { lookedAfter } = state.found;
  const first = obstacleOf(state) ?? (lookedAfter?.how === 'Not' ? lookedAfter : undefined);
  const isForeseen = first?.error instanceof Quarantine || first?.error instanceof TowpathError;
  return isForeseen ? undefined : first;
}
