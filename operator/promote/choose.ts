import type { BlockedBy } from './gate.ts';
import type { Governance, InStage } from './governance.ts';

/** What an environment of the stage before shows of a candidate. */
export interface Evidence {
  readonly environment: string;
  readonly is: /** It runs exactly what the candidate is there, was deployed to the end, and is Synced and Healthy. */
    | 'Passed'
    /** It runs that, and is not (or no longer) healthy, or not deployed to the end. */
    | 'NotHealthy'
    | 'RunsAnother'
    /** It is not known yet what the candidate is there. */
    | 'NotSeen'
    /** It cannot be seen for now how it is. */
    | 'OutOfSight';
}

export interface Candidate {
  readonly key: string;
  /** One for each environment of the stage before. */
  readonly evidence: readonly Evidence[];
  /** What else keeps it out. */
  readonly gates: readonly BlockedBy[];
}

export interface Situation<One extends Candidate = Candidate> {
  readonly environment: string;
  readonly governance: Governance;
  /** Once a policy had the target in a stage. */
  readonly wasGoverned: boolean;
  /** Those that came after what runs, in the order in which they were observed. */
  readonly waiting: readonly One[];
}

export interface Choice<One extends Candidate> {
  /** The one to enter: the newest of those that may. */
  readonly enter?: One;
  /** What keeps the newest out; nothing where it is the one to enter. */
  readonly blockedBy: readonly BlockedBy[];
}

/**
 * Which of the candidates that wait may enter, judged together at one moment, and why the newest may not. Pure: of the same
 * situation always the same is said.
 */
export function choose<One extends Candidate>(situation: Situation<One>): Choice<One> {
  const { waiting } = situation;
  const newest = waiting.at(-1);
  const outer = policyGate(situation);
  const blockedBy = newest === undefined ? outer : blockedByFor(situation, newest);
  const enter = waiting.findLast((candidate) => blockedByFor(situation, candidate).length === 0);
  return enter === undefined ? { blockedBy } : { enter, blockedBy };
}

/** What keeps one candidate out, whichever others there are. Pure. */
export function blockedByFor(
  situation: Omit<Situation, 'waiting'>,
  candidate: Candidate,
): readonly BlockedBy[] {
  return [...policyGate(situation), ...candidate.gates, ...orderGate(situation, candidate)];
}

/** Where it does not follow from one policy what may enter, nothing does. */
function policyGate({ governance, wasGoverned, environment }: Omit<Situation, 'waiting'>): BlockedBy[] {
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
    message: `What ran in environment ${environment} was promoted, and ${why}: it keeps what it runs until a policy has it in a stage again.`,
    remedy: 'Resource',
    standing: 'Blocked',
  };
}

/** Nothing enters that has not passed the stage before in each of its environments. */
function orderGate({ governance }: Pick<Situation, 'governance'>, { evidence }: Candidate): BlockedBy[] {
  if (governance.is !== 'InStage' || governance.after === undefined) return [];
  const unmet = evidence.find(({ is }) => is !== 'Passed');
  if (unmet === undefined && evidence.length > 0) return [];
  const which = unmet === undefined ? '' : `: ${sentenceOf(unmet)}`;
  return [
    {
      reason: 'Order',
      message: `It has not passed stage ${governance.after.stage} of PromotionPolicy ${governance.policy}${which}.`,
      remedy: 'Resource',
      standing: 'Waiting',
    },
  ];
}

function sentenceOf({ environment, is }: Evidence): string {
  switch (is) {
    case 'NotHealthy':
      return `environment ${environment} is not Synced and Healthy with it`;
    case 'RunsAnother':
      return `environment ${environment} runs another one`;
    case 'NotSeen':
      return `environment ${environment} has not come to it yet`;
    case 'OutOfSight':
      return `how environment ${environment} is cannot be seen for now`;
    case 'Passed':
      return `environment ${environment} has`;
  }
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
