import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { FINALIZER } from '../../api/v1alpha1/names.ts';
import { hasInexactNumber, isTooDeep, valuesText } from '../../api/v1alpha1/values-text.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import type { Discovery } from '../../kube/discovery.ts';
import { isAlreadyExists, isConflict } from '../../kube/errors.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { WatchEvent } from '../../kube/list-watch.ts';
import type { Slices } from '../../observe/slices.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { Sources } from '../../source/sources.ts';
import { Inventory } from '../inventory.ts';
import { Pace } from '../pace.ts';
import { Queue } from '../queue.ts';
import { targetId } from '../record.ts';
import { RecordStore } from '../record-store.ts';
import {
  type DeletionParts,
  deleteApplication,
  releaseUnreadable,
  restAfter,
  restLeftMs,
} from './deletion.ts';
import type { Facts } from './facts.ts';
import { FailedLooks, type Fault, isDefect, pauseAfterFailed, tellFailed } from './failed-looks.ts';
import { PATIENCE_MS } from './keep-running.ts';
import { KnownApplications } from './known.ts';
import { Progress } from './progress.ts';
import { reconcile } from './reconcile.ts';
import { References } from './references.ts';
import { keyOf, LOOKING, newSession, type Parts, type Session, targetOf, targetOfKey } from './run.ts';
import { WantedCandidates } from './wanted.ts';
import { Wishes } from './wishes.ts';
import { APPLICATIONS, ApplicationWriter } from './writer.ts';

export interface ControllerOptions {
  client: KubeClient;
  discovery: Discovery;
  sources: Sources;
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
  onReconciled?(application: string, seconds: number): void;
  /** Told of a look that takes long, again and again. */
  onLong(application: string, seconds: number): void;
  /** Told of a look that did not end when it was interrupted, and that counts no more. */
  onAbandoned(application: string): void;
}

/** How many Applications are worked on at once; those that wait longer than a second lend their place on. */
const CONCURRENCY = 32;
const LEND_AFTER_MS = 1_000;
/** A look that was interrupted has so long to end before it is abandoned. */
const ABANDON_AFTER_MS = 30_000;
/** A look that goes on for so long is told: a hook may take as long, or something is lost that it waits for. */
const LONG_LOOK_MS = 10 * 60_000;
/** Before the next look where the API server knew something newer; doubled each time. */
const OUTDATED_PAUSE_MS = 100;
/** How many changes of Secrets and ConfigMaps that its spec names an Application follows at once, and how often after. */
const WAKES_AT_ONCE = 10;
const WAKE_EVERY_MS = 5_000;
/** The same for looks because of changes in the cluster. */
const LOOKS_AT_ONCE = 120;
const LOOK_EVERY_MS = 500;
/** A sync that takes longer says every so often how far it is; shorter ones write their status once, at the end. */
const TELL_AFTER_MS = 5_000;

/** Follows the Applications, and works on them while this process leads: a bounded number at once, each by itself. */
export class ApplicationController {
  readonly #options: ControllerOptions;
  readonly #parts: Parts;
  readonly #deletion: DeletionParts;
  readonly #known: KnownApplications;
  readonly #sessions = new Map<string, Session>();
  /** Whose last look was abandoned: what it may still change in memory is read anew. */
  readonly #abandoned = new Set<string>();
  readonly #references: References;
  readonly #writer: ApplicationWriter;
  readonly #failedLooks = new FailedLooks();
  /** For changes of what the spec names, each Application's. */
  readonly #wakes = new Pace(WAKES_AT_ONCE, WAKE_EVERY_MS);
  readonly #looks = new Pace(LOOKS_AT_ONCE, LOOK_EVERY_MS);
  #queue: Queue | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { client, discovery } = options;
    const wake = (key: string) => this.#queue?.add(key, { interrupt: true });
    this.#references = new References(client, (key) => this.#wakeForReference(key));
    this.#writer = new ApplicationWriter({
      client,
      events: options.events,
      onWritten: (object) => this.#takeAnswer(object),
    });
    this.#parts = {
      client,
      discovery,
      store: new RecordStore(client, options.namespace, options.installation, options.slices),
      inventory: new Inventory({
        client,
        discovery,
        onChange: (id) => {
          const key = this.#known.keyOfTarget(id);
          if (key !== undefined) this.#lookSoon(key);
        },
      }),
      wanted: new WantedCandidates({
        ...options,
        references: this.#references,
        onChange: wake,
        isKnown: (key) => this.#known.get(key) !== undefined,
      }),
      installation: options.installation,
      impersonate: options.impersonate,
      slices: options.slices,
      lookup: (namespace, name) => this.#known.get(`${namespace}/${name}`)?.application,
      wishes: new Wishes({
        underWay: () => this.#queue?.underWay() ?? [],
        repositoryOf: (key) => this.#known.get(key)?.application?.spec.source.repoURL,
        onUnwanted: (owner) => this.#queue?.add(owner),
      }),
      onLeft: (key) => this.#takeOver(key),
      random: options.random,
    };
    this.#deletion = {
      parts: this.#parts,
      writer: this.#writer,
      latest: (application) => this.#known.get(keyOf(application))?.application ?? application,
      rests: new Map(),
    };
    this.#known = new KnownApplications({
      installation: options.installation,
      onDependency: (dependent) => this.#queue?.add(dependent),
    });
  }

  /** At once, but what changes again and again must not keep a look from its end, and its status from being told. */
  #wakeForReference(key: string): void {
    if (this.#wakes.take(key)) this.#queue?.add(key, { interrupt: true });
    else this.#queue?.addAfter(key, this.#wakes.waitMs(key));
  }

  /** Something changed in the cluster: whatever flaps there must not become as many writes of a status (A14). */
  #lookSoon(key: string): void {
    const wait = this.#looks.waitMs(key);
    if (wait === 0) this.#queue?.add(key);
    else this.#queue?.addAfter(key, wait);
  }

  /** What was refused because another Application had it is tried at once. */
  #takeOver(key: string): void {
    const session = this.#sessions.get(key);
    if (session !== undefined) delete session.retry;
    this.#queue?.add(key);
  }

  get size(): number {
    return this.#known.size;
  }

  get objects(): number {
    return this.#parts.inventory.size;
  }

  get depth(): number {
    return this.#queue?.depth ?? 0;
  }

  /** The age of the oldest look that has not ended. */
  get oldestLookMs(): number {
    return this.#queue?.oldestMs ?? 0;
  }

  /** Begins to work: reads the records that the leader before wrote, then looks at every Application. */
  async lead(signal: AbortSignal): Promise<void> {
    await this.#parts.store.load(signal);
    signal.throwIfAborted();
    this.#sessions.clear();
    this.#queue = new Queue({
      work: (key, workSignal) => this.#work(key, workSignal),
      tenantOf: (key) => targetOfKey(key).namespace,
      concurrency: CONCURRENCY,
      slices: this.#options.slices,
      lendAfterMs: LEND_AFTER_MS,
      // What only waits for its turn at the API server would not come sooner with more of its kind beside it.
      mayLend: () => !this.#options.client.saturated,
      onError: (key, error) => this.#failed(key, error),
      spareMs: 2 * TELL_AFTER_MS,
      leaveAfterMs: ABANDON_AFTER_MS,
      onLeft: (key) => this.#abandon(key),
      longMs: LONG_LOOK_MS,
      onLong: (key, ageMs) => this.#options.onLong(key, ageMs / 1_000),
    });
    for (const key of this.#known.keys()) this.#queue.add(key);
  }

  /** The kinds that the cluster serves changed: what did not render may do so now, and watches may have ended. */
  onKindsChanged(): void {
    this.#parts.inventory.watches.onDefinitionsChanged();
    for (const key of this.#parts.wanted.reconsider()) this.#queue?.add(key);
    // Not every kind has a definition: an aggregated API server brings its own.
    for (const [key, session] of this.#sessions) if (lacksKind(session)) this.#queue?.add(key);
  }

  /** A definition changed, if only its schema: whoever was refused, or lacked a kind, is looked at again. */
  onDefinitionsChanged(): void {
    const keys = new Set<string>();
    for (const [key, session] of this.#sessions) {
      if (session.refused !== undefined || lacksKind(session)) keys.add(key);
      delete session.refused;
    }
    for (const key of keys) this.#queue?.add(key);
  }

  /** Ends all work under way; the watches go on. */
  async follow(): Promise<void> {
    const queue = this.#queue;
    this.#queue = undefined;
    await queue?.stop();
    // The Git servers are the new leader's to ask, unless that is this process again by now.
    if (this.#queue === undefined) this.#parts.wanted.rest();
  }

  async stop(): Promise<void> {
    await this.follow();
    await Promise.all([this.#references.stop(), this.#parts.inventory.stop()]);
  }

  /** Takes in an event of the watch on Applications. */
  onEvent(event: WatchEvent<KubeObject>): void {
    const key = `${event.namespace}/${event.name}`;
    if (event.type === 'Deleted') {
      if (!this.#known.takeDeletion(event.object)) return;
      this.#forget(key);
      this.#queue?.add(key, { interrupt: true });
      return;
    }
    this.#take(event.object);
  }

  #take(object: KubeObject): void {
    const key = keyOf(object);
    const before = this.#known.get(key)?.object.metadata.uid;
    // Also of an answer: what somebody else wrote in between, the event of that will not tell any more.
    if (!this.#known.take(object)) return;
    // A successor of the same name; that the former one is gone may be told later, or not at all.
    if (before !== undefined && before !== object.metadata.uid) this.#forget(key);
    this.#failedLooks.forget(key);
    this.#queue?.add(key, { interrupt: true });
  }

  /** What a write of ours returned is newer than what the watch told last. */
  #takeAnswer(object: KubeObject): void {
    if (this.#known.get(keyOf(object)) !== undefined) this.#take(object);
  }

  /** What was kept of an Application that is gone. */
  #forget(key: string): void {
    this.#sessions.delete(key);
    this.#abandoned.delete(key);
    this.#failedLooks.forget(key);
    this.#deletion.rests.delete(key);
    this.#wakes.forget(key);
    this.#looks.forget(key);
    this.#parts.wanted.forget(key);
    this.#parts.wishes.forget(key);
    this.#parts.inventory.forget(targetId(this.#options.installation, targetOfKey(key)));
  }

  async #work(key: string, signal: AbortSignal): Promise<void> {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#looks.take(key);
    const started = performance.now();
    if (this.#abandoned.has(key)) {
      await this.#parts.store.readAnew(targetOfKey(key), signal);
      this.#abandoned.delete(key);
    }
    const { application } = known;
    if (application === undefined && known.object.metadata.deletionTimestamp !== undefined) {
      await releaseUnreadable(this.#deletion, known.object, signal);
    } else if (application === undefined) await this.#writer.tellInvalid(known.object, known.errors, signal);
    else if (application.metadata.deletionTimestamp !== undefined)
      await this.#delete(key, application, signal);
    else await this.#reconcile(key, known.object, application, signal);
    this.#parts.wishes.noteLook(key);
    this.#failedLooks.forget(key);
    this.#options.onReconciled?.(key, (performance.now() - started) / 1000);
  }

  /** Its writes carry the signal by which it was interrupted: the API server gets none of them any more. */
  #abandon(key: string): void {
    this.#abandoned.add(key);
    this.#sessions.delete(key);
    this.#options.onAbandoned(key);
    const object = this.#known.get(key)?.object;
    if (object !== undefined) this.#writer.tellAbandoned(object, ABANDON_AFTER_MS / 1_000);
  }

  async #reconcile(
    key: string,
    object: KubeObject,
    application: Application,
    signal: AbortSignal,
  ): Promise<void> {
    if (!application.metadata.finalizers.includes(FINALIZER)) {
      await this.#writer.setFinalizers(
        application.metadata,
        [...application.metadata.finalizers, FINALIZER],
        signal,
      );
      const current = this.#known.get(key)?.application;
      if (current === undefined) return;
      application = current;
    }
    const session = this.#sessions.get(key) ?? newSession(application.status);
    this.#sessions.set(key, session);
    const values = await this.#exactValues(object, application, signal);
    const latest = () => this.#known.get(key)?.application ?? application;
    const progress = new Progress(TELL_AFTER_MS);
    const onFacts = (facts: Facts) =>
      progress.start(async () => {
        // A look that found nothing to do yet changes nothing that the status says.
        if (application.status?.sync !== undefined && facts.standing === LOOKING) return;
        await this.#writer.tell(latest(), facts, session.untold, signal);
      });
    try {
      const { facts, requeueAt } = await reconcile(this.#parts, {
        application,
        values,
        session,
        signal,
        onFacts,
        tellNow: () => progress.now(),
      });
      await progress.stop();
      await this.#writer.tell(latest(), facts, session.untold, signal);
      if (requeueAt !== undefined)
        this.#queue?.addAfter(
          key,
          Math.max(0, requeueAt.getTime() - this.#options.client.now().getTime()) + 5,
        );
    } finally {
      // Before the next look begins: it must not meet a status of this one.
      await progress.stop();
    }
  }

  async #delete(key: string, application: Application, signal: AbortSignal): Promise<void> {
    if (await deleteApplication(this.#deletion, application, signal)) this.#parts.wanted.forget(key);
    // The watches tell when something goes; this is for what they cannot tell.
    else this.#queue?.addAfter(key, Math.min(5_000, restLeftMs(this.#deletion, application)));
  }

  /** Numbers that JSON.parse cannot hold are read again, from the text that the API server sends. */
  async #exactValues(
    object: KubeObject,
    application: Application,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { values } = application.spec.helm ?? {};
    // What is nested too deep is told as soon as the commit is known; until then nothing may follow it to its end.
    if (values === undefined || isTooDeep(values)) return undefined;
    if (!hasInexactNumber(values)) return JSON.stringify(values);
    const { name, namespace } = application.metadata;
    const text = await this.#options.client.getText({ resource: APPLICATIONS, namespace, name }, { signal });
    return (
      valuesText(text) ??
      JSON.stringify((object as { spec?: { helm?: { values?: unknown } } }).spec?.helm?.values)
    );
  }

  #failed(key: string, error: unknown): void {
    this.#parts.wishes.noteLook(key);
    const application = this.#known.get(key)?.application;
    const count = this.#failedLooks.add(key);
    const random = this.#options.random();
    if (isConflict(error) || isAlreadyExists(error)) {
      const pause = pauseAfterFailed(count, random, { first: OUTDATED_PAUSE_MS, longest: PATIENCE_MS });
      // Somebody else wrote: what the watches have not told yet is read first.
      const again = application === undefined ? Promise.resolve() : this.#readAgain(application);
      void again.catch(() => undefined).then(() => this.#queue?.addAfter(key, pause));
      return;
    }
    const now = this.#options.client.now().getTime();
    const isDeleted = application?.metadata.deletionTimestamp !== undefined;
    // A deletion of which the hook failed rests as long as its retries say.
    const nextAt =
      isDeleted && error instanceof TowpathError && error.reason === 'HookFailed'
        ? restAfter(this.#deletion, application, error)
        : new Date(now + pauseAfterFailed(count, random, isDefect(error) ? {} : { longest: PATIENCE_MS }));
    this.#queue?.addAfter(key, nextAt.getTime() - now + 5);
    const failed = { key, application, error, retry: { attempts: count, nextAt } };
    void tellFailed(this.#deletion, failed, {
      onFault: this.#options.onFault,
      isOver: () => this.#failedLooks.of(key) !== count,
    });
  }

  async #readAgain(application: Application): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    const { name, namespace } = application.metadata;
    await this.#parts.store.reload(targetOf(application), signal);
    this.#takeAnswer(await this.#options.client.get({ resource: APPLICATIONS, namespace, name }, { signal }));
  }
}

function lacksKind({ retry }: Session): boolean {
  return retry?.error.reason === 'KindMissing';
}
