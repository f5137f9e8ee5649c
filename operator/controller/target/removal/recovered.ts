import { TowpathError } from '../../../api/errors.ts';
import type { Application } from '../../../api/v1alpha1/application.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import { classify } from '../../../apply/classify.ts';
import type { TargetAccess } from '../../../apply/target.ts';
import type { Search, Unlisted } from '../../cluster/lost-objects.ts';
import { newRecord, type TargetRecord } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import { toldDeployed, toldObjects, whereLost } from '../lost-record.ts';
import type { Parts } from '../run.ts';

/** What a message has for the API server's own words at least. */
const LEAST_WORDS = 60;

/**
 * A record in place of a lost one, as far as the marks on the objects tell; undefined: there are none. Where a blank one was made
 * in its place, it is that one. It is written before anything is deleted: what is gone by then nobody finds any more, however often
 * the process begins anew.
 *
 * @throws TowpathError Forbidden where less was found than the status tells of, and there may be more that nobody may list
 */
export async function recovered(
  { store }: Pick<Parts, 'store'>,
  application: Application,
  target: Target,
  access: TargetAccess,
): Promise<TargetRecord | undefined> {
  const { refusal } = target;
  if (refusal !== undefined) {
    // Nothing is looked for as an account that it may not act as. What there may be is not left behind in silence.
    if (toldDeployed(application, target)) throw refusal;
    return undefined;
  }
  const search = await whereLost(application, target, access);
  const told = toldObjects(application, target);
  const [first] = search.unlisted;
  // Where nothing is found, its end may have been broken off when the record was gone, as all else.
  if (search.kinds.length === 0) return undefined;
  // Hardly an account may list every kind: that alone says nothing of what is there.
  if (search.objects < told && first !== undefined) throw notFound(search, told, first);
  const record = store.get(target) ?? newRecord(target);
  record.kinds = search.kinds;
  try {
    await store.save(record, { signal: access.signal });
  } catch (error) {
    // It is no record of them before that is written.
    record.kinds = [];
    throw error;
  }
  return record;
}

function notFound({ objects, unlisted }: Search, told: number, { kind, refusal }: Unlisted): TowpathError {
  const { error } = classify(refusal, 'list', { ...kind, name: '*' });
  const { message, next, remedy, reason, details } = error;
  const words = message.endsWith(next) ? message.slice(0, message.length - next.length).trimEnd() : message;
  const kinds = unlisted.length === 1 ? '1 kind' : `${unlisted.length} kinds`;
  const begin = `Its record is lost; of ${told} objects ${objects} can be found, and ${kinds} cannot be listed: `;
  const sentence = fitBetween(begin, words, ` ${next}`, LEAST_WORDS);
  return new TowpathError(remedy, reason, sentence, { cause: error, details, next });
}
