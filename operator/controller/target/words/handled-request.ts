import { stageOf, unforeseen } from '../stage.ts';
import type { TargetState } from '../state.ts';
import type { Standing } from './facts.ts';

/**
 * Whether the sync request is done with. One that found the cluster unwilling stays open until it could be acted on;
 * in mode Manual whoever can help.
 */
export function isHandled(state: TargetState, standing: Standing): boolean {
  const { found, request, requestKey, handledRequest, settings, refusal } = state;
  // That is the answer: what is asked for when it is allowed again is asked for then.
  if (request !== undefined && refusal !== undefined) return refusal.remedy !== 'Time';
  if (request === undefined || found.sight !== 'Seen' || found.clock === 'Paused') return false;
  if (found.isRequestUnnoted === true || unforeseen(state) !== undefined) return false;
  // Nothing was done for it yet, and noting it would make what was judged for it another thing.
  if (stageOf(state) === 'Awaiting') return false;
  if (found.obstacle?.at === 'Resolving') return found.obstacle.isAnswer;
  if (standing.sync !== 'Blocked' || handledRequest === requestKey) return true;
  return settings.mode !== 'Manual' && standing.remedy === 'Person';
}
