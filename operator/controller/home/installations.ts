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
  watchNamespace: string;
  log: Logger;
  /** Called where one comes to look after the same Applications while this one already does. */
  giveWay(): void;
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
 * does and the younger one waits. Which is older is written down before either runs, and by the API server, so no
 * order of starts and no clock of ours can make both go on. An operator without a ClusterRole of the chart (in
 * development) is younger than all.
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
        if (this.#watch.synced) this.#judge();
      },
      onListed: () => this.#judge(),
      onState: (state) => {
        if (state.state === 'Watching') this.#fault.end();
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

/** The sentence about an older installation that looks after some of the same Applications. */
function rivalOf(
  all: readonly Installation[],
  own: Pick<InstallationsOptions, 'namespace' | 'id' | 'watchNamespace'>,
): string | undefined {
  const us = all.find(({ namespace, id }) => namespace === own.namespace && id === own.id);
  const older = all
    .filter((other) => other !== us && meet(other.watches, own.watchNamespace) && isBefore(other, us))
    .sort((left, right) => (isBefore(left, right) ? -1 : 1))[0];
  if (older === undefined) return undefined;
  const { namespace, clusterRole, selector, watches } = older;
  const whose = watches === '' ? 'of all namespaces' : `of namespace ${watches}`;
  const left = selector === '' ? `clusterrole ${clusterRole}` : `${LEFT_KINDS} -l ${selector}`;
  return `The installation in namespace ${namespace} looks after the Applications ${whose} and was there first, so this one does nothing: uninstall one of them, or give each a namespace of its own (watchNamespace). If that one is gone, take away what it left (docs/installation.md, Uninstall): kubectl delete ${left}`;
}

function meet(left: string, right: string): boolean {
  return left === '' || right === '' || left === right;
}

function isBefore(left: Installation, right: Installation | undefined): boolean {
  if (right === undefined || left.createdAt < right.createdAt) return true;
  return left.createdAt === right.createdAt && left.uid < right.uid;
}
