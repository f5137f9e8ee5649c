import { setTimeout as sleep } from 'node:timers/promises';
import { TowpathError } from '../../api/errors.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { LABEL_MANAGED_FOR } from '../../api/v1alpha1/names.ts';
import { classify } from '../../apply/classify.ts';
import { wordsOf } from '../../apply/refusal-words.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { ApiError, isAlreadyExists, isForbidden, isNotFound } from '../../kube/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import type { ObjectId } from '../../manifest/manifest.ts';
import { backoffMs } from '../../retry/backoff.ts';
import { namespaceOf } from '../record/application-key.ts';
import type { Target, TargetIdentity } from '../record/target.ts';
import type { AccessKeeper, IfMissing } from '../target/access-keeper.ts';
import { AwaitedNamespaces } from './awaited-namespaces.ts';
import { ownerOf } from './landing-refusal.ts';
import {
  accountPath,
  bindingLacks,
  bindingPath,
  type ManagedPlace,
  managedAccount,
  namespacePath,
  newAccount,
  newBinding,
  newNamespace,
} from './managed-objects.ts';

export interface ManagedAccessOptions {
  /** The API server of the operator's own namespace. */
  home: KubeClient;
  /** In which nobody else gets any right: what all Applications are made of is kept there. */
  ownNamespace: string;
  /** ClusterRoles that may be bound, as --managed-cluster-roles says. */
  clusterRoles: readonly string[];
  /** The API server that a target's objects are in, with the operator's own rights there. */
  clientOf(target: Target): KubeClient;
  /** What kept access from being made for the target, by its id, is other by now. */
  onChange(target: string): void;
}

/** Where it is made, for whom, and by which API server. */
interface Where {
  client: KubeClient;
  place: ManagedPlace;
}

/** What is known of one place. */
interface Known {
  clusterRole: string;
  /** When it was last found in order, on the clock of performance.now(); undefined: not yet, or there is doubt. */
  checkedAt: number | undefined;
  isInDoubt: boolean;
  /** The namespace, where it is not for these Applications, or is going. */
  unfit?: KubeObject;
  /** Counts how often such a namespace changed. */
  changes: number;
  underWay?: Promise<void>;
}

const MANAGER = { fieldManager: 'towpath-access', force: true } as const;
/** One look at a place, with all that it lacks. */
const CHECK_MS = 20_000;
/** The API server's authorizer takes a moment to go by a new binding. */
const EFFECT_MS = 2_000;
const EFFECT_POLL = { firstMs: 20, longestMs: 200 };
/** Forgotten all at once: what is not known is looked at again when it is needed. */
const MOST_KNOWN = 10_000;

/**
 * Managed access of Environments: a namespace, a ServiceAccount in it, and a RoleBinding to a ClusterRole, made with the
 * operator's own rights in that cluster, and only where that is allowed (S16). What was found in order is looked at again
 * when something new is deployed, and when the API server refuses what it should allow: at rest nothing is asked.
 */
export class ManagedAccess implements AccessKeeper {
  readonly #options: ManagedAccessOptions;
  readonly #known = new WeakMap<KubeClient, Map<string, Known>>();
  readonly #awaited = new AwaitedNamespaces();

  constructor(options: ManagedAccessOptions) {
    this.#options = options;
  }

  async ready(
    target: Target,
    { since, ifMissing }: { since: number; ifMissing: IfMissing },
    signal: AbortSignal,
  ): Promise<void> {
    const where = this.#whereOf(target);
    if (where === undefined) return;
    const known = this.#knownOf(where);
    if (known.checkedAt !== undefined && known.checkedAt >= since && !known.isInDoubt) return;
    known.underWay ??= this.#check(where, ifMissing, known).finally(() => {
      delete known.underWay;
    });
    try {
      await unlessAborted(known.underWay, signal);
    } catch (error) {
      if (!signal.aborted && known.unfit !== undefined) this.#await(target, where, known, known.unfit);
      throw error;
    }
  }

  doubt(target: Target): void {
    const where = this.#whereOf(target);
    if (where !== undefined) this.#knownOf(where).isInDoubt = true;
  }

  isInDoubt(target: Target): boolean {
    const where = this.#whereOf(target);
    return where !== undefined && this.#knownOf(where).isInDoubt;
  }

  changes(target: Target): number {
    const where = this.#whereOf(target);
    return where === undefined ? 0 : this.#knownOf(where).changes;
  }

  forget({ id }: TargetIdentity): void {
    this.#awaited.forget(id);
  }

  stop(): Promise<void> {
    return this.#awaited.stop();
  }

  #await({ id }: Target, { client }: Where, known: Known, unfit: KubeObject): void {
    this.#awaited.await(client, unfit, id, () => {
      known.changes += 1;
      this.#options.onChange(id);
    });
  }

  #whereOf(target: Target): Where | undefined {
    const { environment, namespace, managedRole } = target;
    if (managedRole === undefined) return undefined;
    const tenant = namespaceOf(target.application);
    const place = { environment, namespace, tenant, clusterRole: managedRole };
    return { client: this.#options.clientOf(target), place };
  }

  #knownOf({ client, place }: Where): Known {
    const { environment, namespace, tenant, clusterRole } = place;
    const ofClient = this.#known.get(client) ?? new Map<string, Known>();
    if (ofClient.size >= MOST_KNOWN) ofClient.clear();
    this.#known.set(client, ofClient);
    const key = JSON.stringify([environment, namespace, tenant]);
    const known = ofClient.get(key) ?? { clusterRole, checkedAt: undefined, isInDoubt: false, changes: 0 };
    ofClient.set(key, known);
    // The Environment names another one by now.
    if (known.clusterRole !== clusterRole) Object.assign(known, { clusterRole, isInDoubt: true });
    return known;
  }

  async #check({ client, place }: Where, ifMissing: IfMissing, known: Known): Promise<void> {
    const startedAt = performance.now();
    known.isInDoubt = false;
    delete known.unfit;
    try {
      this.#refuseByName(client, place);
      const signal = AbortSignal.timeout(CHECK_MS);
      if ((await ensureNamespace(client, place, ifMissing, known, signal)) === 'Missing') return;
      const [, binding] = await Promise.all([
        ensureAccount(client, place, signal),
        ensureBinding(client, place, signal),
      ]);
      if (binding === 'Written') await untilInEffect(client, place, signal);
      known.checkedAt = startedAt;
    } catch (error) {
      known.isInDoubt = true;
      throw this.#explained(client, place, error);
    }
  }

  #refuseByName(client: KubeClient, { namespace, environment, clusterRole }: ManagedPlace): void {
    const { home, ownNamespace, clusterRoles } = this.#options;
    const owner = ownerOf(namespace, { ownNamespace: client === home ? ownNamespace : undefined });
    if (owner !== undefined)
      throw refused(
        `Namespace ${namespace} is ${owner}: Environment ${environment} gets no managed access there, whatever its labels say. Let it land elsewhere: spec.namespace of the Environment.`,
      );
    const unlisted = unlistedRole(environment, clusterRole, clusterRoles);
    if (unlisted !== undefined) throw unlisted;
  }

  /** What the API server says of us, and not of the Application's account. */
  #explained(client: KubeClient, { namespace, environment }: ManagedPlace, error: unknown): unknown {
    if (!(error instanceof ApiError) || error.refuser !== 'Rights')
      return classify(error, 'manage access in', namespaceId(namespace)).error;
    const next =
      client === this.#options.home
        ? "Grant it by the chart's value managedAccess.clusterRoles."
        : "Grant it to the account of the Environment's kubeconfig.";
    const begin = `Towpath itself may not manage access for Environment ${environment}: `;
    const message = fitBetween(begin, `${wordsOf(error)}.`, ` ${next}`, LEAST_WORDS);
    return new TowpathError('Resource', 'AccessNotGranted', message, { cause: error, next });
  }
}

/** What a message has for the API server's own words at least. */
const LEAST_WORDS = 60;

/** That the operator may not bind a ClusterRole, with the values to add; undefined: it may, or there is none to bind. */
export function unlistedRole(
  environment: string,
  clusterRole: string | undefined,
  listed: readonly string[],
): TowpathError | undefined {
  if (clusterRole === undefined || listed.includes(clusterRole)) return undefined;
  return new TowpathError(
    'Person',
    'ClusterRoleNotListed',
    `Environment ${environment}: ClusterRole ${clusterRole} may not be bound. Add it to the chart's values: managedAccess: {clusterRoles: [${[...listed, clusterRole].join(', ')}]}`,
  );
}

async function ensureNamespace(
  client: KubeClient,
  place: ManagedPlace,
  ifMissing: IfMissing,
  known: Known,
  signal: AbortSignal,
): Promise<'There' | 'Missing'> {
  const path = namespacePath(place.namespace);
  const live = await ifThere(client.getMetadata(path, { signal }));
  if (live !== undefined) {
    checkNamespace(live, place, known);
    return 'There';
  }
  if (ifMissing === 'Leave') return 'Missing';
  try {
    const { name: _, ...collection } = path;
    await client.create(collection, newNamespace(place), { fieldManager: MANAGER.fieldManager }, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    checkNamespace(await client.getMetadata(path, { signal }), place, known);
  }
  return 'There';
}

/** @throws TowpathError where the namespace is not for these Applications, or is going: it is known as unfit then */
function checkNamespace(live: KubeObject, place: ManagedPlace, known: Known): void {
  const refusal = refusalOf(live, place);
  if (refusal === undefined) return;
  known.unfit = live;
  throw refusal;
}

function refusalOf(
  { metadata }: KubeObject,
  { namespace, tenant, environment }: ManagedPlace,
): TowpathError | undefined {
  const managedFor = metadata.labels?.[LABEL_MANAGED_FOR];
  if (managedFor === undefined)
    return refused(
      `Namespace ${namespace} was there before, and is not managed for ${tenant}: Environment ${environment} gets no access to it. If it is meant to: kubectl label namespace ${namespace} ${LABEL_MANAGED_FOR}=${tenant}`,
    );
  if (managedFor !== tenant)
    return refused(
      `Namespace ${namespace} is managed for the Applications of ${managedFor || 'nobody'} (label ${LABEL_MANAGED_FOR}), not for those of ${tenant}. Let Environment ${environment} land elsewhere: its spec.namespace.`,
    );
  if (metadata.deletionTimestamp === undefined) return undefined;
  return new TowpathError(
    'Resource',
    'NamespaceTerminating',
    `Namespace ${namespace} of environment ${environment} is being deleted: it is made again when it is gone. If that takes long, look at its finalizers: kubectl get namespace ${namespace} -o yaml`,
  );
}

async function ensureAccount(client: KubeClient, place: ManagedPlace, signal: AbortSignal): Promise<void> {
  const path = accountPath(place.namespace);
  if ((await ifThere(client.getMetadata(path, { signal }))) !== undefined) return;
  await client.apply(path, JSON.stringify(newAccount(place)), MANAGER, { signal });
}

async function ensureBinding(
  client: KubeClient,
  place: ManagedPlace,
  signal: AbortSignal,
): Promise<'Found' | 'Written'> {
  const path = bindingPath(place.namespace);
  const live = await ifThere(client.get(path, { signal }));
  const lacks = live === undefined ? 'Subjects' : bindingLacks(live, place);
  if (lacks === 'Nothing') return 'Found';
  if (typeof lacks === 'object') throw contested(place, lacks.wantedBy);
  if (lacks === 'Role' && live !== undefined) {
    // Which role is bound cannot be changed. Whoever works with the access meanwhile is refused, and asks again.
    const { uid, resourceVersion } = live.metadata;
    await ifThere(client.delete(path, { uid, resourceVersion }, { signal }));
  }
  await client.apply(path, JSON.stringify(newBinding(place)), MANAGER, { signal });
  return 'Written';
}

function contested({ namespace, environment, clusterRole }: ManagedPlace, other: string): TowpathError {
  return refused(
    `Namespace ${namespace} has managed access of Environment ${other} already, with another ClusterRole than ${clusterRole}: give ${environment} the same, or another namespace. If ${other} is gone: kubectl -n ${namespace} delete rolebinding ${bindingPath(namespace).name}`,
  );
}

/** Waits, not for ever, until the account may look at itself, which `view`, `edit` and `admin` allow. */
async function untilInEffect(
  client: KubeClient,
  { namespace }: ManagedPlace,
  signal: AbortSignal,
): Promise<void> {
  const as = managedAccount(namespace);
  const limit = performance.now() + EFFECT_MS;
  for (let failures = 1; performance.now() < limit; failures += 1) {
    try {
      await client.getMetadata(accountPath(namespace), { as, signal });
      return;
    } catch (error) {
      if (!isForbidden(error)) throw error;
    }
    await sleep(backoffMs({ ...EFFECT_POLL, failures, jitter: 'None' }), undefined, { signal });
  }
}

async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function refused(message: string): TowpathError {
  return new TowpathError('Person', 'NamespaceNotManaged', message);
}

function namespaceId(name: string): ObjectId {
  return { group: '', kind: 'Namespace', namespace: '', name };
}
