import { TowpathError } from '../../api/errors.ts';
import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { setConditions } from '../../api/v1alpha1/conditions.ts';
import type { PolicyStatus, PromotionPolicy } from '../../api/v1alpha1/promotion-policy.ts';
import { secondTime } from '../../kube/times.ts';
import { checksFault, gatesFault } from '../../promote/gates/gates-fault.ts';
import { demandsBefore } from '../../promote/gates/nothing-before.ts';
import { type GatesIn, governanceIn, selects } from './governance.ts';

/** What the status of a policy says of the Applications of its namespace. */
export interface PolicyFacts {
  readonly applications: readonly Application[];
  /** All that can be read in its namespace, this one among them. */
  readonly policies: readonly PromotionPolicy[];
  /** Whether it is known that there is no such Environment. */
  isMissing(environment: string): boolean;
  /** What Environments demand themselves. */
  readonly gatesIn: GatesIn;
}

/** So many are named where all have no room. */
const NAMED = 3;

/** The status of a policy. Pure, as what follows. */
export function policyStatus(policy: PromotionPolicy, facts: PolicyFacts, generation: number, now: Date) {
  const its = facts.applications.filter((application) => selects(policy, application));
  const error = mistakeIn(policy, its, facts);
  return {
    observedGeneration: generation,
    conditions: conditionsOf(error ?? inForce(policy, its), policy.status, generation, now),
    applications: its.length,
    stages: policy.spec.stages.map(({ name, environments }) => {
      const syncs = its.flatMap(({ spec, status }) =>
        (spec.environments ?? [])
          .filter((entry) => environments.includes(entry.name))
          .map((entry) => environmentOf(status, entry.name)?.sync),
      );
      return {
        name,
        waiting: syncs.filter((sync) => sync === 'Waiting').length,
        blocked: syncs.filter((sync) => sync === 'Blocked').length,
      };
    }),
  } satisfies PolicyStatus;
}

/** What is told of a policy that cannot be read as one. */
export function unreadablePolicyStatus(
  errors: readonly string[],
  generation: number,
  now: Date,
): PolicyStatus {
  const begin = 'It cannot be read, and nothing new is deployed to environments by it; correct it: ';
  const error = new TowpathError('Person', 'PolicyInvalid', fitBetween(begin, errors.join('; '), ''));
  return { observedGeneration: generation, conditions: conditionsOf(error, {}, generation, now) };
}

/** The first mistake that somebody has to correct: in it, or in what it is for. */
function mistakeIn(
  policy: PromotionPolicy,
  applications: readonly Application[],
  { policies, isMissing, gatesIn }: Pick<PolicyFacts, 'policies' | 'isMissing' | 'gatesIn'>,
): TowpathError | undefined {
  const contested = applications.filter((one) => policies.filter((other) => selects(other, one)).length > 1);
  if (contested.length > 0)
    return new TowpathError(
      'Person',
      'PolicyContested',
      `Another PromotionPolicy selects ${named(contested)}, too: change labels or a selector, so that one does. Nothing new is deployed there until then.`,
    );
  for (const { name, gates, verify } of policy.spec.stages) {
    const field = `spec.stages[${name}].gates`;
    const fault =
      gatesFault(`Stage ${name}`, field, gates) ??
      checksFault(`Stage ${name}`, `${field}.checks`, gates?.checks) ??
      checksFault(`Stage ${name}`, `spec.stages[${name}].verify.checks`, verify?.checks);
    if (fault !== undefined) return fault;
  }
  for (const { name, environments } of policy.spec.stages) {
    const missing = environments.filter(isMissing);
    if (missing.length > 0)
      return new TowpathError(
        'Resource',
        'EnvironmentNotFound',
        `Stage ${name} names ${missing.slice(0, NAMED).join(', ')}, and there is no such Environment: make it, or correct the policy.`,
      );
  }
  const first = nothingBeforeIn(policy, gatesIn);
  if (first !== undefined) return first;
  const empty = applications.flatMap((application) => emptyStageOf(application, policy) ?? []);
  const [one] = empty;
  if (one === undefined) return undefined;
  return new TowpathError(
    'Resource',
    'StageEmpty',
    `Stage ${one.stage} has no environment of ${named(empty.map(({ application }) => application))}, so that nothing can be promoted after it: add one to spec.environments there, or correct the policy.`,
  );
}

/** Nothing new could ever enter an Environment that demands what only a stage before could show. */
function nothingBeforeIn({ spec }: PromotionPolicy, gatesIn: GatesIn): TowpathError | undefined {
  for (const { name, environments, after } of spec.stages) {
    const demanding = after === undefined ? environments.filter((one) => demandsBefore(gatesIn(one))) : [];
    const [first] = demanding;
    if (first === undefined) continue;
    return new TowpathError(
      'Resource',
      gatesIn(first)?.soak === undefined ? 'Checks' : 'Soak',
      `Stage ${name} comes after none, and ${demanding.slice(0, NAMED).join(', ')} in it takes only what a stage before has shown (spec.gates of the Environment): nothing new enters there. Put a stage before it, and name that in after.`,
    );
  }
  return undefined;
}

function emptyStageOf(application: Application, policy: PromotionPolicy) {
  for (const { name } of application.spec.environments ?? []) {
    const governance = governanceIn(application, name, [policy]);
    if (governance.is === 'InStage' && governance.after?.environments.length === 0)
      return { application, stage: governance.after.stage };
  }
  return undefined;
}

function named(applications: readonly Application[]): string {
  const names = applications.map(({ metadata }) => metadata.name).sort();
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.length === 1 ? 'Application' : 'Applications'} ${names.slice(0, NAMED).join(', ')}${more}`;
}

/** That it holds, and which environments it has in no stage: what it had in one before keeps what runs there. */
function inForce(policy: PromotionPolicy, applications: readonly Application[]): string {
  const outside = applications.flatMap((application) =>
    (application.spec.environments ?? []).flatMap(({ name }) =>
      governanceIn(application, name, [policy]).is === 'InStage'
        ? []
        : [`${name} of Application ${application.metadata.name}`],
    ),
  );
  const holds = 'It holds for what is new.';
  if (outside.length === 0) return holds;
  const more = outside.length > NAMED ? ` and ${outside.length - NAMED} more` : '';
  return `${holds} In no stage, and so by their source, but what was in one before keeps what runs there: ${outside.sort().slice(0, NAMED).join(', ')}${more}.`;
}

/** @param judged what is wrong, or that nothing is, in words */
function conditionsOf(
  judged: TowpathError | string,
  { conditions = [] }: PolicyStatus = {},
  generation: number,
  now: Date,
): NonNullable<PolicyStatus['conditions']> {
  const judge = () => {
    if (typeof judged === 'string') {
      const message = fitBetween('', judged, '');
      return [{ type: 'Ready', status: 'True' as const, reason: 'InForce', message }];
    }
    const why = { reason: judged.reason, message: fitBetween('', judged.message, '') };
    return [
      { type: 'Ready', status: 'False' as const, ...why },
      { type: judged.remedy === 'Person' ? 'Stalled' : 'Reconciling', status: 'True' as const, ...why },
    ];
  };
  return setConditions(conditions, judge(), generation, secondTime(now));
}
