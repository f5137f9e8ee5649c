import type { Application } from '../../api/v1alpha1/application.ts';
import type { PolicyStage, PromotionPolicy } from '../../api/v1alpha1/promotion-policy.ts';
import { FREE, type Governance } from '../../promote/governance.ts';

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
  const { stages } = policy.spec;
  const stage = stages.find(({ environments }) => environments.includes(environment));
  if (stage === undefined || !promotedIn(application, stage).includes(environment))
    return Object.freeze({ is: 'InNoStage', policy: name });
  const before = stages.find((one) => one.name === stage.after?.[0]);
  return Object.freeze({
    is: 'InStage',
    policy: name,
    stage: stage.name,
    ...(before === undefined
      ? {}
      : { after: { stage: before.name, environments: promotedIn(application, before) } }),
    isFollowed: stages.some(({ after }) => after?.includes(stage.name) === true),
  });
}

/** The environments of a stage that the Application has. One with a ref of its own follows that, and is in no stage. */
function promotedIn({ spec }: Promoted, { environments }: PolicyStage): string[] {
  const own = new Set(
    (spec.environments ?? []).filter(({ ref }) => ref === undefined).map(({ name }) => name),
  );
  return environments.filter((name) => own.has(name));
}
