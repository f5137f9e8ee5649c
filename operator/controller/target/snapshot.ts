import { decide } from '../../promote/decide.ts';
import { candidateKey, type Deployment } from '../record/record.ts';
import { dependenciesIn } from './dependencies.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';
import { NO_OTHERS, type Others } from './verdicts.ts';

/**
 * Where the target is now: the record, the watches and what the look found so far; nobody is asked. What an action
 * may change in the record while others still read this is a copy, but for `applied`: to copy up to 5,000 objects after
 * each action would cost more than all else of a look that finds nothing to do.
 */
export function snapshotOf(run: Run, found: Findings): TargetState {
  const { parts, application, target, session, context, since, request } = run;
  const { deployment, pending, applied, handledRequest } = context.record;
  return Object.freeze({
    application,
    settings: target.settings,
    environment: target.environment,
    refusal: target.refusal,
    since,
    now: context.now(),
    request: request.open,
    requestKey: request.key,
    handledRequest,
    isOneOfSeveral: run.isOneOfSeveral,
    others: othersOf(run),
    isAskedNow: request.isNew,
    deployment: deployment === undefined ? undefined : frozen(deployment),
    parked: pending === undefined ? undefined : candidateKey(pending),
    blockedBy: decide({
      environment: target.environment,
      now: context.now(),
      freezes: target.freezes,
      dependencies: dependenciesIn(target.environment, application, parts.lookup),
    }),
    applied,
    memory: session.memory,
    found: Object.freeze(found),
  });
}

function othersOf({ parts, target, isOneOfSeveral, underWay: { asked } }: Run): Others {
  if (!isOneOfSeveral || asked === undefined) return NO_OTHERS;
  return parts.verdicts.others(target, asked, parts.placedTargets(target.application));
}

function frozen(deployment: Deployment): Readonly<Deployment> {
  const { candidate, hooks } = deployment;
  return Object.freeze({
    ...deployment,
    candidate: Object.freeze({ ...candidate }),
    hooks: [...hooks],
  });
}
