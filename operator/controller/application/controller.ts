import type { Application } from '../../api/v1alpha1/application.ts';
import type { KubeClient, KubeObject, ServiceAccount } from '../../kube/client.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { WatchEvent } from '../../kube/list-watch.ts';
import type { ApplicationState } from '../../observe/application-metrics.ts';
import type { Slices } from '../../observe/slices.ts';
import type { Load, LookResult } from '../../observe/work-metrics.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { Sources } from '../../source/sources.ts';
import { References } from '../candidate/references.ts';
import { WantedCandidates } from '../candidate/wanted.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { applicationKey, namespaceOf } from '../record/application-key.ts';
import { RecordStore } from '../record/store.ts';
import type { TargetIdentity } from '../record/target.ts';
import type { Parts } from '../target/run.ts';
import { forgetRefusal, forgetRetry, isRefused, lacksKind } from '../target/session.ts';
import { Unreported } from '../target/unreported.ts';
import { Wishes } from '../target/wishes.ts';
import { Queue, type QueueObserver } from '../work/queue.ts';
import { ApplicationCache } from './application-cache.ts';
import { type DeletionParts, tellGone } from './deletion.ts';
import { type Fault, isDefect } from './failed-looks.ts';
import { Looks, TELL_AFTER_MS } from './look.ts';
import { stateOf } from './state.ts';
import type { LogLine } from './status/log-lines.ts';
import { ApplicationWriter } from './status/writer.ts';
import { Targets } from './targets.ts';

export interface ControllerOptions {
  /** The API server that Applications, records and the Lease are in. */
  home: KubeClient;
  /** The one that a target's objects are in. */
  clusterOf(target: TargetIdentity): Cluster;
  sources: Sources;
  /** The same for every way to write the URL of a repository; undefined where it is none. */
  nameOf(url: string): string | undefined;
  renderer: Renderer;
  events: EventRecorder;
  /** Shared with all else that takes long. */
  slices: Slices;
  /** Namespace of the target records. */
  namespace: string;
  installation: string;
  impersonate: boolean;
  random(): number;
  /** Told of looks that failed: a defect, an API server that refuses the status itself. Without values of Secrets. */
  onFault(application: string, fault: Fault): void;
  /** Told of a Secret whose record of an Application is not trusted, and why. */
  onUntrustedRecord(secret: string, why: string): void;
  /** Told what happened to an Application, once. Without values of Secrets. */
  onTold(application: string, line: LogLine): void;
  /** Takes in an Application as a request of ours was answered; what that changes is told as an event of its watch. */
  takeAnswer(object: KubeObject): void;
  queueObserver: QueueObserver;
  onLooked(result: LookResult, seconds: number): void;
  /** Told of a look that takes long, again and again. */
  onLong(application: string, seconds: number): void;
  /** Told of a look that did not end when it was interrupted, and that counts no more. */
  onAbandoned(application: string): void;
}

/** How many Applications are worked on at once; those that wait longer than a second lend their place on. */
export const CONCURRENCY = 32;
const LEND_AFTER_MS = 1_000;
/** A look that was interrupted has so long to end before it is abandoned. */
const ABANDON_AFTER_MS = 30_000;
/** A look that goes on for so long is told: a hook may take as long, or something is lost that it waits for. */
const LONG_LOOK_MS = 10 * 60_000;
/** Follows the Applications, and works on them while this process leads: a bounded number at once, each by itself. */
export class ApplicationController {
  readonly #options: ControllerOptions;
  readonly #targets: Targets;
  readonly #parts: Parts;
  readonly #deletion: DeletionParts;
  readonly #applications: ApplicationCache;
  readonly #references: References;
  readonly #writer: ApplicationWriter;
  readonly #looks: Looks;
  #queue: Queue | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#targets = new Targets(options);
    this.#references = new References(options.home, (key) => this.#wakeForReference(key));
    this.#writer = new ApplicationWriter({
      client: options.home,
      events: options.events,
      onWritten: options.takeAnswer,
      onTold: (application, lines) => {
        for (const line of lines) this.#log(application, line);
      },
    });
    this.#parts = this.#newParts();
    this.#deletion = {
      parts: this.#parts,
      targets: this.#targets,
      writer: this.#writer,
      latest: (application) =>
        this.#applications.get(applicationKey(application))?.application ?? application,
      unreportedOf: (application) => this.#unreportedOf(applicationKey(application)),
      letGo: new Map(),
      hookRetries: new Map(),
    };
    this.#applications = new ApplicationCache({
      targets: this.#targets,
      onDependency: (dependent) => this.#queue?.add(dependent),
    });
    this.#looks = new Looks({
      applications: this.#applications,
      deletion: this.#deletion,
      lookAgain: (key, delayMs) => this.#queue?.addAfter(key, delayMs),
      onAnswer: options.takeAnswer,
      onFault: options.onFault,
      onLooked: options.onLooked,
    });
  }

  /** What it gives to looks; it is asked for what it knows later, when all of it is there. */
  #newParts(): Parts {
    const options = this.#options;
    const { home, clusterOf } = options;
    return {
      home,
      clusterOf,
      store: new RecordStore(home, { ...options, onUntrusted: options.onUntrustedRecord }),
      wanted: new WantedCandidates({
        ...options,
        references: this.#references,
        discoveryOf: (target) => clusterOf(target).discovery,
        onChange: (key) => this.#queue?.add(key, { interrupt: 'at once' }),
        isKnown: (key) => this.#applications.get(key) !== undefined,
      }),
      slices: options.slices,
      lookup: (namespace, name) => this.#applications.get(`${namespace}/${name}`)?.application,
      accountOf: (key) => this.#accountOf(key),
      wishes: new Wishes({
        underWay: () => this.#queue?.underWay() ?? [],
        repositoryOf: (key) => {
          const url = this.#applications.get(key)?.application?.spec.source.repoURL;
          return url === undefined ? undefined : (options.nameOf(url) ?? url);
        },
        othersSee: (owner, signal) => this.#parts.wanted.othersSee(owner, signal),
        onUnwanted: (owner) => this.#queue?.add(owner),
      }),
      onLeft: (key) => this.#takeOver(key),
      random: options.random,
    };
  }

  #accountOf(key: string): ServiceAccount | undefined {
    const application = this.#applications.get(key)?.application;
    if (application === undefined) return undefined;
    const [{ account }] = this.#targets.of(application);
    return account;
  }

  #unreportedOf(key: string): Unreported {
    const [{ environment }] = this.#targets.named(key);
    return this.#applications.get(key)?.memory.unreported ?? new Unreported(environment);
  }

  /** At once, but what changes again and again must not keep a look from its end, and its status from being told. */
  #wakeForReference(key: string): void {
    const wakes = this.#applications.get(key)?.memory.wakes;
    const now = performance.now();
    if (wakes === undefined) return;
    if (wakes.take(now)) this.#queue?.add(key, { interrupt: 'in time' });
    else this.#queue?.addAfter(key, wakes.waitMs(now));
  }

  /** Something of a target changed in its cluster: whatever flaps there must not become as many writes of a status (A14). */
  onTargetChanged(id: string): void {
    const key = this.#applications.keyOfTarget(id);
    if (key === undefined) return;
    const wait = this.#applications.get(key)?.memory.looks.waitMs(performance.now()) ?? 0;
    if (wait === 0) this.#queue?.add(key);
    else this.#queue?.addAfter(key, wait);
  }

  /** What was refused because another Application had it is tried at once. */
  #takeOver(key: string): void {
    forgetRetry(this.#applications.get(key)?.memory.session);
    this.#queue?.add(key);
  }

  get load(): Load {
    return this.#queue?.load ?? { waiting: 0, running: 0, unfinished: 0, longest: 0 };
  }

  /** What stands in their status, one by one: some may go meanwhile. */
  *states(): Iterable<ApplicationState> {
    for (const key of [...this.#applications.keys()]) {
      const cached = this.#applications.get(key);
      if (cached !== undefined) yield stateOf(cached);
    }
  }

  /** @throws where the target records cannot be read */
  async tryRecords(signal: AbortSignal): Promise<void> {
    await this.#parts.store.tryRead(signal);
  }

  /** Begins to work: reads the records that the leader before wrote, then looks at every Application. */
  async lead(signal: AbortSignal): Promise<void> {
    await this.#parts.store.load(signal);
    signal.throwIfAborted();
    for (const [, { memory }] of this.#applications.entries()) {
      memory.session = undefined;
      memory.unreported.forgetStatus();
    }
    this.#queue = new Queue({
      observer: this.#options.queueObserver,
      work: (key, workSignal) => this.#looks.look(key, workSignal),
      tenantOf: namespaceOf,
      concurrency: CONCURRENCY,
      slices: this.#options.slices,
      lendAfterMs: LEND_AFTER_MS,
      // What only waits for its turn at the API server would not come sooner with more of its kind beside it.
      mayLend: () => !this.#options.home.saturated,
      onError: (key, error) => this.#looks.failed(key, error),
      // What others answered to a look that was interrupted, the next one hears anew; a defect may have no next time.
      onLateError: (key, error) => {
        if (isDefect(error)) this.#looks.failed(key, error);
      },
      spareMs: 2 * TELL_AFTER_MS,
      leaveAfterMs: ABANDON_AFTER_MS,
      onLeft: (key) => this.#abandon(key),
      longMs: LONG_LOOK_MS,
      onLong: (key, ageMs) => this.#options.onLong(key, ageMs / 1_000),
    });
    for (const key of this.#applications.keys()) this.#queue.add(key);
  }

  /** The kinds that a cluster serves changed: what did not render may do so now. */
  onKindsChanged(): void {
    for (const key of this.#parts.wanted.reconsider()) this.#queue?.add(key);
    // Not every kind has a definition: an aggregated API server brings its own.
    for (const [key, { memory }] of this.#applications.entries())
      if (lacksKind(memory.session)) this.#queue?.add(key);
  }

  /** A definition changed, if only its schema: whoever was refused, or lacked a kind, is looked at again. */
  onDefinitionsChanged(): void {
    for (const [key, { memory }] of this.#applications.entries()) {
      const { session } = memory;
      if (!isRefused(session) && !lacksKind(session)) continue;
      forgetRefusal(session);
      this.#queue?.add(key);
    }
  }

  /** Ends all work under way; the watches go on. */
  async follow(): Promise<void> {
    const queue = this.#queue;
    this.#queue = undefined;
    await queue?.stop();
    // The Git servers are the new leader's to ask, unless that is this process again by now.
    if (this.#queue === undefined) this.#parts.wanted.stopPolling();
  }

  async stop(): Promise<void> {
    await this.follow();
    await this.#references.stop();
  }

  /** Takes in an event of the watch on Applications: each is newer than what was told before. */
  onEvent({ type, namespace, name, object, isAnew }: WatchEvent<KubeObject>): void {
    const key = `${namespace}/${name}`;
    if (type === 'Deleted') {
      this.#applications.forget(key);
      this.#forget(key);
      this.#queue?.add(key, { interrupt: 'at once' });
    } else if (isAnew === true) {
      this.#applications.takeAnew(object);
      this.#queue?.add(key, { interrupt: 'at once' });
    } else this.#take(key, object);
  }

  /** Also of an answer: what somebody else wrote in between, the event of that will not tell any more. */
  #take(key: string, object: KubeObject): void {
    if (!this.#applications.take(object)) return;
    const memory = this.#applications.get(key)?.memory;
    if (memory !== undefined) memory.failedLooks = 0;
    this.#queue?.add(key, { interrupt: 'at once' });
  }

  /** A chart may name an object after a value of a Secret (S5). */
  #log(application: Application, { line, fields }: LogLine): void {
    const { object } = fields;
    const hidden =
      object === undefined ? {} : { object: this.#parts.wanted.hideIn(application, String(object)) };
    this.#options.onTold(applicationKey(application), { line, fields: { ...fields, ...hidden } });
  }

  /** What was kept of an Application that is gone. */
  #forget(key: string): void {
    tellGone(this.#deletion, key);
    this.#deletion.hookRetries.delete(key);
    this.#parts.wanted.forget(key);
    this.#parts.wishes.forget(key);
    for (const target of this.#targets.named(key)) this.#parts.clusterOf(target).inventory.forget(target.id);
  }

  /** Its writes carry the signal by which it was interrupted: the API server gets none of them any more. */
  #abandon(key: string): void {
    this.#options.onAbandoned(key);
    const cached = this.#applications.get(key);
    if (cached === undefined) return;
    cached.memory.isRecordInDoubt = true;
    cached.memory.session = undefined;
    this.#writer.tellAbandoned(cached.object, ABANDON_AFTER_MS / 1_000);
  }
}
