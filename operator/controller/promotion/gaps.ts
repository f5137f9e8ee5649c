import { type Application, environmentOf, type HistoryEntry } from '../../api/v1alpha1/application.ts';
import { isFinished, type Promotion } from '../../api/v1alpha1/promotion.ts';
import { secondOf } from '../record/promotion-names.ts';
import { type Deployment, deploymentsIn, type TargetRecord } from '../record/record.ts';
import { isOf, isWhatCameOf, type Recorded } from './promotion-of.ts';
import { recordedOf, type Told } from './recorded.ts';
import { idOf } from './retention.ts';

/** What is to be written down, and under which name, where it has a Promotion. */
export interface Gap {
  readonly recorded: Recorded;
  readonly name?: string;
  /** Unless the archive has it: its Promotion may have been one too many. */
  readonly isUnlessArchived?: true;
}

/** The ledger tells how it ended, by the Promotion of that name, where the operator made one that is there still. */
export interface Found extends Pick<Deployment, 'id' | 'startedAt'> {
  readonly name?: string;
}

/** A target whose Application is known, with what its Promotions and its record say. */
export interface Known {
  readonly application: Application;
  readonly record: TargetRecord;
  /** Of the target. */
  readonly promotions: readonly Promotion[];
}

/**
 * What an earlier process left undone of a target: deployments without a Promotion, and Promotions that do not say how
 * their deployment ended. One of a person that is gone is among the former. From what the record says, which keeps what
 * ended until that is in the ledger. One that an older version wrote did not: of what it has no more, the history in the
 * status tells.
 */
export function gapsOf({ application, record, promotions }: Known): Gap[] {
  const uid = application.metadata.uid;
  const own = promotions.filter(({ spec }) => spec.deployment?.applicationUID === uid);
  // What a person asked for is recorded by that.
  const ofPersons = promotions.filter(({ spec }) => spec.deployment === undefined);
  const oldest = Math.min(...own.map(idOf));
  const gaps = deploymentsOf({ application, record, promotions }).flatMap((recorded): Gap[] => {
    if (ofPersons.some((promotion) => isWhatRecords(promotion, recorded))) return [];
    const there = own.find((promotion) => isOf(promotion, recorded));
    if (there !== undefined)
      return isFinished(there.status?.phase) ? [] : [{ recorded, name: there.metadata.name }];
    const isSince = recorded.inPlaceOf === undefined ? recorded.id > oldest : isSinceOf(promotions, recorded);
    if (recorded.id === record.deployment?.id || (isSince && recorded.inPlaceOf !== undefined))
      return [{ recorded }];
    // What ended before the ledger began is no gap; a record that keeps what ended has nothing from before it.
    if (!isSince && record.lastId === undefined) return [];
    // Also a newer one may be in the archive alone by now: an older one that was made later is there still.
    return [{ recorded, isUnlessArchived: true }];
  });
  const known = new Set(gaps.map(({ name }) => name));
  const lost = promotions.filter(
    ({ metadata, spec, status }) =>
      spec.deployment !== undefined && !isFinished(status?.phase) && !known.has(metadata.name),
  );
  return [...gaps, ...lost.flatMap((promotion) => endOfLost(promotion, own) ?? [])];
}

/**
 * What ended and is no gap the ledger has: its record need not keep it. But what a person asked for is known to have been
 * begun by that alone, until that Promotion says how it ended: else it would be begun once more.
 *
 * @param gaps without what the archive has
 */
export function foundOf({ application, record, promotions }: Known, gaps: readonly Gap[]): readonly Found[] {
  const { target, deployment, ended } = record;
  const missing = new Set(gaps.map(({ recorded }) => recorded.id));
  const open = new Set(
    promotions.flatMap(({ metadata, status }) => (isFinished(status?.phase) ? [] : [metadata.uid])),
  );
  const over = ended.filter(
    ({ id, promoted }) => !missing.has(id) && (promoted === undefined || !open.has(promoted.uid)),
  );
  const of = { target: target.name, applicationUID: application.metadata.uid };
  const nameOf = (one: Deployment) =>
    promotions.find((promotion) => isOf(promotion, { ...of, ...one }) && !open.has(promotion.metadata.uid))
      ?.metadata.name;
  const all = [...over, ...(deployment === undefined ? [] : [deployment])];
  return all.flatMap((one): Found[] => {
    const { id, startedAt } = one;
    const name = nameOf(one);
    if (name !== undefined) return [{ id, startedAt, name }];
    return one === deployment ? [] : [{ id, startedAt }];
  });
}

/** Its own status may not say yet which deployment came of it. */
function isWhatRecords(promotion: Promotion, recorded: Recorded): boolean {
  return promotion.metadata.uid === recorded.inPlaceOf?.uid || isWhatCameOf(promotion, recorded);
}

/**
 * What a person asked for is not in the archive alone where something older is there still. Which Application of the name
 * that is of, nobody knows: what the archive has already is not taken in again.
 */
function isSinceOf(promotions: readonly Promotion[], { startedAt }: Recorded): boolean {
  return promotions.some(({ spec, status }) => {
    const begun = status?.startedAt ?? spec.deployment?.startedAt;
    return begun !== undefined && Date.parse(begun) < Date.parse(startedAt);
  });
}

/** All that are known, the oldest first. */
function deploymentsOf({ application, record, promotions }: Known): Recorded[] {
  const { target } = record;
  const applicationUID = application.metadata.uid;
  const recorded: readonly Told[] = deploymentsIn(record);
  const ids = new Set(recorded.map(({ id }) => id));
  const known = promotions.flatMap((promotion) => knownBy(promotion, applicationUID) ?? []);
  const inStatus = environmentOf(application.status, target.environment)?.history ?? [];
  const told = (record.lastId === undefined ? inStatus : [])
    .filter(({ id }) => !ids.has(id))
    .filter((entry) => fits(entry, recorded, known))
    .flatMap((entry) => toldOf(entry) ?? []);
  const all = [...told, ...recorded].sort((one, other) => one.id - other.id);
  return all.map((one, index) => {
    const overtakenAt = all[index + 1]?.startedAt;
    const previous = all[index - 1]?.candidate;
    const around = { target: target.name, applicationUID, previous };
    return recordedOf(one, overtakenAt === undefined ? around : { ...around, overtakenAt });
  });
}

/** A deployment as the ledger has it, which nobody but the operator writes. */
interface Recounted {
  readonly id: number;
  readonly startedAt: string;
  readonly isOwn: boolean;
}

/** Of one that a person made it is not known of which Application of the name it is. */
function knownBy({ spec, status }: Promotion, applicationUID: string): Recounted | undefined {
  if (spec.deployment !== undefined)
    return spec.deployment.applicationUID === applicationUID
      ? { ...spec.deployment, isOwn: true }
      : undefined;
  const { deployment: id, startedAt } = status ?? {};
  return id === undefined || startedAt === undefined ? undefined : { id, startedAt, isOwn: false };
}

/**
 * Others may write a status, too: what it alone tells is believed only where there is room for it, before what the record
 * has, and between the Promotions by its number and its time alike. So nothing that is recorded gets another account, and
 * nothing newer one in advance.
 */
function fits(
  { id, startedAt }: Pick<HistoryEntry, 'id' | 'startedAt'>,
  recorded: readonly Pick<Told, 'id' | 'startedAt'>[],
  known: readonly Recounted[],
): boolean {
  const at = secondOf(startedAt);
  if (Number.isNaN(at) || recorded.every((one) => one.id < id)) return false;
  const begin = Math.min(...known.filter(({ isOwn }) => isOwn).map((one) => secondOf(one.startedAt)));
  const ofIts = known.filter((one) => one.isOwn || secondOf(one.startedAt) >= begin);
  const others = [...recorded, ...ofIts.filter((one) => one.id !== id || secondOf(one.startedAt) !== at)];
  return others.every((one) => {
    const then = secondOf(one.startedAt);
    return one.id < id ? then <= at : one.id > id && then >= at;
  });
}

function toldOf(entry: HistoryEntry): Told | undefined {
  const { id, revision, candidate, ref = '', chart, chartDigest, appVersion, digest } = entry;
  const { outcome, trigger, startedAt, finishedAt, message } = entry;
  // Without an outcome its record would have it.
  if (candidate === undefined || digest === undefined || outcome === undefined) return undefined;
  return {
    id,
    candidate: {
      id: candidate,
      revision,
      ref,
      digest,
      ...(chart === undefined ? {} : { chart }),
      ...publishedBy(chartDigest),
      ...(appVersion === undefined ? {} : { appVersion }),
    },
    trigger,
    startedAt,
    outcome,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(message === undefined ? {} : { message }),
  };
}

/** What stays of a published chart in a status. */
function publishedBy(chartDigest: string | undefined): Pick<Told['candidate'], 'published'> {
  return chartDigest === undefined ? {} : { published: { digest: chartDigest.replace(/^sha256:/, '') } };
}

/** Nothing but its Promotion knows of it: it came to no end that anybody saw, and something else runs. */
function endOfLost(promotion: Promotion, own: readonly Promotion[]): Gap | undefined {
  const { metadata, spec, status } = promotion;
  const { deployment, candidate } = spec;
  if (deployment === undefined || candidate === undefined) return undefined;
  const next = own
    .filter((other) => idOf(other) > deployment.id)
    .sort((one, other) => idOf(one) - idOf(other))
    .at(0)?.spec.deployment;
  const { digest = '', revision = '', chart, chartDigest, appVersion } = status ?? {};
  return {
    name: metadata.name,
    recorded: {
      target: `${metadata.namespace}/${spec.application}/${spec.environment}`,
      applicationUID: deployment.applicationUID,
      id: deployment.id,
      candidate: {
        id: candidate,
        digest,
        revision,
        ref: '',
        ...(chart === undefined ? {} : { chart }),
        ...publishedBy(chartDigest),
        ...(appVersion === undefined ? {} : { appVersion }),
      },
      trigger: 'Commit',
      startedAt: deployment.startedAt,
      previous: undefined,
      phase: 'Superseded',
      ...(next === undefined ? {} : { finishedAt: next.startedAt }),
      message: 'Its end was not seen.',
    },
  };
}

/** Those whose Application, or whose environment of it, is no more: what is under way of them ends. */
export function lostOf(promotions: readonly Promotion[]): Gap[] {
  return promotions
    .filter(({ spec, status }) => spec.deployment !== undefined && !isFinished(status?.phase))
    .flatMap((promotion) => endOfLost(promotion, promotions) ?? []);
}
