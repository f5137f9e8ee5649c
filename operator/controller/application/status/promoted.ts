import type { ApplicationStatus, EnvironmentStatus } from '../../../api/v1alpha1/application.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import { type Judgement, setCondition } from '../../../api/v1alpha1/conditions.ts';

/** How one environment stands to the newest candidate that was accepted. */
export interface Standing {
  environment: string;
  /** Of the environment in the status; undefined: nothing was told of it. */
  entry: EnvironmentStatus | undefined;
  /** What its last look found; undefined where none has told since the start. */
  runsNewest: boolean | undefined;
}

/** So many environments are named; their entries say the rest. */
const NAMED = 3;

/**
 * The status with the condition Promoted: True when each environment has the newest candidate that was accepted, deployed
 * to the end. It follows from what the rest of the status says, so that no write is for it alone. Pure.
 *
 * @param now RFC 3339
 */
export function withPromoted(
  status: ApplicationStatus,
  standings: readonly Standing[],
  previous: ApplicationStatus | undefined,
  now: string,
): ApplicationStatus {
  const { conditions = [], observedGeneration } = status;
  if (observedGeneration === undefined || standings.length === 0) return status;
  const lacking = standings.filter(
    ({ runsNewest, entry }) => !(runsNewest ?? stillRunsNewest(entry, status, previous)),
  );
  const judged = judgementOf(lacking, standings.length);
  return { ...status, conditions: setCondition(conditions, judged, observedGeneration, now) };
}

/** Of one that has not told since the start: as it was, while there is nothing newer. */
function stillRunsNewest(
  entry: EnvironmentStatus | undefined,
  { source }: ApplicationStatus,
  previous: ApplicationStatus | undefined,
): boolean {
  if (previous?.source?.revision !== source?.revision) return false;
  const was = previous?.conditions?.find(({ type }) => type === 'Promoted');
  return was?.status === 'True' || entry?.sync === 'Synced';
}

function judgementOf(lacking: readonly Standing[], all: number): Judgement {
  const type = 'Promoted';
  if (lacking.length === 0) {
    const where = all === 1 ? 'The environment has' : `All ${all} environments have`;
    return { type, status: 'True', reason: 'AllPromoted', message: `${where} the newest candidate.` };
  }
  const named = lacking
    .slice(0, NAMED)
    .map(({ environment, entry }) => `${environment} (${waitsFor(entry)})`);
  const more = lacking.length - named.length;
  const rest = more > 0 ? ` and ${more} more` : '';
  const message = fitBetween('The newest candidate is not yet in ', named.join(', '), `${rest}.`);
  return { type, status: 'False', reason: 'NotPromoted', message };
}

/** In a word, and until when, where that is known. */
function waitsFor(entry: EnvironmentStatus | undefined): string {
  const [first] = entry?.blockedBy ?? [];
  if (first === undefined) return entry?.sync ?? 'not looked at';
  return first.clearsAt === undefined ? first.reason : `${first.reason} until ${first.clearsAt}`;
}
