import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';
import { partsOf } from '../../api/v1alpha1/revision.ts';

/**
 * `main@4f2c81a`, a tag's name, or 7 digits; of a published chart its version, before them where its values files come
 * from Git. A name that there is no `room` for is cut.
 */
export function shortRevision(revision: string, ref: string, room: number = STATUS_LIMITS.summary): string {
  const { version, commit } = partsOf(revision);
  if (version === undefined) return shortCommit(revision, ref, room);
  if (commit === undefined) return cut(version, room);
  const shown = cut(version, Math.floor(room / 2));
  return `${shown} ${shortCommit(commit, ref, room - shown.length - 1)}`;
}

function shortCommit(commit: string, ref: string, room: number): string {
  const digits = commit.slice(0, 7);
  if (ref.startsWith('refs/heads/'))
    return `${cut(ref.slice('refs/heads/'.length), room - 1 - digits.length)}@${digits}`;
  if (ref.startsWith('refs/tags/')) return cut(ref.slice('refs/tags/'.length), room);
  return digits;
}

/** `c-` and 12 digits, for people: nothing is compared or kept by it (S18). */
export function shortCandidate(id: string): string {
  return `c-${id.replace('sha256:', '').slice(0, 12)}`;
}
