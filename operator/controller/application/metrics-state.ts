import type { ApplicationState } from '../../observe/application-metrics.ts';
import type { TargetRecord } from '../record/record.ts';
import type { CachedApplication } from './application-cache.ts';

/** What the metrics tell of an Application: what its status says, and which checks its records have under way. */
export function stateOf(
  { application, object }: CachedApplication,
  records: readonly Pick<TargetRecord, 'target' | 'checks'>[],
): ApplicationState {
  const { name, namespace = '', creationTimestamp } = object.metadata;
  const checking = records.flatMap(({ target: { environment }, checks }) =>
    (checks?.runs ?? []).flatMap(({ ended }) => (ended === undefined ? [environment] : [])),
  );
  const key = { namespace, name, checking };
  const since = (time: string | undefined) => (time === undefined ? 0 : Date.parse(time) / 1_000);
  // Of one that cannot be read nothing in its status can be relied on either.
  if (application === undefined)
    return {
      ...key,
      sync: 'Blocked',
      health: 'Unknown',
      ready: 'False',
      reason: 'InvalidSpec',
      since: since(creationTimestamp),
      waits: [],
    };
  const { sync = 'Unknown', health = 'Unknown', conditions, environments = [] } = application.status ?? {};
  const ready = conditions?.find(({ type }) => type === 'Ready');
  return {
    ...key,
    sync,
    health,
    ready: ready?.status ?? 'Unknown',
    reason: ready?.reason ?? '',
    since: since(ready?.lastTransitionTime ?? creationTimestamp),
    waits: environments.flatMap(({ name: environment, blockedBy = [] }) =>
      blockedBy.map((one) => ({
        environment,
        reason: one.reason,
        since: since(one.since ?? creationTimestamp),
      })),
    ),
  };
}
