import { isDeepStrictEqual } from 'node:util';
import { TowpathError } from '../../api/errors.ts';
import { type Application, parseApplication } from '../../api/v1alpha1/application.ts';
import { API_VERSION, DEFAULT_ENVIRONMENT, FINALIZER, GROUP } from '../../api/v1alpha1/names.ts';
import { hasInexactNumber, valuesText } from '../../api/v1alpha1/values-text.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import type { Discovery } from '../../kube/discovery.ts';
import { isAlreadyExists, isConflict } from '../../kube/errors.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { WatchEvent } from '../../kube/list-watch.ts';
import { isNewerVersion } from '../../kube/resource-version.ts';
import type { KeptObject } from '../../plan/plan.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { Sources } from '../../source/sources.ts';
import { Inventory } from '../inventory.ts';
import { Interrupted, Queue } from '../queue.ts';
import { targetId } from '../record.ts';
import { RecordStore } from '../record-store.ts';
import type { Facts } from './facts.ts';
import { finalize } from './finalize.ts';
import { PATIENCE_MS } from './keep-running.ts';
import { reconcile } from './reconcile.ts';
import { References } from './references.ts';
import { accessOf, LOOKING, newSession, type Parts, type Session, targetOf } from './run.ts';
import { explainForbidden } from './service-account.ts';
import { WantedCandidates } from './wanted.ts';
import { APPLICATIONS, ApplicationWriter } from './writer.ts';

export interface ControllerOptions {
  client: KubeClient;
  discovery: Discovery;
  sources: Sources;
  renderer: Renderer;
  events: EventRecorder;
  /** Namespace of the target records. */
  namespace: string;
  installation: string;
  impersonate: boolean;
  random(): number;
  /** Told of what no status can say: a defect, or an API server that refuses the status itself. */
  onFault(application: string, error: unknown): void;
  onReconciled?(application: string, seconds: number): void;
}

/** How many Applications are worked on at once; those that wait longer than a second lend their place on. */
const CONCURRENCY = 32;
const LEND_AFTER_MS = 1_000;
/** Before a look that failed is tried again; doubled each time, up to PATIENCE_MS. */
const FIRST_PAUSE_MS = 1_000;
const OUTDATED_PAUSE_MS = 100;
/** A sync that takes longer says so in the status; shorter ones write their status once, at the end. */
const TELL_AFTER_MS = 5_000;

interface Known {
  object: KubeObject;
  /** Undefined where it cannot be read as an Application. */
  application: Application | undefined;
  errors: string[];
}

/** Follows the Applications, and works on them one by one while this process leads. */
export class ApplicationController {
  readonly #options: ControllerOptions;
  readonly #parts: Parts;
  readonly #known = new Map<string, Known>();
  readonly #sessions = new Map<string, Session>();
  readonly #byTarget = new Map<string, string>();
  readonly #dependents = new Map<string, Set<string>>();
  readonly #references: References;
  readonly #writer: ApplicationWriter;
  /** Looks in a row that failed, each Application's. */
  readonly #faults = new Map<string, number>();
  #queue: Queue | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { client, discovery } = options;
    const wake = (key: string) => this.#queue?.add(key, { interrupt: true });
    this.#references = new References(client, wake);
    this.#writer = new ApplicationWriter({
      client,
      events: options.events,
      onWritten: (object) => this.#takeIn(object),
    });
    this.#parts = {
      client,
      discovery,
      store: new RecordStore(client, options.namespace, options.installation),
      inventory: new Inventory({
        client,
        discovery,
        onChange: (id) => {
          const key = this.#byTarget.get(id);
          if (key !== undefined) this.#queue?.add(key);
        },
      }),
      wanted: new WantedCandidates({ ...options, references: this.#references, onChange: wake }),
      installation: options.installation,
      impersonate: options.impersonate,
      lookup: (namespace, name) => this.#known.get(`${namespace}/${name}`)?.application,
      random: options.random,
    };
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

  /** Begins to work: reads the records that the leader before wrote, then looks at every Application. */
  async lead(signal: AbortSignal): Promise<void> {
    await this.#parts.store.load(signal);
    signal.throwIfAborted();
    this.#sessions.clear();
    this.#queue = new Queue({
      work: (key, workSignal) => this.#work(key, workSignal),
      concurrency: CONCURRENCY,
      lendAfterMs: LEND_AFTER_MS,
      // What only waits for its turn at the API server would not come sooner with more of its kind beside it.
      mayLend: () => !this.#options.client.saturated,
      onError: (key, error) => this.#failed(key, error),
    });
    for (const key of this.#known.keys()) this.#queue.add(key);
  }

  /** The kinds that the cluster serves changed: whoever was refused, or lacked one, is looked at again. */
  onDefinitionsChanged(): void {
    this.#parts.inventory.onDefinitionsChanged();
    const keys = new Set(this.#parts.wanted.reconsider());
    for (const [key, session] of this.#sessions) {
      if (session.refused !== undefined || session.retry?.error.reason === 'KindMissing') keys.add(key);
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
      this.#forget(key);
      this.#queue?.add(key, { interrupt: true });
      return;
    }
    const before = this.#known.get(key);
    if (before !== undefined && isKnown(before.object, event.object)) return;
    this.#learn(key, event.object);
    if (before === undefined || asksForWork(before.object, event.object))
      this.#queue?.add(key, { interrupt: true });
  }

  #learn(key: string, object: KubeObject): void {
    const parsed = parseApplication({ apiVersion: API_VERSION, kind: 'Application', ...object });
    const before = this.#known.get(key)?.application;
    const application = parsed.ok ? parsed.application : undefined;
    this.#known.set(key, { object, application, errors: parsed.ok ? [] : parsed.errors });
    for (const { name } of before?.spec.dependsOn ?? [])
      this.#dependents.get(`${object.metadata.namespace}/${name}`)?.delete(key);
    if (application === undefined) return;
    if (before !== undefined && before.spec.serviceAccountName !== application.spec.serviceAccountName)
      this.#releaseWatches(application.metadata.namespace);
    this.#byTarget.set(targetId(this.#options.installation, targetOf(application)), key);
    for (const { name } of application.spec.dependsOn ?? []) {
      const other = `${application.metadata.namespace}/${name}`;
      const dependents = this.#dependents.get(other) ?? new Set();
      dependents.add(key);
      this.#dependents.set(other, dependents);
    }
    if (readiness(before) !== readiness(application)) this.#wakeDependents(key);
  }

  #wakeDependents(key: string): void {
    for (const dependent of this.#dependents.get(key) ?? []) this.#queue?.add(dependent);
  }

  #forget(key: string): void {
    const known = this.#known.get(key);
    this.#known.delete(key);
    this.#sessions.delete(key);
    this.#faults.delete(key);
    this.#parts.wanted.forget(key);
    if (known?.application !== undefined)
      this.#byTarget.delete(targetId(this.#options.installation, targetOf(known.application)));
    for (const { name } of known?.application?.spec.dependsOn ?? [])
      this.#dependents.get(`${known?.application?.metadata.namespace}/${name}`)?.delete(key);
    this.#wakeDependents(key);
    this.#releaseWatches(key.slice(0, key.indexOf('/')));
  }

  /** Watches as ServiceAccounts that no Application of the namespace names any more are ended. */
  #releaseWatches(namespace: string): void {
    const named = new Set<string>();
    for (const { application } of this.#known.values()) {
      if (application?.metadata.namespace === namespace) named.add(application.spec.serviceAccountName);
    }
    this.#parts.inventory.release(namespace, named);
  }

  async #work(key: string, signal: AbortSignal): Promise<void> {
    const known = this.#known.get(key);
    if (known === undefined) return;
    const started = performance.now();
    const { application } = known;
    if (application === undefined && known.object.metadata.deletionTimestamp !== undefined) {
      await this.#releaseUnreadable(known.object, signal);
    } else if (application === undefined) await this.#writer.tellInvalid(known.object, known.errors, signal);
    else if (application.metadata.deletionTimestamp !== undefined)
      await this.#finalize(key, application, signal);
    else await this.#reconcile(key, known.object, application, signal);
    this.#faults.delete(key);
    this.#options.onReconciled?.(key, (performance.now() - started) / 1000);
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
    const session = this.#sessions.get(key) ?? newSession();
    this.#sessions.set(key, session);
    const values = await this.#exactValues(object, application, signal);
    let tell: NodeJS.Timeout | undefined;
    let telling: Promise<void> = Promise.resolve();
    const onFacts = (facts: Facts) => {
      tell = setTimeout(() => {
        // A look that found nothing to do yet changes nothing that the status says.
        if (application.status?.sync !== undefined && facts.standing === LOOKING) return;
        telling = this.#writer.tell(application, facts, signal).catch(() => undefined);
      }, TELL_AFTER_MS);
    };
    try {
      const { facts, requeueAt } = await reconcile(this.#parts, {
        application,
        values,
        session,
        signal,
        onFacts,
      });
      clearTimeout(tell);
      await telling;
      await this.#writer.tell(this.#known.get(key)?.application ?? application, facts, signal);
      if (requeueAt !== undefined)
        this.#queue?.addAfter(
          key,
          Math.max(0, requeueAt.getTime() - this.#options.client.now().getTime()) + 5,
        );
    } finally {
      clearTimeout(tell);
    }
  }

  /** Numbers that JSON.parse cannot hold are read again, from the text that the API server sends. */
  async #exactValues(
    object: KubeObject,
    application: Application,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { values } = application.spec.helm ?? {};
    if (values === undefined) return undefined;
    if (!hasInexactNumber(values)) return JSON.stringify(values);
    const { name, namespace } = application.metadata;
    const text = await this.#options.client.getText({ resource: APPLICATIONS, namespace, name }, { signal });
    return (
      valuesText(text) ??
      JSON.stringify((object as { spec?: { helm?: { values?: unknown } } }).spec?.helm?.values)
    );
  }

  async #finalize(key: string, application: Application, signal: AbortSignal): Promise<void> {
    const { finalizers } = application.metadata;
    if (!finalizers.includes(FINALIZER)) return;
    const tell = (message: string, kept?: readonly KeptObject[]) =>
      this.#writer.tellDeleting(
        this.#known.get(key)?.application ?? application,
        { reason: 'Deleting', message, isStalled: false, ...(kept === undefined ? {} : { kept }) },
        signal,
      );
    const warn = (message: string) => this.#writer.warn(application, 'RecordDamaged', message);
    const finalized = await finalize(this.#parts, application, signal, { tell, warn });
    if (finalized.state === 'Gone') {
      this.#parts.wanted.forget(key);
      const { metadata } = this.#known.get(key)?.application ?? application;
      await this.#writer.setFinalizers(metadata, without(finalizers), signal);
      this.#writer.tellDeleted(application, finalized.kept);
      return;
    }
    await tell(finalized.message, finalized.kept);
    // The watches tell when something goes; this is for what they cannot tell.
    this.#queue?.addAfter(key, 5_000);
  }

  /**
   * What an Application that cannot be read wants done with its objects is unknown: they are left, like with
   * deletionPolicy Orphan, and it is let go.
   */
  async #releaseUnreadable({ metadata }: KubeObject, signal: AbortSignal): Promise<void> {
    const { name, namespace = '', finalizers = [] } = metadata;
    if (!finalizers.includes(FINALIZER)) return;
    const target = { namespace, application: name, environment: DEFAULT_ENVIRONMENT };
    const record = this.#parts.store.get(targetId(this.#options.installation, target));
    if (record !== undefined) await this.#parts.store.remove(record, signal);
    await this.#writer.setFinalizers(metadata, without(finalizers), signal);
  }

  /** What a write of ours returned is newer than what the watch told last. */
  #takeIn(object: KubeObject): void {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const known = this.#known.get(key);
    if (known === undefined || isNewer(known.object, object)) return;
    this.#learn(key, object);
    // It may have what somebody else wrote in between; the event of that will tell nothing new any more.
    if (asksForWork(known.object, object)) this.#queue?.add(key, { interrupt: true });
  }

  #failed(key: string, error: unknown): void {
    if (error instanceof Interrupted) return;
    const application = this.#known.get(key)?.application;
    const faults = this.#faults.get(key) ?? 0;
    this.#faults.set(key, faults + 1);
    const isOutdated = isConflict(error) || isAlreadyExists(error);
    const first = isOutdated ? OUTDATED_PAUSE_MS : FIRST_PAUSE_MS;
    const pause = Math.min(first * 2 ** faults, PATIENCE_MS) * (0.8 + 0.2 * this.#options.random());
    if (isOutdated) {
      // Somebody else wrote: what the watches have not told yet is read first.
      const again = application === undefined ? Promise.resolve() : this.#readAgain(application);
      void again.catch(() => undefined).then(() => this.#queue?.addAfter(key, pause));
      return;
    }
    this.#options.onFault(key, error);
    this.#queue?.addAfter(key, pause);
    if (application?.metadata.deletionTimestamp !== undefined) void this.#tellUndeleted(application, error);
  }

  async #readAgain(application: Application): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    const { name, namespace } = application.metadata;
    await this.#parts.store.reload(targetOf(application), signal);
    this.#takeIn(await this.#options.client.get({ resource: APPLICATIONS, namespace, name }, { signal }));
  }

  async #tellUndeleted(application: Application, error: unknown): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    const account = accessOf(this.#parts, application, signal).as;
    const { client } = this.#options;
    await this.#parts.wanted.learnSecrets(application, signal).catch(() => undefined);
    const hidden = this.#parts.wanted.hide(application, error);
    const told =
      hidden instanceof TowpathError ? await explainForbidden(client, account, hidden, signal) : hidden;
    const why = told instanceof Error ? told.message : String(told);
    // Without the right, or without an answer, only the person can say that the objects are to be left.
    const message = `Deleting: ${why.slice(0, 150)} To leave the objects: annotate towpath.dev/abandon=default`;
    const isStalled = !(told instanceof TowpathError && told.remedy === 'Time');
    await this.#writer
      .tellDeleting(application, { reason: 'DeletionFailed', message, isStalled }, signal)
      .catch(() => undefined);
  }
}

function without(finalizers: readonly string[]): string[] {
  return finalizers.filter((finalizer) => finalizer !== FINALIZER);
}

function readiness(application: Application | undefined): string {
  const ready = application?.status?.conditions?.find((condition) => condition.type === 'Ready');
  return `${ready?.status} ${application?.status?.observedGeneration === application?.metadata.generation}`;
}

function isNewer(known: KubeObject, than: KubeObject): boolean {
  if (known.metadata.uid !== than.metadata.uid) return false;
  return isNewerVersion(known.metadata.resourceVersion, than.metadata.resourceVersion);
}

/** Whether an event tells nothing that the answer to a write of ours, or a newer event, did not tell. */
function isKnown(known: KubeObject, told: KubeObject): boolean {
  return known.metadata.uid === told.metadata.uid && !isNewer(told, known);
}

/** Whether an event is more than the echo of our own status. */
function asksForWork(before: KubeObject, after: KubeObject): boolean {
  const relevant = ({ metadata }: KubeObject) => [
    metadata.uid,
    metadata.generation,
    metadata.deletionTimestamp,
    ours(metadata.annotations),
  ];
  // One that we add is told by the watch, often before the answer to the patch: that must not interrupt its run.
  const lostFinalizer = hasFinalizer(before) && !hasFinalizer(after);
  return lostFinalizer || !isDeepStrictEqual(relevant(before), relevant(after));
}

function hasFinalizer({ metadata }: KubeObject): boolean {
  return metadata.finalizers?.includes(FINALIZER) === true;
}

function ours(annotations: Record<string, string> | undefined) {
  return Object.entries(annotations ?? {}).filter(([name]) => name.startsWith(`${GROUP}/`));
}
