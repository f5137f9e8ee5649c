import { TowpathError } from '../../../api/errors.ts';
import { environmentOf } from '../../../api/v1alpha1/application.ts';
import { LABEL_TARGET } from '../../../api/v1alpha1/names.ts';
import { asWanted } from '../../../health/health.ts';
import { isOurs } from '../../../manifest/live.ts';
import { Quarantine } from '../../candidate/quarantine.ts';
import { changesToTell } from '../changes.ts';
import { othersThatWait } from '../others-that-wait.ts';
import type { Run } from '../run.ts';
import { lastTry, obstacleOf, stageOf, waitsAt } from '../stage.ts';
import type { TargetState } from '../state.ts';
import { borneOut, isTold } from '../told.ts';
import type { Facts, Standing } from './facts.ts';
import { isHandled } from './handled-request.ts';
import { worstHealth } from './health.ts';
import { runsNewest } from './newest.ts';
import { isSourceSilent, standingOf } from './sync-and-reason.ts';

/** All that is told of a look that goes on: what it found so far, and what it is doing. */
export function factsSoFar(run: Run, state: TargetState): Facts {
  const { doing } = run.underWay;
  return report(run, state, standingOf(state, doing));
}

/** All that is told of a look at its end. */
export function factsAtEnd(run: Run, state: TargetState): Facts {
  const standing = standingOf(state);
  const facts = report(run, state, standing);
  const { asRecorded } = run.request;
  return asRecorded === undefined || !isHandled(state, standing)
    ? facts
    : { ...facts, handledSyncRequest: asRecorded };
}

function report(run: Run, state: TargetState, standing: Standing): Facts {
  const { application, context, target, request } = run;
  const { memory, found } = state;
  const all: Facts = {
    application,
    environment: target.environment,
    now: context.now(),
    standing,
    health: found.sight === undefined ? healthBefore(run) : healthNow(run, state),
    objects: objectsOf(run),
    runsNewest: runsNewest(state, context.record),
    kept: memory.kept,
    ...waitingOf(run, state, standing),
    isLookedAt: found.lookedAfter !== undefined && found.lookedAfter.how !== 'Not',
    ...endedOf(run, state),
    ...sourceOf(run, state),
    ...runningOf(state),
    ...obstacleFacts(state),
  };
  return request.isDone && request.asRecorded !== undefined
    ? { ...all, handledSyncRequest: request.asRecorded }
    : all;
}

/** Of a record that is lost the status alone knows how many there were, and whoever ends the target has to find them. */
function objectsOf({ application, target, context: { record } }: Run): number {
  const { applied, deployment } = record;
  if (deployment !== undefined || applied.size > 0) return applied.size;
  return environmentOf(application.status, target.environment)?.objects ?? 0;
}

/** What ended and may not be told yet: the record keeps some for the ledger alone. */
function endedOf(
  { application, target, context }: Run,
  { deployment }: TargetState,
): Pick<Facts, 'ended' | 'lastId'> {
  const { ended, lastId } = context.record;
  const all = environmentOf(application.status, target.environment)?.history ?? [];
  const history = borneOut(all, lastId);
  return {
    ended: [
      ...ended.filter((one) => !isTold(one, history)),
      ...(deployment?.outcome === undefined ? [] : [deployment]),
    ],
    ...(lastId === undefined ? {} : { lastId }),
  };
}

/** What something newer waits for, and which manifests that is. */
function waitingOf(
  run: Run,
  state: TargetState,
  { sync }: Standing,
): Pick<Facts, 'gates' | 'desiredDigest' | 'changes' | 'waiting'> {
  const { blockedBy, found } = state;
  const { wanted } = found;
  const isHeldBack = sync === 'Held' && blockedBy.some(({ reason }) => reason === 'Held');
  // What failed is what a person has to know first, and what comes after it may be what mends it.
  const isBehindFailed = sync === 'Failed' && stageOf(state) === 'Parked' && waitsAt(state) !== undefined;
  if (sync !== 'Waiting' && !isHeldBack && !isBehindFailed)
    return { gates: [], ...toldBesides(run, undefined) };
  if (wanted === undefined) return { gates: blockedBy, ...toldBesides(run, undefined) };
  const changes = changesToTell(run, wanted.candidate);
  const { digest } = wanted.candidate;
  return {
    gates: blockedBy,
    desiredDigest: digest,
    ...(changes === undefined ? {} : { changes }),
    ...toldBesides(run, digest),
  };
}

/** What else waits there, each with what it would change, where that is known. */
function toldBesides(run: Run, told: string | undefined): Pick<Facts, 'waiting'> {
  const waiting = othersThatWait(run, told).map((one) => {
    const changes = changesToTell(run, one);
    return { revision: one.revision, digest: one.digest, ...(changes === undefined ? {} : { changes }) };
  });
  return waiting.length === 0 ? {} : { waiting };
}

/** Before anything was looked at. */
function healthBefore({ application, target }: Run): Facts['health'] {
  return { state: environmentOf(application.status, target.environment)?.health ?? 'Missing' };
}

/** What the source has, whether it may run or not. */
function sourceOf({ underWay }: Run, { found }: TargetState): Pick<Facts, 'source'> {
  const newest = found.chosen === undefined ? found.wanted : found.chosen.newest;
  if (newest !== undefined) {
    const { revision, ref, commit, id, published } = newest.candidate;
    return {
      source: {
        revision,
        ref,
        ...(commit === undefined ? {} : { commit }),
        ...(published === undefined ? {} : { published }),
        candidate: id,
      },
    };
  }
  const { resolved } = underWay;
  return resolved === undefined ? {} : { source: { revision: resolved.revision, ref: resolved.ref } };
}

function runningOf(state: TargetState): Pick<Facts, 'running' | 'drift' | 'pendingPrune'> {
  const { deployment, found } = state;
  const { lookedAfter, held } = found;
  const pendingPrune =
    held === undefined ? {} : { pendingPrune: { digest: held.digest, objects: held.objects } };
  if (deployment === undefined || found.isTidied !== true) return pendingPrune;
  const isReported = lookedAfter === undefined ? lastTry(state) !== undefined : lookedAfter.how !== 'Not';
  const running = isReported ? { running: deployment.candidate } : {};
  if (lookedAfter === undefined || !('result' in lookedAfter) || lookedAfter.result === undefined)
    return { ...running, ...pendingPrune };
  const { progress, drift } = lookedAfter.result;
  return {
    ...running,
    ...pendingPrune,
    ...(progress.state === 'PruneHeld'
      ? { pendingPrune: { digest: progress.digest, objects: progress.objects } }
      : {}),
    // What was put back differs no more.
    ...(drift === undefined ? {} : { drift: progress.state === 'Done' ? { ...drift, count: 0 } : drift }),
  };
}

function obstacleFacts(state: TargetState): Pick<Facts, 'rejected' | 'retry' | 'sourceError'> {
  const { found } = state;
  const { error } = obstacleOf(state) ?? {};
  const isUnseen = found.sight !== undefined && found.sight !== 'Seen';
  const isSilent = isSourceSilent(state) && !isUnseen;
  const ofSource = isSilent && error instanceof TowpathError ? error : found.sourceError;
  const ways = isSilent ? [runningRetry, obstacleRetry] : [obstacleRetry, runningRetry];
  const retry = isUnseen ? undefined : ways.map((way) => way(state)).find((one) => one !== undefined);
  return {
    ...(error instanceof Quarantine ? { rejected: error.rejected } : {}),
    ...(ofSource === undefined ? {} : { sourceError: ofSource }),
    ...(retry === undefined ? {} : { retry }),
  };
}

function obstacleRetry(state: TargetState): Facts['retry'] {
  const obstacle = obstacleOf(state);
  if (obstacle === undefined) return undefined;
  const { error } = obstacle;
  if (error instanceof Quarantine) return error.retry;
  const { retry, unresolved } = state.memory;
  if (obstacle.at === 'Deploying') return retry && { attempts: retry.attempts, nextAt: retry.nextAt };
  // What waits for a person is only looked at as often as ever: that is no try that anyone counts.
  const isForPerson = error instanceof TowpathError && error.remedy === 'Person';
  if (isForPerson || unresolved.nextAt === undefined) return undefined;
  return { attempts: unresolved.tries, nextAt: unresolved.nextAt };
}

function runningRetry(state: TargetState): Facts['retry'] {
  const { deployment, found } = state;
  if (found.isTidied !== true || found.lookedAfter !== undefined) return undefined;
  const tried = lastTry(state);
  return tried && { attempts: deployment?.attempts ?? 1, nextAt: tried.nextAt };
}

const MISSING = {
  state: 'Missing' as const,
  message: `it does not exist, or lost its label ${LABEL_TARGET}`,
};

/** The worst health of what was applied; what is not there, or no longer ours, is missing. */
export function healthNow({ context }: Run, { found }: Pick<TargetState, 'found'>): Facts['health'] {
  const { record, access, inventory } = context;
  if (found.sight !== undefined && found.sight !== 'Seen')
    return { state: 'Unknown', message: found.sight.unseen.message };
  if (record.applied.size === 0)
    return { state: record.deployment?.applied === true ? 'Healthy' : 'Missing' };
  const live = inventory.of(access.targetId);
  return worstHealth(
    [...record.applied].map(([key, applied]) => {
      const whyUnseen = inventory.watches.unseen(applied, access.as);
      if (whyUnseen !== undefined)
        return {
          ...applied,
          health: { state: 'Unknown' as const, message: `it cannot be seen: ${whyUnseen}` },
        };
      const observed = live.get(key);
      const isThere =
        observed?.uid === applied.uid ||
        (observed !== undefined && isOurs(observed, access.targetId, access.targetName));
      if (!isThere) return { ...applied, health: MISSING };
      return applied.atRest === true ? { ...applied, health: asWanted(observed) } : observed;
    }),
  );
}
