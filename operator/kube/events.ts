import { randomBytes } from 'node:crypto';
import type { KubeClient } from './client.ts';
import { ApiError, isAlreadyExists, isNotFound, isTransient, NotLeaderError } from './errors.ts';
import { Outbox, type Verdict } from './outbox.ts';
import { microTime } from './times.ts';
import { TokenBucket } from './token-bucket.ts';

/** The object that an event is about; `namespace` is '' outside namespaces. */
export interface EventSubject {
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
}

export interface EventRecord {
  regarding: EventSubject;
  type: 'Normal' | 'Warning';
  /** CamelCase, stable. */
  reason: string;
  /** What was being done; default: the reason. */
  action?: string;
  /** A sentence; cut at 1,024 bytes. */
  note: string;
}

export interface EventRecorderOptions {
  client: KubeClient;
  /** reportingController: `towpath`. */
  component: string;
  /** reportingInstance: the pod's name. */
  instance: string;
  /** Told of an event that could not be written. */
  onFault?: (error: Error) => void;
  monotonic?: () => number;
  /** The least time between two writes of one series; default 60 s. */
  seriesMs?: number;
}

/** An event that was written, and how often it came again since. */
interface Series {
  record: EventRecord;
  name: string;
  count: number;
  written: number;
  writtenAt: number;
  seenAt: number;
  /** Of the API server's clock. */
  first: Date;
  last: Date;
  /** One that was sent may be there although its answer was lost. */
  wasSent: boolean;
}

const EVENTS = { group: 'events.k8s.io', version: 'v1', plural: 'events' };
const NOTE_BYTES = 1024;
/** For one object: 20 at once, then one in three minutes: no flapping object floods etcd (A14). */
const OBJECT_BURST = 20;
const OBJECT_REFILL_MS = 180_000;
/** Series and buckets that are remembered; the oldest are forgotten first. */
const MEMORY = 2000;
const QUEUE = 2000;
/** An event that comes again after this long is a new one. */
const SERIES_END_MS = 600_000;
const SERIES_MS = 60_000;
/** An event that the API server does not take for so long is of no use to anybody any more. */
const KEEP_MS = 600_000;
/** Of one write: an admission webhook that hangs takes no longer by default. */
const WRITE_MS = 10_000;

/**
 * Writes events.k8s.io/v1 Events in the background. `record` never waits and never fails: identical events become a
 * series, each object has a budget, the queue is bounded, and what does not fit is counted in `dropped`. Those that
 * cannot be written while the API server is away are written when it is back, with the time at which they happened;
 * those of what happened before this process lost the Lease wait for `resume`.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #monotonic: () => number;
  readonly #series = new Map<string, Series>();
  readonly #budgets = new Map<string, TokenBucket>();
  readonly #outbox: Outbox<Series>;
  readonly #stop = new AbortController();
  #sweep: NodeJS.Timeout | undefined;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#outbox = new Outbox({
      tenantOf: ({ record }) => record.regarding.namespace,
      send: (series) => this.#write(series),
      judge,
      onLost: (series, error) => this.#lose(series, error),
      most: QUEUE,
      keepMs: KEEP_MS,
      monotonic: this.#monotonic,
    });
  }

  /** Events that were not written: beyond a bound, or refused. */
  get dropped(): number {
    return this.#dropped;
  }

  record(record: EventRecord): void {
    const now = this.#monotonic();
    const key = JSON.stringify([record.regarding, record.type, record.reason, record.action, record.note]);
    const ongoing = this.#series.get(key);
    if (ongoing !== undefined && now - ongoing.seenAt < SERIES_END_MS) {
      ongoing.count += 1;
      ongoing.seenAt = now;
      ongoing.last = this.#options.client.now();
      this.#sweepLater();
      return;
    }
    const name = `${record.regarding.name.slice(0, 200)}.${randomBytes(8).toString('hex')}`;
    const first = this.#options.client.now();
    const seen = { count: 1, seenAt: now, first, last: first };
    const series = { record, name, ...seen, written: 0, writtenAt: now, wasSent: false };
    if (!this.#outbox.hasRoomFor(series) || !this.#budgetOf(record.regarding, now).take(now)) {
      this.#dropped += 1;
      return;
    }
    remember(this.#series, key, series);
    this.#outbox.add(series);
  }

  /** Writes what has waited since this process stopped leading; to be called when it leads. */
  resume(): void {
    this.#outbox.resume();
  }

  /** Writes what is waiting, for at most `withinMs`, and ends. */
  async stop(withinMs = 2000): Promise<void> {
    clearTimeout(this.#sweep);
    const before = this.#dropped;
    const timer = setTimeout(() => this.#stop.abort(new Error('stopped')), withinMs);
    await this.#outbox.end(this.#stop.signal);
    clearTimeout(timer);
    this.#stop.abort(new Error('stopped'));
    const lost = this.#dropped - before;
    if (lost > 0) this.#fault(new Error(`${lost} were not written before the process ended.`));
  }

  #budgetOf({ uid, kind, namespace, name }: EventSubject, now: number): TokenBucket {
    const key = `${uid}/${kind}/${namespace}/${name}`;
    const existing = this.#budgets.get(key);
    if (existing !== undefined) return existing;
    const budget = new TokenBucket(OBJECT_BURST, OBJECT_REFILL_MS, now);
    remember(this.#budgets, key, budget);
    return budget;
  }

  /** Repeats are written together, at most once in `seriesMs` for each series. */
  #sweepLater(): void {
    if (this.#sweep !== undefined || this.#stop.signal.aborted) return;
    const seriesMs = this.#options.seriesMs ?? SERIES_MS;
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined;
      const now = this.#monotonic();
      for (const [key, series] of this.#series) {
        const repeated = series.count > series.written;
        const isDue = now - series.writtenAt >= seriesMs && !this.#outbox.has(series);
        if (repeated && isDue && this.#outbox.hasRoomFor(series)) this.#outbox.add(series);
        else if (repeated) this.#sweepLater();
        else if (now - series.seenAt >= SERIES_END_MS) this.#series.delete(key);
      }
    }, seriesMs);
    this.#sweep.unref();
  }

  async #write(series: Series): Promise<void> {
    const { count, wasSent } = series;
    series.wasSent = true;
    try {
      await (series.written === 0 ? this.#create(series, count) : this.#update(series, count));
    } catch (error) {
      if (!wasSent || !isAlreadyExists(error)) throw error;
    }
    this.#wrote(series, count);
  }

  #wrote(series: Series, count: number): void {
    series.written = count;
    series.writtenAt = this.#monotonic();
  }

  #lose(series: Series, error: unknown): void {
    this.#dropped += 1;
    this.#wrote(series, series.count);
    if (!this.#stop.signal.aborted) this.#fault(error);
  }

  async #create({ record, name, first, last }: Series, count: number): Promise<void> {
    const { client, component, instance } = this.#options;
    const { regarding, type, reason, action, note } = record;
    const { namespace: of, ...rest } = regarding;
    // Events of objects outside namespaces live in `default`, where kubectl describe looks for them.
    const namespace = of === '' ? 'default' : of;
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace, name },
      eventTime: microTime(first),
      ...(count > 1 ? { series: { count, lastObservedTime: microTime(last) } } : {}),
      reportingController: component,
      reportingInstance: instance.slice(0, 128),
      action: (action ?? reason).slice(0, 128),
      reason: reason.slice(0, 128),
      regarding: of === '' ? rest : { ...rest, namespace: of },
      note: cut(note, NOTE_BYTES),
      type,
    };
    await client.create({ resource: EVENTS, namespace }, event, {}, this.#call);
  }

  async #update(series: Series, count: number): Promise<void> {
    const { client } = this.#options;
    const { namespace } = series.record.regarding;
    const path = { resource: EVENTS, namespace: namespace === '' ? 'default' : namespace, name: series.name };
    const patch = { series: { count, lastObservedTime: microTime(series.last) } };
    try {
      await client.mergePatch(path, patch, {}, this.#call);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // The server forgets events after an hour.
      await this.#create(series, count);
    }
  }

  get #call() {
    return { signal: this.#stop.signal, timeoutMs: WRITE_MS };
  }

  #fault(error: unknown): void {
    try {
      this.#options.onFault?.(error instanceof Error ? error : new Error(String(error)));
    } catch {
      // Nobody is left to tell, and the next event has to be written.
    }
  }
}

/** What only time, or the Lease, helps waits; what was refused would be refused again. */
function judge(error: unknown): Verdict {
  if (error instanceof NotLeaderError) return { again: 'when resumed' };
  if (!isTransient(error)) return { again: 'never' };
  const notBeforeMs = error instanceof ApiError ? error.retryAfterMs : undefined;
  return { again: 'soon', ...(notBeforeMs === undefined ? {} : { notBeforeMs }) };
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MEMORY) return;
    map.delete(oldest);
  }
}

/** Cuts a text to so many bytes of UTF-8, at a character's end, and shows that it did. */
function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  const ellipsis = '…';
  const room = bytes - Buffer.byteLength(ellipsis);
  return `${new TextDecoder().decode(encoded.subarray(0, room)).replace(/\uFFFD$/, '')}${ellipsis}`;
}
