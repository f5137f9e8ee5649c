import { candidateKey } from '../record/record.ts';
import { unmetDependency } from './dependencies.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';

/** Where the target is now: the record, the watches and what the look found so far; nobody is asked. */
export function snapshotOf(run: Run, found: Findings): TargetState {
  const { parts, application, target, session, context, since, request } = run;
  const { deployment, pending, applied } = context.record;
  return Object.freeze({
    application,
    settings: target.settings,
    environment: target.environment,
    since,
    now: context.now(),
    request: request.open,
    isAskedNow: request.isNew,
    deployment: deployment === undefined ? undefined : Object.freeze({ ...deployment }),
    parked: pending === undefined ? undefined : candidateKey(pending),
    unmet: unmetDependency(application, parts.lookup),
    applied,
    memory: session.memory,
    found,
  });
}
