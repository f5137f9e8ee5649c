import type { Cancelled } from '../../../promote/cancelled.ts';
import type { Rejection } from '../../../promote/rejection.ts';
import { newRecord, putBack, type TargetRecord } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import type { Parts } from '../run.ts';

/** What was said of a target, and holds of who takes its place. */
type Said = Pick<TargetRecord, 'hold' | 'rejected' | 'cancelled' | 'governed'>;

interface Former {
  readonly record: TargetRecord;
  /** Ids of its candidates that are kept, by the digest of their manifests. */
  readonly ids: ReadonlyMap<string, string>;
}

/**
 * What a person held, rejected or took back in a target, and that a policy had it, holds under its other name: who may
 * rename an entry, and no more, lets nothing in by that. Written once, before anything is deployed under that name.
 */
export async function inherit(
  { store }: Pick<Parts, 'store'>,
  target: Target,
  signal: AbortSignal,
): Promise<void> {
  const own = store.get(target);
  if (target.takesOver === undefined || own?.deployment !== undefined || own?.inherited === true) return;
  const formers = target.takesOver.flatMap((former): Former[] => {
    const record = store.get(former);
    if (record === undefined) return [];
    return [{ record, ids: new Map(store.candidatesOf(former).map(({ id, digest }) => [digest, id])) }];
  });
  const said = saidOf(formers);
  if (Object.keys(said).length === 0) return;
  const record = own ?? newRecord(target);
  const before = { ...record };
  // What was said under the new name meanwhile is newer.
  Object.assign(record, { ...said, ...saidIn(record), inherited: true });
  try {
    await store.save(record, { signal });
  } catch (error) {
    putBack(record, before);
    throw error;
  }
}

/** Pure. What is known of manifests by their digest is known of their candidate: those of another target have other marks. */
export function saidOf(formers: readonly Former[]): Said {
  const rejected = formers.flatMap(({ record, ids }) => (record.rejected ?? []).map(byCandidate(ids)));
  const hold = formers.find(({ record }) => record.hold !== undefined)?.record.hold;
  const [cancelled] = formers.flatMap(({ record, ids }) =>
    record.cancelled ? [cancelledBy(record.cancelled, ids)] : [],
  );
  return {
    ...(hold === undefined ? {} : { hold }),
    ...(rejected.length === 0 ? {} : { rejected }),
    ...(cancelled === undefined ? {} : { cancelled }),
    ...(formers.some(({ record }) => record.governed === true) ? { governed: true as const } : {}),
  };
}

function saidIn({ hold, rejected, cancelled, governed }: TargetRecord): Said {
  return {
    ...(hold === undefined ? {} : { hold }),
    ...(rejected === undefined ? {} : { rejected }),
    ...(cancelled === undefined ? {} : { cancelled }),
    ...(governed === undefined ? {} : { governed }),
  };
}

function cancelledBy({ earlier = [], ...newest }: Cancelled, ids: Former['ids']): Cancelled {
  const one = byCandidate(ids)(newest);
  return earlier.length === 0 ? one : { ...one, earlier: earlier.map(byCandidate(ids)) };
}

function byCandidate(ids: Former['ids']) {
  return <Said extends Pick<Rejection, 'digest' | 'candidate'>>(said: Said): Said => {
    const candidate = said.candidate ?? ids.get(said.digest);
    return candidate === undefined ? said : { ...said, candidate };
  };
}
