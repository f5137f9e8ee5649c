/** What checks keep out: of the environment after, what did not pass them; of the one they run in, what is newer. */

import {
  againAt,
  type Check,
  type CheckRun,
  deadlineOf,
  lostOf,
  runningOn,
  runOf,
  shownCheck,
  shownChecks,
  standingOf,
  together,
} from '../../../promote/checks.ts';
import { ENTER_MS, inWords, staysOnChecked } from '../../../promote/choose.ts';
import type { BlockedBy } from '../../../promote/gate.ts';
import { type CheckShown, checks as gateOfChecks } from '../../../promote/gates/checks.ts';
import { checksToVerify } from '../../../promote/governance.ts';
import { isUndecided, type Verify } from '../../../promote/verify.ts';
import type { TargetRecord } from '../../record/record.ts';
import { cameTo, hasPassed } from '../../record/waiting.ts';
import type { Run } from '../run.ts';
import type { Findings } from '../state.ts';
import { healthNow } from '../words/facts-of-look.ts';
import { jobOf, logsOf } from './job.ts';

interface CheckThere extends CheckShown {
  /** Of the manifests there. */
  readonly digest: string;
}

/** How the checks of the stage before stand for what was asked for. */
export function checksFor({ parts, target, context }: Run, asked: string): readonly CheckThere[] {
  const { governance } = target;
  if (governance.is !== 'InStage') return [];
  const { after, behind } = governance;
  const { environments, checks } = after ?? {};
  if (environments === undefined || checks === undefined) return [];
  const records = parts.store.recordsOf(target.application);
  const inLine = records.find((one) => one.target.environment === behind);
  // It entered the one before in the same stage when it had passed them, and the stage before may have gone on since.
  if (behind !== undefined && hasPassed(inLine, after, asked)) return [];
  const places = parts.specifiedTargets(target.application);
  const now = context.now();
  return environments.flatMap((environment) => {
    const record = records.find((one) => one.target.environment === environment);
    const place = places.find((one) => one.environment === environment);
    const digest = record && cameTo(record, asked);
    // Of what has not come there the order says so.
    if (record === undefined || digest === undefined) return [];
    return checks.map((check) => {
      const standing = standingOf(check, digest, record.checks, now);
      const shown = { environment, check: shownCheck(check), digest, standing };
      if (standing.is !== 'Failed' || place === undefined || !('namespace' in place)) return shown;
      const subject = { target: record.target, namespace: place.namespace, digest };
      return { ...shown, logs: logsOf(jobOf(subject, standing.run)) };
    });
  });
}

/** What has not passed yet of the checks that verify what runs in an environment. */
export function unmetToVerify(
  { parts, target, context }: Run,
  environment: string,
  { checks, deployment }: TargetRecord,
): readonly BlockedBy[] {
  const place = parts.specifiedTargets(target.application).find((one) => one.environment === environment);
  if (place === undefined || !('governance' in place)) return [];
  const { digest = '' } = deployment?.candidate ?? {};
  const names = deployment?.verify?.checks ?? [];
  const had = checksToVerify(place.governance);
  const lost = lostOf(names, had, digest, checks);
  if (lost.length > 0) return [lostChecks(lost)];
  const going = runningOn(names, had, digest, checks);
  const its = had.filter(({ name }) => names.includes(name));
  const all = its.map((check) => ({
    environment,
    check: check.name,
    standing: standingOf({ ...check, validForMs: Number.POSITIVE_INFINITY }, digest, checks, context.now()),
  }));
  return going.length === 0 ? gateOfChecks(all) : [...gateOfChecks(all), runsOn(going)];
}

function lostChecks(names: readonly string[]): BlockedBy {
  const message = `No PromotionPolicy that holds, and can be read, has ${shownChecks(names)} any more, which it entered with: have one that does, or bring a newer commit.`;
  return { reason: 'Checks', message, remedy: 'Person', standing: 'Waiting' };
}

/** Without a time: that is not known by the policy any more, but by Kubernetes. */
function runsOn(names: readonly string[]): BlockedBy {
  const message = `No PromotionPolicy that holds, and can be read, has ${shownChecks(names)} any more, which it entered with: what was begun of that ends, and counts.`;
  return { reason: 'Checks', message, remedy: 'Time', standing: 'Waiting' };
}

/** What that waits for which is verified here, so that nothing is under way without why. */
export function awaitedToVerify(run: Run): readonly BlockedBy[] {
  const { target, context } = run;
  const { deployment } = context.record;
  if (deployment?.outcome === undefined || !isUndecided(deployment.verify)) return [];
  const unmet = unmetToVerify(run, target.environment, context.record);
  return deployment.verify.forMs === 0 ? unmet : [...unmet, toStayHealthy(deployment.verify)];
}

/** Without the time at which that is over: what comes up once more moves it, and each move would be a write. */
function toStayHealthy({ forMs }: Verify): BlockedBy {
  const message = `It has to stay healthy for ${inWords(forMs)} in all from when it was deployed.`;
  return { reason: 'Verifying', message, remedy: 'Time', standing: 'Waiting' };
}

/** Has checks run that were not yet. What is waited for at other gates may begin before those open. */
export function awaitFirst({ parts, target }: Run, all: readonly CheckThere[]): void {
  for (const { environment, digest, standing } of all)
    if (standing.is === 'NotRun') parts.evidence.awaitChecks(target, environment, digest);
}

/** What would enter but for results that are too old has them found anew. */
export function awaitFresh({ parts, target }: Run, all: readonly CheckThere[]): void {
  if (all.some(({ standing: { is } }) => is !== 'Passed' && is !== 'Expired')) return;
  for (const { environment, digest, standing } of all)
    if (standing.is === 'Expired') parts.evidence.awaitChecks(target, environment, digest);
}

/** While what runs is checked, and another environment waits for it, nothing newer takes its place. */
export function staysOnWhatIsChecked(
  run: Run,
  found: Findings,
  digest: string | undefined,
  isWaitedFor: (others: readonly TargetRecord[], record: TargetRecord) => boolean,
): readonly BlockedBy[] {
  const { parts, target, context } = run;
  const { governance, environment } = target;
  const { checks, deployment } = context.record;
  if (governance.is !== 'InStage' || checks === undefined || checks.digest === digest) return [];
  if (deployment?.candidate.digest !== checks.digest || deployment.outcome !== 'Succeeded') return [];
  const wanted = together(governance.checks ?? [], governance.verify?.checks ?? []);
  const until = checkedUntil(wanted, checks.runs, context.now());
  const others = parts.store.recordsOf(target.application).filter((one) => one !== context.record);
  if (until === undefined || !isWaitedFor(others, context.record)) return [];
  // What is not healthy is waited for by nobody: its fix may come in.
  if (found.sight === 'Seen' && healthNow(run, { found }).state !== 'Healthy') return [];
  return [staysOnChecked(governance.policy, environment, until)];
}

/** By when all have ended, and who waits for it has it; undefined: that is so, or one has failed. */
function checkedUntil(wanted: readonly Check[], runs: readonly CheckRun[], now: Date): Date | undefined {
  const ends = wanted.flatMap((check) => {
    const run = runOf(runs, check);
    return run === undefined ? [] : [{ run, end: endOf(check, run) }];
  });
  if (ends.some(({ run, end }) => run.ended !== undefined && run.ended.outcome !== 'Passed' && end < now))
    return undefined;
  const last = Math.max(...ends.map(({ end }) => end.getTime()));
  return last > now.getTime() ? new Date(last) : undefined;
}

function endOf(check: Check, run: CheckRun): Date {
  if (run.ended === undefined) return deadlineOf(check, run);
  return againAt(run) ?? new Date(Date.parse(run.ended.at) + (run.ended.outcome === 'Passed' ? ENTER_MS : 0));
}
