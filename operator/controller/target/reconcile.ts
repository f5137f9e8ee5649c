import type { BlockedBy } from '../../promote/gate.ts';
import { isUndecided } from '../../promote/verify.ts';
import { isOnItsWay } from '../record/record.ts';
import { act } from './actions/act.ts';
import { foundAfter, memoryAfter } from './after-action.ts';
import { answerCommands } from './answer-commands.ts';
import { noteChanges } from './changes.ts';
import { awaitedToVerify } from './checks/gates.ts';
import { commandedIn } from './commanded.ts';
import { gatesOf, knowApprovals } from './gates.ts';
import type { Noted } from './ledger-view.ts';
import { next } from './next.ts';
import { comesAfter, shownBy, stoppedBy } from './promotion.ts';
import { type Parts, type Run, type RunInput, startRun } from './run.ts';
import { othersOf, snapshotOf } from './snapshot.ts';
import { endsChosen, isInterim, leavesPromoted, stageOf, unforeseen, verdictOf } from './stage.ts';
import type { Deed, Outcome, TargetState } from './state.ts';
import { droppedNulls } from './words/dropped-nulls.ts';
import type { Facts } from './words/facts.ts';
import { factsAtEnd, factsSoFar } from './words/facts-of-look.ts';

/** A look has fewer steps than that. */
const MOST_STEPS = 30;

export interface Looked {
  /** Undefined where the look waits for a moment, and there is nothing to tell yet. */
  facts: Facts | undefined;
  /** When to look again, whatever happens until then. */
  requeueAt: Date | undefined;
  /** What that waits for which is deployed, and is verified. */
  waits: readonly BlockedBy[];
}

/**
 * One look at a target, which goes as far as it gets without waiting: state → next → action, again and again, until
 * there is nothing left to do.
 *
 * @throws what somebody else's write made outdated, and what nobody foresaw
 */
export async function reconcile(parts: Parts, input: RunInput): Promise<Looked> {
  const run = startRun(parts, input);
  const { application, session } = run;
  if (application.status?.observedGeneration !== application.metadata.generation)
    session.unreported.warn(droppedNulls(application));
  await knowApprovals(run);
  let state = snapshotOf(run, {});
  input.onFacts(() => factsSoFar(run, state));
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const action = next(state);
    if (action.type === 'Wait') {
      await noteChanges(run, state);
      await answerCommands(run, state);
      return end(run, state, action.until);
    }
    if (isToAnswer(run, state, action.type)) await answerEarly(run, state);
    const outcome = await act(run, state, action.type);
    state = after(run, state, outcome);
    noteVerdict(run, state);
    // Hooks that run for it may take long.
    if (outcome.type === 'Begun') await answerCommands(run, state);
  }
  throw new Error(`a look at ${run.target.name} goes round in circles: ${JSON.stringify(next(state))}`);
}

/** What fails there keeps nothing from going on: at the end of the look it is answered again, and told. */
async function answerEarly(run: Run, state: TargetState): Promise<void> {
  try {
    await answerCommands(run, state);
  } catch {
    run.context.signal.throwIfAborted();
  }
}

function isToAnswer(run: Run, state: TargetState, deed: Deed): boolean {
  // What is refused, or waits, while a hook runs is not told when that ends.
  if (deed === 'Advance') return isUnanswered(run, state);
  return deed === 'Begin' && leavesPromoted(state);
}

/** A person asked for something for which nothing was begun, and what there is to say of it is known. */
function isUnanswered(run: Run, { promoted }: TargetState): boolean {
  if (promoted !== undefined && promoted.candidate === undefined && promoted.refusal === undefined)
    return false;
  const { begun } = commandedIn(run);
  return run.parts.commands
    .given(run.target.name)
    .some((one) => begun.every(({ command }) => command.uid !== one.uid));
}

/** Says to the other environments of its Application what it thinks of what is wanted. */
function noteVerdict({ parts, target, isOneOfSeveral, underWay }: Run, state: TargetState): void {
  // They are asked about the newest alone: what is chosen in its place was judged by all when it was that.
  const isNewest = state.found.chosen === undefined;
  const verdict = isOneOfSeveral && isNewest ? verdictOf(state) : undefined;
  if (verdict !== undefined) parts.verdicts.note(target, underWay.asked, verdict);
}

/** Beside what is applied by now: nobody waits for that. */
function noteInLedger({ parts, application, target, context }: Run, more: Noted): void {
  parts.ledger.note(target, application.metadata.uid, context.record, more);
}

/** Where the target is after an action, with what it came to found and remembered. */
function after(run: Run, { found, deployment }: TargetState, outcome: Outcome): TargetState {
  const state = snapshotOf(run, found);
  // What it took the place of does not come back any more, and is stayed on for no longer.
  if (isOnItsWay(deployment) && !isOnItsWay(state.deployment))
    run.parts.evidence.release(run.target, comesAfter(run.target));
  const memory = Object.freeze(memoryAfter(state, outcome, run.parts.random()));
  run.session.memory = memory;
  const known = Object.freeze(foundAfter(state, outcome));
  if (outcome.type === 'Begun') noteInLedger(run, { changes: outcome.changes });
  if (outcome.type === 'WentBack') noteInLedger(run, {});
  // What is wanted may be known only now, and gates are about that.
  const gates = gatesOf(run, known);
  const moved = { ...state, ...gates, memory, found: known };
  return Object.freeze({ ...moved, others: othersOf(run, moved) });
}

function end(run: Run, state: TargetState, requeueAt: Date | undefined): Looked {
  const { context, session, request } = run;
  throwUnforeseen(state);
  // Of an Application that is gone nothing is watched any more.
  context.signal.throwIfAborted();
  if (state.found.sight === 'Seen' && state.found.clock !== 'Paused') {
    const { lookedFor: _before, ...memory } = session.memory;
    session.memory = request.open === undefined ? memory : { ...memory, lookedFor: request.open };
  }
  const isOver = stageOf(state) !== 'Awaiting' && !endsChosen(state) && !isInterim(state);
  const facts = isOver ? factsAtEnd(run, state) : undefined;
  if (facts !== undefined) noteEvidence(run, state, facts);
  context.inventory.watches.endUnused(context.access.targetId);
  context.inventory.lookAtPods(context.access.targetId, context.access.as);
  return { facts, requeueAt, waits: awaitedToVerify(run) };
}

/** Shows how it is to those that are promoted after it. */
function noteEvidence(
  { parts, target, underWay, context }: Run,
  state: TargetState,
  { health }: Facts,
): void {
  const { governance } = target;
  const isFollowed = governance.is === 'InStage' && governance.isFollowed;
  // By this it is known that this process has looked at it, too.
  if (!isFollowed && !isUndecided(state.deployment?.verify)) return;
  const { checks } = context.record;
  parts.evidence.note(target, {
    ...shownBy(state, health.state),
    ...stoppedBy(state),
    asked: underWay.asked,
    ...(checks === undefined ? {} : { checks }),
  });
}

/** What no status has words for ends the look; what runs was looked after before. */
function throwUnforeseen(state: TargetState): void {
  const failure = unforeseen(state);
  if (failure !== undefined) throw failure.error;
}
