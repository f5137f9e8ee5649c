import type { HealthState } from '../../api/v1alpha1/application.ts';
import {
  blockedByFor,
  type Candidate,
  choose,
  type Evidence as Shows,
  type Situation,
} from '../../promote/choose.ts';
import { earliest } from '../../promote/earliest.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { healthyMs } from '../../promote/soak.ts';
import { standingOf } from '../../promote/staying.ts';
import { verifyEndsAt } from '../../promote/verify.ts';
import { candidateKey, type TargetRecord, type Waiting } from '../record/record.ts';
import type { Target } from '../record/target.ts';
import { cameTo, hasPassed } from '../record/waiting.ts';
import { acceptedIn } from './accepted.ts';
import { awaitFirst, awaitFresh, checksFor, staysOnWhatIsChecked, unmetToVerify } from './checks/gates.ts';
import { promotedIn } from './commanded.ts';
import type { Promoted } from './commands-view.ts';
import type { Shown } from './evidence.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';
import { hasRejected, isWaitedFor, type KeptOut, staysOnWhatSoaks } from './staying.ts';

/** Whether a policy has the target after another one, in another stage or the same: what enters there is promoted. */
export function isPromoted({ governance }: Pick<Target, 'governance'>): boolean {
  return governance.is === 'InStage' && (governance.after !== undefined || governance.behind !== undefined);
}

export type Judged = Pick<
  TargetState,
  'waitsInLine' | 'parked' | 'blockedBy' | 'choice' | 'mayEnterAt' | 'promoted'
>;

/** What else keeps manifests out, by their digest; of another environment too, or at another moment. */
type OuterGates = (digest: string | undefined, of?: Run) => readonly BlockedBy[];

/**
 * What waits in the target, what keeps the wanted candidate out, and which older one may enter in its place; gathered at
 * one moment.
 */
export function promotionOf(run: Run, found: Findings, outerGates: OuterGates): Judged {
  const { target, context, underWay } = run;
  if (!isPromoted(target)) return onlyOf(run, found, outerGates);
  const keptOut = keptOutOf(run, found, outerGates);
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
        waitsInLine: true,
        parked,
        blockedBy: blockedByFor(situation, choosable(wanted)),
        choice: undefined,
        mayEnterAt: undefined,
      },
      promoted([...keptOf(run, waiting), wanted]),
      wanted,
    );
  const all = inOrder(deployment, keptOf(run, waiting), wanted);
  noteStanding(run, all, outerGates);
  const { enter, blockedBy, changesAt } = choose({ ...situation, waiting: all.map(choosable) });
  const choice = enter?.asked === wanted?.asked ? undefined : enter;
  return withPromoted(
    { waitsInLine: true, parked, blockedBy, choice, mayEnterAt: changesAt },
    promoted(all),
    wanted,
  );
}

/** What environments stay on while it soaks, by the names of their targets: each is judged once, whoever asks. */
type KnownStays = Map<string, readonly BlockedBy[]>;

/** What keeps something newer out while what runs is to be promoted; a person's Promote ends it. */
function keptOutOf(
  run: Run,
  found: Findings,
  outerGates: OuterGates,
  known: KnownStays = new Map(),
): (digest: string | undefined) => readonly BlockedBy[] {
  const { name } = run.target;
  const staysOn = () => {
    const stays =
      known.get(name) ?? staysOnWhatSoaks(run, found, (of) => keptOutAfter(run, of, outerGates, known));
    known.set(name, stays);
    return stays;
  };
  const { digest: runs } = run.context.record.deployment?.candidate ?? {};
  return (digest) => [
    ...(digest === runs ? [] : staysOn()),
    ...staysOnWhatIsChecked(run, found, digest, isWaitedFor),
  ];
}

/**
 * What keeps what soaks here out of another environment, but for this one, and when the last of its gates opened, where that
 * was a moment ago. Undefined: this environment is not asked for it.
 */
function keptOutAfter(
  run: Run,
  of: Run,
  outerGates: OuterGates,
  known: KnownStays,
): (one: Waiting) => KeptOut | undefined {
  const { environment } = run.target;
  // It may stay on something itself, for those that come after it.
  const stays = keptOutOf(of, {}, outerGates, known);
  return (one) => {
    const evidence = evidenceFor(of, one.asked);
    if (evidence.every((its) => its.environment !== environment)) return undefined;
    // Who else shows it, and ceases to, is heard of.
    for (const its of evidence)
      if (its.environment !== environment) run.parts.evidence.of(run.target, its.environment);
    const blockedBy = blockedByFor(situationOf(of), {
      key: one.asked,
      evidence: evidence.map((its) =>
        its.environment === environment ? { environment, is: 'Passed' } : its,
      ),
      checks: checksFor(of, one.asked),
      gates: [...outerGates(one.digest, of), ...stays(one.digest)],
      isThere: isThere(of, one.digest),
    });
    // What opens later is the last of them.
    if (blockedBy.some(({ clearsAt }) => clearsAt !== undefined)) return { blockedBy };
    return { blockedBy, ...openedLately(run, of, one, outerGates) };
  };
}

/** By what a clock would have kept it out for as long ago as it may take to be begun. */
function openedLately(
  { target, context }: Run,
  of: Run,
  { digest }: Waiting,
  outerGates: OuterGates,
): Pick<KeptOut, 'openedAt'> {
  const now = context.now().getTime();
  const then = new Date(now - target.settings.timeoutMs);
  const { openings } = of.parts;
  const former: Run = {
    ...of,
    parts: { ...of.parts, openings: openings.former },
    context: { ...of.context, now: () => then },
  };
  const clears = outerGates(digest, former).flatMap(({ clearsAt }) => clearsAt?.getTime() ?? []);
  const opened = clears.filter((at) => at <= now);
  return opened.length === 0 ? {} : { openedAt: new Date(Math.max(...opened)) };
}

/** Who stays on what waits here hears when something else than before keeps it out. */
function noteStanding({ parts, target }: Run, all: readonly Waiting[], outerGates: OuterGates): void {
  const standing = new Map(all.map((one) => [one.asked, standingOf(outerGates(one.digest))] as const));
  parts.evidence.noteStanding(target, standing, comesAfter({ governance: target.governance }));
}

function situationOf({ target: { environment, governance, gates, lacksPolicy }, context: { record } }: Run) {
  return {
    environment,
    governance,
    wasGoverned: record.governed === true,
    gates,
    ...(lacksPolicy === undefined ? {} : { lacksPolicy }),
  };
}

/** Where what the source has is all that may enter. */
function onlyOf(run: Run, found: Findings, outerGates: OuterGates): Judged {
  const { pending } = run.context.record;
  const parked = pending === undefined ? undefined : candidateKey(pending);
  const accepted = acceptedIn(run, found);
  const candidate = found.wanted?.candidate ?? accepted;
  const blockedByWith = (its: string | undefined, gates: readonly BlockedBy[]) =>
    blockedByFor(situationOf(run), { key: '', evidence: [], gates, isThere: isThere(run, its) });
  const digest = candidate?.digest;
  const keptOut = keptOutOf(run, found, outerGates);
  const blockedBy = blockedByWith(digest, [...outerGates(digest), ...keptOut(digest)]);
  const all = candidate === undefined ? [] : [{ ...candidate, asked: '' }];
  const promoted = promotedIn(run, all, candidate, (one) =>
    blockedByWith(one.digest, outerGates(one.digest)),
  );
  if (accepted === undefined)
    return withPromoted({ parked, blockedBy, choice: undefined, mayEnterAt: undefined }, promoted, candidate);
  const mayEnter = blockedBy.length === 0 && run.target.settings.mode === 'Automatic';
  const choice = mayEnter ? { ...accepted, asked: '' } : undefined;
  const mayEnterAt = earliest(...blockedBy.map(({ clearsAt }) => clearsAt));
  return withPromoted({ parked, blockedBy, choice, mayEnterAt }, promoted, undefined);
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
