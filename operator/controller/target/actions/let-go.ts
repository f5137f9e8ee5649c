import { withAnswer } from '../../../promote/hold.ts';
import type { Deployment } from '../../record/record.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState } from '../state.ts';
import { writeAhead } from './write-ahead.ts';

/** What a person held follows its source and its policy again: a Resume names the rollback that holds. */
export async function letGo({ context }: Run, { asked, hold }: TargetState): Promise<Outcome> {
  if (asked === undefined) throw new Error('nobody asked for that');
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
