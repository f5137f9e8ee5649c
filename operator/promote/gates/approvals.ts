import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import type { ApprovalsGate } from '../../api/v1alpha1/gates.ts';
import { shownDigest } from '../../manifest/digest.ts';
import { earliest } from '../earliest.ts';
import type { ApprovalsOf, BlockedBy, Decision, Entry } from '../gate.ts';

/** A decision that is used up, and whether it is one of those that let in what enters. */
export type Settled = Decision & { readonly counts: boolean };

/** So many persons are named. */
const NAMED = 3;

/** Persons who have to say yes to the very manifests that would enter, and whom a no of one of them stops. */
export function approvals({ approvals: all, now }: Entry): readonly BlockedBy[] {
  return all.flatMap((of) => blockedBy(of, now) ?? []);
}

/**
 * What is settled where the manifests enter now, and says nothing when they come back: all that was decided of them, also
 * what a newer decision of the same person, or enough others, made superfluous.
 */
export function settledBy(all: readonly ApprovalsOf[], now: Date): readonly Settled[] {
  const proven = all.filter(({ admission }) => admission.is === 'Enforced');
  const decisions = proven.flatMap((of) => of.decisions);
  const counting = new Set(proven.flatMap((of) => countingOf(of, now).yes.map(({ uid }) => uid)));
  return [...new Map(decisions.map((one) => [one.uid, { ...one, counts: counting.has(one.uid) }])).values()];
}

function blockedBy(of: ApprovalsOf, now: Date): BlockedBy | undefined {
  const { whose, admission, digest, gate, how } = of;
  if (admission.is === 'Missing')
    return {
      reason: 'AdmissionPolicyMissing',
      message: `${whose} wants approvals, and none counts: who gives one is proven by the ${admission.what}, which is missing or does not deny. Who runs Towpath installs it with the chart.`,
      remedy: 'Resource',
      standing: 'Blocked',
    };
  if (admission.is === 'Unknown')
    return {
      reason: 'ApprovalsUnknown',
      message:
        gate.required === 0
          ? `It cannot be seen whether a person rejected ${whichOf(digest)}; it is tried again: ${admission.why}`
          : `${whose} wants approvals, and they cannot be seen; it is tried again: ${admission.why}`,
      remedy: 'Time',
      standing: 'Blocked',
    };
  const { yes, no } = countingOf(of, now);
  const which = whichOf(digest);
  if (no.length > 0)
    return {
      reason: 'Rejected',
      message: fitBetween(
        `${whose} holds back ${which}: rejected by `,
        named(no),
        `. A newer commit may enter; who rejected it may: kubectl towpath approve ${how}`,
      ),
      remedy: 'Resource',
      standing: 'Waiting',
    };
  if (digest !== undefined && yes.length >= gate.required) return undefined;
  const those = yes.length === 0 ? '' : ` (by ${named(yes)})`;
  const count = `${yes.length} of ${gate.required} ${gate.required === 1 ? 'approval' : 'approvals'} of ${which}`;
  const said = `${those}${fromWhom(of)}`;
  return {
    reason: 'AwaitingApproval',
    message: fitBetween(count, said, `: kubectl towpath approve ${how}`),
    meanwhile: fitBetween(count, said, '; to approve it would let nothing in for now.'),
    remedy: 'Resource',
    standing: 'Waiting',
  };
}

function whichOf(digest: string | undefined): string {
  return digest === undefined ? 'what is new' : `manifests ${shownDigest(digest)}`;
}

/** When the first yes that counts now counts no more; undefined: that does not come by itself. */
export function nextExpiry(of: ApprovalsOf, now: Date): Date | undefined {
  const { gate } = of;
  if (gate.validFor === undefined) return undefined;
  const ends = countingOf(of, now).yes.map((one) => endOf(one, gate));
  return earliest(...ends.map((end) => new Date(end)));
}

/**
 * What counts: of each person whom the gate asks the newest decision, unless it is too old. A no takes the yes of the same person
 * back also where it names none of the groups that are asked; it holds nothing back then.
 */
function countingOf(
  { gate, admission, decisions, requester }: ApprovalsOf,
  now: Date,
): { yes: readonly Decision[]; no: readonly Decision[] } {
  if (admission.is !== 'Enforced') return { yes: [], no: [] };
  const proven = decisions.filter(({ at }) => at > admission.since);
  const newest = newestOf(proven.filter((one) => mayDecide(one, gate)));
  const noes = newestOf(proven.filter(({ decision }) => decision === 'Reject'));
  const isTakenBack = (one: Decision) => {
    const no = noes.get(one.by);
    return no !== undefined && isAfter(no, one);
  };
  const counting = [...newest.values()].sort((a, b) => a.at.getTime() - b.at.getTime());
  return {
    yes: counting.filter(
      (one) =>
        one.decision === 'Approve' &&
        !isTakenBack(one) &&
        now.getTime() < endOf(one, gate) &&
        // Two persons have looked at what enters: who asked for it is one of them.
        (one.by !== requester || gate.byRequester === true),
    ),
    no: counting.filter(({ decision }) => decision === 'Reject'),
  };
}

/** Of each person. */
function newestOf(decisions: readonly Decision[]): ReadonlyMap<string, Decision> {
  const newest = new Map<string, Decision>();
  for (const one of decisions) {
    const before = newest.get(one.by);
    if (before === undefined || isAfter(one, before)) newest.set(one.by, one);
  }
  return newest;
}

/** What a program asks for is nobody's decision, since it may do what a commit told it: unless it is named. */
function mayDecide({ by, groups }: Decision, gate: ApprovalsGate): boolean {
  const { serviceAccounts = [] } = gate;
  if (by.startsWith('system:serviceaccount:') || groups.includes('system:serviceaccounts'))
    return serviceAccounts.some(({ namespace, name }) => by === `system:serviceaccount:${namespace}:${name}`);
  return gate.groups === undefined || gate.groups.some((group) => groups.includes(group));
}

/** Of two in the same second a no counts: which came first nobody knows. */
function isAfter(one: Decision, other: Decision): boolean {
  if (one.at.getTime() !== other.at.getTime()) return one.at > other.at;
  return one.decision === 'Reject';
}

function endOf({ at }: Decision, { validFor }: ApprovalsGate): number {
  return validFor === undefined ? Number.POSITIVE_INFINITY : at.getTime() + parseDuration(validFor);
}

function named(decisions: readonly Decision[]): string {
  const names = decisions.slice(0, NAMED).map(({ by }) => by.slice(0, 40));
  const others = decisions.length - names.length;
  return `${names.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}

function fromWhom({ gate: { groups, serviceAccounts = [], byRequester }, requester }: ApprovalsOf): string {
  const but =
    requester === undefined || byRequester === true
      ? ''
      : `, not by ${requester.slice(0, 40)}, who asks for it`;
  if (groups === undefined) return but;
  const all = [...groups, ...serviceAccounts.map(({ namespace, name }) => `${namespace}/${name}`)];
  const names = all.slice(0, NAMED).map((one) => one.slice(0, 40));
  const others = all.length - names.length;
  return `, by ${names.join(', ')}${others > 0 ? ` and ${others} more` : ''}${but}`;
}
