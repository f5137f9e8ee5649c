import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { ANNOTATION_PRUNE_CONSENT, LABEL_TARGET } from '../../api/v1alpha1/names.ts';
import type { AppliedObject } from '../../manifest/applied.ts';
import { describeObject, type ObjectId } from '../../manifest/manifest.ts';
import { shortRevision } from '../candidate/revision.ts';
import type { Candidate, Deployment } from '../record/record.ts';
import type { Advance, PruneHeld } from './deploy-context.ts';
import type { Facts, Standing } from './facts.ts';
import { describeAll } from './refusals.ts';
import type { Run } from './run.ts';

const FAILED = { sync: 'Failed', remedy: 'Person' } as const satisfies Partial<Standing>;

/** Turns how far a deployment got into where the target stands; returns when to look again. */
export function standAfter(run: Run, deployment: Deployment, result: Advance): Date | undefined {
  const { facts, context } = run;
  noteResult(run, deployment, result);
  const revision = shortRevision(deployment.candidate.revision, deployment.candidate.ref);
  const { progress } = result;
  switch (progress.state) {
    case 'Done':
      facts.standing = synced(deployment, context.record.applied);
      if (facts.drift !== undefined) facts.drift.count = 0;
      return undefined;
    case 'Waiting':
      facts.standing = {
        sync: 'Syncing',
        reason: progress.health === 'Degraded' ? 'Degraded' : 'Progressing',
        message: `Revision ${revision} is applied${progress.isPart ? ' up to a wave that is not healthy yet' : ''}. ${progress.message}`,
      };
      return progress.deadline;
    case 'TimedOut':
      endFailed(run, deployment, `Not healthy in time: ${progress.message}`);
      facts.standing = {
        ...FAILED,
        reason: 'TimedOut',
        message: `Revision ${revision} did not become healthy within ${run.application.spec.sync.timeout}: ${progress.message} Correct it in Git; or mend the cluster, or raise spec.sync.timeout, and ask for a sync.`,
      };
      return undefined;
    case 'Degraded':
      endFailed(run, deployment, progress.message);
      facts.standing = {
        ...FAILED,
        reason: 'Degraded',
        message: `Revision ${revision} will not become healthy by itself: ${progress.message} Correct it in Git; or mend the cluster, and ask for a sync.`,
      };
      return undefined;
    case 'Pruning':
      facts.standing = {
        sync: 'Syncing',
        reason: 'Pruning',
        message: `Revision ${revision} is applied. ${progress.message}`,
      };
      return undefined;
    case 'PruneHeld':
      tellHeld(run, deployment.candidate, progress);
      return undefined;
    default:
      return standLeft(run, progress);
  }
}

/** What of a result is told whatever state it is in. */
function noteResult({ facts, session }: Run, deployment: Deployment, result: Advance): void {
  session.kept = result.kept;
  facts.kept = result.kept;
  if (result.drift !== undefined) facts.drift = result.drift;
  facts.running = deployment.candidate;
  facts.isLookedAt = true;
}

/** Where a target stands whose differences are left as they are. */
function standLeft(run: Run, progress: Advance['progress']): Date | undefined {
  const { facts } = run;
  switch (progress.state) {
    case 'RepairDelayed':
      facts.standing = {
        sync: 'Syncing',
        reason: 'RepairDelayed',
        message: `${changed(facts)} again and again: it is put back every few seconds. Stop who changes it, or leave the field to them with spec.sync.ignore.`,
      };
      return progress.until;
    case 'AwaitingSync':
      facts.standing = {
        sync: 'OutOfSync',
        reason: 'AwaitingSync',
        message: `${facts.drift === undefined ? `${describeAll(progress.objects)} would change` : changed(facts)}, and spec.sync.mode is Manual: ask for a sync with the annotation towpath.dev/sync-requested.`,
      };
      return undefined;
    case 'Drifted':
      facts.standing = {
        sync: 'OutOfSync',
        reason: 'OutOfSync',
        message: `${changed(facts)} and is left so: set spec.sync.drift to Repair, or ask for a sync.`,
      };
  }
  return undefined;
}

/**
 * Where a target stands whose deployment failed for good; what was applied of it was looked after, and where
 * it was left as it is, that is told as drift.
 */
export function standFailed(run: Run, deployment: Deployment, result: Advance | undefined): Date | undefined {
  const { facts } = run;
  facts.running = deployment.candidate;
  facts.isLookedAt = true;
  if (result !== undefined) noteResult(run, deployment, result);
  if (result?.progress.state === 'Done' && facts.drift !== undefined) facts.drift.count = 0;
  facts.standing = {
    ...FAILED,
    reason: deployment.reason ?? 'ApplyFailed',
    message: deployment.message ?? 'The deployment failed: correct it in Git, or ask for a sync.',
  };
  return result?.progress.state === 'RepairDelayed' ? result.progress.until : undefined;
}

function endFailed({ context }: Run, deployment: Deployment, message: string): void {
  deployment.outcome ??= 'Failed';
  deployment.finishedAt ??= context.now().toISOString();
  deployment.message ??= message;
}

/** Begins a sentence about drift. */
function changed({ drift }: Facts): string {
  if (drift === undefined) return 'An object was changed';
  const by = drift.lastBy === undefined ? '' : ` by ${drift.lastBy}`;
  const what = drift.isGone ? `was deleted, or lost its label ${LABEL_TARGET}` : `was changed${by}`;
  const others = drift.count - 1;
  const more =
    others < 1 ? '' : ` (${others === 1 ? '1 more object differs' : `${others} more objects differ`})`;
  return `${describeObject(drift.lastObject)} ${what}${more}`;
}

export function tellHeld(
  { facts }: Run,
  candidate: Candidate,
  held: Pick<PruneHeld, 'digest' | 'objects'>,
): void {
  const objects: readonly ObjectId[] = held.objects;
  facts.pendingPrune = { digest: held.digest, objects: [...objects] };
  facts.standing = {
    sync: 'Blocked',
    reason: 'PruneHeld',
    message: heldMessage(facts.environment, candidate, held),
    remedy: 'Person',
  };
}

/** Of the branch a part is told, and of the objects as much as there is room for: the digest is copied from here. */
const HELD_REVISION = 40;

/** Asks for consent to exactly these deletions. */
export function heldMessage(
  environment: string,
  { revision, ref }: Pick<Candidate, 'revision' | 'ref'>,
  { digest, objects }: Pick<PruneHeld, 'digest' | 'objects'>,
): string {
  return fitBetween(
    `Revision ${shortRevision(revision, ref, HELD_REVISION)} renders nothing: deleting `,
    describeAll(objects),
    ` needs consent. Correct it in Git, or annotate: ${ANNOTATION_PRUNE_CONSENT}=${environment}=${digest}`,
  );
}

export function synced(deployment: Deployment, applied: ReadonlyMap<string, AppliedObject>): Standing {
  const revision = shortRevision(deployment.candidate.revision, deployment.candidate.ref);
  const count = applied.size === 1 ? '1 object' : `${applied.size} objects`;
  const message = `Revision ${revision} is deployed: ${count}.${largerClaims(applied.values())}`;
  return { sync: 'Synced', reason: 'Synced', message };
}

/** Ends a sentence about what is deployed, where claims stay larger than Git has them: both sizes, both ways out. */
function largerClaims(applied: Iterable<AppliedObject>): string {
  const larger = [...applied].filter((object) => object.larger !== undefined);
  const [first] = larger;
  if (first?.larger === undefined) return '';
  const { git, live } = first.larger;
  const more = larger.length > 1 ? ` (and ${larger.length - 1} more)` : '';
  return ` Claim ${first.name}${more} has ${live}, Git ${git}, and a claim never shrinks: write ${live} in Git, or annotate it there towpath.dev/replace: "true" to make it anew without its data.`;
}
