import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { type Candidate, candidateKey } from '../record/record.ts';
import { runsThere } from '../record/waiting.ts';
import type { Run } from './run.ts';

/**
 * What a person may approve or promote besides what is told of already: what soaks elsewhere first, since that is the next
 * to enter, whatever came since. As many as a status tells of, each with its own manifests.
 *
 * @param told digest of the manifests that are told of
 */
export function othersThatWait(
  { parts, target, context: { record, store } }: Run,
  told: string | undefined,
): readonly Candidate[] {
  const newestFirst = (record.waiting ?? []).filter(({ digest }) => digest !== told).toReversed();
  if (newestFirst.length === 0) return [];
  const others = parts.store.recordsOf(target.application).filter((one) => one !== record);
  const [elsewhere = [], nowhere = []] = [true, false].map((is) =>
    newestFirst.filter(({ asked }) => others.some((one) => runsThere(one, asked)) === is),
  );
  const kept = new Map(store.candidatesOf(target).map((one) => [candidateKey(one), one]));
  const all = new Map<string, Candidate>();
  for (const one of [...elsewhere, ...nowhere]) {
    const candidate = kept.get(candidateKey(one));
    if (candidate !== undefined && !all.has(one.digest)) all.set(one.digest, candidate);
  }
  return [...all.values()].slice(0, STATUS_LIMITS.waitingOfOne);
}
