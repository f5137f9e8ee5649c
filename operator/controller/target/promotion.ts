import type { HealthState } from '../../api/v1alpha1/application.ts';
import {
  blockedByFor,
  type Candidate,
  choose,
  ENTER_MS,
  type Evidence as Shows,
  type Situation,
  staysOn,
} from '../../promote/choose.ts';
import { earliest } from '../../promote/earliest.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { rejectionOf } from '../../promote/rejection.ts';
import { type Counted, healthyMs, soaksUntil } from '../../promote/soak.ts';
import { verifyEndsAt } from '../../promote/verify.ts';
import { candidateKey, type TargetRecord, type Waiting } from '../record/record.ts';
import type { Target } from '../record/target.ts';
import { cameTo, hasPassed, waitingBeside } from '../record/waiting.ts';
import { awaitFirst, awaitFresh, checksFor, staysOnWhatIsChecked, unmetToVerify } from './checks/gates.ts';
import { promotedIn } from './commanded.ts';
import type { Promoted } from './commands-view.ts';
import type { Shown } from './evidence.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';
import { healthNow } from './words/facts-of-look.ts';

/** Whether a policy has the target after another one, in another stage or the same: what enters there is promoted. */
export function isPromoted({ governance }: Pick<Target, 'governance'>): boolean {
  return governance.is === 'InStage' && (governance.after !== undefined || governance.behind !== undefined);
}

export type Judged = Pick<TargetState, 'parked' | 'blockedBy' | 'choice' | 'mayEnterAt' | 'promoted'>;

/**
 * What waits in the target, what keeps the wanted candidate out, and which older one may enter in its place; gathered at
 * one moment.
 *
 * @param outerGates what else keeps manifests out, by their digest
 */
export function promotionOf(
  run: Run,
  found: Findings,
  outerGates: (digest: string | undefined) => readonly BlockedBy[],
): Judged {
  const { target, context, underWay } = run;
  if (!isPromoted(target)) return onlyOf(run, found, outerGates);
  const keptOut = keptOutOf(run, found);
  const gatesFor = (digest: string | undefined) => [...outerGates(digest), ...keptOut(digest)];
  const { waiting = [], deployment } = context.record;
  const situation = situationOf(run);
  const candidate = found.wanted?.candidate;
  const choosable = (one: Waiting) => choosableAs(run, situation, one, gatesFor(one.digest));
  const asked = found.chosen?.asked ?? underWay.asked;
  const wanted =
    candidate === undefined || asked === undefined
      ? undefined
      : { id: candidate.id, digest: candidate.digest, asked };
  const promoted = (all: readonly Waiting[]) =>
    promotedIn(run, all, candidate, (one, which) =>
      which === 'Outer'
        ? outerGates(one.digest)
        : blockedByFor(situation, choosableAs(run, situation, one, outerGates(one.digest))),
    );
  const last = waiting.at(-1);
  const parked = last === undefined || last.asked !== asked ? undefined : candidateKey(last);
  if (found.chosen !== undefined && wanted !== undefined)
    return withPromoted(
      {
        parked,
        blockedBy: blockedByFor(situation, choosable(wanted)),
        choice: undefined,
        mayEnterAt: undefined,
      },
      promoted([...keptOf(run, waiting), wanted]),
      wanted,
    );
  const all = inOrder(deployment, keptOf(run, waiting), wanted);
  const { enter, blockedBy, changesAt } = choose({ ...situation, waiting: all.map(choosable) });
  const choice = enter?.asked === wanted?.asked ? undefined : enter;
  return withPromoted({ parked, blockedBy, choice, mayEnterAt: changesAt }, promoted(all), wanted);
}

/** What keeps something newer out while what runs is to be promoted; a person's Promote ends it. */
function keptOutOf(run: Run, found: Findings): (digest: string | undefined) => readonly BlockedBy[] {
  const stays = staysOnWhatSoaks(run, found);
  const { digest: runs } = run.context.record.deployment?.candidate ?? {};
  return (digest) => [
    ...(digest === runs ? [] : stays),
    ...staysOnWhatIsChecked(run, found, digest, isWaitedFor),
  ];
}

function situationOf({ target: { environment, governance, gates }, context: { record } }: Run) {
  return { environment, governance, wasGoverned: record.governed === true, gates };
}

/** Where what the source has is all that may enter. */
function onlyOf(
  run: Run,
  found: Findings,
  outerGates: (digest: string | undefined) => readonly BlockedBy[],
): Judged {
  const { pending } = run.context.record;
  const parked = pending === undefined ? undefined : candidateKey(pending);
  const candidate = found.wanted?.candidate;
  const blockedByWith = (its: string | undefined, gates: readonly BlockedBy[]) =>
    blockedByFor(situationOf(run), { key: '', evidence: [], gates, isThere: isThere(run, its) });
  const digest = candidate?.digest;
  const blockedBy = blockedByWith(digest, [...outerGates(digest), ...keptOutOf(run, found)(digest)]);
  const all = candidate === undefined ? [] : [{ ...candidate, asked: '' }];
  const promoted = promotedIn(run, all, candidate, (one) =>
    blockedByWith(one.digest, outerGates(one.digest)),
  );
  return withPromoted({ parked, blockedBy, choice: undefined, mayEnterAt: undefined }, promoted, candidate);
}

/** Also where that is on its way, or failed: it has entered. */
function isThere({ context: { record } }: Run, digest: string | undefined): boolean {
  return digest !== undefined && record.deployment?.candidate.digest === digest;
}

/** What a person promotes goes before what would enter by itself, once nothing is in its way. */
function withPromoted(
  judged: Omit<Judged, 'promoted'>,
  promoted: Promoted | undefined,
  wanted: Pick<Waiting, 'id' | 'digest'> | undefined,
): Judged {
  if (promoted?.candidate === undefined || promoted.refusal !== undefined) return { ...judged, promoted };
  const { candidate, blockedBy } = promoted;
  if (blockedBy.length > 0) {
    const mayEnterAt = earliest(judged.mayEnterAt, ...blockedBy.map(({ clearsAt }) => clearsAt));
    return { ...judged, promoted, mayEnterAt };
  }
  if (wanted !== undefined && candidateKey(candidate) === candidateKey(wanted))
    return { ...judged, promoted, blockedBy: [], choice: undefined };
  return { ...judged, promoted, choice: candidate };
}

/** What decides of a candidate whether it may enter. Checks that it waits for are asked for, anew where nothing but their age is in its way. */
function choosableAs(
  run: Run,
  situation: Omit<Situation, 'waiting'>,
  one: Waiting,
  gates: readonly BlockedBy[],
): Waiting & Candidate {
  const { asked } = one;
  const its = {
    ...one,
    key: asked,
    evidence: evidenceFor(run, asked),
    gates,
    isThere: isThere(run, one.digest),
  };
  const checks = checksFor(run, asked);
  const isBefore = its.evidence.every(({ is }) => is === 'Passed' || is === 'Soaks');
  if (!its.isThere && isBefore) awaitFirst(run, checks);
  if (checks.length > 0 && blockedByFor(situation, its).length === 0) awaitFresh(run, checks);
  return { ...its, checks };
}

/** While what runs soaks, and another environment waits for it, nothing newer takes its place. */
function staysOnWhatSoaks(run: Run, found: Findings): readonly BlockedBy[] {
  const { parts, target, context } = run;
  const { governance, environment } = target;
  const { record } = context;
  const { soak, deployment } = record;
  if (governance.is !== 'InStage' || governance.soakedMs === undefined || soak === undefined) return [];
  if (deployment?.candidate.digest !== soak.digest) return [];
  if (hasRejected(parts, record, soak.digest)) return [];
  const others = parts.store.recordsOf(target.application).filter((one) => one !== record);
  if (!isWaitedFor(others, record)) return [];
  const { policy, soakedMs: neededMs } = governance;
  const { timeoutMs } = target.settings;
  const soaks = soaksUntil(soak, { live: liveOf(run, found), neededMs, timeoutMs, now: context.now() });
  if (soaks === undefined) return [];
  const stays = { policy, environment, soakedMs: neededMs };
  // A time that moves with each look would be a write with each look.
  if (soaks === 'InSight') return [staysOn({ ...stays, until: undefined })];
  const end = soaks.getTime();
  const now = context.now().getTime();
  // Before it was looked at, it is not known how much counts of the time in which nobody looked.
  const latest = (parts.evidence.knows(target) ? end : Math.max(end, now)) + ENTER_MS;
  if (latest <= now) return [];
  return [staysOn({ ...stays, until: new Date(end > now ? end : latest) })];
}

/** How what runs is now: it is noted at the end of a look only, and what is newer may begin before. */
function liveOf(run: Run, found: Findings): Counted | undefined {
  if (found.sight !== 'Seen') return undefined;
  switch (healthNow(run, { found }).state) {
    case 'Healthy':
      return 'Healthy';
    case 'Degraded':
    case 'Missing':
      return 'Broken';
    case 'Unknown':
      return 'OutOfSight';
    default:
      return 'ComingUp';
  }
}

/**
 * Whether it is to be known how long what runs has been healthy: also where nobody asks for the moment and it was counted,
 * or else who asks again would take for healthy what nobody looked at.
 */
export function isSoakCounted(
  { governance }: Pick<Target, 'governance'>,
  { soak }: Pick<TargetRecord, 'soak'>,
) {
  return soak !== undefined || isSoakAsked({ governance });
}

/** Whether somebody waits until what runs there has been healthy for so long. */
export function isSoakAsked({ governance }: Pick<Target, 'governance'>): boolean {
  return governance.is === 'InStage' && governance.soakedMs !== undefined;
}

/** Whether checks are run there, for others or to verify what entered. */
export function wantsChecks({ governance }: Pick<Target, 'governance'>): boolean {
  if (governance.is !== 'InStage') return false;
  return governance.checks !== undefined || governance.verify?.checks !== undefined;
}

/** Whether another environment waits with what runs here, or would again if what is on its way there were taken back. */
export function isWaitedFor(others: readonly TargetRecord[], record: TargetRecord): boolean {
  const digest = record.deployment?.candidate.digest;
  return others.some((other) =>
    waitingBeside(other).some(
      (one) =>
        cameTo(record, one.asked) === digest && rejectionOf(other.rejected, one.digest, one.id) === undefined,
    ),
  );
}

/** Those whose manifests are kept. */
function keptOf({ context: { store }, target }: Run, waiting: readonly Waiting[]): readonly Waiting[] {
  if (waiting.length === 0) return waiting;
  const kept = new Set(store.candidatesOf(target).map(candidateKey));
  return waiting.filter((one) => kept.has(candidateKey(one)));
}

/** What came after what runs, the newest last. */
function inOrder(
  deployment: TargetRecord['deployment'],
  waiting: readonly Waiting[],
  wanted: Waiting | undefined,
): readonly Waiting[] {
  if (wanted === undefined) return waiting;
  // What runs is the newest again: nothing came after it.
  if (deployment !== undefined && candidateKey(deployment.candidate) === candidateKey(wanted))
    return [wanted];
  return [...waiting.filter(({ asked }) => asked !== wanted.asked), wanted];
}

/** What the environments show of what was asked for that are to have it before: of the stage before, or one of the same. */
function evidenceFor(run: Run, asked: string): readonly Shows[] {
  const { parts, target, context } = run;
  const { governance } = target;
  if (governance.is !== 'InStage') return [];
  const { after, behind } = governance;
  const records = parts.store.recordsOf(target.application);
  const of = (environment: string, soakMs: number): Shows => {
    const record = records.find((one) => one.target.environment === environment);
    const is = shows(parts, record, parts.evidence.of(target, environment), asked);
    if (is === 'Verifies') return { environment, is, ...verified(run, environment, record) };
    return { environment, ...soaked(is, record, soakMs, context.now()) };
  };
  const before = after?.environments.map((environment) => of(environment, after.soakMs ?? 0)) ?? [];
  if (behind === undefined) return before;
  const inLine = records.find((one) => one.target.environment === behind);
  // It entered there when it had passed the stage before, which may have gone on since: but for what failed there.
  const left = hasPassed(inLine, after, asked) ? before.filter(({ is }) => is === 'Rejected') : before;
  return [of(behind, 0), ...left];
}

/** What passed, by how long it was healthy. */
function soaked(
  is: Shows['is'],
  record: TargetRecord | undefined,
  neededMs: number,
  now: Date,
): Pick<Shows, 'is' | 'soakedAt'> {
  if (is !== 'Passed' || neededMs === 0) return { is };
  const { soak, deployment } = record ?? {};
  if (soak === undefined || soak.digest !== deployment?.candidate.digest) return { is: 'Soaks' };
  const left = neededMs - healthyMs(soak, now);
  if (left <= 0) return { is };
  return { is: 'Soaks', ...(soak.since === undefined ? {} : { soakedAt: new Date(now.getTime() + left) }) };
}

/** When, if it goes on as it is. */
function verified(
  run: Run,
  environment: string,
  record: TargetRecord | undefined,
): Pick<Shows, 'verifiedAt' | 'waitsFor'> {
  const [unmet] = record === undefined ? [] : unmetToVerify(run, environment, record);
  if (unmet !== undefined) return { waitsFor: unmet.message };
  const { verify } = record?.deployment ?? {};
  if (verify?.since === undefined) return {};
  // What comes up is waited for by who looks after it.
  const verifiedAt = verifyEndsAt(verify, 0);
  return verifiedAt === undefined ? {} : { verifiedAt };
}

function shows(
  parts: Run['parts'],
  record: TargetRecord | undefined,
  shown: Shown | undefined,
  asked: string,
): Shows['is'] {
  const digest = record && cameTo(record, asked);
  if (record !== undefined && digest !== undefined && hasRejected(parts, record, digest)) return 'Rejected';
  // What is suspended comes to nothing new, nor is it looked at.
  if (shown?.stopped === 'Suspended') return 'Suspended';
  if (record === undefined || digest === undefined) return 'NotSeen';
  const { deployment } = record;
  if (deployment?.candidate.digest !== digest) return shown?.stopped === 'Frozen' ? 'Frozen' : 'RunsAnother';
  if (shown === undefined || shown.health === 'Unknown') return 'OutOfSight';
  const isThrough = deployment.outcome === 'Succeeded' && shown.digest === digest;
  if (!isThrough || shown.health !== 'Healthy') return 'NotHealthy';
  return deployment.verify === undefined || shown.verify === 'Passed' ? 'Passed' : 'Verifies';
}

/** What was said of another target's manifests, whose place it took, it knows by their candidate. */
function hasRejected({ store }: Run['parts'], record: TargetRecord, digest: string): boolean {
  const inherited = record.inherited === true ? store.candidatesOf(record.target) : [];
  const id = inherited.find((one) => one.digest === digest)?.id;
  return rejectionOf(record.rejected, digest, id) !== undefined;
}

/** Those that a promoted target comes after. */
export function comesAfter({ governance }: Pick<Target, 'governance'>): readonly string[] {
  if (governance.is !== 'InStage') return [];
  const { after, behind } = governance;
  return [...(behind === undefined ? [] : [behind]), ...(after?.environments ?? [])];
}

/** How the target is, for those that are promoted after it: Synced at what runs, and its health. */
export function shownBy(state: TargetState, health: HealthState): Omit<Shown, 'asked'> {
  const { verify } = state.deployment ?? {};
  const verified = verify === undefined ? {} : { verify: verify.outcome ?? ('UnderWay' as const) };
  return { ...healthShownBy(state, health), ...verified };
}

/** What keeps all that is new out of it, for those that wait for it. */
export function stoppedBy({ settings, blockedBy }: TargetState): Pick<Shown, 'stopped'> {
  if (settings.suspended !== undefined) return { stopped: 'Suspended' };
  return blockedBy.some(({ reason }) => reason === 'Frozen') ? { stopped: 'Frozen' } : {};
}

function healthShownBy(state: TargetState, health: HealthState): Pick<Shown, 'digest' | 'health'> {
  const { deployment, found } = state;
  const { lookedAfter } = found;
  const digest = deployment?.outcome === 'Succeeded' ? deployment.candidate.digest : undefined;
  if (
    found.sight !== 'Seen' ||
    lookedAfter === undefined ||
    lookedAfter.how === 'Not' ||
    health === 'Unknown'
  )
    return { digest, health: 'Unknown' };
  const isSynced =
    lookedAfter.how === 'Confirmed' ||
    (lookedAfter.how === 'Advanced' && lookedAfter.result.progress.state === 'Done');
  return { digest, health: isSynced && health === 'Healthy' ? 'Healthy' : 'NotHealthy' };
}
