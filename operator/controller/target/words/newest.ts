import { Quarantine } from '../../candidate/quarantine.ts';
import type { TargetRecord } from '../../record/record.ts';
import { isOfWanted, obstacleOf } from '../stage.ts';
import type { TargetState } from '../state.ts';
import { isSourceSilent } from './sync-and-reason.ts';

/**
 * Whether the newest that was accepted is deployed there to the end; what the API server or the engine refused was
 * accepted nowhere. That something may be newer, and was not looked at, is not known here. Pure.
 */
export function runsNewest(
  state: TargetState,
  record: Pick<TargetRecord, 'pending' | 'waiting' | 'hold'>,
): boolean {
  const { deployment, found } = state;
  if (deployment?.outcome !== 'Succeeded' || deployment.verify?.outcome === 'Failed') return false;
  // What a person went back from is newer.
  if (record.hold !== undefined || found.chosen !== undefined) return false;
  if (isOfWanted(state)) return true;
  const isRefused = obstacleOf(state)?.error instanceof Quarantine;
  return (isRefused || isSourceSilent(state)) && !isAnythingWaiting(record, deployment.candidate.digest);
}

/** Something else was accepted, and its manifests kept, to enter later. */
function isAnythingWaiting(
  { pending, waiting = [] }: Pick<TargetRecord, 'pending' | 'waiting'>,
  running: string,
): boolean {
  return [...waiting, ...(pending === undefined ? [] : [pending])].some(({ digest }) => digest !== running);
}
