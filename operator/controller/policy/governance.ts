import type { Application } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import type { Gates } from '../../api/v1alpha1/gates.ts';
import type { PolicyStage, PromotionPolicy } from '../../api/v1alpha1/promotion-policy.ts';
import { together } from '../../promote/checks.ts';
import { type Demand, FREE, type Governance, type InStage } from '../../promote/governance.ts';
import { checksOf } from './checks.ts';

type Labelled = { readonly metadata: Pick<Application['metadata'], 'labels'> };
type Promoted = Labelled & Pick<Application, 'spec'>;

/** The gates that an Environment has itself, by its name. */
export type GatesIn = (environment: string) => Gates | undefined;
const NO_GATES: GatesIn = () => undefined;

/** Whether a policy of its namespace is for an Application. Pure, as what follows. */
export function selects(
  { spec: { selector } }: PromotionPolicy,
  { metadata: { labels } }: Labelled,
): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(
    ([label, value]) => Object.hasOwn(labels, label) && labels[label] === value,
  );
}

/**
 * What the policies of its namespace say of an Application in one of its environments, with what Environments demand
 * themselves of the stage that a policy has before them.
 */
export function governanceIn(
  application: Promoted,
  environment: string,
  policies: readonly PromotionPolicy[],
  gatesIn: GatesIn = NO_GATES,
): Governance {
  const [policy, ...others] = policies.filter((one) => selects(one, application));
  if (policy === undefined) return FREE;
  const { name } = policy.metadata;
  if (others.length > 0) {
    const names = [name, ...others.map(({ metadata }) => metadata.name)];
    return Object.freeze({ is: 'Contested', policies: names.sort() });
  }
  const { stages, freezes = [] } = policy.spec;
  const stage = stages.find(({ environments }) => environments.includes(environment));
  if (stage === undefined || !promotedIn(application, stage).includes(environment))
    return Object.freeze({ is: 'InNoStage', policy: name });
  const before = stages.find((one) => one.name === stage.after?.[0]);
  const verify = verifyOf(stage);
  const line = promotedIn(application, stage);
  const demandOf = (one: PolicyStage, names: readonly string[] = promotedIn(application, one)) =>
    demandIn(names, gatesIn);
  // One that the Application has no environment of waits for nothing.
  const entered = stages.filter((one) => promotedIn(application, one).length > 0);
  const followed = followedBy(stage, entered, demandOf);
  return Object.freeze({
    is: 'InStage',
    policy: name,
    stage: stage.name,
    ...(stage.gates === undefined ? {} : { gates: stage.gates }),
    ...(freezes.length === 0 ? {} : { freezes }),
    ...verify,
    ...(before === undefined
      ? {}
      : {
          after: {
            stage: before.name,
            environments: promotedIn(application, before),
            ...askedBefore(stage, demandOf(stage, fromOn(environment, stage, line))),
          },
        }),
    ...withVerify(verify, inLine(environment, stage, line, followed)),
  });
}

/** Those that get something new when one of a stage does: in a Sequential one, they are behind it. */
function fromOn(environment: string, { rollout }: PolicyStage, line: readonly string[]): readonly string[] {
  return rollout === 'Parallel' ? [environment] : line.slice(line.indexOf(environment));
}

/** What Environments demand together. */
function demandIn(environments: readonly string[], gatesIn: GatesIn): Demand {
  const gates = environments.map((name) => ({ name, ...gatesIn(name) }));
  const soaks = gates.flatMap(({ soak }) => (soak === undefined ? [] : parseDuration(soak)));
  const checks = together(...gates.map((its) => checksOf(its.checks, its.name)));
  return {
    ...(soaks.length === 0 ? {} : { soakMs: Math.max(...soaks) }),
    ...(checks.length === 0 ? {} : { checks }),
  };
}

/** What the stage before is asked for: the longer soak, and the checks of both. */
function askedBefore(
  { gates }: PolicyStage,
  demanded: Demand,
): Pick<NonNullable<InStage['after']>, 'soakMs' | 'checks' | 'demanded'> {
  const soaks = [gates?.soak === undefined ? [] : parseDuration(gates.soak), demanded.soakMs ?? []].flat();
  const checks = together(checksOf(gates?.checks), demanded.checks ?? []);
  return {
    ...(soaks.length === 0 ? {} : { soakMs: Math.max(...soaks) }),
    ...(checks.length === 0 ? {} : { checks }),
    ...(demanded.soakMs === undefined && demanded.checks === undefined ? {} : { demanded }),
  };
}

/** Which environment of a Sequential stage is to have something new before another one. */
function inLine(
  environment: string,
  { rollout }: PolicyStage,
  line: readonly string[],
  followed: Pick<InStage, 'isFollowed' | 'soakedMs' | 'checks'>,
): Pick<InStage, 'behind' | 'isFollowed' | 'soakedMs' | 'checks'> {
  if (rollout === 'Parallel') return followed;
  const at = line.indexOf(environment);
  const behind = line[at - 1];
  return {
    ...followed,
    ...(behind === undefined ? {} : { behind }),
    isFollowed: followed.isFollowed || at < line.length - 1,
  };
}

function verifyOf({ verify }: PolicyStage): Pick<InStage, 'verify'> {
  if (verify === undefined) return {};
  const forMs = verify.for === undefined ? 0 : parseDuration(verify.for);
  const { onFailure, checks } = verify;
  return { verify: { forMs, onFailure, ...(checks === undefined ? {} : { checks: checksOf(checks) }) } };
}

/** What is verified is waited for by those that come after, as what soaks is. */
function withVerify(
  { verify }: Pick<InStage, 'verify'>,
  followed: Pick<InStage, 'behind' | 'isFollowed' | 'soakedMs' | 'checks'>,
): Pick<InStage, 'behind' | 'isFollowed' | 'soakedMs' | 'checks'> {
  if (verify === undefined || verify.forMs === 0 || !followed.isFollowed) return followed;
  return { ...followed, soakedMs: Math.max(followed.soakedMs ?? 0, verify.forMs) };
}

/** What comes after a stage, and what it wants of it. */
function followedBy(
  { name }: PolicyStage,
  stages: readonly PolicyStage[],
  demandOf: (stage: PolicyStage) => Demand,
): Pick<InStage, 'isFollowed' | 'soakedMs' | 'checks'> {
  const followers = stages.filter(({ after }) => after?.includes(name) === true);
  const asked = followers.map((one) => askedBefore(one, demandOf(one)));
  const soaks = asked.flatMap(({ soakMs }) => soakMs ?? []);
  const checks = together(...asked.map((one) => one.checks ?? []));
  return {
    ...(checks.length === 0 ? {} : { checks }),
    isFollowed: followers.length > 0,
    ...(soaks.length === 0 ? {} : { soakedMs: Math.max(...soaks) }),
  };
}

/** The environments of a stage that the Application has. One with a ref of its own follows that, and is in no stage. */
function promotedIn({ spec }: Promoted, { environments }: PolicyStage): string[] {
  const own = new Set(
    (spec.environments ?? []).filter(({ ref }) => ref === undefined).map(({ name }) => name),
  );
  return environments.filter((name) => own.has(name));
}
