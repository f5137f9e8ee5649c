import { isInPrinciple } from '../../../apply/classify.ts';
import type { ObjectId } from '../../../manifest/manifest.ts';
import type { Deployment } from '../../record/record.ts';
import { advance as advanceDeployment, repair as repairDeployment } from '../deploy/deploy.ts';
import { refuseOutside } from '../deploy/out-of-bounds.ts';
import { endHooks } from '../deploy/run-hooks.ts';
import {
  type Advance,
  type DeployContext,
  isAsApplied,
  isUndisturbed,
  saveChanges,
} from '../deploy-context.ts';
import { applyingOf, isApplied } from '../planning.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState } from '../state.ts';
import { explainForbidden } from '../words/forbidden.ts';
import { manifestsOf } from './manifests-of.ts';

/** Ends hooks' objects that an earlier process made, or a write that landed late: as often as one is seen. */
export async function tidy({ context }: Run): Promise<Outcome> {
  const deployment = deploymentOf(context);
  if (deployment.outcome === undefined && !deployment.applied)
    context.unreported.begin({ how: 'takenUp', deployment });
  const isTakenBack = deployment.outcome === 'Cancelled';
  await endHooks(context, ({ madeIn = deployment.id }) => !isTakenBack && madeIn >= deployment.id);
  // Asked once in a look: it takes as long as there are objects.
  return { type: 'Tidied', isUndisturbed: isUndisturbed(context) };
}

/** Nothing differs: no manifest is read, and nothing is asked of the API server. */
export async function confirm({ context }: Run): Promise<Outcome> {
  refuseOutside(context.access, context.record.applied.values());
  await saveChanges(context);
  context.drift.clear();
  return { type: 'LookedAfter', lookedAfter: { how: 'Confirmed' } };
}

/** Brings the cluster to the deployment's manifests, as far as it gets without waiting for health. */
export async function advance(run: Run, state: TargetState): Promise<Outcome> {
  const { context } = run;
  const deployment = deploymentOf(context);
  const manifests = await manifestsOf(run, state, deployment.candidate);
  refuseOutside(context.access, manifests.objects);
  claimWhatIsToCome(run, deployment, manifests.objects);
  const result = await advanceDeployment(context, deployment, manifests);
  await noteEnd(context, deployment, result);
  return { type: 'LookedAfter', lookedAfter: { how: 'Advanced', result } };
}

/** Of what an earlier process began, nobody else makes what it has not made yet. */
function claimWhatIsToCome(
  { parts, target }: Run,
  deployment: Deployment,
  objects: readonly ObjectId[],
): void {
  if (deployment.applied || deployment.outcome !== undefined) return;
  const applying = applyingOf(deployment);
  parts.claims.takeUp(
    target,
    objects.filter((object) => isApplied(object, applying)),
  );
}

/** What was applied of a deployment that failed for good is still enforced. */
export async function repair(run: Run, state: TargetState): Promise<Outcome> {
  const { context } = run;
  const isAsItWas = isAsApplied(context);
  if (isAsItWas) context.drift.clear();
  const deployment = deploymentOf(context);
  const result = isAsItWas
    ? undefined
    : await repairDeployment(context, deployment, await manifestsOf(run, state, deployment.candidate));
  await saveChanges(context);
  return {
    type: 'LookedAfter',
    lookedAfter: { how: 'Repaired', ...(result === undefined ? {} : { result }) },
  };
}

/** Counts a try that failed by the deployment's own fault; after the last one it failed for good. */
export async function count(run: Run, { found }: TargetState): Promise<Outcome> {
  const { context, application } = run;
  const { signal } = context;
  if (found.failure === undefined) throw new Error('there is no failure to count');
  const deployment = deploymentOf(context);
  const error = await explainForbidden(run.parts, run.target, found.failure.error, signal);
  const attempts = (deployment.attempts ?? 0) + 1;
  deployment.attempts = attempts;
  if (attempts > application.spec.sync.retries.limit || isInPrinciple(error.reason)) {
    deployment.outcome ??= 'Failed';
    deployment.exhausted = true;
    deployment.reason ??= error.reason;
    deployment.message ??= error.message;
    deployment.finishedAt ??= context.now().toISOString();
  }
  await context.store.save(context.record, { signal });
  return { type: 'Counted', error, attempts };
}

/** What will not become healthy any more has failed; what comes of it is looked after all the same. */
async function noteEnd(context: DeployContext, deployment: Deployment, { progress }: Advance): Promise<void> {
  if (progress.state !== 'TimedOut' && progress.state !== 'Degraded') return;
  const isNew = deployment.outcome === undefined;
  const { message } = progress;
  deployment.outcome ??= 'Failed';
  deployment.finishedAt ??= context.now().toISOString();
  deployment.message ??= progress.state === 'TimedOut' ? `Not healthy in time: ${message}` : message;
  if (!isNew) return;
  // Before the status tells it, which is not asked by a process that follows.
  context.store.changed(context.record);
  await saveChanges(context);
}

function deploymentOf({ record }: DeployContext): Deployment {
  if (record.deployment === undefined) throw new Error('there is no deployment');
  return record.deployment;
}
