import { TowpathError } from '../../api/errors.ts';
import { environmentOf } from '../../api/v1alpha1/application.ts';
import type { Command } from '../../promote/command.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { isOfOneEnvironment, Quarantine } from '../candidate/quarantine.ts';
import { shortRevision } from '../candidate/revision.ts';
import type { Wanted } from '../candidate/wanted.ts';
import { type Candidate, candidateKey, inputsKey } from '../record/record.ts';
import type { EarlierFindings, FailedTry, Findings, Obstacle, TargetState } from './state.ts';
import type { Verdict } from './verdicts.ts';
import { toldAfter } from './words/refusals.ts';

/** What another resource decides is tried again when something wakes us, but not for every Pod that flaps (A14). */
const RESOURCE_PAUSE_MS = 500;
/** So long others may take to say what they think of a candidate; one that hangs must not delay them for longer (A3). */
const OTHERS_MS = 2_000;

/** What blocks whatever would enter, and may be over when the next one has soaked. */
const OF_OTHERS: ReadonlySet<string> = new Set([
  'DependencyNotFound',
  'DependencyNotReady',
  'AdmissionPolicyMissing',
  'ApprovalsUnknown',
  'PromotionsUnknown',
  'EnvironmentsUnknown',
  'PoliciesUnknown',
]);

/** How far the wanted candidate is. */
export type Stage =
  /** It is not known, or may not run for now: `obstacleOf` says why. */
  | 'Obstructed'
  /** It would delete everything, and nobody consented to that (D2). */
  | 'Held'
  | 'Unjudged'
  /** It may run, and waits for what the other environments of its Application say of it. */
  | 'Awaiting'
  /** It may run, and waits to be asked for (mode Manual), or at a gate: its bytes are to be kept, or are. */
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
  const isBlocked = blockedByOf(state, 'Blocked') !== undefined;
  // The same bytes as before let nothing new in.
  if (isBlocked && isLost(state)) return 'Lost';
  // Whatever was judged before: who judges says why it may not run.
  if (isBlocked)
    return isToAccept(state) && memory.judged === judgedAs(state, candidate) ? 'Unparked' : 'Unjudged';
  if (mayOnlyPark(state)) {
    // What waits for a request was judged when it came; whatever wakes us since is no reason to ask again.
    if (memory.judged !== judgedAs(state, candidate)) return 'Unjudged';
    return found.chosen !== undefined || parked === candidateKey(candidate) ? 'Parked' : 'Unparked';
  }
  if (judgementOf(state) === undefined) return 'Unjudged';
  if (awaitedUntil(state) !== undefined) return 'Awaiting';
  return isLost(state) ? 'Lost' : 'Judged';
}

/**
 * Whether what is blocked is accepted nevertheless, since what blocks it says nothing of its manifests: it waits then, as what
 * waits at a gate, and the stage before stays on it until it has soaked.
 */
export function isToAccept({ waitsInLine, blockedBy, found, parked }: TargetState): boolean {
  if (waitsInLine !== true || found.wanted === undefined || found.chosen !== undefined) return false;
  if (parked === candidateKey(found.wanted.candidate)) return false;
  return blockedBy.every(({ standing, reason }) => standing === 'Waiting' || OF_OTHERS.has(reason));
}

/** Whether an older candidate is to be promoted: the newest waits, may not run, or cannot be found out. */
export function isToChoose(state: TargetState): boolean {
  const { choice, found } = state;
  if (choice === undefined || found.chosen !== undefined) return false;
  if (found.isTidied === true && found.first === undefined) return false;
  const stage = stageOf(state);
  // What a person wants there is not kept waiting by what else might enter, or runs.
  if (choice === state.promoted?.candidate && (stage === 'Judged' || stage === 'Current')) return true;
  return (
    stage === 'Parked' || stage === 'Held' || (stage === 'Obstructed' && unforeseen(state) === undefined)
  );
}

/** Whether what was chosen is through: what is newer is told of by a look of its own, at once. */
export function endsChosen(state: TargetState): boolean {
  const { found, deployment } = state;
  return found.chosen !== undefined && isRunWanted(state) && deployment?.outcome === 'Succeeded';
}

/** Another deployment than what the look knows of was written down in it: a look of its own, at once, goes on with that. */
export function isInterim({ found, deployment }: TargetState): boolean {
  return found.wentBack === true || (found.first !== undefined && (deployment?.id ?? 0) !== found.first);
}

/** What was found out of the wanted candidate by dry-runs, in this look or before others were waited for. */
export function judgementOf(state: TargetState): Findings['judgement'] {
  const { found, memory } = state;
  if (found.judgement !== undefined || found.wanted === undefined) return found.judgement;
  return memory.awaiting?.inputs === inputsOf(state, found.wanted) ? memory.awaiting : undefined;
}

/** Until when the wanted candidate waits at most for what other environments say of it; undefined: it does not. */
export function awaitedUntil({ others, memory, now }: TargetState): Date | undefined {
  if (others.awaited.length === 0 || memory.awaiting === undefined) return undefined;
  const until = new Date(memory.awaiting.since.getTime() + OTHERS_MS);
  return until > now ? until : undefined;
}

/** Why the wanted candidate is not known, or may not run: found just now, or remembered and not over yet. */
export function obstacleOf(state: TargetState): Obstacle | undefined {
  return ownObstacleOf(state) ?? refusedByOthers(state);
}

/** What one environment refuses in principle is begun in none; where it runs already, it stays. */
function refusedByOthers(state: TargetState): Obstacle | undefined {
  const { wanted } = state.found;
  const [first] = state.others.refused;
  if (first === undefined || wanted === undefined || !isToDeploy(state)) return undefined;
  const { environment, quarantine } = first;
  const { remedy, reason } = quarantine.error;
  const { revision, ref } = wanted.candidate;
  const message = toldAfter(
    `Revision ${shortRevision(revision, ref)} is held back: environment ${environment} refuses it. `,
    quarantine.error,
  );
  const error = new TowpathError(remedy, reason, message, { cause: quarantine, next: quarantine.error.next });
  // The environment that refuses it tells each error.
  return { at: 'Deploying', error: new Quarantine(quarantine.rejected, error, undefined, 'Another') };
}

/** What could not be read then; who is told that it can be is woken. */
const NOT_KNOWN: ReadonlySet<string> = new Set([
  'EnvironmentsUnknown',
  'PoliciesUnknown',
  'ApprovalsUnknown',
  'PromotionsUnknown',
]);

/** The same without what other environments say. */
export function ownObstacleOf(state: TargetState): Obstacle | undefined {
  const { found, memory } = state;
  if (found.obstacle !== undefined || found.wanted === undefined) return found.obstacle;
  const { refused, retry } = memory;
  if (refused === undefined && retry === undefined) return undefined;
  const inputs = inputsOf(state, found.wanted);
  if (refused?.inputs === inputs) return { at: 'Deploying', error: refused.quarantine };
  if (retry?.inputs !== inputs || dueAt(retry) <= state.since) return undefined;
  const { reason } = retry.error;
  // What was not known then is: nothing is waited for any more.
  if (NOT_KNOWN.has(reason) && state.blockedBy.every((one) => one.reason !== reason)) return undefined;
  return { at: 'Deploying', error: retry.error };
}

/** All that a failure of the wanted candidate may be due to: with another one it is tried again. */
export function inputsOf(
  { application, settings, request, accessChanges }: TargetState,
  { candidate }: Wanted,
): string {
  return `${inputsKey(candidate)} ${application.metadata.generation} ${settings.adopt} ${accessChanges} ${request ?? ''}`;
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

/** In mode Manual nothing is begun that nobody asked for; and at a gate nothing new, whoever asks. */
function mayOnlyPark(state: TargetState): boolean {
  const { settings, request } = state;
  const isAskedFor = settings.mode === 'Automatic' || request !== undefined || entersBy(state) !== undefined;
  return !isAskedFor || waitsAt(state) !== undefined;
}

/** What a person asked for by which the wanted candidate may enter now. */
export function entersBy({ promoted, found: { wanted } }: TargetState): Command | undefined {
  if (promoted?.candidate === undefined || promoted.refusal !== undefined || wanted === undefined)
    return undefined;
  if (promoted.blockedBy.length > 0) return undefined;
  return candidateKey(promoted.candidate) === candidateKey(wanted.candidate) ? promoted.command : undefined;
}

/** What a person promotes, where that is there already, or on its way: nothing is begun for it. */
export function promotedThere({
  promoted,
  deployment,
}: Pick<TargetState, 'promoted' | 'deployment'>): TargetState['deployment'] {
  if (promoted?.candidate === undefined || promoted.refusal !== undefined || deployment === undefined)
    return undefined;
  if (deployment.outcome === 'Failed' || deployment.outcome === 'Cancelled') return undefined;
  return candidateKey(promoted.candidate) === candidateKey(deployment.candidate) ? deployment : undefined;
}

/**
 * What a person promotes is there, and something else takes its place: by then nobody could say that it was there, and it would
 * wait, to take the environment back some day.
 */
export function leavesPromoted(state: TargetState): boolean {
  return promotedThere(state) !== undefined && !isOfWanted(state);
}

/** The gate at which anything new waits; undefined: it would be blocked first, or may enter. */
export function waitsAt(state: TargetState): BlockedBy | undefined {
  return blockedByOf(state, 'Waiting');
}

export function blockedByOf(
  { blockedBy }: TargetState,
  standing: BlockedBy['standing'],
): BlockedBy | undefined {
  return blockedBy.find((one) => one.standing === standing);
}

/** Whether what is wanted is to be begun, as far as it may. */
export function isToDeploy(state: TargetState): boolean {
  const { deployment, application, request, memory } = state;
  // What a policy had rejected is begun by nobody's request for a sync, nor by another spec.
  const isPromoted = entersBy(state) !== undefined;
  const isAskedAgain =
    (deployment?.outcome === 'Cancelled' && isPromoted) ||
    (deployment?.outcome === 'Failed' &&
      (isPromoted ||
        (deployment.verify?.outcome !== 'Failed' &&
          (request !== undefined || deployment.generation !== application.metadata.generation))));
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

/** What the target says of what is wanted, once it can. */
export function verdictOf(state: TargetState): Verdict | undefined {
  const { found } = state;
  if (found.sight !== undefined && found.sight !== 'Seen') return 'Unseen';
  const { error, at } = ownObstacleOf(state) ?? {};
  if (error instanceof Quarantine)
    return isOfOneEnvironment(error.error.reason) ? 'Undecided' : { refusedBy: error };
  if (error !== undefined) return isOfItsState(error) && at === 'Deploying' ? 'Undecided' : 'Unseen';
  if (found.wanted === undefined) return undefined;
  return !isToDeploy(state) || judgementOf(state) !== undefined || isParked(state) ? 'Fine' : undefined;
}

/** Whether it was asked about, and its cluster, as it is, does not take it. */
function isOfItsState(error: unknown): boolean {
  return error instanceof TowpathError && error.remedy !== 'Time';
}

function isParked(state: TargetState): boolean {
  const stage = stageOf(state);
  return stage === 'Parked' || stage === 'Unparked';
}
