import type { EnvironmentStatus } from '../../api/v1alpha1/application.ts';
import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';
import { PROMOTION_LIMITS, type PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import type { ApplyReason } from '../../manifest/applied.ts';
import { idOf, type Manifest } from '../../manifest/manifest.ts';
import { type Candidate, candidateKey, isOnItsWay, type TargetRecord } from '../record/record.ts';
import { othersThatWait } from './others-that-wait.ts';
import { Planning } from './planning.ts';
import type { Run } from './run.ts';
import type { Session } from './session.ts';
import { stageOf, waitsAt } from './stage.ts';
import type { TargetState } from './state.ts';

export type Changes = NonNullable<PromotionStatus['changes']>;

type Key = Pick<Candidate, 'id' | 'digest'>;

/** What a person promotes, what waits by itself, and all else of which the status tells that it waits. */
const REMEMBERED = 2 + STATUS_LIMITS.waitingOfOne;

/**
 * What a candidate would change of what is there now, by its manifests: the API server is not asked. Undefined where
 * they are kept no more. Found out once for a candidate and what runs.
 *
 * @param to what there is to tell of it
 * @param rendered objects of its manifests, where they are at hand: else they are read
 */
export async function changesOf(
  run: Run,
  candidate: Key,
  to: Pick<Candidate, 'revision' | 'chart'> | undefined,
  rendered?: readonly Manifest[],
): Promise<Changes | undefined> {
  const { store, record, signal } = run.context;
  const known = knownChanges(run, candidate);
  if (known !== undefined) return remember(run, candidate, known);
  const objects = rendered ?? (await store.manifests(record, candidate, signal))?.objects;
  if (objects === undefined) return undefined;
  const from = record.deployment?.candidate;
  return remember(run, candidate, {
    ...(await objectsOf(run, objects)),
    ...fromTo('revision', from?.revision, to?.revision),
    ...fromTo('chart', shownChart(from), shownChart(to)),
  });
}

/** Until so many others were asked for since. */
function remember({ session, context }: Run, candidate: Key, changes: Changes): Changes {
  const of = nameOf(context.record, candidate);
  const others = (session.changes ?? []).filter((one) => one.of !== of).slice(1 - REMEMBERED);
  session.changes = [...others, { of, changes }];
  return changes;
}

/** What was found out of it before, for what runs now. */
export function knownChanges(
  { session, context }: { session: Pick<Session, 'changes'>; context: Pick<Run['context'], 'record'> },
  candidate: Key,
): Changes | undefined {
  const of = nameOf(context.record, candidate);
  return session.changes?.find((one) => one.of === of)?.changes;
}

function nameOf({ deployment }: TargetRecord, candidate: Key): string {
  return `${candidateKey(candidate)} ${deployment?.id ?? 0} ${deployment?.outcome ?? ''}`;
}

/** Finds out what that would change which waits at a gate by itself, and beside it: who says yes to it sees it before. */
export async function noteChanges(run: Run, state: TargetState): Promise<void> {
  const { wanted, sight } = state.found;
  // What runs is another one as soon as that is through.
  if (sight === 'Seen' && !isOnItsWay(state.deployment)) await noteOthers(run, wanted?.candidate.digest);
  if (wanted === undefined || stageOf(state) !== 'Parked' || waitsAt(state) === undefined) return;
  await changesOf(run, wanted.candidate, wanted.candidate, wanted.manifests?.objects);
}

/** What cannot be read is told of without it: nothing else waits for that. */
async function noteOthers(run: Run, told: string | undefined): Promise<void> {
  for (const one of othersThatWait(run, told)) {
    try {
      await changesOf(run, one, one);
    } catch {
      run.context.signal.throwIfAborted();
    }
  }
}

/** The same as the status of the Application has it, which names both commits elsewhere. */
export function changesToTell(run: Run, candidate: Key): EnvironmentStatus['changes'] {
  const { revision: _, ...changes } = knownChanges(run, candidate) ?? {};
  return Object.keys(changes).length === 0 ? undefined : changes;
}

async function objectsOf({ context }: Run, objects: readonly Manifest[]): Promise<Changes> {
  const planning = await Planning.of(context, objects);
  const applies = await planning.applies(objects);
  const named = (reason: ApplyReason, change: 'Added' | 'Changed') =>
    applies.filter((one) => one.reason === reason).map(({ manifest }) => ({ change, ...idOf(manifest) }));
  const [added, changed] = [named('Create', 'Added'), named('Update', 'Changed')];
  const pruned = planning.leaving().map((object) => ({ change: 'Pruned' as const, ...idOf(object) }));
  return {
    added: added.length,
    changed: changed.length,
    pruned: pruned.length,
    objects: [...changed, ...added, ...pruned].slice(0, PROMOTION_LIMITS.changedObjects),
  };
}

function shownChart({ chart }: Pick<Candidate, 'chart'> = {}): string | undefined {
  return chart === undefined ? undefined : cut(chart, STATUS_LIMITS.changedChart);
}

function fromTo(
  what: 'revision' | 'chart',
  from: string | undefined,
  to: string | undefined,
): Pick<Changes, 'revision' | 'chart'> {
  if (from === undefined && to === undefined) return {};
  return { [what]: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) } };
}
