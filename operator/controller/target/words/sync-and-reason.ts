import { TowpathError } from '../../../api/errors.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import { ANNOTATION_PRUNE_CONSENT, LABEL_TARGET } from '../../../api/v1alpha1/names.ts';
import type { AppliedObject } from '../../../manifest/applied.ts';
import { describeObject } from '../../../manifest/manifest.ts';
import type { Hold } from '../../../promote/hold.ts';
import { Quarantine } from '../../candidate/quarantine.ts';
import { shortRevision } from '../../candidate/revision.ts';
import type { Candidate, Deployed, Deployment } from '../../record/record.ts';
import type { Advance, Progress, PruneHeld } from '../deploy-context.ts';
import { lastTry, obstacleOf, stageOf, waitsAt } from '../stage.ts';
import type { TargetState } from '../state.ts';
import type { Drift, Standing } from './facts.ts';
import { describeAll, toldAfter } from './refusals.ts';
import { verifiedBy } from './verified.ts';

const FAILED = { sync: 'Failed', remedy: 'Person' } as const satisfies Partial<Standing>;

/** Where a look begins. */
export const LOOKING: Standing = {
  sync: 'Syncing',
  reason: 'Syncing',
  message: 'Asking the Git server and rendering.',
};

/**
 * Where the target stands, in words: what is wanted and cannot run first, then what runs. Pure.
 *
 * @param doing what is being done at the moment, a sentence; absent at the end of a look.
 */
export function standingOf(state: TargetState, doing?: string): Standing {
  const { found, environment, refusal, settings } = state;
  const { sight, held, wanted } = found;
  if (refusal !== undefined) return blocked(refusal);
  if (found.clock === 'Paused' && settings.suspended !== undefined)
    return { sync: 'Suspended', reason: 'Suspended', message: settings.suspended };
  if (isOver(state) && sight !== undefined && sight !== 'Seen') return blocked(sight.unseen);
  const obstacle = obstacleStanding(state);
  // What a person must mend in the wanted candidate weighs more than how far the one before it got.
  if (doing !== undefined && obstacle?.remedy !== 'Person')
    return { sync: 'Syncing', reason: 'Syncing', message: doing };
  if (obstacle !== undefined) return obstacle;
  if (held !== undefined && wanted !== undefined) return heldStanding(environment, wanted.candidate, held);
  if (wanted !== undefined && isAwaitingRequest(state)) return awaiting(state, wanted.candidate);
  return runningStanding(state);
}

/** Whether the look found out all that it could of what is wanted. */
function isOver({ found }: TargetState): boolean {
  return found.wanted !== undefined || found.obstacle !== undefined;
}

/** The Git server's silence says nothing of what runs. */
export function isSourceSilent({ deployment, found }: TargetState): boolean {
  const { obstacle, wanted } = found;
  const { error } = obstacle ?? {};
  const isOfTime = error instanceof TowpathError && error.remedy === 'Time';
  return isOfTime && wanted === undefined && deployment !== undefined;
}

function obstacleStanding(state: TargetState): Standing | undefined {
  const { error } = obstacleOf(state) ?? {};
  if (error instanceof Quarantine)
    return { sync: 'Quarantined', reason: error.error.reason, message: error.message, remedy: 'Person' };
  return error instanceof TowpathError && !isSourceSilent(state) ? blocked(error) : undefined;
}

function blocked(error: TowpathError): Standing {
  const { reason, message, remedy, advice } = error;
  return { sync: 'Blocked', reason, message, remedy, ...(advice === '' ? {} : { advice }) };
}

/** What is under way, or failed, is what a person has to know first. */
function isAwaitingRequest(state: TargetState): boolean {
  const { outcome = 'UnderWay' } = state.deployment ?? { outcome: 'Succeeded' };
  const isOfNoFault = outcome === 'Succeeded' || outcome === 'Superseded' || outcome === 'Cancelled';
  return stageOf(state) === 'Parked' && isOfNoFault;
}

function awaiting(state: TargetState, { revision, ref }: Candidate): Standing {
  // A hold keeps out all that is new, whatever else is said of the one that waits.
  const gate = state.blockedBy.find(({ reason }) => reason === 'Held') ?? waitsAt(state);
  const which = shortRevision(revision, ref);
  if (gate !== undefined)
    return {
      sync: gate.reason === 'Held' ? 'Held' : 'Waiting',
      reason: gate.reason,
      message: waitingMessage(which, gate.message),
    };
  return {
    sync: 'OutOfSync',
    reason: 'AwaitingSync',
    message: `Revision ${which} differs from what runs and waits: ask for it with the annotation towpath.dev/sync-requested.`,
  };
}

/** What a gate says comes last: it often ends in a command to copy. */
export function waitingMessage(which: string, why: string): string {
  return fitBetween(`Revision ${which} waits: `, why, '');
}

/** Where the deployment stands that runs, or ran last, and what its policy says of it. */
function runningStanding(state: TargetState): Standing {
  const standing = deployedStanding(state);
  const { verify, message = '' } = state.deployment ?? {};
  // That it failed is what a person has to know first, also who holds it there.
  if (state.hold !== undefined && standing.sync === 'Synced' && verify?.outcome !== 'Failed')
    return held(standing, state.hold);
  if (verify === undefined || standing.sync !== 'Synced' || state.deployment === undefined) return standing;
  if (verify.outcome === 'Passed') return standing;
  if (verify.outcome === undefined)
    return { ...standing, message: `${standing.message} It is being verified: ${verifiedBy(state)}` };
  const { revision, ref } = state.deployment.candidate;
  return {
    ...FAILED,
    reason: 'VerifyFailed',
    message: fitBetween(
      `Revision ${shortRevision(revision, ref)} failed after it was deployed, and later stages do not get it: `,
      message,
      ' Correct it in Git.',
    ),
  };
}

/** As a person asked, with nothing newer so far. */
function held({ message }: Standing, { by, promotion }: Hold): Standing {
  return {
    sync: 'Held',
    reason: 'Held',
    message: fitBetween(message, ` ${by} holds it there`, ` (Promotion ${promotion.slice(0, 80)}).`),
  };
}

function deployedStanding(state: TargetState): Standing {
  const { deployment, found, application } = state;
  const { lookedAfter } = found;
  if (deployment === undefined)
    return lookedAfter?.how === 'Not' && lookedAfter.error instanceof TowpathError
      ? blocked(lookedAfter.error)
      : LOOKING;
  if (lookedAfter === undefined) {
    const tried = lastTry(state);
    return found.isTidied === true && tried !== undefined ? tryFailed(deployment, tried.error) : LOOKING;
  }
  switch (lookedAfter.how) {
    case 'Confirmed':
      return synced(deployment.candidate, state.applied);
    case 'Repaired':
      return deployment.outcome === 'Cancelled' ? tookBack(deployment) : failed(deployment);
    case 'Not':
      return lookedAfter.error instanceof TowpathError ? blocked(lookedAfter.error) : LOOKING;
    case 'Advanced':
      return advanced(deployment.candidate, lookedAfter.result, {
        applied: state.applied,
        environment: state.environment,
        timeout: application.spec.sync.timeout,
      });
  }
}

function tryFailed({ attempts = 1 }: Pick<Deployment, 'attempts'>, error: TowpathError): Standing {
  return { sync: 'Syncing', reason: error.reason, message: toldAfter(`Try ${attempts} failed: `, error) };
}

/** Where a target stands whose deployment failed for good. */
function failed({ reason, message }: Pick<Deployment, 'reason' | 'message'>): Standing {
  return {
    ...FAILED,
    reason: reason ?? 'ApplyFailed',
    message: message ?? 'The deployment failed: correct it in Git, or ask for a sync.',
  };
}

/** A person took it back, and there was nothing to go back to. */
function tookBack({ candidate: { revision, ref }, message = '' }: Deployment): Standing {
  return {
    sync: 'Waiting',
    reason: 'Cancelled',
    message: fitBetween(
      `Revision ${shortRevision(revision, ref)} was taken back, and stays as far as it got: `,
      message,
      ' Promote it, or something newer.',
    ),
  };
}

/** Turns how far a deployment got into where its target stands. */
function advanced(
  candidate: Deployed,
  { progress, drift }: Advance,
  about: { applied: ReadonlyMap<string, AppliedObject>; environment: string; timeout: string },
): Standing {
  const revision = shortRevision(candidate.revision, candidate.ref);
  switch (progress.state) {
    case 'Done':
      return synced(candidate, about.applied);
    case 'Waiting':
      return {
        sync: 'Syncing',
        reason: progress.health === 'Degraded' ? 'Degraded' : 'Progressing',
        message: `Revision ${revision} is applied${progress.isPart ? ' up to a wave that is not healthy yet' : ''}. ${progress.message}`,
      };
    case 'TimedOut':
      return {
        ...FAILED,
        reason: 'TimedOut',
        message: `Revision ${revision} did not become healthy within ${about.timeout}: ${progress.message} Correct it in Git; or mend the cluster, or raise spec.sync.timeout, and ask for a sync.`,
      };
    case 'Degraded':
      return {
        ...FAILED,
        reason: 'Degraded',
        message: `Revision ${revision} will not become healthy by itself: ${progress.message} Correct it in Git; or mend the cluster, and ask for a sync.`,
      };
    case 'Pruning':
      return {
        sync: 'Syncing',
        reason: 'Pruning',
        message: `Revision ${revision} is applied. ${progress.message}`,
      };
    case 'PruneHeld':
      return heldStanding(about.environment, candidate, progress);
    default:
      return left(progress, drift);
  }
}

/** Where a target stands whose differences are left as they are. */
function left(
  progress: Extract<Progress, { state: 'RepairDelayed' | 'AwaitingSync' | 'Drifted' }>,
  drift: Drift | undefined,
): Standing {
  switch (progress.state) {
    case 'RepairDelayed':
      return {
        sync: 'Syncing',
        reason: 'RepairDelayed',
        message: `${changed(drift)} again and again: it is put back every few seconds. Stop who changes it, or leave the field to them with spec.sync.ignore.`,
      };
    case 'AwaitingSync':
      return {
        sync: 'OutOfSync',
        reason: 'AwaitingSync',
        message: `${drift === undefined ? `${describeAll(progress.objects)} would change` : changed(drift)}, and spec.sync.mode is Manual: ask for a sync with the annotation towpath.dev/sync-requested.`,
      };
    case 'Drifted':
      return {
        sync: 'OutOfSync',
        reason: 'OutOfSync',
        message: `${changed(drift)} and is left so: set spec.sync.drift to Repair, or ask for a sync.`,
      };
  }
}

/** Begins a sentence about drift. */
function changed(drift: Drift | undefined): string {
  if (drift === undefined) return 'An object was changed';
  const by = drift.lastBy === undefined ? '' : ` by ${drift.lastBy}`;
  const what = drift.isGone ? `was deleted, or lost its label ${LABEL_TARGET}` : `was changed${by}`;
  const others = drift.count - 1;
  const more =
    others < 1 ? '' : ` (${others === 1 ? '1 more object differs' : `${others} more objects differ`})`;
  return `${describeObject(drift.lastObject)} ${what}${more}`;
}

function heldStanding(environment: string, candidate: Deployed, held: PruneHeld): Standing {
  return {
    sync: 'Blocked',
    reason: 'PruneHeld',
    message: heldMessage(environment, candidate, held),
    remedy: 'Person',
  };
}

/** Of the branch a part is told, and of the rest as much as there is room for: the digest is copied from here. */
const HELD_REVISION = 40;

/** Asks for consent to exactly these deletions. */
export function heldMessage(
  environment: string,
  { revision, ref }: Pick<Candidate, 'revision' | 'ref'>,
  { digest, objects, exceeds }: Pick<PruneHeld, 'digest' | 'objects' | 'exceeds'>,
): string {
  const consent = `annotate: ${ANNOTATION_PRUNE_CONSENT}=${environment}=${digest}`;
  const what = `Revision ${shortRevision(revision, ref, HELD_REVISION)} `;
  if (exceeds !== undefined)
    return fitBetween('', what, `loses ${lossesInWords(exceeds)}. Correct Git, raise it, or ${consent}`);
  return fitBetween(
    `${what}renders nothing: deleting `,
    describeAll(objects),
    ` needs consent. Correct it in Git, or ${consent}`,
  );
}

/** Asks for consent to the end of an environment that the Application no longer names. */
export function leftMessage(environment: string, { digest, objects }: PruneHeld): string {
  return fitBetween(
    `It left spec.environments: deleting `,
    describeAll(objects),
    ` needs consent. Put it back, or annotate: ${ANNOTATION_PRUNE_CONSENT}=${environment}=${digest}`,
  );
}

function lossesInWords({ lost, of, allowed, budget }: NonNullable<PruneHeld['exceeds']>): string {
  const inObjects = typeof budget === 'number' ? '' : ` (${allowed})`;
  return `${lost} of ${of} objects; pruneBudget is ${budget}${inObjects}`;
}

function synced({ revision, ref }: Deployed, applied: ReadonlyMap<string, AppliedObject>): Standing {
  const count = applied.size === 1 ? '1 object' : `${applied.size} objects`;
  const message = `Revision ${shortRevision(revision, ref)} is deployed: ${count}.${largerClaims(applied.values())}`;
  return { sync: 'Synced', reason: 'Synced', message };
}

/** Ends a sentence about what is deployed, where claims stay larger than Git has them: both sizes, both ways out. */
function largerClaims(applied: Iterable<AppliedObject>): string {
  const larger = [...applied].filter((object) => object.larger !== undefined);
  const [first] = larger;
  if (first?.larger === undefined) return '';
  const { git, live } = first.larger;
  const more = larger.length > 1 ? ` (and ${larger.length - 1} more)` : '';
  return ` Claim ${first.name}${more} has ${live}, Git ${git}, and a claim never shrinks: write ${live} in Git, or annotate it there towpath.dev/replace: "true" to make it anew without its data.`;
}
