import type { HistoryEntry } from '../../api/v1alpha1/application.ts';
import { secondTime } from '../../kube/times.ts';
import type { Deployment, TargetRecord } from '../record/record.ts';

/**
 * What of the history in a status the record may have come to. Others may write a status, too, and what was never begun was
 * not told by the operator; a record of a version that did not count says nothing of that.
 */
export function borneOut<Entry extends Pick<HistoryEntry, 'id'>>(
  history: readonly Entry[],
  lastId: TargetRecord['lastId'],
): readonly Entry[] {
  return lastId === undefined ? history : history.filter(({ id }) => id <= lastId);
}

/** Whether that entry is about that very deployment, and not about one that somebody made up under its number. */
export function isAbout(
  entry: Pick<HistoryEntry, 'id' | 'startedAt'>,
  { id, startedAt }: Pick<Deployment, 'id' | 'startedAt'>,
): boolean {
  return entry.id === id && inSeconds(entry.startedAt) === inSeconds(startedAt);
}

/** Whether that entry says how it ended. What failed after its end, or was taken back then, is told of anew. */
export function isEndIn(entry: HistoryEntry, deployment: Deployment): boolean {
  const { outcome, verify } = deployment;
  const mayBeOther = verify?.outcome === 'Failed' || outcome === 'Cancelled';
  return isAbout(entry, deployment) && !(mayBeOther && entry.outcome !== outcome);
}

/** Whether a history tells how it ended, or did before newer ones took its place there. */
export function isTold(deployment: Deployment, history: readonly HistoryEntry[]): boolean {
  if (history.some((entry) => isEndIn(entry, deployment))) return true;
  return history.length > 0 && history.every(({ id }) => deployment.id < id);
}

/** A status has no milliseconds. */
function inSeconds(time: string): string {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? time : secondTime(at);
}
