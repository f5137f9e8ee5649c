import { TowpathError } from '../../api/errors.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { setConditions } from '../../api/v1alpha1/conditions.ts';
import {
  type Environment,
  type EnvironmentResourceStatus,
  environmentResourceStatusSchema,
} from '../../api/v1alpha1/environment.ts';
import { secondTime } from '../../kube/times.ts';
import type { ClusterStand } from './clusters.ts';
import { whereaboutsOf } from './whereabouts.ts';

/** What an Environment's status says beside what follows of its cluster. */
export interface EnvironmentFacts {
  /** Undefined: it is in the operator's own cluster. */
  readonly stand: ClusterStand | undefined;
  /** Version of the operator's own. */
  readonly homeVersion: string | undefined;
  /** Clusters in which records have something of it. */
  readonly recorded?: ReadonlySet<string>;
  /** Why it stays although it is being deleted. */
  readonly deletion?: TowpathError | undefined;
  /** What keeps its access from being made, wherever an Application lands. */
  readonly access?: TowpathError | undefined;
  /** Why nothing new enters there, whoever waits. */
  readonly gates?: TowpathError | undefined;
  /** What is counted, and what holds; what is left out stays as it is. */
  readonly others?: Partial<Pick<EnvironmentResourceStatus, 'frozenUntil' | 'applications' | 'objects'>>;
}

type Status = EnvironmentResourceStatus;
type Told = Pick<Environment, 'metadata' | 'spec' | 'status'>;

/** The status of an Environment. Pure. What is known of a cluster stays while it is out of reach. */
export function environmentStatus(
  environment: Told,
  facts: EnvironmentFacts,
  generation: number,
  now: Date,
): Status {
  const { status = {} } = environment;
  const known = { ...status, ...facts.others };
  const whereabouts = whereaboutsOf(environment, facts.stand, facts.recorded);
  if (whereabouts.is === 'Pending') return known;
  const lost = whereabouts.is === 'Lost' ? whereabouts.error : undefined;
  const error = facts.deletion ?? lost ?? facts.access ?? facts.gates;
  return {
    ...known,
    observedGeneration: generation,
    conditions: conditionsOf(error ?? availability(environment), status, generation, now),
    cluster: clusterOf(status.cluster, facts, whereabouts.is === 'Found' ? whereabouts.uid : undefined),
  };
}

/** What of its status is told of an Environment that cannot be read as one, and what was told before. Pure. */
export function unreadableStatus(
  name: string,
  { errors, told }: { errors: readonly string[]; told: unknown },
  generation: number,
  now: Date,
): { before: Status; status: Status } {
  const before = toldSchema.safeParse(told ?? {}).data ?? {};
  const begin = `Environment ${name} cannot be read, and nothing is written there; correct it: `;
  const message = fitBetween(begin, errors.join('; '), '');
  const error = new TowpathError('Person', 'EnvironmentInvalid', message);
  const conditions = conditionsOf(error, before, generation, now);
  return { before, status: { observedGeneration: generation, conditions } };
}

const toldSchema = environmentResourceStatusSchema.pick({ observedGeneration: true, conditions: true });

function availability({ spec }: Told): { message: string } {
  if (!spec.suspend) return { message: 'Applications can be deployed here.' };
  return { message: 'Suspended: nothing is written here until spec.suspend is false.' };
}

function conditionsOf(
  found: TowpathError | { message: string },
  { conditions = [] }: Status,
  generation: number,
  now: Date,
): NonNullable<Status['conditions']> {
  const judge = () => {
    if (!(found instanceof TowpathError))
      return [{ type: 'Ready', status: 'True' as const, reason: 'Available', message: found.message }];
    const why = { reason: found.reason, message: fitted(found) };
    return [
      { type: 'Ready', status: 'False' as const, ...why },
      { type: found.remedy === 'Person' ? 'Stalled' : 'Reconciling', status: 'True' as const, ...why },
    ];
  };
  return setConditions(conditions, judge(), generation, secondTime(now));
}

/** The next step stays where the message has to be cut. */
function fitted({ message, next }: TowpathError): string {
  const end = message.endsWith(next) ? next : '';
  return fitBetween('', message.slice(0, message.length - end.length), end);
}

/** `uid`: the cluster that it is in from now on. */
function clusterOf(
  known: Status['cluster'] = {},
  { stand, homeVersion }: EnvironmentFacts,
  uid: string | undefined,
): NonNullable<Status['cluster']> {
  if (stand === undefined)
    return { ...(homeVersion === undefined ? {} : { version: homeVersion }), reachable: true };
  const { state, facts } = stand;
  const inUse = uid ?? known.uid;
  // Of another cluster, which nobody confirmed, nothing is told as if it were this one's.
  const version = facts?.uid === inUse ? (facts?.version ?? known.version) : known.version;
  const expiresAt = facts?.expiresAt;
  return {
    ...(version === undefined ? {} : { version }),
    ...(inUse === undefined ? {} : { uid: inUse }),
    reachable: state.is === 'Reached',
    ...(facts === undefined ? {} : { context: facts.context }),
    ...(expiresAt === undefined ? {} : { credentialExpiresAt: secondTime(expiresAt) }),
  };
}
