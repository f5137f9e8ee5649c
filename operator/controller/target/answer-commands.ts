import { TowpathError } from '../../api/errors.ts';
import type { PromotionPhase } from '../../api/v1alpha1/promotion.ts';
import { tookBack } from '../../promote/cancelled.ts';
import type { Command } from '../../promote/command.ts';
import { endedUnheard } from '../../promote/commands.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import { candidateKey, type Deployment, deploymentsIn, type Waiting } from '../record/record.ts';
import type { TargetIdentity } from '../record/target.ts';
import { changesOf } from './changes.ts';
import { awaitedToVerify } from './checks/gates.ts';
import { type CommandedThere, commandedIn, isNamed } from './commanded.ts';
import type { CommandAnswer, Promoted } from './commands-view.ts';
import { wantsApprovals, yesTo } from './gates.ts';
import type { Parts, Run } from './run.ts';
import { obstacleOf, promotedThere } from './stage.ts';
import type { TargetState } from './state.ts';
import { ofWhatRuns, runsAlready } from './words/runs-already.ts';

/** Says in the status of each Promotion that a person made about the target what has become of it, at the end of a look. */
export async function answerCommands(run: Run, state: TargetState): Promise<void> {
  const { parts, target } = run;
  const commanded = commandedIn(run);
  const { waits, takesBack } = commanded;
  const { promoted } = state;
  const isJudged = waits !== undefined && promoted?.command.uid === waits.uid;
  const newest = isJudged ? await ofPromoted(run, state, promoted) : undefined;
  const isHeard = newest !== undefined && newest.phase !== 'Failed' && promoted?.candidate !== undefined;
  // What is refused, or may yet be, ends none that waited before it.
  const goesBack = state.asked?.type !== 'Resume' && state.asked?.uid === waits?.uid;
  const isPlaceTaken = waits === undefined || goesBack || isHeard;
  const ended = ofEnded(isPlaceTaken ? commanded : { ended: endedUnheard(commanded) });
  for (const answer of [...ended, ...ofBegun(run, commanded), ...ofAnswered(run)])
    parts.commands.answer(target.name, answer);
  if (takesBack !== undefined && takesBack !== state.asked)
    parts.commands.answer(target.name, { command: takesBack, phase: 'Pending', message: '' });
  if (state.asked !== undefined) parts.commands.answer(target.name, ofAsked(state, state.asked));
  if (newest !== undefined) parts.commands.answer(target.name, newest);
}

/** The same where the target has no place: nothing is begun there, and what waits can be taken back. */
export function answerRefused(
  parts: Pick<Parts, 'commands' | 'ledger' | 'lookup' | 'store'>,
  target: TargetIdentity,
  { reason, message, remedy }: TowpathError,
): void {
  const { commands } = parts;
  const commanded = commandedAt(parts, target);
  for (const answer of ofEnded({ ended: endedUnheard(commanded) })) commands.answer(target.name, answer);
  const blockedBy = [{ reason, message, remedy, standing: 'Blocked' as const }];
  for (const command of commands.given(target.name)) {
    const its = commanded.begun.find((one) => one.command === command);
    commands.answer(target.name, { command, phase: its?.phase ?? 'Pending', message: '', blockedBy });
  }
}

/** The same where it is being removed: nothing goes on there either, and is taken back at once. */
export function answerEnding(
  parts: Pick<Parts, 'commands' | 'ledger' | 'lookup' | 'store'>,
  target: TargetIdentity,
): void {
  const { commands } = parts;
  const { application, environment, name } = target;
  const { takesBack, begun } = commandedAt(parts, target);
  const why = `Environment ${environment} of Application ${application} is being removed: nothing enters or goes on there any more.`;
  if (takesBack !== undefined) {
    const left = begun.find(({ command }) => command.promotion === takesBack.about)?.command;
    const message = tookBack(takesBack);
    if (left !== undefined) commands.answer(name, { command: left, phase: 'Cancelled', message });
    commands.answer(name, { command: takesBack, phase: 'Succeeded', message: why });
  }
  answerRefused(parts, target, new TowpathError('Resource', 'Deleting', why));
}

function commandedAt(
  parts: Pick<Parts, 'commands' | 'ledger' | 'lookup' | 'store'>,
  target: TargetIdentity,
): CommandedThere {
  return commandedIn({ parts, target, context: { record: parts.store.get(target) ?? { ended: [] } } });
}

/** What could not be acted on so far: what Git has is nothing to it. */
function ofAsked(state: TargetState, command: Command): CommandAnswer {
  const { lookedAfter } = state.found;
  const error = lookedAfter?.how === 'Not' ? lookedAfter.error : undefined;
  return { command, phase: 'Pending', message: '', blockedBy: inTheWay(state, error ?? null) };
}

/** What was acted on without a deployment. */
function ofAnswered(run: Run): readonly CommandAnswer[] {
  const { parts, target, context } = run;
  const { answered = [] } = context.record;
  if (answered.length === 0) return [];
  const all = deploymentsIn(context.record);
  return parts.commands.given(target.name).flatMap((command): CommandAnswer[] => {
    const its = answered.find(({ uid }) => uid === command.uid);
    if (its === undefined) return [];
    const { phase, message } = its;
    if (command.type !== 'Promote') return [{ command, phase, message }];
    const candidate = all.findLast((one) => isNamed(run, command, one.candidate))?.candidate;
    return [{ command, phase, message, ...(candidate === undefined ? {} : { candidate }) }];
  });
}

function ofEnded({ ended }: Pick<CommandedThere, 'ended'>): readonly CommandAnswer[] {
  return ended.map(({ command, phase, message }) => ({ command, phase, message }));
}

function ofBegun(run: Run, { begun }: CommandedThere): readonly CommandAnswer[] {
  const { target, context } = run;
  const all = deploymentsIn(context.record);
  return begun.map(({ command, deployment, isJoined, phase }) => {
    if (deployment === undefined) {
      const what = command.deployment === undefined ? 'what it promoted' : `deployment ${command.deployment}`;
      const message = `Something newer took the place of ${what} to ${target.environment}.`;
      return { command, phase, message };
    }
    if (isJoined === true) return ofJoined(run, command, deployment, phase);
    const { id, candidate, message = '' } = deployment;
    const previous = context.record.ended.findLast((one) => one.id < id)?.candidate;
    const next = all.find((one) => one.id > id);
    return {
      command,
      deployment,
      candidate,
      phase,
      message,
      ...approvedBy(run, deployment),
      ...(phase === 'Verifying' ? { blockedBy: awaitedToVerify(run) } : {}),
      ...(previous === undefined ? {} : { previous }),
      ...(next === undefined ? {} : { overtakenAt: next.startedAt }),
    };
  });
}

/** Its record is another Promotion. */
function ofJoined(
  run: Run,
  command: Command,
  { id, candidate, message = '' }: Deployment,
  phase: PromotionPhase,
): CommandAnswer {
  if (phase === 'Verifying') {
    const said = `It runs there already, by deployment ${id}, and is verified.`;
    return { command, candidate, phase, message: said, blockedBy: awaitedToVerify(run) };
  }
  return { command, candidate, phase, message: phase === 'Succeeded' ? runsAlready(id) : message };
}

async function ofPromoted(run: Run, state: TargetState, promoted: Promoted): Promise<CommandAnswer> {
  const { command, candidate, blockedBy, refusal } = promoted;
  if (refusal !== undefined) return { command, phase: 'Failed', message: refusal };
  if (candidate === undefined)
    return { command, phase: 'Pending', message: '', blockedBy: unknownYet(state) };
  const kept = run.context.store
    .candidatesOf(run.target)
    .find((one) => candidateKey(one) === candidateKey(candidate));
  const what = kept ?? state.found.wanted?.candidate;
  const changes = await changesOf(run, candidate, what);
  const about = {
    command,
    ...(what === undefined ? {} : { candidate: what }),
    ...(changes === undefined ? {} : { changes }),
    ...approvalsOf(run, candidate),
  };
  const runs = promotedThere(state);
  // Where nothing may be written for now, what is held is.
  if (runs !== undefined && state.hold !== undefined)
    return { ...about, phase: 'Pending', message: '', blockedBy: inTheWay(state) };
  if (runs !== undefined) return { ...about, ...ofWhatRuns(runs) };
  if (blockedBy.length > 0) return { ...about, phase: 'Gated', message: '', blockedBy };
  const { error } = obstacleOf(state) ?? {};
  if (error instanceof Quarantine)
    return { ...about, phase: 'Failed', message: `It is refused: ${error.error.message}` };
  return { ...about, phase: 'Pending', message: '', blockedBy: inTheWay(state) };
}

/** Who said yes to it, as far as somebody is to. */
function approvalsOf(run: Run, { digest }: Waiting): Pick<CommandAnswer, 'approvals'> {
  if (!wantsApprovals(run.target) || run.parts.approvals.admission.is !== 'Enforced') return {};
  return { approvals: yesTo(run, digest) };
}

/** Who let it in: from its record, which knows that until the Approvals say so themselves. */
function approvedBy({ parts, context }: Run, { id }: Deployment): Pick<CommandAnswer, 'approvals'> {
  const { used = [] } = context.record;
  const its = used.filter(({ deployment, counted }) => counted === true && deployment === id);
  const approvals = its.flatMap(({ approval }) => parts.approvals.giverOf(approval) ?? []);
  return approvals.length === 0 ? {} : { approvals };
}

function unknownYet(state: TargetState): readonly BlockedBy[] {
  const way = inTheWay(state);
  if (way.length > 0) return way;
  return [
    {
      reason: 'Resolving',
      message: 'What the source has is being found out.',
      remedy: 'Time',
      standing: 'Waiting',
    },
  ];
}

/** What is in the way that is no gate: it cannot be placed, seen, read or applied for now. */
function inTheWay(state: TargetState, obstacle: unknown = obstacleOf(state)?.error): readonly BlockedBy[] {
  const { refusal, settings, found } = state;
  const suspended = settings.suspended;
  if (suspended !== undefined)
    return [{ reason: 'Suspended', message: suspended, remedy: 'Person', standing: 'Blocked' }];
  const unseen = found.sight !== undefined && found.sight !== 'Seen' ? found.sight.unseen : undefined;
  const error = refusal ?? unseen ?? obstacle;
  if (!(error instanceof TowpathError)) return [];
  const { reason, message, remedy } = error;
  return [{ reason, message, remedy, standing: 'Blocked' }];
}
