import { isDeepStrictEqual } from 'node:util';
import { TowpathError } from '../../../api/errors.ts';
import { environmentOf } from '../../../api/v1alpha1/application.ts';
import { partsOf } from '../../../api/v1alpha1/revision.ts';
import { isAlreadyExists, isConflict } from '../../../kube/errors.ts';
import { Quarantine } from '../../candidate/quarantine.ts';
import type { Settled, Wanted, WantedInput } from '../../candidate/wanted.ts';
import { applicationKey } from '../../record/application-key.ts';
import { areBasesPinned } from '../../record/base-pins.ts';
import { arePinned } from '../../record/chart-pins.ts';
import { admittedIn, candidateKey, inputsKey, movedTo } from '../../record/record.ts';
import { cameTo, stillWaiting, withAsk } from '../../record/waiting.ts';
import { checkCycle } from '../dependencies.ts';
import { wishesOf } from '../handover/moving.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState, ToldWishes } from '../state.ts';

/** Finds out what is wanted, and tells others which of their objects that takes over. */
export async function resolve(run: Run, state: TargetState): Promise<Outcome> {
  const { application, parts, context } = run;
  // Without a view of the objects nothing comes of it but what the status says of Git.
  const isSeen = state.found.sight === 'Seen';
  let wanted: Wanted | undefined;
  try {
    if (isSeen) checkCycle(application, parts.lookup);
    wanted = await find(run, state);
    run.session.known = { ...run.session.known, candidate: candidateKey(wanted.candidate) };
    if (isSeen) await notePinned(run, wanted);
    const toldWishes = isSeen ? { toldWishes: await tellWishes(run, state, wanted) } : {};
    if (isSeen) {
      noteMove(run, wanted);
      noteReverted(run, wanted);
      noteAsked(run, wanted);
    }
    const sourceError = parts.wanted.sourceError(applicationKey(application));
    return { type: 'Resolved', wanted, ...toldWishes, ...(sourceError === undefined ? {} : { sourceError }) };
  } catch (failure) {
    context.signal.throwIfAborted();
    // What is known is outdated, and nothing is to be done by it.
    if (isSeen && (isConflict(failure) || isAlreadyExists(failure))) throw failure;
    if (failure instanceof Quarantine) run.session.known = { ...run.session.known, isRefused: true };
    const isAnswer = isAnswered(run, failure);
    const error = run.request.open === undefined || isAnswer ? failure : withRequest(failure);
    return { type: 'Unresolved', error, isAnswer, ...(wanted === undefined ? {} : { wanted }) };
  }
}

function find(run: Run, { memory }: TargetState): Promise<Wanted> {
  const { application, target, values, context, parts, request, underWay, isOneOfSeveral, session } = run;
  const pinned = context.store.pinnedFor(target.application);
  return parts.wanted.find(
    {
      key: applicationKey(application),
      application,
      target,
      values,
      kept: memory.renderAnew ? [] : context.store.candidatesOf(target),
      admitted: admittedIn(context.record),
      pins: pinned.charts,
      basePins: pinned.bases,
      ...takenOver(run),
      settled: settledIn(run),
      lookNow: questionOf(request),
      now: context.now(),
    },
    {
      onCommit: (commit) => {
        if (session.known?.commit !== commit) session.known = { commit };
      },
      onResolved: (resolved, asked) => {
        underWay.resolved = resolved;
        // Who has no others to compare it with spares the digest.
        if (isOneOfSeveral || target.governance.is === 'InStage') underWay.asked = asked();
        session.known = { ...partsOf(resolved.revision), asked: underWay.asked };
      },
    },
    context.signal,
  );
}

/** Before the first deployment: what it is to begin with. */
function takenOver({ target, context: { store, record, signal } }: Run): Pick<WantedInput, 'taken'> {
  if (target.takesOver === undefined || record.deployment !== undefined) return {};
  const candidates = target.takesOver.flatMap((former) => store.candidatesOf(former));
  return { taken: { candidates, read: (candidate) => store.manifests(record, candidate, signal) } };
}

/** The source's candidate in the status is that of one environment; another one may have come to another. */
function settledIn({ application: { status }, target, isOneOfSeveral }: Run): Settled {
  const { revision, candidate } = status?.source ?? {};
  const entry = environmentOf(status, target.environment);
  if (!isOneOfSeveral || entry?.sync !== 'Synced') return { revision, candidate };
  return { revision: entry.desiredRevision, digest: entry.digest };
}

/** The Git server is asked once for all that one annotation asks, whichever environments it is of. */
function questionOf({ open, asRecorded }: Run['request']): string | undefined {
  return open === undefined ? undefined : asRecorded;
}

/**
 * Whether a policy has the target in a stage outlives the policy; and what is asked for comes to, here, is what later
 * stages compare with what runs. Written with whatever else is, but where another environment waits with the same.
 */
function noteAsked({ parts, target, context, underWay: { asked } }: Run, { candidate }: Wanted): void {
  const { governance } = target;
  const { record, store } = context;
  if (governance.is !== 'InStage' || asked === undefined) return;
  if (record.governed !== true) {
    record.governed = true;
    store.changed(record);
  }
  const runs = record.deployment;
  if (
    record.waiting !== undefined &&
    runs !== undefined &&
    candidateKey(runs.candidate) === candidateKey(candidate)
  ) {
    // What runs is the newest again: nothing came after it.
    delete record.waiting;
    store.changed(record);
  }
  const { digest } = candidate;
  if (!governance.isFollowed || cameTo(record, asked) === digest) return;
  const others = parts.store.recordsOf(target.application).filter((other) => other !== record);
  record.asks = withAsk(record.asks ?? [], { asked, digest }, others);
  if (others.some((other) => stillWaiting(other).some((one) => one.asked === asked))) store.changed(record);
}

/** A candidate that is new is accepted with what was fetched for it; one that is known already gets that by itself. */
async function notePinned({ target, context: { store, signal } }: Run, wanted: Wanted): Promise<void> {
  const { charts = [], bases = [] } = wanted.candidate;
  const known = store.pinnedFor(target.application);
  const areKnown = arePinned(known.charts, charts) && areBasesPinned(known.bases, bases);
  if (wanted.manifests !== undefined || areKnown) return;
  await store.notePinned(target.application, { charts, bases }, signal);
}

/** What runs is the newest again: what was accepted in between, and waits, is not let in where Git does not answer later. */
function noteReverted({ context: { record, store } }: Run, { candidate }: Wanted): void {
  const { pending, deployment } = record;
  if (pending === undefined || deployment === undefined) return;
  const key = candidateKey(candidate);
  if (candidateKey(pending) === key || candidateKey(deployment.candidate) !== key) return;
  delete record.pending;
  store.changed(record);
}

/** What runs is what is wanted, at another commit perhaps. */
function noteMove({ context }: Run, { candidate }: Wanted): void {
  const { deployment } = context.record;
  if (deployment === undefined || candidateKey(deployment.candidate) !== candidateKey(candidate)) return;
  deployment.candidate = movedTo(deployment.candidate, candidate);
}

/**
 * Whether a failure is what a request found: a commit that cannot run must not leave it for the next one (mode
 * Manual). What keeps Git from being looked at at all, such as a credential, is none.
 */
function isAnswered({ parts, application, request }: Run, error: unknown): boolean {
  if (error instanceof Quarantine) return true;
  const isForPerson = error instanceof TowpathError && error.remedy === 'Person';
  const question = questionOf(request);
  return (
    isForPerson && question !== undefined && parts.wanted.hasAnswered(applicationKey(application), question)
  );
}

/** What was asked for could not be looked at yet: that is said, and the request stays open. */
function withRequest(error: unknown): unknown {
  if (!(error instanceof TowpathError)) return error;
  const { remedy, reason, message, details, next } = error;
  const text = `The sync that was asked for waits: ${message}`;
  return new TowpathError(remedy, reason, text, { details, next, cause: error });
}

/** Tells which objects of what is wanted others must not delete; once all was applied, it has them. */
export async function tellWishes(
  { parts, target, context }: Run,
  { memory }: TargetState,
  wanted: Wanted,
): Promise<ToldWishes> {
  const { record, store, access, signal } = context;
  const { deployment } = record;
  const isThrough =
    deployment?.applied === true && candidateKey(deployment.candidate) === candidateKey(wanted.candidate);
  const wishes: ToldWishes = isThrough
    ? { of: 'Nothing' }
    : { of: 'Candidate', inputs: inputsKey(wanted.candidate), adopt: access.adopt };
  if (isDeepStrictEqual(memory.toldWishes, wishes)) {
    parts.wishes.noteLook(target.name);
    return wishes;
  }
  const manifests = isThrough
    ? undefined
    : (wanted.manifests ?? (await store.manifests(record, wanted.candidate, signal)));
  parts.wishes.tell(target.name, wishesOf(manifests?.objects ?? [], target.cluster, access, record));
  return wishes;
}
