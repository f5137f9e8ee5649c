import { TowpathError } from '../../api/errors.ts';
import type { Environment } from '../../api/v1alpha1/environment.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, isTransient } from '../../kube/errors.ts';
import type { CredentialState, ReachState } from '../../observe/environment-metrics.ts';
import type { Logger } from '../../observe/log.ts';
import { nextChange } from '../../promote/gates/freeze.ts';
import { checksFault, gatesFault } from '../../promote/gates/gates-fault.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { KnownInstallations } from '../home/installations.ts';
import { HOME, type PlacedTarget } from '../record/target.ts';
import { Timers } from '../work/timers.ts';
import type { Connect } from './cluster-link.ts';
import { Clusters } from './clusters.ts';
import type { EnvironmentFacts } from './environment-status.ts';
import { Environments, type EnvironmentsView, type KnownEnvironment } from './environments.ts';
import { heldUp, isLeftHeld, oursToTakeOff } from './left-finalizers.ts';
import { unlistedRole } from './managed-access.ts';
import { managedRoleOf } from './managed-objects.ts';
import type { KnownLabels } from './namespace-labels.ts';
import { EnvironmentStatusWriter } from './status-writer.ts';
import { countsOf, inUse, type Uses } from './uses.ts';
import { type Whereabouts, whereaboutsOf } from './whereabouts.ts';

export interface EnvironmentControllerOptions {
  /** The API server with the Environments. */
  client: KubeClient;
  /** The same, as one that targets are in. */
  home: Cluster;
  connect: Connect;
  /** The operator's, with the Secrets that have kubeconfigs. */
  namespace: string;
  log: Logger;
  /** Whether no other installation deploys to the same Environments: then what is counted is all. */
  isOnly: boolean;
  /** Those that managed access may be bound to. */
  clusterRoles: readonly string[];
  /** By which our finalizer is told from another installation's. */
  finalizer: string;
  /** Which there are in the cluster; undefined: not known yet. */
  installations(): KnownInstallations | undefined;
  /** What is deployed there. */
  usesOf(environment: string): Uses;
  /** Whether an Application names it, also one of which it is not known yet where it lands. */
  isNamed(environment: string): boolean;
  /** In which clusters records have something of it. */
  recordedIn(environment: string): ReadonlySet<string>;
  /** Whoever lands there is to be looked at anew. */
  onChange(environment: string): void;
  /** Whoever waited to land there until it cannot go any more (`isHeld`) goes on. */
  onHeld(environment: string): void;
  /** All Environments are known: whoever waits for one that does not exist is to be told so. */
  onListed(): void;
  random(): number;
}

/** What is counted is told so long after it changed: what comes together is one write. */
const COUNT_AFTER_MS = 2_000;
/** A line of the log. */
const TAKEN_OFF =
  'An Environment is being deleted: finalizers of installations that there are no more were taken off it.';

/** The Environments: what they say, which clusters they are in, and what their status tells. */
export class EnvironmentController implements EnvironmentsView {
  readonly #options: EnvironmentControllerOptions;
  readonly #environments: Environments;
  readonly #clusters: Clusters;
  readonly #writer: EnvironmentStatusWriter;
  /** By Environment whose status names no cluster: in which ones records have something of it. */
  readonly #recorded = new Map<string, ReadonlySet<string>>();
  /** By Environment: why its status cannot be written. */
  readonly #unwritten = new Map<string, string>();
  /** Those of which the API server refused a write: to try again will hardly help. */
  readonly #refused = new Set<string>();
  /** By Environment: when a freeze begins or ends, and when what is counted is told again. */
  readonly #freezes = new Timers((name) => this.#writer.due(name));
  readonly #counts = new Timers((name) => this.#writer.due(name));

  constructor(options: EnvironmentControllerOptions) {
    const { client, home, connect, namespace, log, random } = options;
    this.#options = options;
    this.#environments = new Environments({
      client,
      log,
      onChange: (name) => this.#changed(name),
      onListed: () => options.onListed(),
      onTold: (name) => this.#writer.due(name),
    });
    this.#clusters = new Clusters({
      home,
      client,
      namespace,
      connect,
      onChange: (name) => {
        options.onChange(name);
        this.#writer.due(name);
      },
    });
    this.#writer = new EnvironmentStatusWriter({
      client,
      get: (name) => this.get(name),
      names: () => this.#environments.names(),
      isUsed: (name) => options.usesOf(name).applications.length > 0,
      isOurs: (name) => options.isOnly || options.isNamed(name) || this.#isLeft(name),
      isShared: !options.isOnly,
      finalizer: options.finalizer,
      leftOf: (finalizers) => oursToTakeOff(finalizers, options.installations()),
      onLeftTaken: (environment, finalizers) => log.info({ environment, finalizers }, TAKEN_OFF),
      factsOf: (name) => this.#factsOf(name),
      onWritten: (object) => {
        this.#environments.takeIn(object);
      },
      // Also where a write was carried out that had no answer.
      onDone: (name) => {
        this.#refused.delete(name);
        if (this.#unwritten.delete(name)) options.onChange(name);
      },
      onHeld: (name) => options.onHeld(name),
      onFault: (name, error) => this.#notWritten(name, error),
      random,
    });
  }

  /** Resolves when the Environments are known, or cannot be for now; their clusters are waited for by nobody. */
  start(): Promise<void> {
    return this.#environments.start();
  }

  async stop(): Promise<void> {
    this.follow();
    await Promise.all([this.#environments.stop(), this.#clusters.stop()]);
  }

  /** This process leads, and knows the records. */
  lead(): void {
    for (const name of this.#environments.names()) {
      this.#noteRecorded(name);
      if (this.#recorded.has(name)) this.#options.onChange(name);
    }
    this.#writer.lead();
  }

  follow(): void {
    this.#writer.follow();
    this.#freezes.clear();
    this.#counts.clear();
  }

  /** There are other installations than before: those that are gone hold nobody up. */
  onInstallations(): void {
    for (const name of this.#environments.names()) if (this.#isGoing(name)) this.#writer.due(name);
  }

  /** Something of what is deployed there changed: that is told, but not for each object that comes (A14). */
  used(name: string): void {
    this.#counts.setIfNone(name, COUNT_AFTER_MS);
  }

  /**
   * Whether it stays while something is deployed there, as it has our finalizer; where not it gets it, and `onHeld` tells.
   * One of which the API server refuses what is written holds up nobody: that is told by its status and the log.
   */
  isHeld(name: string): boolean {
    const metadata = this.get(name)?.object.metadata;
    if (metadata === undefined || metadata.deletionTimestamp !== undefined) return true;
    if (metadata.finalizers?.includes(this.#options.finalizer) || this.#refused.has(name)) return true;
    this.#writer.due(name);
    return false;
  }

  get problem(): string | undefined {
    return this.#environments.problem;
  }

  get(name: string): KnownEnvironment | undefined {
    return this.#environments.get(name);
  }

  get ownNamespace(): string {
    return this.#options.namespace;
  }

  doubt(environment: Environment): string | undefined {
    return this.#environments.doubt(environment);
  }

  labelsOf(namespace: string): KnownLabels {
    return this.#environments.labelsOf(namespace);
  }

  whereabouts(environment: Environment): Whereabouts {
    const { name } = environment.metadata;
    const whereabouts = whereaboutsOf(environment, this.#clusters.stand(name), this.#recorded.get(name));
    const why = this.#unwritten.get(name);
    if (whereabouts.is !== 'Found' || why === undefined) return whereabouts;
    return { is: 'Lost', error: notWrittenDown(name, why) };
  }

  /** The cluster that a target is in. @throws TowpathError where there is no way to it any more */
  clusterOf({ cluster, environment }: Pick<PlacedTarget, 'cluster' | 'environment'>): Cluster {
    return cluster === HOME ? this.#options.home : this.#clusters.of(environment, cluster);
  }

  /** All that targets are in. */
  clusters(): Iterable<Cluster> {
    return this.#clusters.all();
  }

  /** How long each kubeconfig's credential is good for, of those that say it. */
  *credentials(): Iterable<CredentialState> {
    for (const environment of this.#environments.names()) {
      const { expiresAt, issuedAt } = this.#clusters.stand(environment)?.facts ?? {};
      if (expiresAt !== undefined) yield { environment, expiresAt, issuedAt };
    }
  }

  /** Of each that is elsewhere, once it is known; one that was lost for a moment is not told as lost (A14). */
  *reach(): Iterable<ReachState> {
    for (const environment of this.#environments.names()) {
      const { spec } = this.get(environment)?.environment ?? {};
      const { state } = (spec?.cluster && this.#clusters.stand(environment)) ?? {};
      if (state !== undefined && state.is !== 'Connecting')
        yield { environment, isReached: state.is === 'Reached' };
    }
  }

  #isGoing(name: string): boolean {
    return this.get(name)?.object.metadata.deletionTimestamp !== undefined;
  }

  /** It is being deleted, and waits for nobody who is there: then whoever is there tells of it. */
  #isLeft(name: string): boolean {
    const finalizers = this.get(name)?.object.metadata.finalizers ?? [];
    return this.#isGoing(name) && isLeftHeld(finalizers, this.#options.installations());
  }

  #notWritten(name: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#options.log.warn(
      { environment: name, error: message },
      'The status of an Environment could not be written; it is tried again.',
    );
    const isNews = this.#unwritten.get(name) !== message;
    this.#unwritten.set(name, message);
    if (isRefused(error)) this.#refused.add(name);
    if (!isNews) return;
    this.#options.onChange(name);
    this.#options.onHeld(name);
  }

  #changed(name: string): void {
    if (this.get(name) === undefined) {
      this.#unwritten.delete(name);
      this.#refused.delete(name);
    }
    this.#noteRecorded(name);
    this.#clusters.follow(name, this.get(name)?.environment?.spec.cluster?.kubeConfig.secretRef);
    this.#options.onChange(name);
  }

  /** Records are gone through for nobody else: there may be many, and what a status says counts before them. */
  #noteRecorded(name: string): void {
    const { spec, status } = this.get(name)?.environment ?? {};
    if (spec?.cluster === undefined || status?.cluster?.uid !== undefined) this.#recorded.delete(name);
    else this.#recorded.set(name, this.#options.recordedIn(name));
  }

  #heldBy(name: string, uses: Uses): TowpathError | undefined {
    const { finalizer, installations } = this.#options;
    const { finalizers = [] } = this.get(name)?.object.metadata ?? {};
    return inUse(name, uses) ?? heldUp(name, finalizers, finalizer, installations());
  }

  #factsOf(name: string): EnvironmentFacts {
    const { client, usesOf, isOnly, clusterRoles } = this.#options;
    const environment = this.get(name)?.environment;
    const freezes = environment?.spec.freezes ?? [];
    const now = client.now();
    this.#freezes.clear(name);
    const change = nextChange(freezes, now);
    if (change !== undefined) this.#freezes.setIfNone(name, change.getTime() - now.getTime() + 5);
    const uses = usesOf(name);
    const { frozenUntil, ...counts } = countsOf(uses, freezes, now);
    return {
      others: { frozenUntil, ...(isOnly ? counts : {}) },
      deletion: this.#isGoing(name) ? this.#heldBy(name, uses) : undefined,
      access: environment && unlistedRole(name, managedRoleOf(environment.spec), clusterRoles),
      gates: environment && faultIn(environment),
      stand: this.#clusters.stand(name),
      recorded: this.#recorded.get(name) ?? new Set(),
      homeVersion: this.#options.home.discovery.kubeVersion() || undefined,
    };
  }
}

/** Why nothing new enters there, whoever waits. */
function faultIn({ metadata: { name }, spec: { gates } }: Environment): TowpathError | undefined {
  const whose = `Environment ${name}`;
  return gatesFault(whose, 'spec.gates', gates) ?? checksFault(whose, 'spec.gates.checks', gates?.checks);
}

/** By the API server's judgement, and not because it was busy or away. */
function isRefused(error: unknown): boolean {
  return error instanceof ApiError && !isTransient(error);
}

/** Nothing is written to a cluster of which it is not known by tomorrow that it was this one. */
function notWrittenDown(name: string, why: string): TowpathError {
  return new TowpathError(
    'Time',
    'EnvironmentsUnknown',
    `In which cluster Environment ${name} is cannot be written into its status, and before that nothing is deployed there; it is tried again: ${why}`,
  );
}
