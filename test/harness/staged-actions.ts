import { type Candidate, type Deployment, noteRan } from '../../operator/controller/record/record.ts';
import { stillWaiting, waitingAfter } from '../../operator/controller/record/waiting.ts';
import { passedBy } from '../../operator/controller/target/actions/begin.ts';
import { displacedBy, rejectedWithout } from '../../operator/controller/target/actions/displaced.ts';
import { takeBack, waitAgain } from '../../operator/controller/target/actions/take-back.ts';
import { replaceDeployment } from '../../operator/controller/target/actions/write-ahead.ts';
import { type Former, lastGood, namedBy } from '../../operator/controller/target/former.ts';
import type { Run } from '../../operator/controller/target/run.ts';
import type { TargetState } from '../../operator/controller/target/state.ts';
import { withoutCancelled } from '../../operator/promote/cancelled.ts';
import type { Command } from '../../operator/promote/command.ts';
import { keepsThere, withAnswer } from '../../operator/promote/hold.ts';
import { rejectionOf, withoutRejection, withRejection } from '../../operator/promote/rejection.ts';
import { failedVerify, newVerify, verifyOnceMore } from '../../operator/promote/verify.ts';

/** What the operator's actions write to a record, without an API server that they ask first. */

/** As actions/begin.ts does. */
export function begin(
  run: Run,
  candidate: Candidate,
  by: Command | undefined,
  whence: 'Newest' | 'Chosen',
): void {
  const { record } = run.context;
  const before = record.deployment;
  const waited = stillWaiting(record);
  const unchanged = { ...record, waiting: waited };
  const deployment = {
    ...newDeployment(run, candidate),
    ...verifyOf(run, candidate, by),
    ...passedBy(run, entering(candidate, by), candidate),
  };
  if (by !== undefined) deployment.promoted = { promotion: by.promotion, uid: by.uid, by: by.by };
  replaceDeployment(record, deployment, before?.outcome === undefined ? 'Superseded' : undefined);
  delete record.pending;
  record.waiting = waitingAfter(waited, candidate, whence === 'Newest' ? whence : 'OnceMore');
  if (record.waiting.length === 0) delete record.waiting;
  delete record.cancelled;
  if (by?.type === 'Promote') {
    delete record.hold;
    if (record.rejected !== undefined) record.rejected = withoutRejection(record.rejected, candidate.digest);
  }
  Object.assign(deployment, displacedBy(unchanged, record));
  noteRan(record);
}

function verifyOf(run: Run, { digest }: Candidate, by: Command | undefined): Pick<Deployment, 'verify'> {
  const { governance } = run.target;
  const { deployment, rejected } = run.context.record;
  const isAgain = deployment?.candidate.digest === digest && deployment.outcome !== 'Succeeded';
  const former = isAgain && deployment.verify !== undefined ? verifyOnceMore(deployment.verify) : undefined;
  const verify = governance.is === 'InStage' ? governance.verify && newVerify(governance.verify) : former;
  if (verify === undefined) return {};
  const hasFailed = rejectionOf(rejected, digest) !== undefined && by === undefined;
  return { verify: hasFailed ? failedVerify(verify, run.context.now()) : verify };
}

/**
 * As actions/go-back.ts does, where the API server takes it.
 *
 * @param note told of what it goes to, before
 */
export async function goBack(
  run: Run,
  asked: Command | undefined,
  note: (to: Candidate) => void,
): Promise<void> {
  const { record } = run.context;
  const at = run.context.now().toISOString();
  const { hold } = record;
  const isHeld = asked === undefined && keepsThere(hold);
  const former = isHeld ? 'A person has it stay.' : await formerOf(run, asked);
  const isThere =
    typeof former !== 'string' &&
    record.deployment?.candidate.digest === former.candidate.digest &&
    record.deployment.outcome === 'Succeeded';
  if (typeof former !== 'string' && !(asked !== undefined && isThere)) {
    note(former.candidate);
    return beginBack(run, asked, former);
  }
  if (asked === undefined) {
    const { deployment } = record;
    if (deployment?.verify !== undefined)
      record.deployment = { ...deployment, verify: { ...deployment.verify, wentBack: 'Impossible' } };
    return;
  }
  if (asked.type === 'Cancel') {
    takeBack(record, asked, String(former), at);
    if (record.deployment !== undefined) record.deployment = { ...record.deployment, exhausted: true };
    return;
  }
  const { promotion, uid, by } = asked;
  const phase = isThere ? ('Succeeded' as const) : ('Failed' as const);
  const isRefused = phase === 'Failed' && !keepsThere(hold);
  if (asked.type === 'Rollback')
    record.hold = { promotion, uid, by, since: at, ...(isRefused ? { refused: true } : {}) };
  record.answered = withAnswer(record.answered ?? [], { uid, phase, message: String(former) });
}

function beginBack(run: Run, asked: Command | undefined, { candidate }: Former): void {
  const { record } = run.context;
  const left = record.deployment;
  const at = run.context.now().toISOString();
  const deployment: Deployment = { ...newDeployment(run, candidate), trigger: 'Rollback' };
  if (asked !== undefined && asked.type !== 'Cancel')
    deployment.promoted = { promotion: asked.promotion, uid: asked.uid, by: asked.by };
  if (asked?.type === 'Cancel') takeBack(record, asked, 'It goes back.', at);
  waitAgain(record);
  const before = { ...record };
  const outcome = left?.outcome === undefined ? ('Superseded' as const) : undefined;
  const outcomeOfLeft = asked?.type === 'Cancel' ? undefined : outcome;
  replaceDeployment(record, deployment, asked === undefined ? 'RolledBack' : outcomeOfLeft);
  if (asked?.type === 'Rollback') {
    const { promotion, uid, by } = asked;
    const others = withoutCancelled(record.cancelled, candidate.digest);
    if (others === undefined) delete record.cancelled;
    else record.cancelled = others;
    record.hold = { promotion, uid, by, since: at };
    const wanted = withoutRejection(record.rejected ?? [], candidate.digest);
    const isLeft = left !== undefined && left.candidate.digest !== candidate.digest;
    const isKnown = rejectionOf(wanted, left?.candidate.digest) !== undefined;
    record.rejected =
      isLeft && !isKnown
        ? withRejection(wanted, { digest: left.candidate.digest, why: `${by} went back.`, at })
        : wanted;
  }
  Object.assign(deployment, displacedBy(before, record));
  noteRan(record);
}

function newDeployment(run: Run, candidate: Candidate): Deployment {
  const startedAt = run.context.now().toISOString();
  const id = (run.context.record.deployment?.id ?? 0) + 1;
  const what = { id, candidate, startedAt, clusterStartedAt: startedAt, generation: 1 };
  return { ...what, trigger: 'Promotion', applied: false, install: false, hooks: [], deferred: [] };
}

function formerOf(run: Run, asked: Command | undefined): Promise<Former | string> {
  const { record } = run.context;
  if (asked?.type === 'Cancel') return lastGood(run, rejectedWithout(record));
  return asked === undefined ? lastGood(run, record.rejected) : namedBy(run, asked);
}

/** As `begin` finds what enters, and by what it does; in the model a commit is asked for by its number. */
function entering(candidate: Candidate, command: Command | undefined): TargetState {
  const asked = `asked ${candidate.revision}`;
  const promoted = command && { command, candidate: { ...candidate, asked }, blockedBy: [] };
  return { promoted, found: { wanted: { candidate }, chosen: { asked } } } as unknown as TargetState;
}
