import { ANNOTATION_INSTALLATION, ANNOTATION_INSTALLED_IN, LABEL_WATCHES } from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { ListWatch } from '../../kube/list-watch.ts';
import { sha256Name } from '../../manifest/digest.ts';
import type { Logger } from '../../observe/log.ts';
import { OngoingFault } from '../../retry/ongoing-fault.ts';

/** Its policies, too: they would go on to hold. Kinds of newer API servers alone would have kubectl fail on others. */
const LEFT_KINDS =
  'clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings';
const CLUSTER_ROLES = { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'clusterroles' };

/**
 * An installation in the cluster, as its ClusterRole says, which is there as long as it is installed, and which nobody
 * can make whom the cluster does not trust.
 */
interface Installation {
  namespace: string;
  clusterRole: string;
  /** Name of its release: an upgrade that changes its names has two ClusterRoles for a while. */
  release: string;
  /** By which all that it has in no namespace is found; '': by nothing. */
  selector: string;
  id: string;
  /** '': the Applications of all namespaces. */
  watches: string;
  /** By the API server's clock, to the second. */
  createdAt: string;
  uid: string;
}

export interface InstallationsOptions {
  client: KubeClient;
  /** Of this installation. */
  namespace: string;
  id: string;
  /** Name of its ClusterRole; '': unknown, as from source. */
  clusterRole: string;
  watchNamespace: string;
  log: Logger;
  /** Called where one comes to look after the same Applications while this one already does. */
  giveWay(): void;
  /** There are others than before. */
  onChange(): void;
}

/** The installations that there are. */
export interface KnownInstallations {
  /** Of all of them, this one among them. */
  readonly ids: ReadonlySet<string>;
  /**
   * Whether no other one can be at work, one from source neither, which has no ClusterRole: this one's says that it looks
   * after all Applications.
   */
  readonly isOnly: boolean;
}

/**
 * Name of the Lease that the replicas of an installation compete for: those of another one in the same namespace look
 * after other Applications and lead, too. It hangs on the id alone, so that a change of what is watched meets the
 * replicas that still run.
 */
export function leaseName(namespace: string, id: string): string {
  return id === defaultInstallation(namespace) ? 'towpath' : `towpath-${sha256Name(id)}`;
}

/** Id of an installation that was given none. */
export function defaultInstallation(namespace: string): string {
  return `${namespace}/towpath`;
}

/**
 * The installations of a cluster, so that two never look after the same Applications: of two that would, the older one
 * does and the younger one waits. So it is with two that have the same id, by which each would take the other's Lease,
 * or marks, for its own, whatever they look after. Which is older is written down before either runs, and by the API
 * server, so no order of starts and no clock of ours can make both go on. An operator without a ClusterRole of the chart
 * (in development) is younger than all, but where it has the namespace and id of one with: then it counts as a replica of
 * that.
 */
export class Installations {
  readonly #options: InstallationsOptions;
  readonly #watch: ListWatch<Installation>;
  readonly #installations = new Map<string, Installation>();
  #rival: string | undefined;
  /** Why it cannot be seen. */
  readonly #fault = new OngoingFault();
  #wasAlone = false;
  #wake: () => void = () => undefined;

  constructor(options: InstallationsOptions) {
    this.#options = options;
    this.#watch = new ListWatch<Installation>({
      client: options.client,
      resource: CLUSTER_ROLES,
      labelSelector: LABEL_WATCHES,
      metadataOnly: true,
      reduce: installationOf,
      onEvent: ({ type, object }) => {
        if (type === 'Deleted') this.#installations.delete(object.uid);
        else this.#installations.set(object.uid, object);
        if (this.#watch.synced) this.#changed();
      },
      onListed: () => this.#changed(),
      onState: (state) => {
        if (state.state === 'Watching') this.#watching();
        if (state.state === 'Failing') this.#warn(state.error.message);
      },
    });
  }

  /**
   * A sentence about the one that looks after the same Applications and came before, or that this is not known yet;
   * undefined: there is none.
   */
  get problem(): string | undefined {
    if (this.#watch.synced) return this.#rival;
    return `Whether another installation looks after the same Applications is not known yet${this.#fault.message === undefined ? '.' : `; it is tried again: ${this.#fault.message}`}`;
  }

  /** Undefined: it is not known yet which there are. */
  get known(): KnownInstallations | undefined {
    if (!this.#watch.synced) return undefined;
    const all = [...this.#installations.values()];
    const { id, watchNamespace } = this.#options;
    const isCertain = this.#rival === undefined && this.#watch.lastError === undefined;
    return {
      ids: new Set([id, ...all.map((one) => one.id)]),
      isOnly: isCertain && watchNamespace === '' && ownOf(all, this.#options)?.watches === '',
    };
  }

  /** Resolves when there is no such one. @throws the signal's reason */
  async whenAlone(signal: AbortSignal): Promise<void> {
    this.#watch.start();
    await this.#watch.whenSynced(signal);
    this.#judge();
    while (this.#rival !== undefined) {
      await new Promise<void>((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        this.#wake = () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        if (signal.aborted) onAbort();
      });
    }
    this.#wasAlone = true;
  }

  async stop(): Promise<void> {
    await this.#watch.stop();
  }

  #warn(fault: string): void {
    if (!this.#fault.note(fault)) return;
    this.#options.log.warn(
      { error: fault },
      'Whether another installation looks after the same Applications cannot be seen; it is tried again.',
    );
  }

  /** Nobody counts as gone while that cannot be seen. */
  #watching(): void {
    const wasUnseen = this.#fault.message !== undefined;
    this.#fault.end();
    if (wasUnseen) this.#options.onChange();
  }

  #changed(): void {
    this.#judge();
    this.#options.onChange();
  }

  #judge(): void {
    const rival = rivalOf([...this.#installations.values()], this.#options);
    if (rival === this.#rival) return;
    this.#rival = rival;
    this.#wake();
    if (rival === undefined) {
      this.#options.log.info('No other installation looks after the same Applications.');
      return;
    }
    this.#options.log.error(rival);
    // What it does is ended in order; the process that comes next waits at its start.
    if (this.#wasAlone) this.#options.giveWay();
  }
}

function installationOf({ metadata }: KubeObject): Installation {
  const { name, labels = {}, annotations = {}, creationTimestamp = '', uid } = metadata;
  return {
    namespace: annotations[ANNOTATION_INSTALLED_IN] ?? '',
    clusterRole: name,
    release: labels['app.kubernetes.io/instance'] ?? '',
    selector: selectorOf(labels),
    id: annotations[ANNOTATION_INSTALLATION] ?? '',
    watches: labels[LABEL_WATCHES] ?? '',
    createdAt: creationTimestamp,
    uid,
  };
}

/** Labels that the chart gives to all that stands in no namespace, one by the name of an annotation; a role of another making lacks some. */
function selectorOf(labels: Readonly<Record<string, string>>): string {
  const keys = ['app.kubernetes.io/name', 'app.kubernetes.io/instance', ANNOTATION_INSTALLED_IN];
  return keys.every((key) => labels[key]) ? keys.map((key) => `${key}=${labels[key]}`).join(',') : '';
}

type Own = Pick<InstallationsOptions, 'namespace' | 'id' | 'clusterRole' | 'watchNamespace'>;

/**
 * What of all stands for this installation. Where the name of its ClusterRole is not known, or was changed by whoever
 * installed it, that is the youngest of its namespace and id: then it is this one that waits.
 */
function ownOf(all: readonly Installation[], own: Own): Installation | undefined {
  const ofThisId = all
    .filter(({ namespace, id }) => namespace === own.namespace && id === own.id)
    .sort((left, right) => (isBefore(left, right) ? 1 : -1));
  return ofThisId.find(({ clusterRole }) => clusterRole === own.clusterRole) ?? ofThisId[0];
}

/** The sentence about an older installation that looks after some of the same Applications, or has the same id. */
function rivalOf(all: readonly Installation[], own: Own): string | undefined {
  const us = ownOf(all, own);
  const isInTheWay = ({ id, watches }: Installation) => id === own.id || meet(watches, own.watchNamespace);
  const older = all
    .filter((other) => !isSame(other, us) && isInTheWay(other) && isBefore(other, us))
    .sort((left, right) => (isBefore(left, right) ? -1 : 1))[0];
  if (older === undefined) return undefined;
  const { namespace, clusterRole, selector } = older;
  const where = namespace === own.namespace ? `${namespace} (ClusterRole ${clusterRole})` : namespace;
  const [does, remedy] = inCommon(older, own);
  const left = selector === '' ? `clusterrole ${clusterRole}` : `${LEFT_KINDS} -l ${selector}`;
  return `The installation in namespace ${where} ${does} and was there first, so this one does nothing: uninstall one of them, or give ${remedy}. If that one is gone, take away what it left (docs/installation.md, Uninstall): kubectl delete ${left}`;
}

/** What both do or have, and what to give them instead. */
function inCommon({ id, watches }: Installation, own: Own): [does: string, remedy: string] {
  const whose = watches === '' ? 'of all namespaces' : `of namespace ${watches}`;
  const looks = `looks after the Applications ${whose}`;
  const apart = 'each a namespace of its own (watchNamespace)';
  if (id !== own.id) return [looks, apart];
  const has = `has the id of this one (${id})`;
  const other = 'this one an id of its own (installation)';
  return meet(watches, own.watchNamespace) ? [`${looks}, ${has}`, `${apart} and ${other}`] : [has, other];
}

/** Also under names that it had before: its replicas of both compete for one Lease. */
function isSame(other: Installation, us: Installation | undefined): boolean {
  if (us === undefined || other.uid === us.uid) return other.uid === us?.uid;
  const { namespace, id, release } = us;
  return other.namespace === namespace && other.id === id && release !== '' && other.release === release;
}

function meet(left: string, right: string): boolean {
  return left === '' || right === '' || left === right;
}

function isBefore(left: Installation, right: Installation | undefined): boolean {
  if (right === undefined || left.createdAt < right.createdAt) return true;
  return left.createdAt === right.createdAt && left.uid < right.uid;
}
