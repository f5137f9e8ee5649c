import type { Cancelled } from '../../../promote/cancelled.ts';
import type { Rejection } from '../../../promote/rejection.ts';
import { newRecord, putBack, type TargetRecord, withEnded } from '../../record/record.ts';
import { lastOf, takingFrom, tookFrom } from '../../record/succession.ts';
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
 * Takes the place of targets that left. What a person held, rejected or took back in one of them, and that a policy had it, holds
 * under its other name: who may rename an entry, and no more, lets nothing in by that. Where the name goes back, the record that is
 * there still has what was so before: what was said and deployed under the other name since is newer. Written once for each
 * change of names, before anything is deployed.
 */
export async function inherit(
  { store, home }: Pick<Parts, 'store' | 'home'>,
  target: Target,
  signal: AbortSignal,
): Promise<void> {
  if (target.takesOver === undefined) return;
  const own = store.get(target);
  const record = own ?? newRecord(target);
  const formers = target.takesOver.flatMap((former) => store.get(former) ?? []);
  const taken = formers.filter((former) => !tookFrom(record, former));
  if (taken.length === 0) return;
  const isFirst = record.deployment === undefined && record.inherited !== true;
  const back = taken.filter((former) => tookFrom(former, record));
  const newer = isFirst ? taken : back;
  const said = saidOf(
    lastOf(newer).map((former) => ({
      record: former,
      ids: new Map(store.candidatesOf(former.target).map(({ id, digest }) => [digest, id])),
    })),
  );
  // Nobody can say anything of it, nor can it begin: who takes the name back finds all as it was.
  if (own === undefined && Object.keys(said).length === 0 && isShut(target)) return;
  const before = { ...record };
  const took = takingFrom(record, taken, store.recordsOf(target.application));
  if (back.some(isWhole)) putBack(record, begunAnew(record, home.now().toISOString()));
  if (back.length > 0) for (const field of ['hold', 'rejected', 'cancelled'] as const) delete record[field];
  // What was said under a new name meanwhile is newer.
  Object.assign(record, { ...said, ...saidIn(record), took });
  if (newer.length > 0) record.inherited = true;
  try {
    await store.save(record, { signal });
  } catch (error) {
    putBack(record, before);
    throw error;
  }
}

function isShut({ refusal, settings }: Target): boolean {
  return refusal !== undefined || settings.suspended !== undefined;
}

/** All of a deployment was applied since it has the place: what ran there before it runs no more. */
function isWhole({ deployment, succeeded, whole }: TargetRecord): boolean {
  return deployment?.applied === true || succeeded !== undefined || whole === true;
}

/** What a record has of what runs, is checked, or waits. */
const OUTDATED = [
  ...(['deployment', 'succeeded', 'whole', 'soak', 'checks'] as const),
  ...(['pending', 'waiting', 'asks', 'ending'] as const),
] as const;

/**
 * The record of a target in whose place another one has deployed since: by what it deployed, or let wait, nothing is enforced,
 * gone back to or begun any more. What a person names of what ran there is kept, and so is what was written and counted.
 */
function begunAnew(record: TargetRecord, at: string): TargetRecord {
  const { deployment } = record;
  const lastId = record.lastId ?? deployment?.id;
  const anew: TargetRecord = {
    ...record,
    applied: new Map(),
    ended: withEnded(record, deployment?.outcome === undefined ? 'Superseded' : undefined, at),
    ...(lastId === undefined ? {} : { lastId }),
    settings: '',
  };
  for (const field of OUTDATED) delete anew[field];
  return anew;
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
