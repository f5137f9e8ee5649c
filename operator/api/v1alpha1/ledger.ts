/** The archive of the ledger: what stays of a Promotion that ended when its object is gone. */

import { z } from 'zod';
import {
  FINISHED_PHASES,
  isFinished,
  PROMOTION_TYPES,
  type Promotion,
  type PromotionPhase,
  SKIPPABLE_GATES,
} from './promotion.ts';

/** Where the records stand in a ConfigMap of the archive: a line each, compressed by gzip. */
export const LEDGER_KEY = 'records.jsonl.gz';

/** Maxima of what a line may hold: nobody else writes them, and all the same they are compared. */
const text = (max = 256) => z.string().max(max);
const time = z.iso.datetime({ offset: true }).max(35);

/**
 * One Promotion that ended. Identifiers, names and times: nothing of a manifest, and no message, which could hold
 * something of a Secret. Its namespace is that of the chunk it stands in.
 */
export const ledgerRecordSchema = z.object({
  /** Of the Promotion. */
  uid: text(),
  promotion: text(),
  application: text(),
  environment: text(),
  /** Remove: no Promotion, but the end of the target; nothing runs there any more. */
  type: z.enum([...PROMOTION_TYPES, 'Remove']),
  phase: z.enum(FINISHED_PHASES),
  by: text(),
  /** Id of the deployment in the target's history; absent where nothing was deployed. */
  deployment: z.int().min(1).exactOptional(),
  /** Of the Application, as far as the operator made the Promotion. */
  applicationUID: text().exactOptional(),
  /** Of a Remove: id of the last deployment before it. */
  last: z.int().min(1).exactOptional(),
  candidate: text().exactOptional(),
  digest: text().exactOptional(),
  revision: text().exactOptional(),
  /** `main@4f2c81a` */
  shortRevision: text().exactOptional(),
  chart: text().exactOptional(),
  chartDigest: text().exactOptional(),
  appVersion: text().exactOptional(),
  /** Digest and revision of what ran before. */
  previous: z.object({ digest: text().exactOptional(), revision: text().exactOptional() }).exactOptional(),
  skippedGates: z.array(z.enum(SKIPPABLE_GATES)).max(SKIPPABLE_GATES.length).exactOptional(),
  approvedBy: z.array(text()).max(32).exactOptional(),
  requestedAt: time,
  startedAt: time.exactOptional(),
  deployedAt: time.exactOptional(),
  finishedAt: time,
});

export type LedgerRecord = z.output<typeof ledgerRecordSchema>;

/** The same of one that may be under way still. */
export type LedgerEntry = Omit<LedgerRecord, 'phase' | 'finishedAt'> & {
  phase: PromotionPhase;
  finishedAt?: string;
};

/** What the archive keeps of a Promotion; undefined of one that has not ended. */
export function ledgerRecord(promotion: Promotion): LedgerRecord | undefined {
  const { phase, finishedAt, ...entry } = ledgerEntry(promotion);
  // Its uid comes first: by that a line is found.
  return isFinished(phase) && finishedAt !== undefined ? { ...entry, phase, finishedAt } : undefined;
}

/** One that stands in place of a person's is that one's record, by its uid: also where the archive has it already. */
export function ledgerEntry({ metadata, spec, status = {} }: Promotion): LedgerEntry {
  const { candidate, deployment } = spec;
  const { finishedAt, approvals = [], inPlaceOf } = status;
  const { skipGates = [] } = inPlaceOf ?? spec;
  const startedAt = status.startedAt ?? deployment?.startedAt;
  const previous = present({ digest: status.previous?.digest, revision: status.previous?.revision });
  return {
    uid: inPlaceOf?.uid ?? metadata.uid,
    promotion: metadata.name,
    application: spec.application,
    environment: spec.environment,
    type: spec.type,
    phase: status.phase ?? (deployment === undefined ? 'Pending' : 'Deploying'),
    by: inPlaceOf?.requestedBy ?? spec.requestedBy,
    requestedAt: status.requestedAt ?? startedAt ?? metadata.creationTimestamp ?? finishedAt ?? '',
    ...present({
      deployment: status.deployment ?? deployment?.id,
      applicationUID: deployment?.applicationUID,
      candidate,
      digest: status.digest,
      revision: status.revision,
      shortRevision: status.summary?.revision,
      chart: status.chart,
      chartDigest: status.chartDigest,
      appVersion: status.appVersion,
      startedAt,
      deployedAt: status.deployedAt,
      finishedAt,
    }),
    ...(Object.keys(previous).length === 0 ? {} : { previous }),
    ...(skipGates.length === 0 ? {} : { skippedGates: skipGates }),
    ...(approvals.length === 0 ? {} : { approvedBy: approvals.map(({ by }) => by) }),
  };
}

/**
 * What the archive keeps of a target that is gone: its Application, or the environment of that, was deleted.
 *
 * @param last id of its last deployment, as far as that is known
 */
export function removalRecord(
  target: { application: string; environment: string },
  applicationUID: string,
  at: string,
  last?: number,
): LedgerRecord {
  return {
    uid: `${applicationUID}/${target.environment}/${at}`,
    promotion: '',
    ...target,
    type: 'Remove',
    phase: 'Succeeded',
    by: '',
    applicationUID,
    ...(last === undefined ? {} : { last }),
    requestedAt: at,
    startedAt: at,
    finishedAt: at,
  };
}

/** Each record is a line, which begins with its uid. */
export function ledgerText(records: readonly LedgerRecord[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

/** The records in a text, in its order; lines that cannot be read are left out, and counted. */
export function ledgerRecords(lines: string): { records: LedgerRecord[]; unreadable: number } {
  const found = lines.split('\n').filter((line) => line !== '');
  const records = found.flatMap((line) => recordIn(line) ?? []);
  return { records, unreadable: found.length - records.length };
}

function recordIn(line: string): LedgerRecord | undefined {
  try {
    return ledgerRecordSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Without what is undefined. */
function present<Fields extends Record<string, unknown>>(
  fields: Fields,
): { [Name in keyof Fields]?: NonNullable<Fields[Name]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: NonNullable<Fields[Name]>;
  };
}
