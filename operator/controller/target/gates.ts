import type { Freeze } from '../../api/v1alpha1/environment.ts';
import type { Gates } from '../../api/v1alpha1/gates.ts';
import { withUsefulAdvice } from '../../promote/advice.ts';
import { cancelledGate, cancelledOf } from '../../promote/cancelled.ts';
import type { Command } from '../../promote/command.ts';
import { changesAt, decide } from '../../promote/decide.ts';
import { doubtGate } from '../../promote/doubt.ts';
import { earliest } from '../../promote/earliest.ts';
import type { ApprovalsOf, BlockedBy, Decision, Entry } from '../../promote/gate.ts';
import { settledBy } from '../../promote/gates/approvals.ts';
import { frozenBy, nextChange } from '../../promote/gates/freeze.ts';
import { goingBackGate, heldGate, mayBeHeldGate } from '../../promote/hold.ts';
import { heldBack, rejectionOf } from '../../promote/rejection.ts';
import type { SpecifiedTarget, Target } from '../record/target.ts';
import { askedIn, commandedIn, isAboutAnother } from './commanded.ts';
import { dependenciesIn } from './dependencies.ts';
import { isSoakAsked, type Judged, promotionOf } from './promotion.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';

/** What waits, what keeps it out now, until when, and which may enter, gathered and judged at one moment. */
export function gatesOf(run: Run, found: Findings): Judged & Pick<TargetState, 'gatesChangeAt' | 'settles'> {
  const changes: Date[] = [];
  const known = new Map<string | undefined, readonly BlockedBy[]>();
  const gatesFor = (digest: string | undefined, of = run): readonly BlockedBy[] => {
    // What another environment is kept out by changes nothing here.
    if (of !== run) return outerGates(of, {}, digest).all;
    const before = known.get(digest);
    if (before !== undefined) return before;
    const { all, change } = outerGates(run, found, digest);
    if (change !== undefined) changes.push(change);
    known.set(digest, all);
    return all;
  };
  const promotion = promotionOf(run, found, gatesFor);
  for (const { clearsAt } of promotion.blockedBy) if (clearsAt !== undefined) changes.push(clearsAt);
  return {
    ...promotion,
    blockedBy: withUsefulAdvice(promotion.blockedBy),
    gatesChangeAt: earliest(...changes),
    settles: settledBy(
      approvalsOf(run, found, allGates(run.target), found.wanted?.candidate.digest),
      run.context.now(),
    ),
  };
}

/** All that keeps manifests out but for what is promoted before, and when that may be something else by itself. */
function outerGates(
  run: Run,
  found: Findings,
  digest: string | undefined,
): { readonly all: readonly BlockedBy[]; readonly change: Date | undefined } {
  const { environment, doubts = [] } = run.target;
  const entry = entryOf(run, found, digest);
  const blockedBy = decide(entry);
  const doubted = doubts.map((doubt) => doubtGate(environment, doubt));
  const all = [...doubted, ...heldBackGates(run, found, digest), ...blockedBy, ...policyFreeze(run)];
  const change = earliest(changesAt(entry, blockedBy), nextChange(freezesOfPolicy(run), entry.now));
  return { all, change };
}

/**
 * What a person holds, or took back, and what failed there before. What runs is kept as it is, whatever became of it; it
 * is not begun anew either where it was taken back, or somebody waits to go back from it.
 */
function heldBackGates(run: Run, found: Findings, digest: string | undefined): readonly BlockedBy[] {
  const { name, namespace } = run.application.metadata;
  const { environment } = run.target;
  const { deployment, rejected, cancelled, hold } = run.context.record;
  const how = `${name} ${environment} -n ${namespace}`;
  const goesBack = waitsToGoBack(run);
  const candidate = inheritedId(run, found, digest);
  const tookBack = cancelledOf(cancelled, digest, candidate);
  const always = [
    ...(goesBack === undefined ? [] : [goingBackGate(goesBack, namespace)]),
    ...(tookBack === undefined ? [] : [cancelledGate(tookBack, how)]),
  ];
  if (deployment?.candidate.digest === digest) return always;
  const rejection = rejectionOf(rejected, digest, candidate);
  const unknown = hold === undefined ? run.parts.commands.unknown(run.target.name) : undefined;
  return [
    ...always,
    ...(hold === undefined || goesBack !== undefined ? [] : [heldGate(hold, how)]),
    ...(unknown === undefined ? [] : [mayBeHeldGate(environment, unknown)]),
    ...(rejection === undefined ? [] : [heldBack(environment, rejection)]),
  ];
}

/** Of the candidate with these manifests, where what was said of it may have been said of another target's. */
function inheritedId(
  { target, context: { record, store } }: Run,
  { wanted }: Findings,
  digest: string | undefined,
): string | undefined {
  if (record.inherited !== true || digest === undefined) return undefined;
  if (wanted?.candidate.digest === digest) return wanted.candidate.id;
  return store.candidatesOf(target).find((one) => one.digest === digest)?.id;
}

/** A rollback holds from when it was accepted, or is tried once more, also while it cannot be begun. */
function waitsToGoBack(run: Run): Command | undefined {
  const asked = askedIn(run);
  return asked?.type === 'Rollback' || asked?.type === 'Retry' ? asked : undefined;
}

function policyFreeze(run: Run): readonly BlockedBy[] {
  const { governance } = run.target;
  if (governance.is !== 'InStage') return [];
  const whose = `PromotionPolicy ${governance.policy}`;
  const frozen = frozenBy(whose, freezesOfPolicy(run), run.context.now());
  return frozen === undefined ? [] : [frozen];
}

/** The release manager's. */
function freezesOfPolicy({ target: { governance } }: Run): readonly Freeze[] {
  return governance.is === 'InStage' ? (governance.freezes ?? []) : [];
}

/** All that decides whether manifests may enter, by their digest. */
function entryOf(run: Run, found: Findings, digest: string | undefined): Entry {
  const { parts, application, target, context } = run;
  const { environment, freezes } = target;
  const now = context.now();
  const all = allGates(target);
  return {
    environment,
    now,
    freezes,
    openings: all.flatMap(({ whose, field, gates: { windows } }) =>
      windows === undefined
        ? []
        : [{ whose, field: `${field}.windows`, opening: parts.openings.at(windows, now) }],
    ),
    dependencies: dependenciesIn(environment, application, parts),
    approvals: [...approvalsOf(run, found, all, digest), ...nosOnceMore(run, found, all, digest)],
  };
}

/**
 * Of what failed, or was taken back, and is tried once more, nobody is asked for a yes; a no that was given since holds it
 * back, whoever asks: a person, a sync, or another spec. A no that cannot be seen may be there.
 */
function nosOnceMore(
  run: Run,
  found: Findings,
  all: readonly GatesOf[],
  digest: string | undefined,
): readonly ApprovalsOf[] {
  const { candidate, outcome } = run.context.record.deployment ?? {};
  if (digest === undefined || candidate?.digest !== digest) return [];
  if (outcome !== 'Failed' && outcome !== 'Cancelled') return [];
  const provable = decidedOf(run, found, all, digest).filter(({ admission }) => admission.is !== 'Missing');
  return provable.map((one) => ({ ...one, gate: { ...one.gate, required: 0 } }));
}

interface GatesOf {
  /** As a sentence begins. */
  readonly whose: string;
  /** Where they stand there. */
  readonly field: string;
  readonly gates: Gates;
}

/** The platform's own, and those of the stage that a policy has the target in: one lifts none of the other's. */
function allGates({ environment, gates, governance }: Pick<Target, 'environment' | 'gates' | 'governance'>) {
  const all: GatesOf[] = [{ whose: `Environment ${environment}`, field: 'spec.gates', gates }];
  if (governance.is !== 'InStage' || governance.gates === undefined) return all;
  const { stage, policy } = governance;
  const whose = `Stage ${stage} of PromotionPolicy ${policy}`;
  all.push({ whose, field: `spec.stages[${stage}].gates`, gates: governance.gates });
  return all;
}

/** Whether persons have to say yes to what enters. */
export function wantsApprovals(target: Pick<Target, 'environment' | 'gates' | 'governance'>): boolean {
  return allGates(target).some(({ gates }) => gates.approvals !== undefined);
}

/** Who said yes to manifests that wait, as the gates count it now. */
export function yesTo(run: Run, digest: string): readonly Decision[] {
  const settled = settledBy(approvalsOf(run, {}, allGates(run.target), digest), run.context.now());
  return settled.filter(({ counts }) => counts);
}

/**
 * A process that begins anew has not heard of any: what nobody has seen is no reason to say that none is there, nor to go on
 * from what soaks for an environment that wants them.
 */
export async function knowApprovals({ parts, target, context }: Run): Promise<void> {
  const others = isSoakAsked(target) ? parts.specifiedTargets(target.application) : [];
  if (![target, ...others].some(isDecidedOf)) return;
  await parts.approvals.known(context.signal);
  // What could not be written before the process ended.
  parts.approvals.markUsed(context.record.used ?? []);
}

/** Whether a yes or a no of persons says anything there. */
function isDecidedOf(target: SpecifiedTarget): boolean {
  return isRejectable(target) || ('gates' in target && wantsApprovals(target));
}

/** None where the manifests entered already: what runs is not asked about again, and a retry is no entry. */
function approvalsOf(
  run: Run,
  found: Findings,
  all: readonly GatesOf[],
  digest: string | undefined,
): readonly ApprovalsOf[] {
  const { deployment } = run.context.record;
  const hasEntered = digest !== undefined && deployment?.candidate.digest === digest;
  return hasEntered ? [] : decidedOf(run, found, all, digest);
}

/** What was decided of manifests, for each gate that wants that. */
function decidedOf(
  run: Run,
  found: Findings,
  all: readonly GatesOf[],
  digest: string | undefined,
): readonly ApprovalsOf[] {
  const { parts, application, target, context } = run;
  const { name, namespace } = application.metadata;
  const { used = [] } = context.record;
  const usedUp = new Set(used.map(({ approval }) => approval));
  const decisions = digest === undefined ? [] : parts.approvals.unused(target.name, digest);
  const decided = {
    how: `${name} ${target.environment} -n ${namespace}`,
    digest,
    decisions: decisions.filter(({ uid }) => !usedUp.has(uid)),
    admission: parts.approvals.admission,
    requester: requesterOf(run, found, digest),
  };
  const asked = all.flatMap(({ whose, gates: { approvals: gate } }) =>
    gate === undefined ? [] : [{ ...decided, whose, gate }],
  );
  return asked.length > 0 ? asked : unaskedOf(run, decided);
}

/** Where nobody is to say yes, the no of whoever may make Approvals there holds the manifests back all the same. */
function unaskedOf({ parts: { approvals }, target }: Run, decided: Decided): readonly ApprovalsOf[] {
  if (!isRejectable(target) || decided.digest === undefined) return [];
  const of = { ...decided, whose: `Environment ${target.environment}`, gate: { required: 0 } };
  const unseen = approvals.unseen(target.name);
  if (unseen !== undefined) return [{ ...of, admission: { is: 'Unknown', why: unseen } }];
  const isRejected = decided.decisions.some(({ decision }) => decision === 'Reject');
  return isRejected && decided.admission.is !== 'Missing' ? [of] : [];
}

type Decided = Omit<ApprovalsOf, 'whose' | 'gate'>;

/** Without an Environment there is nobody who lets anything in, and so keeps it out. */
function isRejectable(target: SpecifiedTarget): boolean {
  return 'bounds' in target && target.bounds !== undefined;
}

/** Who asks for these manifests: nobody where it is known that what a person asks for is something else that waits. */
function requesterOf(run: Run, { wanted }: Findings, digest: string | undefined): string | undefined {
  const { waits } = commandedIn(run);
  if (waits?.type !== 'Promote') return undefined;
  const kept = run.context.store.candidatesOf(run.target);
  const all = wanted === undefined ? kept : [...kept, wanted.candidate];
  const ids = all.filter((one) => one.digest === digest).map(({ id }) => id);
  return digest !== undefined && isAboutAnother(run, waits, { digest, ids }) ? undefined : waits.by;
}
