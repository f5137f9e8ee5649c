import type { Application } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import type { PolicyStage, PromotionPolicy } from '../../api/v1alpha1/promotion-policy.ts';
import { together } from '../../promote/checks.ts';
import { FREE, type Governance, type InStage } from '../../promote/governance.ts';
import { checksOf } from './checks.ts';

type Labelled = { readonly metadata: Pick<Application['metadata'], 'labels'> };
type Promoted = Labelled & Pick<Application, 'spec'>;

/** Whether a policy of its namespace is for an Application. Pure, as what follows. */
export function selects(
  { spec: { selector } }: PromotionPolicy,
  { metadata: { labels } }: Labelled,
): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(
    ([label, value]) => Object.hasOwn(labels, label) && labels[label] === value,
  );
}

/** What the policies of its namespace say of an Application in one of its environments. */
export function governanceIn(
  application: Promoted,
  environment: string,
  policies: readonly PromotionPolicy[],
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
            ...(stage.gates?.soak === undefined ? {} : { soakMs: parseDuration(stage.gates.soak) }),
            ...(stage.gates?.checks === undefined ? {} : { checks: checksOf(stage.gates.checks) }),
          },
        }),
    ...withVerify(
      verify,
      inLine(environment, stage, promotedIn(application, stage), followedBy(stage, stages)),
    ),
  });
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
): Pick<InStage, 'isFollowed' | 'soakedMs' | 'checks'> {
  const followers = stages.filter(({ after }) => after?.includes(name) === true);
  const soaks = followers.flatMap(({ gates }) =>
    gates?.soak === undefined ? [] : parseDuration(gates.soak),
  );
  const checks = together(...followers.map(({ gates }) => checksOf(gates?.checks)));
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
