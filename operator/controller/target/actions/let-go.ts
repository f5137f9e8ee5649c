import type { Command } from '../../../promote/command.ts';
import { type Answered, type Hold, withAnswer } from '../../../promote/hold.ts';
import { withoutRejection } from '../../../promote/rejection.ts';
import { isUndecided } from '../../../promote/verify.ts';
import type { Candidate, Deployment, TargetRecord } from '../../record/record.ts';
import type { Run } from '../run.ts';
import { promotedThere } from '../stage.ts';
import type { Outcome, TargetState } from '../state.ts';
import { ofWhatRuns } from '../words/runs-already.ts';
import { writeAhead } from './write-ahead.ts';

/** What a person held follows its source and its policy again: a Resume names the rollback that holds, or what is there is promoted. */
export async function letGo({ context }: Run, state: TargetState): Promise<Outcome> {
  const { asked, hold, promoted } = state;
  if (asked?.type === 'Resume') return resume(context, asked, hold);
  const there = promotedThere(state);
  if (hold === undefined || promoted?.candidate === undefined || there === undefined)
    throw new Error('nobody asked for that');
  const { candidate, command } = promoted;
  const answer = answerOf(there, hold);
  await writeAhead(context, (changed) => {
    liftFor(candidate, changed);
    // What the hold kept out may enter at once: then nobody could say any more that it was there.
    if (answer !== undefined)
      changed.answered = withAnswer(changed.answered ?? [], { uid: command.uid, ...answer });
  });
  return { type: 'LetGone' };
}

/** Undefined: what becomes of what is there is not decided, and tells what becomes of the Promotion. */
function answerOf(
  there: Pick<Deployment, 'id' | 'outcome' | 'verify'>,
  { promotion }: Hold,
): Omit<Answered, 'uid'> | undefined {
  if (there.outcome !== undefined && isUndecided(there.verify)) return undefined;
  const { phase, message } = ofWhatRuns(there);
  return { phase, message: `${message} The hold of Promotion ${promotion.slice(0, 80)} ends with that.` };
}

/** What a person promotes is rejected and held back no more. */
export function liftFor({ digest, id }: Pick<Candidate, 'digest' | 'id'>, record: TargetRecord): void {
  delete record.hold;
  if (record.rejected !== undefined) record.rejected = withoutRejection(record.rejected, digest, id);
}

async function resume(context: Run['context'], asked: Command, hold: TargetState['hold']): Promise<Outcome> {
  const { uid, about } = asked;
  const { deployment } = context.record;
  // It would be held again, should that be taken back which ended it.
  const endedIt =
    hold === undefined && deployment?.displaced?.hold?.promotion === about ? deployment : undefined;
  const isIt = endedIt !== undefined || (hold !== undefined && hold.promotion === about);
  await writeAhead(context, (changed) => {
    if (endedIt !== undefined) changed.deployment = withoutHold(endedIt);
    else if (isIt) delete changed.hold;
    changed.answered = withAnswer(changed.answered ?? [], {
      uid,
      phase: isIt ? 'Succeeded' : 'Failed',
      message: isIt
        ? `It follows its source and its policy again. What Promotion ${about} left stays rejected there until a person promotes it.`
        : notHeld(about, hold?.promotion),
    });
  });
  return { type: 'LetGone' };
}

function withoutHold({ displaced = {}, ...deployment }: Deployment): Deployment {
  const { hold: _, ...others } = displaced;
  return { ...deployment, displaced: others };
}

function notHeld(about = '', holding: string | undefined): string {
  if (holding === undefined) return `Nothing is held there any more, by Promotion ${about} neither.`;
  return `Promotion ${about} holds nothing there: ${holding} does. Let go of that one.`;
}
