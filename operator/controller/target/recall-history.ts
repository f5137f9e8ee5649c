import type { HistoryEntry } from '../../api/v1alpha1/application.ts';
import { candidateKey, type TargetRecord } from '../record/record.ts';

/** Notes in the record what the status tells of it: that outlives a restart which came before the record was written again. */
export function recallHistory(record: TargetRecord, history: readonly HistoryEntry[]): void {
  const inStatus = new Map(history.map((entry) => [entry.id, entry.outcome]));
  const oldest = inStatus.size === 0 ? 0 : Math.min(...inStatus.keys());
  record.ended = record.ended.filter(({ id, outcome, verify }) => {
    // What failed after its end, or was taken back then, is told of anew.
    const isOtherwise =
      (verify?.outcome === 'Failed' || outcome === 'Cancelled') && inStatus.get(id) !== outcome;
    const isTold = inStatus.has(id) && !isOtherwise;
    return !isTold && !(id < oldest);
  });
  const { deployment } = record;
  const entry = history.find((one) => one.id === deployment?.id);
  if (deployment === undefined || deployment.outcome !== undefined) return;
  if (entry?.outcome === undefined) return;
  deployment.outcome = entry.outcome;
  if (entry.outcome === 'Succeeded') {
    deployment.applied = true;
    if (deployment.verify === undefined) record.succeeded = candidateKey(deployment.candidate);
  }
  if (entry.finishedAt !== undefined) deployment.finishedAt = entry.finishedAt;
}
