import { type Application, environmentOf } from '../../../api/v1alpha1/application.ts';
import type { ObjectId } from '../../../manifest/manifest.ts';
import {
  type Candidate,
  type Deployment,
  type Manifests,
  putBack,
  type TargetRecord,
  withEnded,
} from '../../record/record.ts';
import type { Target, TargetIdentity } from '../../record/target.ts';
import { type DeployContext, kindsOf } from '../deploy-context.ts';
import type { Run } from '../run.ts';

/** No target gets so far: who writes more into a status wants the number to be too large for what reads it. */
const MOST_COUNTED = 1_000_000_000;

/**
 * Id of the last deployment that is known of; 0: there was none. The record counts. Others may write a status, too: that is
 * asked only where the record is lost.
 */
export function lastId(
  { status }: Pick<Application, 'status'>,
  { environment }: Pick<TargetIdentity, 'environment'>,
  { deployment, lastId: counted }: Pick<TargetRecord, 'deployment' | 'lastId'>,
): number {
  const inRecord = counted ?? deployment?.id;
  if (inRecord !== undefined) return inRecord;
  const told = environmentOf(status, environment)?.history ?? [];
  return Math.max(0, ...told.map(({ id }) => id).filter((id) => id <= MOST_COUNTED));
}

/** What every deployment begins with. */
export function beginning(
  { application, target, context: { record, now, clusterNow } }: Run,
  candidate: Candidate,
) {
  return {
    id: lastId(application, target, record) + 1,
    candidate,
    startedAt: now().toISOString(),
    clusterStartedAt: clusterNow().toISOString(),
    generation: application.metadata.generation,
    applied: false,
  } satisfies Partial<Deployment>;
}

/** Puts a deployment in the place of the one before, with the outcome that this has by that. */
export function replaceDeployment(
  record: TargetRecord,
  deployment: Deployment,
  outcome: Deployment['outcome'],
): void {
  const { deployment: before } = record;
  record.ended = withEnded(record, outcome, deployment.startedAt);
  // Who takes its place by then goes back to nothing that ran before it.
  if (before?.applied === true && record.took !== undefined) record.whole = true;
  record.deployment = deployment;
  record.lastId = deployment.id;
  if (record.soak?.digest !== deployment.candidate.digest) delete record.soak;
  if (record.checks?.digest !== deployment.candidate.digest) delete record.checks;
}

/** As whom it is written from now on, and what that account is bound to where its access is managed. */
export function noteAccount(record: TargetRecord, target: Pick<Target, 'account' | 'managedRole'>): void {
  if (target.account !== undefined) record.account = target.account.name;
  noteManagedRole(record, target);
}

export function noteManagedRole(record: TargetRecord, { managedRole }: Pick<Target, 'managedRole'>): void {
  if (managedRole === undefined) delete record.managedRole;
  else record.managedRole = managedRole;
}

/** With the kinds that manifests are about to be written of. */
export function withKinds({ kinds }: TargetRecord, manifests: Manifests): TargetRecord['kinds'] {
  return kindsOf([...kinds.map((kind) => ({ ...kind, name: '' })), ...manifests.objects, ...manifests.hooks]);
}

type Change = (record: TargetRecord) => void;

interface Accepted {
  readonly candidate: Candidate;
  readonly manifests: Manifests;
}

/**
 * Changes the record and writes it, with a candidate that is accepted by that; where the write fails, the record is what it was:
 * nothing runs ahead of it.
 */
export async function writeAhead(context: DeployContext, change: Change, accepted?: Accepted): Promise<void> {
  const { record, store, signal } = context;
  const before = { ...record };
  change(record);
  try {
    await store.save(record, { ...(accepted === undefined ? {} : { accepted }), signal });
  } catch (error) {
    putBack(record, before);
    throw error;
  }
}

/**
 * The same of a deployment that begins, and is about to make these objects: nobody else is making one of them.
 *
 * @throws TowpathError where somebody is: then nothing is written
 */
export async function writeAheadAlone(
  { context, parts: { claims }, target }: Pick<Run, 'context' | 'parts' | 'target'>,
  objects: readonly ObjectId[],
  change: Change,
  accepted?: Accepted,
): Promise<void> {
  claims.take(target, objects);
  try {
    await writeAhead(context, change, accepted);
  } catch (error) {
    claims.release(target.name);
    throw error;
  }
  claims.begun(target.name);
}
