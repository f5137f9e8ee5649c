import type { HistoryEntry } from '../../api/v1alpha1/application.ts';
import { candidateKey, type Deployment, type TargetRecord } from '../record/record.ts';
import { borneOut, isAbout, isTold } from './told.ts';

/**
 * Notes in the record what the status tells of it: that outlives a restart which came before the record was written again.
 * What ended and is told is forgotten, but not before the ledger has it: that is found in the record alone.
 */
export function recallHistory(
  record: TargetRecord,
  all: readonly HistoryEntry[],
  isRecorded: (ended: Deployment) => boolean,
): void {
  const history = borneOut(all, record.lastId);
  record.ended = record.ended.filter((one) => !isTold(one, history) || !isRecorded(one));
  const { deployment } = record;
  if (deployment === undefined || deployment.outcome !== undefined) return;
  const entry = history.find((one) => isAbout(one, deployment));
  if (entry?.outcome === undefined) return;
  deployment.outcome = entry.outcome;
  if (entry.outcome === 'Succeeded') {
    deployment.applied = true;
    if (deployment.verify === undefined) record.succeeded = candidateKey(deployment.candidate);
  }
  if (entry.finishedAt !== undefined) deployment.finishedAt = entry.finishedAt;
}
