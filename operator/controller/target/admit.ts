import { TowpathError } from '../../api/errors.ts';
import { dryRunAll, dryRunHooks } from '../../apply/run.ts';
import { isApplicationOf } from '../../manifest/keep.ts';
import { idOf, objectKey } from '../../manifest/manifest.ts';
import { checkOwnAnnotations } from '../../plan/own-annotations.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import {
  type Candidate,
  candidateKey,
  type Deployment,
  keepCandidate,
  type Manifests,
  type TargetRecord,
  type Trigger,
} from '../record/record.ts';
import type { TargetIdentity } from '../record/target.ts';
import { withoutFreed } from './deploy/freed.ts';
import { type DeployContext, kindsOf } from './deploy-context.ts';
import { Planning } from './planning.ts';
import { combined } from './refusals.ts';

export interface Judgement {
  /** Keys of objects that cannot be asked about before their prerequisites are there. */
  deferred: string[];
  /** What the dry-run could not find out: an admission webhook without dry-run, or down. */
  undecided: TowpathError[];
}

/**
 * Judges a candidate before its first write: every changed object goes to the API server as a dry-run.
 * Throws Quarantine with all errors in principle; TowpathError where this cluster, as it is now, refuses.
 */
export async function judge(
  context: DeployContext,
  candidate: Candidate,
  manifests: Manifests,
): Promise<Judgement> {
  const { access, inventory, record } = context;
  try {
    checkOwnAnnotations(manifests.objects);
    refuseItself(context.target, manifests);
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    throw new Quarantine({ revision: candidate.revision, candidate: candidate.id }, error);
  }
  await inventory.watches.ensure(kindsOf([...manifests.objects, ...record.applied.values()]), access);
  const planning = await Planning.of(context, manifests.objects);
  const { apply } = await planning.plan();
  const { refusals: found, deferred } = await dryRunAll(access, apply, manifests.objects);
  const refusals = await withoutFreed(context, planning, apply, found);
  refusals.push(...(await dryRunHooks(access, manifests.hooks)));
  const inPrinciple = refusals.filter((refusal) => refusal.verdict === 'Principle');
  if (inPrinciple.length > 0) {
    const all = combined(inPrinciple, 'nothing was applied');
    throw new Quarantine({ revision: candidate.revision, candidate: candidate.id }, all);
  }
  const ofState = refusals.filter((refusal) => refusal.verdict === 'State');
  if (ofState.length > 0) throw combined(ofState, 'nothing was applied');
  return {
    deferred: deferred.map((one) => objectKey(one.manifest)),
    undecided: refusals.filter(({ verdict }) => verdict === 'Undecided').map(({ error }) => error),
  };
}

/** An Application that deploys itself could never become Ready, nor be deleted: it would wait for itself. */
function refuseItself({ name, application }: TargetIdentity, manifests: Manifests): void {
  const itself = manifests.objects.find((object) => isApplicationOf(object, name));
  if (itself === undefined) return;
  const message = `Application ${application} is among its own manifests: remove it there, or let another Application deploy it.`;
  const file = itself.file === undefined ? {} : { file: itself.file };
  throw new TowpathError('Person', 'ManifestInvalid', message, {
    details: [{ object: idOf(itself), message, ...file }],
  });
}

/**
 * Begins a deployment: what it is about to write, and the manifests, are recorded before the first write.
 * One that it overtakes ends as Superseded.
 */
export async function begin(
  context: DeployContext,
  candidate: Candidate,
  manifests: Manifests,
  details: { trigger: Trigger; deferred: string[]; lastId: number; generation: number; request?: string },
): Promise<Deployment> {
  const { record } = context;
  const before = record.deployment;
  const now = context.now().toISOString();
  const isRetry =
    before !== undefined &&
    candidateKey(before.candidate) === candidateKey(candidate) &&
    before.outcome !== 'Succeeded';
  const deployment: Deployment = {
    id: Math.max(details.lastId, before?.id ?? 0) + 1,
    candidate,
    trigger: details.trigger,
    startedAt: now,
    install:
      before === undefined
        ? record.applied.size === 0 && details.lastId === 0
        : before.install && !before.applied,
    // A retry of the same candidate runs only the hooks that had not completed.
    hooks: isRetry ? before.hooks : [],
    generation: details.generation,
    deferred: details.deferred,
    applied: false,
    ...(details.request === undefined ? {} : { request: details.request }),
  };
  await accept(context, candidate, manifests, (changed) => {
    // Also one that ended on its own: its status may not have been written yet. What it has is not told twice.
    if (before !== undefined) {
      const ended =
        before.outcome === undefined
          ? { ...before, outcome: 'Superseded' as const, finishedAt: now }
          : before;
      changed.ended = [...changed.ended, ended].slice(-20);
    }
    changed.deployment = deployment;
    delete changed.pending;
    changed.kinds = unionOfKinds(changed.kinds, manifests);
  });
  context.unreported.begin({ how: 'begun', deployment });
  return deployment;
}

/** Keeps an accepted candidate that waits to be asked for (mode Manual): its bytes are decided now. */
export async function park(
  context: DeployContext,
  candidate: Candidate,
  manifests: Manifests,
): Promise<void> {
  const { pending } = context.record;
  if (pending !== undefined && candidateKey(pending) === candidateKey(candidate)) return;
  await accept(context, candidate, manifests, (changed) => {
    changed.pending = candidate;
  });
}

/** Changes the record and writes it; where the write fails, the record is what it was: nothing runs ahead of it. */
async function accept(
  context: DeployContext,
  candidate: Candidate,
  manifests: Manifests,
  change: (record: TargetRecord) => void,
): Promise<void> {
  const { record, store, signal } = context;
  const before = { ...record };
  change(record);
  keepCandidate(record, candidate, before.pending);
  try {
    await store.save(record, { accepted: { digest: candidate.digest, manifests }, signal });
  } catch (error) {
    delete record.deployment;
    delete record.pending;
    Object.assign(record, before);
    throw error;
  }
}

function unionOfKinds(
  known: readonly { group: string; kind: string; namespace: string }[],
  manifests: Manifests,
) {
  return kindsOf([...known.map((kind) => ({ ...kind, name: '' })), ...manifests.objects, ...manifests.hooks]);
}
