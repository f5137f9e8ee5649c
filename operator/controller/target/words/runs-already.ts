import type { Answered } from '../../../promote/hold.ts';
import { isUndecided } from '../../../promote/verify.ts';
import type { Deployment } from '../../record/record.ts';

/** What becomes of who promotes what is there, or on its way, by this deployment: nothing is begun for that. */
export function ofWhatRuns({
  id,
  outcome,
  verify,
}: Pick<Deployment, 'id' | 'outcome' | 'verify'>): Pick<Answered, 'phase' | 'message'> {
  return outcome === 'Succeeded' && !isUndecided(verify)
    ? { phase: 'Succeeded', message: runsAlready(id) }
    : { phase: 'Superseded', message: `It was on its way there already, by deployment ${id}.` };
}

export function runsAlready(id: number): string {
  return `It runs there already, by deployment ${id}.`;
}
