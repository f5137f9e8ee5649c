import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';

/** `main@4f2c81a`, a tag's name, or 7 digits. A name that there is no `room` for is cut. */
export function shortRevision(revision: string, ref: string, room: number = STATUS_LIMITS.summary): string {
  const digits = revision.slice(0, 7);
  if (ref.startsWith('refs/heads/'))
    return `${cut(ref.slice('refs/heads/'.length), room - 1 - digits.length)}@${digits}`;
  if (ref.startsWith('refs/tags/')) return cut(ref.slice('refs/tags/'.length), room);
  return digits;
}

/** `c-` and 12 digits, for people: nothing is compared or kept by it (S18). */
export function shortCandidate(id: string): string {
  return `c-${id.replace('sha256:', '').slice(0, 12)}`;
}
