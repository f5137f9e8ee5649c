import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';

/** `main@4f2c81a`, a tag's name, or 7 digits. A name that summary.revision has no room for is cut. */
export function shortRevision(revision: string, ref: string): string {
  const digits = revision.slice(0, 7);
  const { summary } = STATUS_LIMITS;
  if (ref.startsWith('refs/heads/'))
    return `${cut(ref.slice('refs/heads/'.length), summary - 1 - digits.length)}@${digits}`;
  if (ref.startsWith('refs/tags/')) return cut(ref.slice('refs/tags/'.length), summary);
  return digits;
}
