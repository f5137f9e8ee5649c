import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import { isFinished, type PromotionPhase } from '../../api/v1alpha1/promotion.ts';
import type { Command } from '../../promote/command.ts';
import {
  type Commanded,
  commandedBy,
  type Given,
  mayEndWayBack,
  NOTHING_COMMANDED,
  type OwnIs,
} from '../../promote/commands.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { demandsBefore } from '../../promote/gates/nothing-before.ts';
import { leftAfterSkipping, leftForRetry } from '../../promote/skipping.ts';
import { partsOf, promotionNames } from '../record/promotion-names.ts';
import {
  type Candidate,
  candidateKey,
  type Deployment,
  deploymentsIn,
  type TargetRecord,
  type Waiting,
} from '../record/record.ts';
import type { TargetIdentity } from '../record/target.ts';
import type { Promoted } from './commands-view.ts';
import type { Parts, Run } from './run.ts';

interface BegunFor {
  readonly command: Command;
  /** Undefined: nothing but the status of the Promotion knows of it. */
  readonly deployment: Deployment | undefined;
  /** It was there already, and is not what the Promotion is the record of. */
  readonly isJoined?: true;
  readonly phase: PromotionPhase;
}

/** What of a look tells what persons ask for. */
interface Place {
  readonly parts: Pick<Parts, 'commands' | 'ledger' | 'lookup'>;
  readonly target: Pick<TargetIdentity, 'name'>;
  readonly context: { readonly record: Pick<TargetRecord, 'deployment' | 'ended' | 'answered' | 'hold'> };
}

/** What persons ask for of the target by now, as its record knows it. */
export interface CommandedThere extends Commanded {
  /** For these a deployment was begun. */
  readonly begun: readonly BegunFor[];
}

export function commandedIn({ parts, target, context }: Place): CommandedThere {
  const given = parts.commands.given(target.name);
  if (given.length === 0) return { ...NOTHING_COMMANDED, begun: [] };
  const { deployment, answered = [], hold } = context.record;
  const all = deploymentsIn(context.record);
  const deploymentOf = ({ uid, deployment: id }: Command) =>
    all.findLast((one) => one.promoted?.uid === uid || (id !== undefined && one.id === id));
  const begun = given.flatMap((command): BegunFor[] => {
    const its = deploymentOf(command);
    if (its !== undefined) return [{ command, deployment: its, phase: phaseOf(its, deployment) }];
    if (answered.some(({ uid }) => uid === command.uid)) return [];
    const joined = joinedBy(command, all, hold, (id) => digestTold({ parts, target }, id));
    if (joined !== undefined)
      return [{ command, deployment: joined, isJoined: true, phase: phaseOf(joined, deployment) }];
    const isLost = command.deployment !== undefined || command.joined === true;
    return isLost ? [{ command, deployment: undefined, phase: 'Superseded' }] : [];
  });
  const placeOf = (command: Command): Given['is'] => {
    const one = begun.find((its) => its.command === command);
    const answer = answered.find(({ uid }) => uid === command.uid);
    // A Rollback that failed holds all the same.
    if (answer?.phase === 'Failed' && command.type === 'Resume') return 'Refused';
    if (one === undefined) return answer === undefined ? 'Waiting' : 'Over';
    return one.deployment !== undefined && goesOn(one.deployment, deployment) ? 'UnderWay' : 'Over';
  };
  const ownIs = (cancel: Command): OwnIs => {
    if (
      deployment === undefined ||
      !goesOn(deployment, deployment) ||
      !isAbout({ parts, target }, cancel, deployment)
    )
      return 'Over';
    return isAnothersWayBack(cancel, deployment) ? 'GoesBack' : 'UnderWay';
  };
  const goesBack = (command: Command) =>
    begun.some((one) => one.command === command && one.deployment?.trigger === 'Rollback');
  const places = given.map((command) => ({
    command,
    is: placeOf(command),
    ...(goesBack(command) ? { goesBack: true as const } : {}),
  }));
  return { ...commandedBy(places, ownIs), begun };
}

/**
 * What a person promotes while that is verified there already: what becomes of it becomes of the Promotion, and nothing is begun
 * anew for that. Going back is nobody else's; and what is held there is let go of first.
 *
 * @param all deployments of the target, in the order in which they began. @param hold of the last of them. @param told of those
 * before these
 */
function joinedBy(
  { type, requestedAt, candidate, historyID }: Command,
  all: readonly Deployment[],
  hold: TargetRecord['hold'],
  told: (id: number) => string | undefined,
): Deployment | undefined {
  if (type !== 'Promote') return undefined;
  const ofHistory = historyID === undefined ? undefined : (digestIn(all, historyID) ?? told(historyID));
  const named = ofHistory ?? candidate;
  return all.findLast((one, index) => {
    const { trigger, outcome, verify, startedAt } = one;
    if (trigger === 'Rollback' || (one.candidate.digest !== named && one.candidate.id !== named))
      return false;
    // Of what was taken back it is not known any more what was wanted of it.
    if (outcome === undefined || (verify === undefined && outcome !== 'Cancelled')) return false;
    const next = all[index + 1];
    const until = endOf(one) ?? next?.startedAt ?? hold?.since;
    return requestedAt >= new Date(startedAt) && (until === undefined || requestedAt < new Date(until));
  });
}

function endOf({ verify, outcome, finishedAt }: Deployment): string | undefined {
  return outcome === 'Cancelled' ? finishedAt : verify?.endedAt;
}

/**
 * Also where the Cancel was made before it, or its Promotion is not heard of any more. What a policy goes back from has
 * failed, and there is nothing before what it goes back to: taken back it would stay as far as it got.
 */
function isAnothersWayBack(cancel: Command, { trigger, promoted }: Deployment): boolean {
  return trigger === 'Rollback' && (promoted === undefined || !mayEndWayBack(cancel, promoted));
}

/** It deploys, or is being verified: what failed that is gone back from anyway. */
function goesOn(deployment: Deployment, current: Deployment | undefined): boolean {
  return !isFinished(phaseOf(deployment, current)) && deployment.verify?.outcome === undefined;
}

/** Whether something was begun, or answered, for the Promotion with that uid: what is waited for is not in the record. */
export function isActedOn(record: Place['context']['record'], uid: string): boolean {
  const { answered = [] } = record;
  return (
    deploymentsIn(record).some(({ promoted }) => promoted?.uid === uid) ||
    answered.some((one) => one.uid === uid)
  );
}

/** What a person asks for by which nothing of the source enters, and that was not acted on. */
export function askedIn(run: Place): Command | undefined {
  const { waits, takesBack } = commandedIn(run);
  // What goes back ends what is to be taken back, too.
  if (waits?.type === 'Rollback' || waits?.type === 'Resume') return waits;
  return waits !== undefined && goesBackOnceMore(run, waits) ? waits : takesBack;
}

/** Going back failed, and is tried once more: as going back, not as what enters. */
function goesBackOnceMore(place: Place, command: Command): boolean {
  const { deployment } = place.context.record;
  if (command.type !== 'Retry' || deployment?.trigger !== 'Rollback') return false;
  return isAbout(place, command, deployment) && mayBeRetried(deployment);
}

/** It failed, or was taken back, and is what the environment is at. */
function mayBeRetried(deployment: Deployment): boolean {
  const phase = phaseOf(deployment, deployment);
  return phase === 'Failed' || phase === 'Cancelled';
}

/** Whatever came of it before: it is no more what runs there. */
function isOfItsEnd(outcome: Deployment['outcome']): boolean {
  return outcome === 'Superseded' || outcome === 'RolledBack' || outcome === 'Cancelled';
}

/**
 * Where a deployment is, as the Promotion of a person says it. @param current what runs, or ran last: what is not that goes
 * on no longer
 */
function phaseOf(deployment: Deployment, current: Deployment | undefined): PromotionPhase {
  const { outcome, verify } = deployment;
  const isOver = deployment !== current;
  if (outcome === undefined) return isOver ? 'Superseded' : 'Deploying';
  if (verify === undefined || isOfItsEnd(outcome)) return outcome;
  if (verify.outcome === undefined) return isOver ? 'Superseded' : 'Verifying';
  // It is about to be gone back from.
  const isLeft =
    verify.outcome === 'Failed' && verify.onFailure === 'Rollback' && verify.wentBack === undefined;
  return isLeft && !isOver ? 'Verifying' : outcome;
}

/**
 * What a person asks to have promoted here, judged at this moment.
 *
 * @param all what waits, the wanted candidate among them
 * @param gatesOf what keeps one of them out; `Outer`: without what the stage before shows
 */
export function promotedIn(
  run: Run,
  all: readonly Waiting[],
  wanted: Pick<Candidate, 'id' | 'digest'> | undefined,
  gatesOf: (one: Waiting, which: 'All' | 'Outer') => readonly BlockedBy[],
): Promoted | undefined {
  const { waits: command } = commandedIn(run);
  if (command?.type === 'Retry')
    return goesBackOnceMore(run, command)
      ? undefined
      : retriedIn(run, command, (one) => leftForRetry(gatesOf(one, 'Outer')));
  if (command?.type !== 'Promote') return undefined;
  const refusal = refusalOf(run, command);
  if (refusal !== undefined) return { command, blockedBy: [], refusal };
  const candidate = all.findLast((one) => isNamed(run, command, one)) ?? keptIn(run, command);
  if (candidate === undefined) {
    // It may be what is just being found out.
    if (wanted === undefined) return { command, blockedBy: [] };
    return { command, blockedBy: [], refusal: unknownIn(run, command) };
  }
  if (follows(run) && wanted !== undefined && candidateKey(candidate) !== candidateKey(wanted))
    return { command, blockedBy: [], refusal: overwritten(run) };
  return { command, candidate, blockedBy: leftAfterSkipping(gatesOf(candidate, 'All'), command.skipGates) };
}

/** What failed is tried once more. It has entered before: it waits for nothing but a better time, and the no of a person. */
function retriedIn(run: Run, command: Command, blockedBy: (one: Waiting) => readonly BlockedBy[]): Promoted {
  const { record } = run.context;
  const { environment, about = '' } = command;
  const { deployment } = record;
  const refused = (refusal: string): Promoted => ({ command, blockedBy: [], refusal });
  if (isWaiting(run, about))
    return refused(
      `Promotion ${about} has deployed nothing in environment ${environment} yet: see what it waits for: kubectl towpath status ${command.application} ${environment}`,
    );
  if (deployment === undefined || !isAbout(run, command, deployment))
    return refused(
      `Promotion ${about} is not what environment ${environment} is at: promote what it deployed.`,
    );
  const { candidate } = deployment;
  if (!mayBeRetried(deployment))
    return refused(`Promotion ${about} has not failed in environment ${environment}.`);
  const asked = record.asks?.findLast((one) => one.digest === candidate.digest)?.asked ?? '';
  const one = { id: candidate.id, digest: candidate.digest, asked };
  return { command, candidate: one, blockedBy: blockedBy(one) };
}

/** Nothing was begun for it. */
function isWaiting(run: Run, promotion: string): boolean {
  const its = run.parts.commands.given(run.target.name).find((one) => one.promotion === promotion);
  return its !== undefined && commandedIn(run).begun.every(({ command }) => command !== its);
}

/**
 * What nobody asked for the operator recorded, by one of two names; another Promotion may have a longer one, or the plain one:
 * that of an earlier Application of the name.
 */
function isAbout(
  { parts, target }: Pick<Place, 'parts' | 'target'>,
  { about = '' }: Command,
  { id, promoted, startedAt }: Deployment,
): boolean {
  if (promoted !== undefined) return promoted.promotion === about;
  const known = parts.ledger.nameOf(target.name, { id, startedAt });
  if (known !== undefined) return known === about;
  const { namespace, application } = partsOf(target.name);
  const applicationUID = parts.lookup(namespace, application)?.metadata.uid ?? '';
  return promotionNames({ target: target.name, applicationUID, id, startedAt }).includes(about);
}

/** Without a policy the source decides what runs, but where a person asks for each sync, or one had it once. */
function refusalOf({ target, context }: Run, { environment }: Command): string | undefined {
  const { governance, settings, lacksPolicy } = target;
  // Where a policy is required it waits for one.
  const isGoverned = lacksPolicy !== undefined || (governance.is !== 'Free' && governance.is !== 'InNoStage');
  if (isGoverned || context.record.governed === true || settings.mode === 'Manual') return undefined;
  // Without a stage before nothing comes there by itself.
  if (demandsBefore(target.gates)) return undefined;
  // What was taken back there comes by itself no more.
  if (context.record.cancelled !== undefined) return undefined;
  return `Environment ${environment} follows its source, since no PromotionPolicy has it in a stage: what was promoted would be overwritten at once. Write a policy, or set spec.sync.mode to Manual.`;
}

/** Whether what its source has comes there by itself: in a stage that comes after none, or under no policy from the start. */
function follows({
  target: { governance, gates, lacksPolicy },
  context,
}: Pick<Run, 'target' | 'context'>): boolean {
  if (lacksPolicy !== undefined) return false;
  switch (governance.is) {
    case 'InStage':
      return governance.after === undefined && governance.behind === undefined && !demandsBefore(gates);
    // Nothing comes there by itself; what is promoted waits, and is judged again when one policy is known to hold.
    case 'Contested':
    case 'Unknown':
      return false;
    default:
      return context.record.governed !== true && !demandsBefore(gates);
  }
}

function overwritten({ target: { environment } }: Run): string {
  return `Environment ${environment} follows its source: what is newer there would take the place of what was promoted at once. To go back and stay there, roll back: kubectl towpath rollback.`;
}

/** Either digest is one of SHA-256, and no two things have the same. */
export function isNamed(
  run: Run,
  { candidate, historyID }: Command,
  one: Pick<Waiting, 'id' | 'digest'>,
): boolean {
  if (candidate !== undefined) return one.digest === candidate || one.id === candidate;
  return historyID !== undefined && one.digest === digestOf(run, historyID);
}

/** Whether a person asks for other manifests than these, as far as that is known. @param ids of all candidates that come to them */
export function isAboutAnother(
  run: Run,
  { candidate, historyID }: Command,
  { digest, ids }: { readonly digest: string; readonly ids: readonly string[] },
): boolean {
  if (candidate !== undefined) return candidate !== digest && ids.length > 0 && !ids.includes(candidate);
  const named = historyID === undefined ? undefined : digestOf(run, historyID);
  return named !== undefined && named !== digest;
}

function digestOf({ application, target, context }: Run, historyID: number): string | undefined {
  const inRecord = digestIn(deploymentsIn(context.record), historyID);
  return inRecord ?? digestInHistory(application, target.environment, historyID);
}

function digestIn(all: readonly Deployment[], historyID: number): string | undefined {
  return all.find(({ id }) => id === historyID)?.candidate.digest;
}

/** Of what is in the record no more. */
function digestTold({ parts, target }: Pick<Place, 'parts' | 'target'>, id: number): string | undefined {
  const { namespace, application, environment } = partsOf(target.name);
  const its = parts.lookup(namespace, application);
  return its && digestInHistory(its, environment, id);
}

function digestInHistory(
  { status }: Pick<Application, 'status'>,
  environment: string,
  historyID: number,
): string | undefined {
  return environmentOf(status, environment)?.history?.find(({ id }) => id === historyID)?.digest;
}

/** One that ran here before, and is kept. */
function keptIn(run: Run, command: Command): Waiting | undefined {
  const { target, context } = run;
  const kept = context.store.candidatesOf(target).findLast((one) => isNamed(run, command, one));
  if (kept === undefined) return undefined;
  const { id, digest } = kept;
  const asked = context.record.asks?.findLast((one) => one.digest === digest)?.asked ?? '';
  return { id, digest, asked };
}

function unknownIn({ target, application }: Run, { candidate, historyID }: Command): string {
  const what = candidate ?? `deployment ${historyID}`;
  return `Nothing of that digest waits in environment ${target.environment}, nor is it kept there: ${what}. See what waits: kubectl towpath status ${application.metadata.name} ${target.environment}`;
}
