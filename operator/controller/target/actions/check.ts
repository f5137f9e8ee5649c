import { TowpathError } from '../../../api/errors.ts';
import { wordsOf } from '../../../apply/refusal-words.ts';
import { ApiError, isConflict, isTransient } from '../../../kube/errors.ts';
import { objectKey } from '../../../manifest/manifest.ts';
import {
  begunFor,
  type Check,
  type CheckEnd,
  type CheckRule,
  type CheckRun,
  checksAfter,
  nextCheck,
  runOf,
  shownCheck,
  standingOf,
  together,
} from '../../../promote/checks.ts';
import { checks as gateOfChecks } from '../../../promote/gates/checks.ts';
import { checksToVerify, type InStage } from '../../../promote/governance.ts';
import { isUndecided } from '../../../promote/verify.ts';
import { putBack, type TargetRecord } from '../../record/record.ts';
import { type CheckSubject, jobOf, logsOf } from '../checks/job.ts';
import { endJobs, resultNow, seeJobs, startJob } from '../checks/jobs.ts';
import { kindsOf } from '../deploy-context.ts';
import { shownBy } from '../promotion.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState } from '../state.ts';
import { isWaitedFor } from '../staying.ts';
import { healthNow } from '../words/facts-of-look.ts';

/** Before it is tried again what could not be asked, or written. */
const AGAIN_MS = 5_000;

/** The checks of what runs, in one look. */
interface Checking {
  readonly run: Run;
  /** Those that a policy has; where none that holds is known, those that were begun. */
  readonly wanted: readonly (Check | CheckRule)[];
  readonly subject: CheckSubject;
  /** Whether what runs is deployed to the end, Synced and Healthy. */
  readonly isHealthy: boolean;
}

type Ends = ReadonlyMap<CheckRun, CheckEnd>;

/**
 * Runs the checks that a policy wants of what runs here: takes in what ended, writes down what it is about to begin, and
 * begins that. A process that ends anywhere in between goes on with the same Jobs.
 */
export async function check(run: Run, state: TargetState): Promise<Outcome> {
  const { context } = run;
  const checking = checkingOf(run, state);
  if (checking === undefined) return { type: 'Checked' };
  try {
    const ends = await endsOf(checking);
    await note(checking, ends);
    const refused = await start(checking);
    await note(checking, refused);
    await tidyUp(checking);
    const isNews = ends.size > 0 || refused.size > 0;
    // What waited for that is looked at anew.
    const again = isNews ? context.now() : nextCheck(checking.wanted, context.record.checks, context.now());
    return { type: 'Checked', ...(again === undefined ? {} : { again }) };
  } catch (error) {
    context.signal.throwIfAborted();
    if (isConflict(error)) throw error;
    if (!(error instanceof TowpathError) && !isTransient(error)) throw error;
    return { type: 'Checked', again: new Date(context.now().getTime() + AGAIN_MS) };
  }
}

function checkingOf(run: Run, state: TargetState): Checking | undefined {
  const { target, context } = run;
  const { governance, namespace } = target;
  const { deployment } = context.record;
  if (deployment === undefined) return undefined;
  const { digest, revision } = deployment.candidate;
  const shown = shownBy(state, healthNow(run, state).state);
  return {
    run,
    wanted:
      governance.is === 'InStage'
        ? wantedIn(governance, context.record)
        : begunFor(digest, context.record.checks),
    subject: { target, namespace, digest, revision },
    isHealthy: shown.health === 'Healthy' && shown.digest === digest,
  };
}

/** Those that verify what entered are begun as long as that is not decided. */
function wantedIn({ checks = [], verify }: InStage, { deployment, checks: known }: TargetRecord) {
  const names = toPassBy(deployment);
  const toVerify = (verify?.checks ?? []).filter(
    (check) => names.includes(check.name) || (known !== undefined && runOf(known.runs, check) !== undefined),
  );
  return together(checks, toVerify);
}

/** Names of what it has to pass still: as the policy said when it entered. */
function toPassBy(deployment: TargetRecord['deployment']): readonly string[] {
  const { verify } = deployment ?? {};
  return isUndecided(verify) ? (verify.checks ?? []) : [];
}

/** Whether what entered is not through before it passed. */
function verifies({ target: { governance }, context }: Run, { name, template }: CheckRule): boolean {
  if (!toPassBy(context.record.deployment).includes(name)) return false;
  return checksToVerify(governance).some((one) => one.name === name && one.template === template);
}

/** Whether another environment waits for what runs here, or asks for its checks. */
function isAskedFor({ parts, target, context: { record } }: Run, digest: string): boolean {
  if (parts.evidence.areChecksAwaited(target, digest)) return true;
  return isWaitedFor(
    parts.store.recordsOf(target.application).filter((one) => one !== record),
    record,
  );
}

/** Those that have not ended as far as it is written down. */
function* underWay({ run, wanted, subject }: Checking): Generator<[Check | CheckRule, CheckRun]> {
  const { checks } = run.context.record;
  if (checks?.digest !== subject.digest) return;
  for (const check of wanted) {
    const last = runOf(checks.runs, check);
    if (last !== undefined && last.ended === undefined) yield [check, last];
  }
}

/** What has ended since it was looked at last. */
async function endsOf(checking: Checking): Promise<Ends> {
  const { run, subject } = checking;
  const ends = new Map<CheckRun, CheckEnd>();
  for (const [check, one] of underWay(checking)) {
    const result = await orCouldNotRun(checking, () => resultNow(run.context, subject, check, one));
    if (result !== undefined && result !== 'NotMade') ends.set(one, endNow(run, result));
  }
  return ends;
}

const LOST = { outcome: 'CouldNotRun', why: 'its Job is gone' } as const;

/** Makes the Jobs that are not there; those that could not be made are told. */
async function start(checking: Checking): Promise<Ends> {
  const { run, subject } = checking;
  const { access, inventory } = run.context;
  const refused = new Map<CheckRun, CheckEnd>();
  for (const [check, one] of underWay(checking)) {
    if (inventory.of(access.targetId).has(objectKey(jobOf(subject, one)))) continue;
    // That it is right no more is told of the environment, and not as the end of a check.
    await run.context.accessChecked();
    const refusal = await orCouldNotRun(checking, async () => {
      await seeJobs(run.context, subject.namespace);
      if (!('job' in check)) return LOST;
      await startJob(run.context, subject, check, one);
      return undefined;
    });
    if (refusal !== undefined) refused.set(one, endNow(run, refusal));
  }
  return refused;
}

/** What keeps one run from being looked at is that run's alone, unless the API server does not answer at all. */
async function orCouldNotRun<Result>(
  { run }: Checking,
  work: () => Promise<Result>,
): Promise<Result | Omit<CheckEnd, 'at'>> {
  try {
    return await work();
  } catch (error) {
    run.context.signal.throwIfAborted();
    if (isTransient(error) || !(error instanceof TowpathError || error instanceof ApiError)) throw error;
    if (error instanceof TowpathError && error.reason === 'ClusterUnreachable') throw error;
    const why = error instanceof ApiError ? wordsOf(error) : error.message.replace(/\.$/, '');
    return { outcome: 'CouldNotRun', why };
  }
}

function endNow({ parts, application, context }: Run, { outcome, why }: Omit<CheckEnd, 'at'>): CheckEnd {
  const at = context.now().toISOString();
  if (why === undefined) return { outcome, at };
  return { outcome, at, why: parts.secrecy.hideIn(application, why).slice(0, MOST_WHY) };
}

/** Of why it ended so no more is kept: a status has room for no more. */
const MOST_WHY = 200;

/** Writes down what ended, and what is about to begin. */
async function note(checking: Checking, ends: Ends): Promise<void> {
  const { run, wanted, subject, isHealthy } = checking;
  const { context, parts, target, request } = run;
  const mayBegin = target.governance.is === 'InStage';
  const { record, store, signal } = context;
  const { checks: before } = record;
  const after = checksAfter(before, ends, {
    wanted,
    kept: toPassBy(record.deployment),
    digest: subject.digest,
    now: context.now(),
    isHealthy: isHealthy && mayBegin,
    isWaitedFor: (check) => verifies(run, check) || isAskedFor(run, subject.digest),
    // What is asked for is done when there is a policy.
    request: request.open === undefined || !mayBegin ? undefined : request.key,
    isAwaited: parts.evidence.areChecksAwaited(target, subject.digest),
  });
  if (after === before) return;
  const withJobs = await kindsWith(checking, after?.runs ?? []);
  const asItWas = { ...record };
  if (after === undefined) delete record.checks;
  else record.checks = after;
  record.kinds = withJobs;
  try {
    await store.save(record, { signal });
  } catch (error) {
    // Nothing is begun that is not written down.
    putBack(record, asItWas);
    throw error;
  }
  parts.evidence.checksBegun(target);
  for (const { outcome } of ends.values()) parts.onChecked(outcome);
  tell(checking, ends);
}

/** The kinds that the target has, with Jobs where some are to be made: unless nobody may see them, which the run itself is told. */
async function kindsWith({ run: { context }, subject }: Checking, runs: readonly CheckRun[]) {
  const { kinds } = context.record;
  const jobs = runs.filter(({ ended }) => ended === undefined).map((one) => jobOf(subject, one));
  if (jobs.length === 0) return kinds;
  try {
    await seeJobs(context, subject.namespace);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof TowpathError) || error.reason === 'ClusterUnreachable') throw error;
    return kinds;
  }
  return kindsOf([...kinds.map((kind) => ({ ...kind, name: '' })), ...jobs]);
}

/** That one did not pass is an event. */
function tell({ run, wanted, subject }: Checking, ends: Ends): void {
  const { context, target } = run;
  const { checks } = context.record;
  const unmet = [...ends.keys()].flatMap((ended) => {
    const check = wanted.find(({ name, template }) => name === ended.check && template === ended.template);
    if (check === undefined) return [];
    const standing = standingOf(check, subject.digest, checks, context.now());
    const shown = { environment: target.environment, check: shownCheck(check), standing };
    return gateOfChecks([{ ...shown, logs: logsOf(jobOf(subject, ended)) }]);
  });
  context.unreported.warn(
    unmet.map(({ remedy, reason, message }) => new TowpathError(remedy, reason, message)),
  );
}

/** Ends what runs for nobody any more, and removes what passed; one that failed stays for a day, with what it wrote. */
async function tidyUp({ run, subject }: Checking): Promise<void> {
  const { checks } = run.context.record;
  const outcomes = new Map(
    (checks?.runs ?? []).map((one) => [objectKey(jobOf(subject, one)), one.ended?.outcome ?? 'Runs']),
  );
  await endJobs(run.context, (job) => {
    const outcome = outcomes.get(objectKey(job));
    return outcome === 'Passed' || (job.runs === true && outcome !== 'Runs');
  });
}
