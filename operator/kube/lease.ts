import { setTimeout as delay } from 'node:timers/promises';
import { membersOf } from '../api/foreign-object.ts';
import type { KubeClient } from './client.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import { ListWatch } from './list-watch.ts';
import type { KubeObject, ObjectPath } from './objects.ts';
import { microTime } from './times.ts';

/** Who led before one that begins to: this very process, with nobody in between, or whoever it was. */
export type LedBefore = 'this process' | 'another, or nobody';

export interface LeaderElectionOptions {
  client: KubeClient;
  /** Of the Lease. */
  namespace: string;
  name: string;
  /** Unique among all replicas, restarts included (pod name and a random part). */
  identity: string;
  /** How long others wait for a leader that is silent; whole seconds. Default 15 s. */
  leaseDurationMs?: number;
  /** How long a leader that cannot renew goes on leading. Default 10 s; must be less than leaseDurationMs. */
  renewDeadlineMs?: number;
  /** Pause between renewals, and between a follower's looks. Default 2 s; a leader's must be less than renewDeadlineMs. */
  retryPeriodMs?: number;
  onStartedLeading?: (before: LedBefore) => void;
  /** Called within the very call of isLeader() that notices it, if that comes first. */
  onStoppedLeading?: () => void;
  /** Why the Lease could not be read or written this time. */
  onFault?: (error: Error) => void;
  /** The Lease was read, or renewed: each time. */
  onAnswer?: () => void;
  /** Milliseconds of a clock that only goes forward and runs on while the process is stopped. */
  monotonic?: () => number;
  random?: () => number;
}

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

/** The Lease as last seen, and when it was first seen so, by our own clock: skew between clocks does no harm. */
interface Observed {
  object: KubeObject;
  spec: LeaseSpec;
  since: number;
}

const LEASES = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' };
/** What a Lease is given up with, so that nobody waits for it. */
const RELEASED_SECONDS = 1;
const RELEASE_ATTEMPTS = 3;

/** Leader election on a coordination.k8s.io/v1 Lease, compatible with client-go's. */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #path: ObjectPath;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #monotonic: () => number;
  #stop = new AbortController();
  #watch: ListWatch<string> | undefined;
  #ended: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #observed: Observed | undefined;
  /** The Lease, and how often it had changed hands, when this replica led last. */
  #ledLast: { uid: string; transitions: number } | undefined;
  #renewedBefore: Date | undefined;
  /** When the renewal that is in force was sent; undefined for a follower. */
  #renewedAt: number | undefined;
  #deadline: NodeJS.Timeout | undefined;
  /** Set when the Lease became free since the last look. */
  #isFree = false;
  #wake: () => void = () => undefined;

  constructor(options: LeaderElectionOptions) {
    const { namespace, name } = options;
    this.#options = options;
    this.#path = { resource: LEASES, namespace, name };
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2000;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    if (this.#renewDeadlineMs >= this.#leaseDurationMs) {
      throw new Error(
        'The renew deadline must be shorter than the lease duration, or two replicas may lead.',
      );
    }
  }

  /** Since the renewal that is in force was sent, in milliseconds; 0 for a follower. */
  get ageMs(): number {
    return this.#renewedAt === undefined ? 0 : this.#monotonic() - this.#renewedAt;
  }

  /** When the Lease was renewed last before this replica took it; undefined where there was none. */
  get renewedBefore(): Date | undefined {
    return this.#renewedBefore;
  }

  /** Begins to compete, also after an end of `stop`. */
  start(): void {
    if (this.#running !== undefined) return;
    this.#stop = new AbortController();
    this.#ended = undefined;
    this.#observed = undefined;
    this.#watch = this.#newWatch();
    this.#watch.start();
    this.#running = this.#run();
  }

  #newWatch(): ListWatch<string> {
    const { client, namespace, name } = this.#options;
    return new ListWatch({
      client,
      resource: LEASES,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      reduce: (lease) => specOf(lease).holderIdentity ?? '',
      // A follower need not wait for its next look when the Lease is released or deleted.
      onEvent: ({ type, object }) => {
        if (object !== '' && type !== 'Deleted') return;
        this.#isFree = true;
        this.#wake();
      },
    });
  }

  /** Gives the Lease up: first nothing is written any more, then a successor is let in (A7). */
  stop(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    const led = this.isLeader();
    this.#stop.abort(new Error('stopped'));
    this.#lose();
    await Promise.all([this.#running, this.#watch?.stop()]);
    if (led) await this.#release(RELEASE_ATTEMPTS).catch((error: unknown) => this.#fault(error));
    this.#running = undefined;
  }

  /**
   * Whether this replica may write now (D8): false from the renew deadline on by the clock itself, not by a timer,
   * which would not fire while a process is stopped or its loop is stuck.
   */
  isLeader(): boolean {
    if (this.#renewedAt === undefined) return false;
    if (this.#monotonic() - this.#renewedAt < this.#renewDeadlineMs) return true;
    this.#lose();
    return false;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#acquireOrRenew();
        this.#tell(this.#options.onAnswer);
      } catch (error) {
        if (!signal.aborted) this.#fault(error);
      }
      await this.#pause(signal);
    }
  }

  /** Until the next look: a leader's at an even pace, a follower's with jitter, or at once when the Lease is free. */
  async #pause(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const leads = this.#renewedAt !== undefined;
    const isFree = this.#isFree;
    this.#isFree = false;
    if (isFree && !leads) return;
    const ms = leads ? this.#retryPeriodMs : this.#retryPeriodMs * (0.75 + 0.5 * this.#random());
    // A leader's own Lease may be taken away by hand: it looks at its pace.
    const until = leads ? signal : AbortSignal.any([signal, woken.signal]);
    await delay(ms, undefined, { signal: until }).catch(() => undefined);
  }

  async #acquireOrRenew(): Promise<void> {
    const seen =
      this.#renewedAt === undefined ? await this.#look() : (this.#observed ?? (await this.#look()));
    if (seen === undefined) return this.#create();
    if (this.#isHeldByAnother(seen)) return this.#lose();
    if (this.#renewedAt === undefined) this.#renewedBefore = timeOf(seen.spec.renewTime);
    try {
      await this.#renew(seen);
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      // Someone else wrote it, or our own renewal whose answer was lost: the next look tells.
      const now = await this.#look();
      if (now === undefined || this.#isHeldByAnother(now)) this.#lose();
      else if (this.#renewedAt !== undefined) await this.#renew(now);
    }
  }

  #isHeldByAnother({ spec, since }: Observed): boolean {
    const { holderIdentity = '', leaseDurationSeconds } = spec;
    if (holderIdentity === '' || holderIdentity === this.#options.identity) return false;
    const duration = leaseDurationSeconds === undefined ? this.#leaseDurationMs : leaseDurationSeconds * 1000;
    return this.#monotonic() - since < duration;
  }

  async #look(): Promise<Observed | undefined> {
    try {
      return this.#observe(await this.#options.client.get(this.#path, this.#call()));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#observed = undefined;
      return undefined;
    }
  }

  #observe(object: KubeObject): Observed {
    const { uid, resourceVersion } = object.metadata;
    const before = this.#observed?.object.metadata;
    if (this.#observed === undefined || before?.uid !== uid || before.resourceVersion !== resourceVersion) {
      this.#observed = { object, spec: specOf(object), since: this.#monotonic() };
    }
    return this.#observed;
  }

  async #create(): Promise<void> {
    const sentAt = this.#monotonic();
    const { name, namespace } = this.#path;
    const body = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace },
      spec: this.#specNow(undefined),
    };
    const { name: _name, ...collection } = this.#path;
    try {
      this.#lead(sentAt, await this.#options.client.create(collection, body, {}, this.#call()));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  async #renew(seen: Observed): Promise<void> {
    const sentAt = this.#monotonic();
    const body = { ...seen.object, spec: { ...seen.spec, ...this.#specNow(seen.spec) } };
    this.#lead(sentAt, await this.#options.client.replace(this.#path, body, {}, this.#call()));
  }

  #specNow(before: LeaseSpec | undefined): LeaseSpec {
    const now = microTime(this.#options.client.now());
    const ours = before?.holderIdentity === this.#options.identity;
    const transitions = before?.leaseTransitions ?? 0;
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
      acquireTime: ours ? (before.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: ours || before === undefined ? transitions : transitions + 1,
    };
  }

  #lead(sentAt: number, lease: KubeObject): void {
    const { object, spec } = this.#observe(lease);
    if (this.#stop.signal.aborted || this.#monotonic() - sentAt >= this.#renewDeadlineMs) return;
    // Whoever came to the deadline meanwhile begins anew, so that what it was doing is ended first.
    const leads = this.isLeader();
    this.#renewedAt = sentAt;
    this.#noticeDeadline(sentAt);
    const { uid } = object.metadata;
    const { leaseTransitions: transitions = 0 } = spec;
    const isOurs = this.#ledLast?.uid === uid && this.#ledLast.transitions === transitions;
    this.#ledLast = { uid, transitions };
    const before = isOurs ? 'this process' : 'another, or nobody';
    if (!leads) this.#tell(() => this.#options.onStartedLeading?.(before));
  }

  /** Notices the deadline when nobody asks. Timers count whole milliseconds, and can fire before their time. */
  #noticeDeadline(renewedAt: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(
      () => {
        if (this.isLeader()) this.#noticeDeadline(renewedAt);
      },
      renewedAt + this.#renewDeadlineMs - this.#monotonic(),
    );
  }

  #lose(): void {
    if (this.#renewedAt === undefined) return;
    this.#renewedAt = undefined;
    clearTimeout(this.#deadline);
    this.#tell(this.#options.onStoppedLeading);
  }

  async #release(attempts: number): Promise<void> {
    const { client, identity } = this.#options;
    const options = { timeoutMs: 3000, ungated: true };
    const lease = await client.get(this.#path, options);
    const spec = specOf(lease);
    if (spec.holderIdentity !== identity) return;
    const renewTime = microTime(client.now());
    const released = { ...spec, holderIdentity: '', leaseDurationSeconds: RELEASED_SECONDS, renewTime };
    try {
      await client.replace(this.#path, { ...lease, spec: released }, {}, options);
    } catch (error) {
      // A renewal that was under way when we stopped came in between.
      if (attempts <= 1 || !isConflict(error)) throw error;
      await this.#release(attempts - 1);
    }
  }

  /** Half the deadline, so that a hung request leaves time for another. */
  #call(): { signal: AbortSignal; timeoutMs: number; ungated: true } {
    return { signal: this.#stop.signal, timeoutMs: this.#renewDeadlineMs / 2, ungated: true };
  }

  #random(): number {
    return (this.#options.random ?? Math.random)();
  }

  #tell(callback: (() => void) | undefined): void {
    try {
      callback?.();
    } catch (error) {
      this.#fault(error);
    }
  }

  #fault(error: unknown): void {
    try {
      this.#options.onFault?.(error instanceof Error ? error : new Error(String(error)));
    } catch {
      // Nobody is left to tell, and the election has to go on.
    }
  }
}

/** Somebody else may have written it. */
function timeOf(time: unknown): Date | undefined {
  const date = new Date(typeof time === 'string' ? time : Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function specOf(lease: KubeObject): LeaseSpec {
  return membersOf(lease.spec);
}
