import { parseDuration } from '../api/v1alpha1/duration.ts';
import type { Gates } from '../api/v1alpha1/gates.ts';
import { earliest } from './earliest.ts';
import type { BlockedBy } from './gate.ts';
import { type CheckShown, checks } from './gates/checks.ts';
import { nothingBefore } from './gates/nothing-before.ts';
import type { Governance, InStage } from './governance.ts';

/** What an environment of the stage before shows of a candidate. */
export interface Evidence {
  readonly environment: string;
  readonly is: /** It runs exactly what the candidate is there, was deployed to the end, and is Synced and Healthy. */
    | 'Passed'
    /** The same, but not for long enough yet. */
    | 'Soaks'
    /** It runs that, Synced and Healthy, and has to stay so for a while. */
    | 'Verifies'
    /** It failed there. */
    | 'Rejected'
    /** It runs that, and is not (or no longer) healthy, or not deployed to the end. */
    | 'NotHealthy'
    | 'RunsAnother'
    /** It is not known yet what the candidate is there. */
    | 'NotSeen'
    /** It cannot be seen for now how it is. */
    | 'OutOfSight'
    /** Nothing is written there for now. */
    | 'Suspended'
    /** It does not run it, and nothing new enters for now. */
    | 'Frozen';
  /** When it has been healthy for long enough, where it is so now. */
  readonly soakedAt?: Date;
  /** The same for what is verified. */
  readonly verifiedAt?: Date;
  /** A check that has not passed yet, as a sentence says it. */
  readonly waitsFor?: string;
}

export interface Candidate {
  readonly key: string;
  /** These manifests run there already, or are on their way: what an Environment demands of what is new is not asked. */
  readonly isThere?: boolean;
  /** One for each environment of the stage before; the one before it in line comes first. */
  readonly evidence: readonly Evidence[];
  /** How the checks of the stage stand there. */
  readonly checks?: readonly CheckShown[];
  /** What else keeps it out. */
  readonly gates: readonly BlockedBy[];
}

export interface Situation<One extends Candidate = Candidate> {
  readonly environment: string;
  readonly governance: Governance;
  /** Once a policy had the target in a stage. */
  readonly wasGoverned: boolean;
  /** Its Environment requires a policy, and not exactly one has the target in a stage. */
  readonly lacksPolicy?: BlockedBy;
  /** What its Environment demands itself of the stage before. */
  readonly gates?: Pick<Gates, 'soak' | 'checks'>;
  /** Those that came after what runs, in the order in which they were observed. */
  readonly waiting: readonly One[];
}

export interface Choice<One extends Candidate> {
  /** The one to enter: the newest of those that may. */
  readonly enter?: One;
  /** What keeps the newest out; nothing where it is the one to enter. */
  readonly blockedBy: readonly BlockedBy[];
  /** When a gate of any of them clears by itself: then it is to be asked again. */
  readonly changesAt?: Date;
}

/**
 * Which of the candidates that wait may enter, judged together at one moment, and why the newest may not. Pure: of the same
 * situation always the same is said.
 */
export function choose<One extends Candidate>(situation: Situation<One>): Choice<One> {
  const judged = situation.waiting.map((candidate) => ({
    candidate,
    blockedBy: blockedByFor(situation, candidate),
  }));
  const { blockedBy = policyGate(situation) } = judged.at(-1) ?? {};
  const enter = judged.findLast((one) => one.blockedBy.length === 0)?.candidate;
  const changes = earliest(...judged.flatMap((one) => one.blockedBy.map(({ clearsAt }) => clearsAt)));
  return {
    ...(enter === undefined ? {} : { enter }),
    blockedBy,
    ...(changes === undefined ? {} : { changesAt: changes }),
  };
}

/** What keeps one candidate out, whichever others there are. Pure. */
export function blockedByFor(
  situation: Omit<Situation, 'waiting'>,
  candidate: Candidate,
): readonly BlockedBy[] {
  const order = orderGate(situation, candidate);
  // Of what does not run there, or is not healthy, no check can say anything.
  const isThere = order.every(({ reason }) => reason !== 'Order');
  const unmet = isThere ? checks(candidate.checks ?? []) : [];
  const before = candidate.isThere === true ? [] : nothingBefore(situation);
  return [...policyGate(situation), ...before, ...candidate.gates, ...order, ...unmet];
}

/** Where it does not follow from one policy what may enter, nothing does. */
function policyGate({
  governance,
  wasGoverned,
  lacksPolicy,
  environment,
}: Omit<Situation, 'waiting'>): BlockedBy[] {
  if (lacksPolicy !== undefined) return [lacksPolicy];
  switch (governance.is) {
    case 'InStage':
      return emptyStage(governance, environment);
    case 'Unknown':
      return [
        {
          reason: 'PoliciesUnknown',
          message: `It is not known which PromotionPolicies there are, and so what may enter environment ${environment}; it is tried again: ${governance.problem}`,
          remedy: 'Time',
          standing: 'Blocked',
        },
      ];
    case 'Contested':
      return [
        {
          reason: 'PolicyContested',
          message: `PromotionPolicies ${listed(governance.policies)} all select this Application: change its labels, or a selector, so that one does. Nothing new is deployed until then.`,
          remedy: 'Person',
          standing: 'Blocked',
        },
      ];
    default:
      return wasGoverned ? [policyGone(governance, environment)] : [];
  }
}

function emptyStage({ policy, stage, after }: InStage, environment: string): BlockedBy[] {
  if (after === undefined || after.environments.length > 0) return [];
  return [
    {
      reason: 'StageEmpty',
      message: `Stage ${after.stage} of PromotionPolicy ${policy}, which stage ${stage} with environment ${environment} comes after, has no environment of this Application: nothing can pass it. Add one to spec.environments, or correct the policy.`,
      remedy: 'Resource',
      standing: 'Blocked',
    },
  ];
}

function policyGone(governance: Governance, environment: string): BlockedBy {
  const why =
    governance.is === 'InNoStage'
      ? `PromotionPolicy ${governance.policy} has environment ${environment} in no stage for it any more`
      : `no PromotionPolicy selects this Application any more`;
  return {
    reason: 'PolicyGone',
    message: `What ran in environment ${environment} was promoted, and ${why}: it keeps what it runs until a policy has it in a stage again, or a person promotes: kubectl towpath promote.`,
    remedy: 'Resource',
    standing: 'Blocked',
    untilPromoted: true,
  };
}

/** Nothing enters that has not passed the one before it in line, and the stage before in each of its environments, and soaked there. */
function orderGate({ governance }: Pick<Situation, 'governance'>, { evidence }: Candidate): BlockedBy[] {
  if (governance.is !== 'InStage') return [];
  const { policy, stage, after, behind } = governance;
  if (after === undefined && behind === undefined) return [];
  const unmet = worstOf(evidence);
  if (unmet !== undefined || evidence.length === 0) {
    const whom =
      after === undefined || (behind !== undefined && (unmet === undefined || unmet.environment === behind))
        ? `environment ${behind}, which comes before it in stage ${stage} of PromotionPolicy ${policy}`
        : `stage ${after.stage} of PromotionPolicy ${policy}`;
    const which = unmet === undefined ? '' : `: ${sentenceOf(unmet)}`;
    return [
      {
        reason: 'Order',
        message: `It has not passed ${whom}${which}${which.endsWith('.') ? '' : '.'}`,
        standing: 'Waiting',
        ...(unmet?.is === 'Verifies' ? whenVerified(evidence) : { remedy: 'Resource' }),
      },
    ];
  }
  const soaking = evidence.filter(({ is }) => is === 'Soaks');
  if (soaking.length === 0) return [];
  const ends = soaking.map(({ soakedAt }) => soakedAt?.getTime());
  const isCounting = ends.every((end) => end !== undefined);
  return [
    {
      reason: 'Soak',
      message: `It is to be healthy in environment ${listed(soaking.map(({ environment }) => environment))} for ${inWords(after?.soakMs)} before it enters stage ${stage} of PromotionPolicy ${policy}${demandedBy(governance)}.`,
      remedy: 'Time',
      standing: 'Waiting',
      ...(isCounting ? { clearsAt: new Date(Math.max(...ends)) } : {}),
    },
  ];
}

/** Where it is not the policy that wants it for so long. */
function demandedBy({ after, gates }: InStage): string {
  const demandedMs = after?.demanded?.soakMs ?? 0;
  const ofStageMs = gates?.soak === undefined ? 0 : parseDuration(gates.soak);
  return demandedMs <= ofStageMs ? '' : `, as Environments of that demand themselves (spec.gates.soak)`;
}

/** So long what soaked, or was checked, stays at least for those that are to get it then, who are woken at the same moment. */
export const ENTER_MS = 10_000;
/** What a person has to know first of what did not pass: that it failed, then what is in the way, then what takes time. */
function worstOf(evidence: readonly Evidence[]): Evidence | undefined {
  const unmet = evidence.filter(({ is }) => is !== 'Passed' && is !== 'Soaks');
  return (
    unmet.find(({ is }) => is === 'Rejected') ?? unmet.find(({ is }) => is !== 'Verifies') ?? unmet.at(0)
  );
}

/** Where nothing but time is in the way of all that is verified. */
function whenVerified(evidence: readonly Evidence[]): Pick<BlockedBy, 'remedy' | 'clearsAt'> {
  const ends = evidence
    .filter(({ is }) => is === 'Verifies')
    .map(({ verifiedAt }) => verifiedAt?.getTime() ?? Number.NaN);
  const end = Math.max(...ends);
  return Number.isNaN(end) ? { remedy: 'Resource' } : { remedy: 'Time', clearsAt: new Date(end) };
}

/** What is new waits while the stage before stays on what soaks for the one after it. */
export function staysOn({
  policy,
  environment,
  soakedMs,
  until,
}: {
  policy: string;
  environment: string;
  soakedMs: number;
  /** Undefined: that is not known. */
  until: Date | undefined;
}): BlockedBy {
  return {
    reason: 'Soak',
    message: `Environment ${environment} stays on what runs there until that has been healthy for ${inWords(soakedMs)}: it waits to be promoted by PromotionPolicy ${policy}.`,
    remedy: 'Time',
    standing: 'Waiting',
    ...(until === undefined ? {} : { clearsAt: until }),
  };
}

/** The same while it has soaked, and those who wait for it could not take it yet. */
export function staysOnSoaked({
  policy,
  environment,
  environments,
  until,
}: {
  policy: string;
  environment: string;
  environments: readonly string[];
  until: Date;
}): BlockedBy {
  const those = environments.length > 3 ? [...environments.slice(0, 2), 'others'] : environments;
  return {
    reason: 'Soak',
    message: `Environment ${environment} stays on what has soaked there until PromotionPolicy ${policy} and the clock let it into ${listed(those)}: what is newer would not have soaked by then.`,
    remedy: 'Time',
    standing: 'Waiting',
    clearsAt: until,
  };
}

/** The same while what runs is checked. */
export function staysOnChecked(policy: string, environment: string, until: Date): BlockedBy {
  return {
    reason: 'Checks',
    message: `Environment ${environment} stays on what runs there until its checks have ended: it waits to be promoted by PromotionPolicy ${policy}.`,
    remedy: 'Time',
    standing: 'Waiting',
    clearsAt: until,
  };
}

/** As durations are written: 1h30m. */
export function inWords(ms = 0): string {
  const seconds = Math.round(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 3_600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  return parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('') || '0s';
}

function sentenceOf({ environment, is, waitsFor }: Evidence): string {
  switch (is) {
    case 'Verifies':
      return `environment ${environment} verifies it: ${waitsFor ?? 'it has to stay healthy there for a while'}`;
    case 'Rejected':
      return `it failed in environment ${environment}, which rejected it`;
    case 'NotHealthy':
      return `environment ${environment} is not Synced and Healthy with it`;
    case 'RunsAnother':
      return `environment ${environment} runs another one`;
    case 'NotSeen':
      return `environment ${environment} has not come to it yet`;
    case 'OutOfSight':
      return `how environment ${environment} is cannot be seen for now`;
    case 'Suspended':
      return `environment ${environment} is suspended`;
    case 'Frozen':
      return `environment ${environment} is frozen, and does not run it`;
    case 'Passed':
    case 'Soaks':
      return `environment ${environment} has`;
  }
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
