import { isDeepStrictEqual } from 'node:util';
import { type Application, environmentOf, parseApplication } from '../../api/v1alpha1/application.ts';
import { API_VERSION, FINALIZER, GROUP } from '../../api/v1alpha1/names.ts';
import type { KubeObject } from '../../kube/client.ts';
import type { Uses } from '../environment/uses.ts';
import { applicationKey, applicationOf } from '../record/application-key.ts';
import type { TargetRecord } from '../record/record.ts';
import type { SpecifiedTarget, TargetIdentity } from '../record/target.ts';
import { forgetLooks, type TargetMemory } from '../target/memory.ts';
import { type ApplicationMemory, newApplicationMemory, rememberTargets } from './memory.ts';
import { isPlaced, type Targets } from './targets.ts';

const NOBODY: ReadonlySet<string> = new Set();
/** Reasons for refusals of targets of which nothing is there yet, as far as records tell. */
const BY_RECORD: ReadonlySet<string> = new Set(['SamePlace', 'EnvironmentNotFound']);

export interface CachedApplication {
  object: KubeObject;
  /** Undefined where it cannot be read as an Application. */
  application: Application | undefined;
  errors: string[];
  /** Whether it can be read or not. */
  targets: readonly TargetIdentity[];
  /** The same with what the Application asks for there; none of one that cannot be read. */
  specified: readonly SpecifiedTarget[];
  /** Those of `targets` that it had, and no longer names: something of them is there still. */
  left: readonly SpecifiedTarget[];
  memory: ApplicationMemory;
}

export interface ApplicationCacheOptions {
  targets: Targets;
  /** What is recorded of the Application's targets, whether it names them or not; nothing while others lead. */
  recordsOf(key: string): Iterable<TargetRecord>;
  /** An Application whose dependency became Ready, or ceased to be, or is gone. */
  onDependency(dependent: string): void;
  /** A target that there is no longer, though its Application is there: nothing is known of it any more. */
  onDropped(target: TargetIdentity): void;
}

/** What follows from the Applications as they were last told. */
export class ApplicationCache {
  readonly #options: ApplicationCacheOptions;
  /** By `<namespace>/<name>`, as all that follows. */
  readonly #byKey = new Map<string, CachedApplication>();
  /** By their ids, which are addresses: by their names those that are there. */
  readonly #byId = new Map<string, Map<string, TargetIdentity>>();
  readonly #dependents = new Map<string, Set<string>>();
  /** Keys of Applications by the names of the Environments that they name. */
  readonly #byEnvironment = new Map<string, Set<string>>();

  constructor(options: ApplicationCacheOptions) {
    this.#options = options;
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  entries(): Iterable<[string, CachedApplication]> {
    return this.#byKey.entries();
  }

  get(key: string): CachedApplication | undefined {
    return this.#byKey.get(key);
  }

  /** Those that have this id: two of different names may (S18). */
  targetsAt(id: string): Iterable<TargetIdentity> {
    return this.#byId.get(id)?.values() ?? [];
  }

  targetNames(): Iterable<string> {
    return [...this.#byKey.values()].flatMap(({ memory }) => [...memory.targets.keys()]);
  }

  /** Of the target with that name. */
  memoryOf(target: string): TargetMemory | undefined {
    return this.#byKey.get(applicationOf(target))?.memory.targets.get(target);
  }

  /** Whether the Application has our finalizer: before that nothing of it is deployed. */
  isReady(key: string): boolean {
    const object = this.#byKey.get(key)?.object;
    return object !== undefined && hasFinalizer(object);
  }

  /** Takes in an Application as somebody told it; answers whether there is something to do about it. */
  take(object: KubeObject): boolean {
    const key = applicationKey(object);
    const before = this.#byKey.get(key);
    this.#learn(key, object);
    if (before === undefined || asksForWork(before.object, object)) return true;
    // By other labels another policy selects it. And what an Environment or a policy says by now is taken in with
    // whatever comes first of the Application, the echo of a status say: who compares later finds nothing new.
    return !isDeepStrictEqual(before.specified, this.#byKey.get(key)?.specified);
  }

  /** Takes in an Application as it is since the server's history went back: what was remembered of it may not be so. */
  takeAnew(object: KubeObject): void {
    this.#learn(applicationKey(object), object);
    const memory = this.#byKey.get(applicationKey(object))?.memory;
    if (memory === undefined) return;
    memory.updates.forget();
    for (const target of memory.targets.values()) {
      forgetLooks(target);
      target.isRecordInDoubt = true;
    }
  }

  /** What is deployed to an Environment, or may be: who only names it does not keep it. */
  usesOf(environment: string): Uses {
    const applications = [...this.namersOf(environment)].filter((key) => this.#uses(key, environment));
    const objects = applications.map(
      (key) => environmentOf(this.#byKey.get(key)?.application?.status, environment)?.objects ?? 0,
    );
    return { applications, objects: objects.reduce((sum, count) => sum + count, 0) };
  }

  #uses(key: string, environment: string): boolean {
    const { specified = [], left = [] } = this.#byKey.get(key) ?? {};
    const mayLand = (target: SpecifiedTarget) =>
      target.environment === environment &&
      isPlaced(target) &&
      (target.refusal ?? target.lacksPolicy) === undefined;
    if (specified.some(mayLand) || left.some((target) => target.environment === environment)) return true;
    return [...this.#options.recordsOf(key)].some(({ target }) => target.environment === environment);
  }

  /** The keys of the Applications that name an Environment, or have something there. */
  namersOf(environment: string): ReadonlySet<string> {
    return this.#byEnvironment.get(environment) ?? NOBODY;
  }

  /**
   * Finds out anew where the targets of an Application are, and whether anything may be written there; returns the
   * names of those of which that changed.
   */
  placeAnew(key: string): readonly string[] {
    const cached = this.#byKey.get(key);
    if (cached?.application === undefined) return [];
    const before = new Map([...cached.specified, ...cached.left].map((target) => [target.name, target]));
    const { specified, left } = this.#targetsOf(key, cached.application);
    const now = [...specified, ...left];
    const changed = now.filter((target) => !isDeepStrictEqual(before.get(target.name), target));
    if (changed.length > 0 || now.length !== before.size) this.learnAnew(key);
    return changed.map(({ name }) => name);
  }

  /** Takes in the Application anew: what is not its own, and follows from that, changed. */
  learnAnew(key: string): void {
    const object = this.#byKey.get(key)?.object;
    if (object !== undefined) this.#learn(key, object);
  }

  /**
   * Other records are there now: where they are of targets that are not known, or none is any more of one that left,
   * or say what is there already, of several at one place, or in an Environment that is being deleted.
   */
  recordsChanged(): void {
    for (const [key, { targets, specified, left }] of [...this.#byKey]) {
      const known = new Set(targets.map(({ environment }) => environment));
      const recorded = [...this.#options.recordsOf(key)];
      const isByRecord = specified.some(({ refusal }) => BY_RECORD.has(refusal?.reason ?? ''));
      if (left.length > 0 || isByRecord || recorded.some(({ target }) => !known.has(target.environment)))
        this.learnAnew(key);
    }
  }

  /** Has those looked at that name the Application in their spec.dependsOn. */
  tellDependents(key: string): void {
    for (const dependent of this.#dependents.get(key) ?? []) this.#options.onDependency(dependent);
  }

  /** Takes in that an Application is gone; returns which targets it had. */
  forget(key: string): readonly TargetIdentity[] {
    const cached = this.#byKey.get(key);
    const { targets = [] } = cached ?? {};
    this.#byKey.delete(key);
    for (const target of targets) this.#forgetId(target);
    for (const other of dependenciesOf(cached?.application)) removeFrom(this.#dependents, other, key);
    for (const name of environmentsOf(cached)) removeFrom(this.#byEnvironment, name, key);
    this.#tellAllDependents(key);
    return targets;
  }

  #learn(key: string, object: KubeObject): void {
    const { metadata } = object;
    const parsed = parseApplication({ apiVersion: API_VERSION, kind: 'Application', ...object });
    const cached = this.#byKey.get(key);
    const before = cached?.application;
    const application = parsed.ok ? parsed.application : undefined;
    // A successor of the same name begins anew.
    const isSame = cached?.object.metadata.uid === object.metadata.uid;
    const memory = isSame ? cached.memory : newApplicationMemory(performance.now());
    const errors = parsed.ok ? [] : parsed.errors;
    const known = { object, application, errors, ...this.#targetsOf(key, application), memory };
    rememberTargets(memory, known.targets, performance.now());
    if (metadata.deletionTimestamp === undefined) returnTo(memory, known.specified);
    this.#byKey.set(key, known);
    this.#dropFormer(cached, known);
    for (const other of dependenciesOf(before)) removeFrom(this.#dependents, other, key);
    for (const name of environmentsOf(cached)) removeFrom(this.#byEnvironment, name, key);
    if (readiness(before) !== readiness(application)) this.tellDependents(key);
    // Whoever waits for it, over however many others, may be in a circle now, or out of one.
    if (!isDeepStrictEqual(dependenciesOf(before), dependenciesOf(application))) this.#tellAllDependents(key);
    for (const name of environmentsOf(known)) addTo(this.#byEnvironment, name, key);
    if (application === undefined) return;
    for (const target of known.targets) {
      const there = this.#byId.get(target.id) ?? new Map<string, TargetIdentity>();
      this.#byId.set(target.id, there.set(target.name, target));
    }
    for (const other of dependenciesOf(application)) addTo(this.#dependents, other, key);
  }

  #targetsOf(
    key: string,
    application: Application | undefined,
  ): Pick<CachedApplication, 'targets' | 'specified' | 'left'> {
    const { targets, recordsOf } = this.#options;
    const records = [...recordsOf(key)];
    if (application === undefined) {
      const recorded = records.map(({ target }) => targets.named(key, target.environment));
      return { targets: recorded.length === 0 ? [targets.named(key)] : recorded, specified: [], left: [] };
    }
    const { specified, left } = targets.withLeft(application, records);
    return { targets: [...specified, ...left], specified, left };
  }

  /** What is known of targets that there are no longer goes. */
  #dropFormer(before: CachedApplication | undefined, { targets, memory }: CachedApplication): void {
    const names = new Set(targets.map(({ name }) => name));
    for (const target of before?.targets ?? []) {
      if (names.has(target.name)) continue;
      this.#forgetId(target);
      memory.targets.delete(target.name);
      memory.updates.drop(target.environment);
      this.#options.onDropped(target);
    }
  }

  #forgetId({ id, name }: TargetIdentity): void {
    const there = this.#byId.get(id);
    there?.delete(name);
    if (there?.size === 0) this.#byId.delete(id);
  }

  #tellAllDependents(key: string): void {
    const seen = new Set<string>();
    const tell = (of: string) => {
      for (const dependent of this.#dependents.get(of) ?? []) {
        if (seen.has(dependent)) continue;
        seen.add(dependent);
        this.#options.onDependency(dependent);
        tell(dependent);
      }
    };
    tell(key);
  }
}

function dependenciesOf(application: Application | undefined): string[] {
  return (application?.spec.dependsOn ?? []).map(({ name }) => `${application?.metadata.namespace}/${name}`);
}

/** That it names, or did; of one that cannot be read those that it has something in. */
function environmentsOf({ targets = [] }: Partial<Pick<CachedApplication, 'targets'>> = {}): string[] {
  return targets.map(({ environment }) => environment);
}

/** What was gone and is named again is to be looked after. */
function returnTo({ targets }: ApplicationMemory, specified: readonly TargetIdentity[]): void {
  for (const { name } of specified) {
    const memory = targets.get(name);
    if (memory?.gone !== undefined) forgetLooks(memory);
  }
}

function addTo(index: Map<string, Set<string>>, name: string, key: string): void {
  const keys = index.get(name) ?? new Set();
  index.set(name, keys.add(key));
}

function removeFrom(index: Map<string, Set<string>>, name: string, key: string): void {
  const keys = index.get(name);
  keys?.delete(key);
  if (keys?.size === 0) index.delete(name);
}

function readiness(application: Application | undefined): string {
  const ready = application?.status?.conditions?.find((condition) => condition.type === 'Ready');
  const isOfThis = application?.status?.observedGeneration === application?.metadata.generation;
  const environments = (application?.status?.environments ?? []).map(
    ({ name, sync, health, chart }) => `${name} ${sync} ${health} ${chart}`,
  );
  return [ready?.status, isOfThis, ...environments].join(' ');
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
