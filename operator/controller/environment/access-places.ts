import { setTimeout as sleep } from 'node:timers/promises';
import { TowpathError } from '../../api/errors.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { LABEL_MANAGED_FOR } from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isAlreadyExists, isForbidden, isNotFound } from '../../kube/errors.ts';
import { backoffMs } from '../../retry/backoff.ts';
import type { IfMissing } from '../target/access-keeper.ts';
import { labelledBy, labelRefusal, type NamedPlace } from './landing-refusal.ts';
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

/** What is noted of a place. */
export interface Unfit {
  /** The namespace, where it is not for these Applications, or is going. */
  unfit?: KubeObject | undefined;
}

const MANAGER = { fieldManager: 'towpath-access', force: true } as const;
/** The API server's authorizer takes a moment to go by a new binding. */
const EFFECT_MS = 2_000;
const EFFECT_POLL = { firstMs: 20, longestMs: 200 };

/** @throws TowpathError where the label of the namespace does not say that it is for these Applications, or it is not there */
export async function checkLabel(
  client: KubeClient,
  place: NamedPlace,
  ifMissing: IfMissing,
  known: Unfit,
  signal: AbortSignal,
): Promise<'There' | 'Missing'> {
  const { namespace, tenant, account } = place;
  const live = await ifThere(client.getMetadata(namespacePath(namespace), { signal }));
  if (live !== undefined) {
    const refusal = labelRefusal(live.metadata.labels ?? {}, place);
    if (refusal === undefined) return 'There';
    known.unfit = live;
    throw refusal;
  }
  if (ifMissing === 'Leave') return 'Missing';
  // Nothing is tried: it may be made, for others, between this answer and a write.
  throw new TowpathError(
    'Resource',
    'NamespaceMissing',
    `Namespace ${namespace} does not exist, nor ServiceAccount ${account} in it: kubectl create namespace ${namespace} && kubectl label namespace ${namespace} ${LABEL_MANAGED_FOR}=${tenant}, then make the account and bind what it may.`,
  );
}

export async function ensureNamespace(
  client: KubeClient,
  place: ManagedPlace,
  ifMissing: IfMissing,
  known: Unfit,
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
function checkNamespace(live: KubeObject, place: ManagedPlace, known: Unfit): void {
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
      fitBetween(
        `Namespace ${namespace} was there before, and is not managed for ${tenant}`,
        `: Environment ${environment} gets no access to it.`,
        labelledBy(namespace, tenant),
      ),
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

export async function ensureAccount(
  client: KubeClient,
  place: ManagedPlace,
  signal: AbortSignal,
): Promise<void> {
  const path = accountPath(place.namespace);
  if ((await ifThere(client.getMetadata(path, { signal }))) !== undefined) return;
  await client.apply(path, JSON.stringify(newAccount(place)), MANAGER, { signal });
}

export async function ensureBinding(
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
export async function untilInEffect(
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
