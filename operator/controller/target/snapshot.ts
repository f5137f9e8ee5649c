import { TowpathError } from '../../api/errors.ts';
import { environmentOf } from '../../api/v1alpha1/application.ts';
import { lostOf } from '../../promote/checks.ts';
import { checksToVerify } from '../../promote/governance.ts';
import { isUndecided } from '../../promote/verify.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import type { Deployment } from '../record/record.ts';
import { askedIn } from './commanded.ts';
import { gatesOf } from './gates.ts';
import { isSoakCounted, wantsChecks } from './promotion.ts';
import type { Run } from './run.ts';
import { isToDeploy } from './stage.ts';
import type { Findings, TargetState } from './state.ts';
import { NO_OTHERS, type Others, type ToldBefore } from './verdicts.ts';

/**
 * Where the target is now: the record, the watches and what the look found so far; nobody is asked. What an action
 * may change in the record while others still read this is a copy, but for `applied`: to copy up to 5,000 objects after
 * each action would cost more than all else of a look that finds nothing to do.
 */
export function snapshotOf(run: Run, found: Findings): TargetState {
  const { parts, application, target, session, context, since, request } = run;
  const { deployment, applied, handledRequest } = context.record;
  const state = {
    application,
    settings: target.settings,
    environment: target.environment,
    accessChanges: parts.access.changes(target),
    refusal: target.refusal,
    since,
    now: context.now(),
    request: request.open,
    requestKey: request.key,
    handledRequest,
    isOneOfSeveral: run.isOneOfSeveral,
    others: NO_OTHERS,
    isAskedNow: request.isNew,
    deployment: deployment === undefined ? undefined : frozen(deployment),
    ...gatesOf(run, found),
    isChecked: context.record.checks !== undefined || wantsChecks(target),
    lostChecks: lostChecksOf(run),
    soaks: isSoakCounted(target, context.record),
    asked: askedIn(run),
    hold: context.record.hold,
    applied,
    memory: session.memory,
    found: Object.freeze(found),
  };
  return Object.freeze({ ...state, others: othersOf(run, state) });
}

function lostChecksOf({ target: { governance }, context }: Run): readonly string[] {
  const { deployment, checks } = context.record;
  if (deployment?.verify?.checks === undefined || !isUndecided(deployment.verify)) return [];
  return lostOf(deployment.verify.checks, checksToVerify(governance), deployment.candidate.digest, checks);
}

/** Of what runs already nobody else is asked: what they say would change nothing, and each word of theirs cost a look. */
export function othersOf(run: Run, state: TargetState): Others {
  const {
    parts,
    target,
    isOneOfSeveral,
    underWay: { asked },
  } = run;
  const { wanted, chosen } = state.found;
  // What they say is of the newest.
  if (wanted === undefined || chosen !== undefined || !isToDeploy(state)) return NO_OTHERS;
  if (!isOneOfSeveral || asked === undefined) return NO_OTHERS;
  const all = parts.specifiedTargets(target.application);
  return parts.verdicts.others(target, asked, all, toldBefore(run));
}

/** What the status says was refused of what is asked for now: a process that begins anew has not seen it itself. */
function toldBefore({ application, underWay: { resolved } }: Run): ToldBefore {
  const { status, metadata } = application;
  const { quarantine, observedGeneration, conditions = [] } = status ?? {};
  if (quarantine === undefined || resolved === undefined || observedGeneration !== metadata.generation)
    return new Map();
  const reason = conditions.find(({ type }) => type === 'Stalled')?.reason ?? 'ManifestInvalid';
  const refusals = (quarantine.errors ?? []).flatMap(({ environment, message, alone }) => {
    if (environment === undefined || alone === true) return [];
    // Where environments follow several refs, the status has the commit of one refusal alone.
    const { desiredRevision = quarantine.revision } = environmentOf(status, environment) ?? {};
    if (desiredRevision !== resolved.revision) return [];
    const refusal = new TowpathError('Person', reason, message);
    return [[environment, new Quarantine({ revision: desiredRevision }, refusal)] as const];
  });
  return new Map(refusals);
}

function frozen(deployment: Deployment): Readonly<Deployment> {
  const { candidate, hooks } = deployment;
  return Object.freeze({
    ...deployment,
    candidate: Object.freeze({ ...candidate }),
    hooks: [...hooks],
  });
}
