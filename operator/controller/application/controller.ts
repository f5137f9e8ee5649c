import type { Application } from '../../api/v1alpha1/application.ts';
import type { KubeObject } from '../../kube/client.ts';
import type { LedBefore } from '../../kube/lease.ts';
import type { WatchEvent } from '../../kube/list-watch.ts';
import type { ApplicationState } from '../../observe/application-metrics.ts';
import type { Load } from '../../observe/work-metrics.ts';
import type { Wake } from '../candidate/commit-wakes.ts';
import { References } from '../candidate/references.ts';
import { Secrecy } from '../candidate/secrecy/secrecy.ts';
import { WantedCandidates } from '../candidate/wanted.ts';
import type { Uses } from '../environment/uses.ts';
import { applicationKey, applicationOf } from '../record/application-key.ts';
import type { TargetRecord } from '../record/record.ts';
import { RecordStore } from '../record/store.ts';
import { refusedUnbegun, type SpecifiedTarget, type TargetIdentity } from '../record/target.ts';
import { Claims } from '../target/claims.ts';
import { isActedOn } from '../target/commanded.ts';
import { TargetController } from '../target/controller.ts';
import { Evidence } from '../target/evidence.ts';
import { wantsApprovals } from '../target/gates.ts';
import { Wishes } from '../target/handover/wishes.ts';
import type { DueTarget } from '../target/looks.ts';
import { Openings } from '../target/openings.ts';
import { pacedQueue } from '../target/paced-queue.ts';
import type { Parts } from '../target/run.ts';
import { Verdicts } from '../target/verdicts.ts';
import { isOtherState, type TargetUpdate } from '../target/words/target-update.ts';
import { OneAtATime } from '../work/one-at-a-time.ts';
import type { Adding, Queue } from '../work/queue.ts';
import { ApplicationCache } from './application-cache.ts';
import type { ControllerOptions } from './controller-options.ts';
import { dueTarget, isToBegin } from './due-target.ts';
import { exactValues } from './exact-values.ts';
import { followedRepository } from './followed-repository.ts';
import { ApplicationLooks } from './look.ts';
import { forgetStatus, forgetUpdates } from './memory.ts';
import { stateOf } from './metrics-state.ts';
import type { LogLine } from './status/log-lines.ts';
import { ApplicationWriter } from './status/writer.ts';
import { isPlaced, isRefused } from './targets.ts';

/**
 * Follows the Applications, and works on them while this process leads: what there is to do for one is done target by
 * target, and what its targets tell comes together in its status.
 */
export class ApplicationController {
  readonly #options: ControllerOptions;
  readonly #parts: Parts;
  readonly #applications: ApplicationCache;
  readonly #references: References;
  readonly #writer: ApplicationWriter;
  readonly #looks: ApplicationLooks;
  readonly #targets: TargetController;
  #queue: Queue | undefined;
  readonly #placing = new OneAtATime((environment) => this.#placeAnew(environment));
  readonly #governing = new OneAtATime((namespace) => this.#governAnew(namespace));

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { home, targets } = options;
    this.#references = new References(home, (key) => this.#wakeForReference(key));
    this.#writer = new ApplicationWriter({
      client: home,
      events: options.events,
      onWritten: options.takeAnswer,
      onTold: (application, lines) => {
        for (const line of lines) this.#log(application, line);
      },
    });
    this.#applications = new ApplicationCache({
      targets,
      recordsOf: (key) => this.#parts.store.recordsOf(key),
      onDependency: (dependent) => this.#wakeTargets(dependent),
      onDropped: (target) => this.#drop(target),
    });
    this.#parts = this.#newParts();
    this.#looks = new ApplicationLooks({
      parts: this.#parts,
      applications: this.#applications,
      writer: this.#writer,
      isLookedAt: (target) => this.#targets.isLookedAt(target),
      lookAgain: (key, delayMs) => this.#queue?.addAfter(key, delayMs),
      onAnswer: options.takeAnswer,
      onFault: options.onFault,
    });
    this.#targets = this.#newTargets();
  }

  /** What it gives to looks; it is asked for what it knows later, when all of it is there. */
  #newParts(): Parts {
    const options = this.#options;
    const { home, clusterOf, access, approvals, ledger, commands } = options;
    const secrecy = new Secrecy();
    return {
      home,
      clusterOf,
      access,
      approvals,
      ledger,
      commands,
      store: new RecordStore(home, { ...options, onUntrusted: options.onUntrustedRecord }),
      secrecy,
      wanted: new WantedCandidates({
        ...options,
        secrecy,
        references: this.#references,
        discoveryOf: (target) => clusterOf(target).discovery,
        onChange: (key, wake) => this.#wakeForSource(key, wake),
        isKnown: (key) => this.#applications.get(key) !== undefined,
      }),
      slices: options.slices,
      lookup: (namespace, name) => this.#applications.get(`${namespace}/${name}`)?.application,
      accountOf: (target) => this.#find(target)?.specified?.target.account,
      wishes: new Wishes({
        underWay: () => this.#underWay(),
        repositoryOf: (target) =>
          followedRepository(this.#applications.get(applicationOf(target))?.application, options),
        othersSee: (owner, signal) => this.#parts.wanted.othersSee(applicationOf(owner), signal),
        onUnwanted: (owner) => this.#targets.look(owner),
      }),
      verdicts: new Verdicts((target) => this.#targets.look(target)),
      ledUntil: () => options.ledUntil(),
      evidence: new Evidence((target) => this.#targets.look(target)),
      openings: new Openings(),
      claims: new Claims({ recordOf: (target) => this.#parts.store.get(target) }),
      identityOf: (application, environment) => options.targets.named(application, environment),
      specifiedTargets: (application) => this.#specifiedTargets(application),
      onLeft: (target) => this.#targets.takeOver(target),
      onChecked: options.onChecked,
      onVerified: (application, verified) => {
        options.onVerified(verified);
        // Its status is none the other for that, and who wants that version waits for nothing else.
        this.#applications.tellDependents(application);
      },
      random: options.random,
    };
  }

  #newTargets(): TargetController {
    const options = this.#options;
    const { home, slices, queueObserver, onLooked } = options;
    return new TargetController({
      parts: this.#parts,
      slices,
      observer: queueObserver,
      names: () => this.#applications.targetNames(),
      memoryOf: (name) => this.#applications.memoryOf(name),
      find: (name) => this.#findHeld(name),
      tell: (target, update, signal) => this.#tell(target, update, signal),
      warn: (application, reason, message) => this.#writer.warn(application, reason, message),
      onGone: ({ application }) => this.#queue?.add(application),
      valuesOf: async ({ application, environment, overlay }, signal) => {
        const cached = this.#applications.get(application);
        if (cached === undefined) return new Map();
        return exactValues(home, cached.object, environment, overlay, signal);
      },
      readAgain: async ({ application }, signal) => {
        const cached = this.#applications.get(application);
        if (cached !== undefined) await this.#looks.readAgain(cached.object, signal);
      },
      onFault: ({ application }, fault) => options.onFault(application, fault),
      onLooked,
      onLong: (name, seconds) => options.onLong(applicationOf(name), seconds),
      onAbandoned: (name, seconds) => {
        options.onAbandoned(applicationOf(name));
        const cached = this.#applications.get(applicationOf(name));
        if (cached !== undefined) this.#writer.tellAbandoned(cached.object, seconds);
      },
    });
  }

  #find(name: string): DueTarget | undefined {
    return dueTarget(this.#applications, name);
  }

  /** Later, where its Environment could still be deleted from under what is deployed there first. */
  #findHeld(name: string): DueTarget | undefined {
    const found = this.#find(name);
    if (found?.due !== 'Sync') return found;
    const { environment, application, refusal, lacksPolicy, bounds } = found.specified.target;
    const mayLand = (refusal ?? lacksPolicy) === undefined && bounds !== undefined;
    if (!mayLand || this.recordsOf(application).some(({ target }) => target.environment === environment))
      return found;
    return this.#options.isHeld(environment) ? found : undefined;
  }

  /** An Environment cannot be deleted from under what is deployed there any more. */
  onEnvironmentHeld(name: string): void {
    for (const key of this.#applications.namersOf(name))
      for (const target of this.#targetsOf(key))
        if (target.environment === name) this.#targets.look(target.name);
  }

  /** Has it written by who writes all of the Application. */
  async #tell(
    { application, environment }: TargetIdentity,
    update: TargetUpdate,
    signal: AbortSignal,
  ): Promise<void> {
    const cached = this.#applications.get(application);
    const written = cached?.memory.updates.tell(environment, update, signal);
    const isNews = isOtherState(cached?.application?.status, environment, update);
    this.#queue?.add(application, { rank: isNews ? 'First' : 'InTurn' });
    await written;
    // What it took over, or is through with, they wait for.
    if (update.kind !== 'Facts') return;
    for (const { name } of this.#applications.get(application)?.left ?? []) this.#targets.look(name);
  }

  /** The targets that are looked at, or are to be: also those whose Application has no finalizer yet. */
  *#underWay(): Iterable<{ key: string; since?: number }> {
    yield* this.#targets.underWay();
    for (const { key } of this.#queue?.underWay() ?? []) {
      if (!isToBegin(this.#applications, key)) continue;
      for (const { name } of this.#targetsOf(key)) yield { key: name };
    }
  }

  /** Has all that there may be to do for an Application done. */
  #wake(key: string, how: Adding = {}): void {
    this.#queue?.add(key, how);
    this.#wakeTargets(key, how);
  }

  #wakeTargets(key: string, how: Adding = {}): void {
    for (const { name } of this.#targetsOf(key)) this.#targets.look(name, how);
  }

  #wakeForSource(key: string, { rank, afterMs }: Wake): void {
    if (afterMs === undefined) this.#wakeTargets(key, { interrupt: 'at once', rank });
    else for (const { name } of this.#targetsOf(key)) this.#targets.lookAfter(name, afterMs);
  }

  /** As looks know them: by what was begun there. */
  #specifiedTargets(key: string): readonly SpecifiedTarget[] {
    const { store } = this.#parts;
    const specified = this.#applications.get(key)?.specified ?? [];
    return specified.map((target) => refusedUnbegun(target, store.get(target)));
  }

  #targetsOf(key: string): readonly TargetIdentity[] {
    return this.#applications.get(key)?.targets ?? [];
  }

  /** At once, but what changes again and again must not keep a look from its end, and its status from being told. */
  #wakeForReference(key: string): void {
    const wakes = this.#applications.get(key)?.memory.wakes;
    const now = performance.now();
    if (wakes === undefined) return;
    if (wakes.take(now)) this.#wakeTargets(key, { interrupt: 'in time' });
    else for (const { name } of this.#targetsOf(key)) this.#targets.lookAfter(name, wakes.waitMs(now));
  }

  /** Something of a target changed in its cluster. */
  onTargetChanged(id: string): void {
    for (const { name } of this.#applications.targetsAt(id)) this.#targets.onChanged(name);
  }

  /** What is deployed to an Environment. */
  usesOf(environment: string): Uses {
    return this.#applications.usesOf(environment);
  }

  /** Those of a namespace that can be read. */
  applicationsIn(namespace: string): Application[] {
    return [...this.#applications.entries()].flatMap(([key, { application }]) =>
      key.startsWith(`${namespace}/`) ? (application ?? []) : [],
    );
  }

  /** Keys of all, also of those that cannot be read. */
  keys(): string[] {
    return [...this.#applications.keys()];
  }

  /** Undefined where it cannot be read, or there is none. */
  applicationOf(key: string): Application | undefined {
    return this.#applications.get(key)?.application;
  }

  /** Whether the Promotion with that uid was acted on, as the record of its target has it. */
  isActedOn(target: string, uid: string): boolean {
    const record = this.recordsOf(applicationOf(target)).find((one) => one.target.name === target);
    return record !== undefined && isActedOn(record, uid);
  }

  /** The records of the targets of an Application. */
  recordsOf(key: string): readonly TargetRecord[] {
    return this.#parts.store.recordsOf(key);
  }

  /** Whether an Application names that Environment. */
  isNamed(environment: string): boolean {
    return this.#applications.namersOf(environment).size > 0;
  }

  /** In which clusters records have something of an Environment. */
  recordedIn(environment: string): ReadonlySet<string> {
    return this.#parts.store.clustersOf(environment);
  }

  /** An Environment came, changed, or went: who names it is looked at anew. */
  onEnvironment(name: string): void {
    void this.#placing.run(name);
  }

  /** All Environments are known: an Application that names one which does not exist hears of none. */
  onEnvironmentsListed(): void {
    const waiting = [...this.#applications.entries()].flatMap(([, { specified }]) =>
      specified.filter(isRefused).filter(({ refusal }) => refusal.reason === 'EnvironmentsUnknown'),
    );
    for (const name of new Set(waiting.map(({ environment }) => environment))) this.onEnvironment(name);
  }

  /** PromotionPolicies of a namespace, or of all, say something else. */
  onPolicies(namespace: string | undefined): void {
    void this.#governing.run(namespace ?? '');
  }

  async #governAnew(namespace: string): Promise<void> {
    const keys = [...this.#applications.keys()];
    await this.#replace(namespace === '' ? keys : keys.filter((key) => key.startsWith(`${namespace}/`)));
  }

  /** Somebody decided on manifests of a target, by its name, or took that back. */
  onApproval(target: string): void {
    if (this.#applications.memoryOf(target) !== undefined) this.#targets.look(target);
  }

  /** A person asks for something of a target, by its name, or that is otherwise by now. Answers whether there is one. */
  onCommand(target: string): boolean {
    if (this.#applications.memoryOf(target) === undefined) return false;
    // A person does not wait for what is under way, a hook say; what was begun for one is not interrupted.
    const newest = this.#parts.commands.given(target).at(-1);
    const isBegun = newest?.deployment !== undefined || newest?.joined === true;
    const isUrgent = newest !== undefined && !isBegun;
    this.#targets.onCommand(target, isUrgent ? { interrupt: 'at once' } : {});
    return true;
  }

  /** Whether Approvals count, and which there are, is known, or is otherwise by now. */
  onApprovalAdmission(): void {
    for (const [, { specified }] of this.#applications.entries())
      for (const target of specified)
        if (isPlaced(target) && wantsApprovals(target)) this.#targets.look(target.name);
  }

  async #placeAnew(environment: string): Promise<void> {
    await this.#replace([...this.#applications.namersOf(environment)]);
  }

  /** However many there are, others have their turns; and only whom it is about is interrupted. */
  async #replace(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const pause = this.#options.slices.pause();
      if (pause !== undefined) await pause;
      const changed = this.#applications.placeAnew(key);
      if (changed.length === 0) continue;
      this.#queue?.add(key);
      for (const target of changed) this.#targets.look(target, { interrupt: 'at once' });
    }
  }

  get load(): Load {
    return this.#targets.load;
  }

  /** What stands in their status, one by one: some may go meanwhile. */
  *states(): Iterable<ApplicationState> {
    for (const key of [...this.#applications.keys()]) {
      const cached = this.#applications.get(key);
      if (cached !== undefined) yield stateOf(cached, this.recordsOf(key));
    }
  }

  /** @throws where the target records cannot be read */
  async tryRecords(signal: AbortSignal): Promise<void> {
    await this.#parts.store.tryRead(signal);
  }

  /** Begins to work: reads the records that the leader before wrote, then looks at every Application. */
  async lead(signal: AbortSignal, before: LedBefore): Promise<void> {
    await this.#parts.store.load(signal);
    signal.throwIfAborted();
    this.#parts.evidence.forgetAll();
    this.#applications.recordsChanged();
    for (const [, { memory }] of this.#applications.entries()) {
      forgetUpdates(memory);
      if (before !== 'this process') forgetStatus(memory);
    }
    this.#targets.lead();
    this.#queue = pacedQueue(this.#options.home, {
      work: (key, workSignal) => this.#looks.look(key, workSignal),
      slices: this.#options.slices,
      spareMs: 0,
      onError: (key, error) => this.#looks.failed(key, error),
      onLeft: (key) => this.#options.onAbandoned(key),
      onLong: (key, seconds) => this.#options.onLong(key, seconds),
    });
    for (const key of this.#applications.keys()) this.#wake(key);
  }

  /** The kinds that a cluster serves changed: what did not render may do so now. */
  onKindsChanged(): void {
    for (const name of this.#parts.wanted.reconsider()) this.#targets.look(name);
    this.#targets.onKindsChanged();
  }

  /** A definition changed, if only its schema. */
  onDefinitionsChanged(): void {
    this.#targets.onDefinitionsChanged();
  }

  /** Ends all work under way; the watches go on. */
  async follow(): Promise<void> {
    const queue = this.#queue;
    this.#queue = undefined;
    await Promise.all([this.#targets.follow(), queue?.stop(), this.#parts.access.stop()]);
    // The Git servers are the new leader's to ask, unless that is this process again by now.
    if (this.#queue === undefined) this.#parts.wanted.stopPolling();
  }

  async stop(): Promise<void> {
    await this.follow();
    await this.#references.stop();
  }

  /** Takes in an event of the watch on Applications: each is newer than what was told before. */
  onEvent(event: WatchEvent<KubeObject>): void {
    const environments = () => this.#targetsOf(key).map(({ environment }) => environment);
    const key = `${event.namespace}/${event.name}`;
    const before = environments();
    this.#takeIn(key, event);
    for (const environment of new Set([...before, ...environments()])) this.#options.onUse(environment);
    this.#options.onApplication(key);
  }

  #takeIn(key: string, { type, object, isAnew }: WatchEvent<KubeObject>): void {
    const wasReady = this.#applications.isReady(key);
    // All that are made at once, or listed at a start, are no person's that waits for one.
    const rank = this.#applications.get(key) === undefined || isAnew === true ? 'InTurn' : 'First';
    if (type === 'Deleted') {
      this.#forget(key);
      return;
    }
    if (isAnew === true) this.#applications.takeAnew(object);
    else if (!this.#take(key, object)) {
      // Also where the answer to the write of our finalizer was lost.
      if (!wasReady && this.#applications.isReady(key)) this.#wakeTargets(key);
      return;
    }
    this.#wake(key, { interrupt: 'at once', rank });
  }

  /** Also of an answer: what somebody else wrote in between, the event of that will not tell any more. */
  #take(key: string, object: KubeObject): boolean {
    if (!this.#applications.take(object)) return false;
    const memory = this.#applications.get(key)?.memory;
    if (memory === undefined) return true;
    memory.failures = 0;
    for (const target of memory.targets.values()) target.failedLooks = 0;
    return true;
  }

  /** A chart may name an object after a value of a Secret (S5). */
  #log(application: Application, { line, fields }: LogLine): void {
    const { object } = fields;
    const hidden =
      object === undefined ? {} : { object: this.#parts.secrecy.hideIn(application, String(object)) };
    this.#options.onTold(applicationKey(application), { line, fields: { ...fields, ...hidden } });
  }

  /** What was kept of an Application that is gone; looks under way end. */
  #forget(key: string): void {
    const targets = this.#applications.forget(key);
    this.#looks.tellGone(key);
    this.#parts.wanted.forget(key);
    this.#parts.verdicts.forget(key);
    this.#parts.evidence.forget(key);
    this.#queue?.add(key, { interrupt: 'at once' });
    for (const target of targets) this.#drop(target);
  }

  /** Nothing is known of a target any more. */
  #drop(target: TargetIdentity): void {
    const { id, name } = target;
    this.#parts.wishes.forget(name);
    this.#parts.wanted.forgetTarget(name);
    this.#parts.verdicts.forgetTarget(target);
    this.#parts.claims.release(name);
    this.#parts.access.forget(target);
    this.#parts.evidence.forgetTarget(target);
    for (const { inventory } of this.#options.clusters()) inventory.forget(id);
    this.#targets.look(name, { interrupt: 'at once' });
    this.#options.onTargetGone(name);
  }
}
