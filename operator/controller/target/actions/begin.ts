import type { Application, Trigger } from '../../../api/v1alpha1/application.ts';
import { PROMOTION_LIMITS } from '../../../api/v1alpha1/promotion.ts';
import { hookName, hooksFor } from '../../../apply/hooks.ts';
import { secondTime } from '../../../kube/times.ts';
import { rejectionOf } from '../../../promote/rejection.ts';
import { skipsStageBefore } from '../../../promote/skipping.ts';
import { failedVerify, newVerify, verifyOnceMore } from '../../../promote/verify.ts';
import {
  type Candidate,
  candidateKey,
  type Deployment,
  type Manifests,
  type TargetRecord,
} from '../../record/record.ts';
import { lastOf } from '../../record/succession.ts';
import { ofMost, runsThere, stillWaiting, waitingAfter, withWaiting } from '../../record/waiting.ts';
import { knownChanges } from '../changes.ts';
import { consentTo } from '../deploy/pruning.ts';
import { Planning } from '../planning.ts';
import { comesAfter, isPromoted } from '../promotion.ts';
import { noteAbandoned } from '../removal/abandoned.ts';
import type { Run } from '../run.ts';
import { entersBy, judgementOf } from '../stage.ts';
import type { Outcome, TargetState } from '../state.ts';
import { displacedBy } from './displaced.ts';
import { liftFor } from './let-go.ts';
import { manifestsOfWanted } from './manifests-of.ts';
import {
  beginning,
  noteAccount,
  replaceDeployment,
  withKinds,
  writeAhead,
  writeAheadAlone,
} from './write-ahead.ts';

/**
 * Begins a deployment: what it is about to write, and the manifests, are recorded before the first write.
 * One that it overtakes ends as Superseded.
 */
export async function begin(run: Run, state: TargetState): Promise<Outcome> {
  const { context, parts, target } = run;
  parts.verdicts.passOver(target.application, state.others.awaited);
  const { wanted, manifests } = await manifestsOfWanted(run, state);
  const { candidate } = wanted;
  const before = context.record.deployment;
  const retried = before !== undefined && isRetried(before, candidate) ? before : undefined;
  const planning = await Planning.of(context, manifests.objects);
  const consent = await consentTo(context, planning, retried);
  if (consent.state === 'PruneHeld') return { type: 'Held', held: consent };
  const baseline = retried?.baseline ?? planning.baseline();
  const consented = consent.state === 'Given' ? consent.to : retried?.consented;
  const deployment: Deployment = {
    ...newDeployment(run, state, candidate),
    ...(baseline.objects === 0 ? {} : { baseline }),
    ...(consented === undefined ? {} : { consented }),
    ...takingOver(run, candidate, manifests),
  };
  const change = (changed: TargetRecord) => {
    const waited = ofMost(stillWaiting(changed), isRunningElsewhere(run));
    const unchanged = { ...changed, waiting: waited };
    replaceDeployment(changed, deployment, before?.outcome === undefined ? 'Superseded' : undefined);
    noteAccount(changed, run.target);
    noteAbandoned(changed, run.target.settings);
    delete changed.pending;
    changed.waiting = waitingAfter(
      waited,
      candidate,
      state.found.chosen === undefined ? 'Newest' : 'OnceMore',
    );
    if (changed.waiting.length === 0) delete changed.waiting;
    delete changed.cancelled;
    if (entersBy(state)?.type === 'Promote') liftFor(candidate, changed);
    Object.assign(deployment, displacedBy(unchanged, changed));
    // The status has what an only target acted on: an older request counts as done no longer.
    if (!run.isOneOfSeveral) delete changed.handledRequest;
    if (run.request.open !== undefined && run.request.key !== undefined)
      changed.handledRequest = run.request.key;
    noteUsed(run, state, deployment, changed);
    changed.kinds = withKinds(changed, manifests);
  };
  // Of what runs before it.
  const changes = knownChanges(run, candidate);
  await writeAheadAlone(run, manifests.objects, change, { candidate, manifests });
  parts.approvals.markUsed(context.record.used ?? []);
  context.unreported.begin({ how: 'begun', deployment });
  parts.evidence.release(target, comesAfter(target));
  return { type: 'Begun', ...(changes === undefined ? {} : { changes }) };
}

/** What it enters by lets nothing else in, also where the Approvals' own status cannot say so before the process ends. */
function noteUsed(
  { parts }: Run,
  { settles }: TargetState,
  { id, startedAt }: Deployment,
  record: TargetRecord,
): void {
  const unmarked = (record.used ?? []).filter(({ approval }) => parts.approvals.isUnmarked(approval));
  const used = [
    ...unmarked,
    ...settles.map(({ uid, counts }) => ({
      approval: uid,
      deployment: id,
      at: startedAt,
      ...(counts ? { counted: true as const } : {}),
    })),
  ];
  if (used.length > 0) record.used = used;
  else delete record.used;
}

/** A candidate waits for its request (mode Manual), or at a gate: its bytes are decided now. */
export async function park(run: Run, state: TargetState): Promise<Outcome> {
  const { wanted, manifests } = await manifestsOfWanted(run, state);
  const { candidate } = wanted;
  const { asked } = run.underWay;
  const change = (changed: TargetRecord) => {
    if (asked === undefined || !isPromoted(run.target)) {
      const { generation } = run.application.metadata;
      changed.pending = { id: candidate.id, digest: candidate.digest, generation };
      return;
    }
    changed.waiting = withWaiting(changed.waiting ?? [], { ...candidate, asked }, isRunningElsewhere(run));
    delete changed.pending;
  };
  await writeAhead(run.context, change, { candidate, manifests });
  return { type: 'Parked' };
}

/** What was asked for runs in another environment: it may pass there. */
function isRunningElsewhere({ parts, target, context }: Run): (asked: string) => boolean {
  return (asked) =>
    parts.store
      .recordsOf(target.application)
      .some((record) => record !== context.record && runsThere(record, asked));
}

/** The same bytes as those that were lost: nothing new is deployed. */
export async function restore(run: Run, state: TargetState): Promise<Outcome> {
  const { store, record, signal } = run.context;
  const { wanted, manifests } = await manifestsOfWanted(run, state);
  await store.save(record, { accepted: { candidate: wanted.candidate, manifests }, signal });
  return { type: 'Restored' };
}

function newDeployment(run: Run, state: TargetState, candidate: Candidate): Deployment {
  const { record } = run.context;
  const before = record.deployment;
  const begun = beginning(run, candidate);
  const isFirst = record.applied.size === 0 && begun.id === 1;
  return {
    ...begun,
    trigger:
      isPromoted(run.target) || entersBy(state) !== undefined
        ? 'Promotion'
        : triggerOf(state, before, candidate),
    install: before === undefined ? isFirst : before.install && !before.applied,
    // A retry of the same candidate runs only the hooks that had not completed.
    hooks: before !== undefined && isRetried(before, candidate) ? before.hooks : [],
    deferred: [...(judgementOf(state)?.deferred ?? [])],
    ...verifyOf(run, state, candidate),
    ...passedBy(run, state, candidate),
    ...promotedBy(state),
    ...approvedBy(run, state),
  };
}

/** As the policy is now. What failed there is the same under another name, but for who has seen that and promotes it. */
function verifyOf(
  { target: { governance }, context }: Run,
  state: TargetState,
  { digest, id }: Candidate,
): Pick<Deployment, 'verify'> {
  const verify =
    governance.is === 'InStage'
      ? governance.verify && newVerify(governance.verify)
      : retriedVerify(context.record, digest);
  if (verify === undefined) return {};
  const isRejected = rejectionOf(context.record.rejected, digest, id) !== undefined;
  const isFailed = isRejected && entersBy(state) === undefined;
  return { verify: isFailed ? failedVerify(verify, context.now()) : verify };
}

/** What is tried once more is verified as it was, where no policy says how. */
function retriedVerify({ deployment }: TargetRecord, digest: string): Deployment['verify'] {
  if (deployment?.verify === undefined || deployment.candidate.digest !== digest) return undefined;
  return deployment.outcome === 'Succeeded' ? undefined : verifyOnceMore(deployment.verify);
}

/** What it passed by the gates of its stage. What is tried once more was asked about when it entered first. */
export function passedBy(
  { target: { governance }, context, underWay }: Run,
  state: TargetState,
  candidate: Candidate,
): Pick<Deployment, 'passed'> {
  const command = entersBy(state);
  if (command?.type === 'Retry') {
    const { deployment } = context.record;
    const { passed } = deployment !== undefined && isRetried(deployment, candidate) ? deployment : {};
    return passed === undefined ? {} : { passed };
  }
  const asked = state.found.chosen?.asked ?? underWay.asked;
  if (governance.is !== 'InStage' || governance.after === undefined || asked === undefined) return {};
  if (command !== undefined && skipsStageBefore(command.skipGates)) return {};
  const { stage, soakMs, checks, demanded } = governance.after;
  if (demanded === undefined) return { passed: { stage, asked } };
  return {
    passed: {
      stage,
      asked,
      ...(soakMs === undefined ? {} : { soakMs }),
      ...(checks === undefined ? {} : { checks: checks.map(({ template }) => template) }),
    },
  };
}

/** What a person asked for is acted on once: the record says so with the first write. */
function promotedBy(state: TargetState): Pick<Deployment, 'promoted'> {
  const command = entersBy(state);
  if (command === undefined) return {};
  const { promotion, uid, by, skipGates } = command;
  return { promoted: { promotion, uid, by, ...(skipGates.length === 0 ? {} : { skipped: skipGates }) } };
}

/** Who let it in: in the record of it more are not told. */
function approvedBy({ parts }: Run, { settles }: TargetState): Pick<Deployment, 'approvals'> {
  const counted = settles.filter(({ counts }) => counts).slice(0, PROMOTION_LIMITS.approvals);
  const approvals = counted.flatMap(({ uid }) => {
    const given = parts.approvals.giverOf(uid);
    return given === undefined ? [] : [{ name: given.name, by: given.by, at: secondTime(given.at) }];
  });
  return approvals.length === 0 ? {} : { approvals };
}

/**
 * The first deployment of a target that takes over others' objects is no install. Where one of these ran the very
 * manifests, no hooks are run for them once more.
 */
function takingOver(
  { parts, target, context }: Run,
  candidate: Candidate,
  { hooks }: Manifests,
): Partial<Deployment> {
  const before = context.record.deployment;
  if (before !== undefined)
    return before.from !== undefined && isRetried(before, candidate) ? { from: before.from } : {};
  const former = (target.takesOver ?? []).flatMap((identity) => {
    const record = parts.store.get(identity);
    // Of one whose record is lost something was deployed, too.
    const isNothing = record !== undefined && record.deployment === undefined;
    return isNothing ? [] : [{ environment: identity.environment, record }];
  });
  if (former.length === 0) return {};
  // Of several the last one's run. Manifests have the marks of their target: the candidate tells that they are the same but for those.
  const isSame = lastOf(former.flatMap(({ record }) => record ?? [])).some(
    ({ deployment }) => deployment?.candidate.id === candidate.id && deployment.outcome === 'Succeeded',
  );
  const run = (['pre-upgrade', 'post-upgrade'] as const).flatMap((event) =>
    hooksFor(hooks, event).map((hook) => hookName(event, hook)),
  );
  return {
    from: former.map(({ environment }) => environment),
    install: false,
    ...(isSame ? { hooks: run } : {}),
  };
}

/** Whether a deployment of the candidate goes on where this one ended. */
function isRetried(before: Deployment, candidate: Candidate): boolean {
  return candidateKey(before.candidate) === candidateKey(candidate) && before.outcome !== 'Succeeded';
}

/** The spec itself names the version of the chart, and named another one before. */
function isNamed(
  { spec }: Application,
  before: Pick<Candidate, 'published'>,
  { published }: Pick<Candidate, 'published'>,
): boolean {
  const version = spec.helm?.chart?.version;
  return version !== undefined && version === published?.version && version !== before.published?.version;
}

/** What asked for a deployment. A request that only found a new commit earlier is that commit's. */
function triggerOf(
  { application, settings, request }: TargetState,
  before: Deployment | undefined,
  candidate: Candidate,
): Trigger {
  if (request !== undefined && settings.mode === 'Manual') return 'Manual';
  if (before === undefined) return 'Commit';
  const isAskedAnew =
    before.generation !== application.metadata.generation &&
    (before.candidate.ref !== candidate.ref ||
      before.candidate.request !== candidate.request ||
      isNamed(application, before.candidate, candidate));
  if (before.candidate.revision !== candidate.revision && !isAskedAnew) return 'Commit';
  return request === undefined ? 'Spec' : 'Manual';
}
