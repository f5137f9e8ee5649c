import { TowpathError } from '../../api/errors.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { classify } from '../../apply/classify.ts';
import { wordsOf } from '../../apply/refusal-words.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { ApiError } from '../../kube/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import type { ObjectId } from '../../manifest/manifest.ts';
import { namespaceOf } from '../record/application-key.ts';
import type { Target, TargetIdentity } from '../record/target.ts';
import type { AccessKeeper, IfMissing } from '../target/access-keeper.ts';
import {
  checkLabel,
  ensureAccount,
  ensureBinding,
  ensureNamespace,
  type Unfit,
  untilInEffect,
} from './access-places.ts';
import { AwaitedNamespaces } from './awaited-namespaces.ts';
import { type NamedPlace, ownerOf } from './landing-refusal.ts';
import type { ManagedPlace } from './managed-objects.ts';

export interface ManagedAccessOptions {
  /** The API server of the operator's own namespace. */
  home: KubeClient;
  /** In which nobody else gets any right: what all Applications are made of is kept there. */
  ownNamespace: string;
  /** ClusterRoles that may be bound, as --managed-cluster-roles says. */
  clusterRoles: readonly string[];
  /** Level of Pod Security of namespaces that are made, as --managed-pod-security says; empty: none. */
  podSecurity: string;
  /** The API server that a target's objects are in, with the operator's own rights there. */
  clientOf(target: Target): KubeClient;
  /** What kept access from being made for the target, by its id, is other by now. */
  onChange(target: string): void;
}

/** Where it is made or looked at, for whom, and by which API server. */
type Where = { client: KubeClient } & (
  | { is: 'Managed'; place: ManagedPlace }
  /** The platform made all of it: only for whom it is has to be known. */
  | { is: 'Named'; place: NamedPlace }
);

/** What is known of one place. */
interface Known extends Unfit {
  /** What the account is bound to, or the name of one that the platform made. */
  access: string;
  /** When it was last found in order, on the clock of performance.now(); undefined: not yet, or there is doubt. */
  checkedAt: number | undefined;
  /** The same of its label alone. */
  labelledAt?: number;
  isInDoubt: boolean;
  /** Counts how often such a namespace changed. */
  changes: number;
  underWay?: Look;
}

/** A look at a place that is under way. */
interface Look {
  readonly ifMissing: IfMissing;
  /** On the clock of performance.now(). */
  readonly startedAt: number;
  readonly done: Promise<void>;
}

/** One look at a place, with all that it lacks. */
const CHECK_MS = 20_000;
/** Forgotten all at once: what is not known is looked at again when it is needed. */
const MOST_KNOWN = 10_000;

/**
 * Managed access of Environments: a namespace, a ServiceAccount in it, and a RoleBinding to a ClusterRole, made with the
 * operator's own rights in that cluster, and only where that is allowed (S16). What was found in order is looked at again
 * when something is to be written that is new or was not looked at for a while, and when the API server refuses what it
 * should allow: at rest nothing is asked. Of an account that the platform made in another cluster, where the names of
 * tenants decide whose it is, the label of its namespace is looked at, at the same times.
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
    const isGood = () => known.checkedAt !== undefined && known.checkedAt >= since && !known.isInDoubt;
    const suits = (look: Look) => look.ifMissing === ifMissing && look.startedAt >= since && !known.isInDoubt;
    while (!isGood()) {
      const { underWay } = known;
      if (underWay === undefined || suits(underWay)) {
        await this.#end(underWay ?? this.#begin(where, ifMissing, known), target, { where, known }, signal);
        return;
      }
      // What others asked says nothing of what has changed since, nor of a namespace that only one of both is to make.
      const ended = underWay.done.catch(() => undefined);
      await unlessAborted(ended, signal);
    }
  }

  async labelled(target: Target, since: number, signal: AbortSignal): Promise<void> {
    const where = this.#whereOf(target);
    if (where === undefined) return;
    // That is all that one is looked at for.
    if (where.is === 'Named') return this.ready(target, { since, ifMissing: 'Leave' }, signal);
    const known = this.#knownOf(where);
    if (known.labelledAt !== undefined && known.labelledAt >= since && !known.isInDoubt) return;
    const startedAt = performance.now();
    const found: Unfit = {};
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CHECK_MS)]);
    try {
      await ensureNamespace(where.client, where.place, 'Leave', found, limit);
      known.labelledAt = startedAt;
    } catch (error) {
      signal.throwIfAborted();
      // It is for them still, and all there goes.
      if (error instanceof TowpathError && error.reason === 'NamespaceTerminating') return;
      if (found.unfit !== undefined) this.#await(target, where, known, found.unfit);
      throw this.#explained(where, error);
    }
  }

  #begin(where: Where, ifMissing: IfMissing, known: Known): Look {
    const startedAt = performance.now();
    const done = this.#check(where, ifMissing, known, startedAt).finally(() => {
      delete known.underWay;
    });
    known.underWay = { ifMissing, startedAt, done };
    return known.underWay;
  }

  async #end(
    { done }: Look,
    target: Target,
    { where, known }: { where: Where; known: Known },
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await unlessAborted(done, signal);
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
    const { environment, namespace, managedRole, landsByLabel, account } = target;
    const where = { environment, namespace, tenant: namespaceOf(target.application) };
    if (managedRole !== undefined)
      return {
        is: 'Managed',
        client: this.#options.clientOf(target),
        place: { ...where, clusterRole: managedRole, podSecurity: this.#options.podSecurity },
      };
    if (landsByLabel === undefined) return undefined;
    const place = { ...where, account: account?.name ?? '' };
    return { is: 'Named', client: this.#options.clientOf(target), place };
  }

  #knownOf(where: Where): Known {
    const { client, place } = where;
    const { environment, namespace, tenant } = place;
    const access = where.is === 'Managed' ? where.place.clusterRole : `account ${where.place.account}`;
    const ofClient = this.#known.get(client) ?? new Map<string, Known>();
    if (ofClient.size >= MOST_KNOWN) ofClient.clear();
    this.#known.set(client, ofClient);
    const key = JSON.stringify([environment, namespace, tenant]);
    const known = ofClient.get(key) ?? { access, checkedAt: undefined, isInDoubt: false, changes: 0 };
    ofClient.set(key, known);
    // The Environment names another one by now.
    if (known.access !== access) Object.assign(known, { access, isInDoubt: true });
    return known;
  }

  async #check(where: Where, ifMissing: IfMissing, known: Known, startedAt: number): Promise<void> {
    known.isInDoubt = false;
    delete known.unfit;
    try {
      const signal = AbortSignal.timeout(CHECK_MS);
      const found =
        where.is === 'Managed'
          ? await this.#ensure(where.client, where.place, ifMissing, known, signal)
          : await checkLabel(where.client, where.place, ifMissing, known, signal);
      if (found === 'There') known.checkedAt = known.labelledAt = startedAt;
    } catch (error) {
      known.isInDoubt = true;
      throw this.#explained(where, error);
    }
  }

  async #ensure(
    client: KubeClient,
    place: ManagedPlace,
    ifMissing: IfMissing,
    known: Known,
    signal: AbortSignal,
  ): Promise<'There' | 'Missing'> {
    this.#refuseByName(client, place);
    if ((await ensureNamespace(client, place, ifMissing, known, signal)) === 'Missing') return 'Missing';
    const [, binding] = await Promise.all([
      ensureAccount(client, place, signal),
      ensureBinding(client, place, signal),
    ]);
    if (binding === 'Written') await untilInEffect(client, place, signal);
    return 'There';
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
  #explained({ is, client, place: { namespace, environment } }: Where, error: unknown): unknown {
    const isManaged = is === 'Managed';
    if (!(error instanceof ApiError) || error.refuser !== 'Rights')
      return classify(error, isManaged ? 'manage access in' : 'look at', namespaceId(namespace)).error;
    const next =
      client === this.#options.home
        ? "Grant it by the chart's values: managedAccess.clusterRoles, and towpath in impersonate."
        : "Grant it to the account of the Environment's kubeconfig.";
    const begin = isManaged
      ? `Towpath itself may not manage access for Environment ${environment}: `
      : `Towpath itself may not look at namespace ${namespace} of Environment ${environment}, whose label says for whom it is: `;
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

function namespaceId(name: string): ObjectId {
  return { group: '', kind: 'Namespace', namespace: '', name };
}

function refused(message: string): TowpathError {
  return new TowpathError('Person', 'NamespaceNotManaged', message);
}
