import type { HistoryEntry } from '../../api/v1alpha1/application.ts';
import { candidateKey, type Deployment, type TargetRecord } from '../record/record.ts';
import { borneOut, isAbout, isTold } from './told.ts';

/**
 * What ended and is told in the status is forgotten, but not before the ledger has it: that is found in the record alone.
 * Of what an older version wrote, whose record may not say how the last one ended, the status does.
 */
export function recallHistory(
  record: TargetRecord,
  all: readonly HistoryEntry[],
  isRecorded: (ended: Deployment) => boolean,
): void {
  const history = borneOut(all, record.lastId);
  record.ended = record.ended.filter((one) => !isTold(one, history) || !isRecorded(one));
  const { deployment, lastId } = record;
  if (deployment === undefined || deployment.outcome !== undefined) return;
  // Others may write a status, too, and nothing is told there before it is in the record.
  if (lastId !== undefined) return;
  const entry = history.find((one) => isAbout(one, deployment));
  if (entry?.outcome === undefined) return;
  deployment.outcome = entry.outcome;
  if (entry.outcome === 'Succeeded') {
    deployment.applied = true;
    if (deployment.verify === undefined) record.succeeded = candidateKey(deployment.candidate);
  }
  if (entry.finishedAt !== undefined) deployment.finishedAt = entry.finishedAt;
}
