import { TowpathError } from '../../../api/errors.ts';
import { dryRunAll, dryRunHooks } from '../../../apply/run.ts';
import { idOf, objectKey } from '../../../manifest/manifest.ts';
import { isApplicationOf } from '../../../manifest/never-pruned.ts';
import { checkOwnAnnotations } from '../../../plan/own-annotations.ts';
import type { BlockedBy } from '../../../promote/gate.ts';
import { Quarantine } from '../../candidate/quarantine.ts';
import { circularValues, renderWarnings } from '../../candidate/render-warnings.ts';
import type { Candidate, Manifests } from '../../record/record.ts';
import type { TargetIdentity } from '../../record/target.ts';
import { withoutFreed } from '../deploy/free-allocations.ts';
import { refuseOutside } from '../deploy/out-of-bounds.ts';
import { type DeployContext, kindsOf } from '../deploy-context.ts';
import { type Applying, Planning } from '../planning.ts';
import type { Run } from '../run.ts';
import { blockedByOf, isToAccept } from '../stage.ts';
import type { Outcome, TargetState } from '../state.ts';
import { combined } from '../words/refusals.ts';
import { manifestsOfWanted } from './manifests-of.ts';

interface Judgement {
  /** Keys of objects that cannot be asked about before their prerequisites are there. */
  deferred: string[];
  /** What the dry-run could not find out: an admission webhook without dry-run, or down. */
  undecided: TowpathError[];
}

/** Finds out whether the wanted candidate may run, before its first write. */
export async function judge(run: Run, state: TargetState): Promise<Outcome> {
  const { application, context, parts, target, startedAt } = run;
  const unmet = blockedByOf(state, 'Blocked');
  if (unmet !== undefined && !isToAccept(state)) throw asError(unmet);
  const { wanted, manifests } = await manifestsOfWanted(run, state);
  const { deferred, undecided } = await ask().catch((error: unknown) => {
    // What its cluster, as it is, does not take may come with what it waits for.
    throw unmet !== undefined && error instanceof TowpathError ? asError(unmet) : error;
  });
  context.unreported.warn([
    ...renderWarnings(application, wanted),
    ...circularValues(application, manifests),
    ...undecided,
  ]);
  return { type: 'Judged', deferred };

  async function ask(): Promise<Judgement> {
    await parts.access.ready(target, { since: startedAt, ifMissing: 'Make' }, context.signal);
    return judgeManifests(context, wanted.candidate, manifests);
  }
}

function asError({ remedy, reason, message }: BlockedBy): TowpathError {
  return new TowpathError(remedy, reason, message);
}

/**
 * Every changed object goes to the API server as a dry-run. Throws Quarantine with all errors in principle;
 * TowpathError where this cluster, as it is now, refuses.
 */
export async function judgeManifests(
  context: DeployContext,
  candidate: Candidate,
  manifests: Manifests,
  applying: Applying = 'All',
): Promise<Judgement> {
  const { access, inventory, record } = context;
  try {
    checkOwnAnnotations(manifests.objects);
    refuseItself(context.target, manifests);
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    throw new Quarantine({ revision: candidate.revision, candidate: candidate.id }, error);
  }
  refuseOutside(access, [...manifests.objects, ...manifests.hooks]);
  await inventory.watches.ensure(kindsOf([...manifests.objects, ...record.applied.values()]), access);
  const planning = await Planning.of(context, manifests.objects, applying);
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
