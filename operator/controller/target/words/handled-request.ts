import { requestKey } from '../request-annotations.ts';
import type { TargetState } from '../state.ts';
import type { Standing } from './facts.ts';

/**
 * Whether the sync request is done with. One that found the cluster unwilling stays open until it could be acted on;
 * in mode Manual whoever can help.
 */
export function isHandled(
  { found, request, handledRequest, settings }: TargetState,
  standing: Standing,
): boolean {
  if (request === undefined || found.sight !== 'Seen' || found.clock === 'Paused') return false;
  if (found.obstacle?.at === 'Resolving') return found.obstacle.isAnswer;
  if (standing.sync !== 'Blocked' || handledRequest === requestKey(request)) return true;
  return settings.mode !== 'Manual' && standing.remedy === 'Person';
}
