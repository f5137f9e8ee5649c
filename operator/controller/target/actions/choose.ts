import { candidateKey } from '../../record/record.ts';
import { endOfObstacle } from '../next.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState } from '../state.ts';
import { tellWishes } from './resolve.ts';

/**
 * Puts in the place of the newest candidate an older one that may enter: it is judged, begun and looked after as any
 * other. What the newest was found to be is known again in the next look.
 */
export async function choose(run: Run, state: TargetState): Promise<Outcome> {
  const { choice, found } = state;
  if (choice === undefined) throw new Error('there is nothing to choose');
  const { store } = run.context;
  const key = candidateKey(choice);
  const candidate = store.candidatesOf(run.target).find((one) => candidateKey(one) === key);
  if (candidate === undefined) throw new Error('what is to enter is kept no more');
  const wanted = { candidate, resolved: { revision: candidate.revision, ref: candidate.ref } };
  const chosen = { asked: choice.asked, newest: found.wanted, againAt: endOfObstacle(state) };
  return { type: 'Chosen', wanted, chosen, toldWishes: await tellWishes(run, state, wanted) };
}
