import { setTimeout as sleep } from 'node:timers/promises';
import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import { type LedgerRecord, ledgerRecord } from '../../api/v1alpha1/ledger.ts';
import { type Promotion, parsePromotion } from '../../api/v1alpha1/promotion.ts';
import type { KubeClient } from '../../kube/client.ts';
import { NotLeaderError } from '../../kube/errors.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import type { Logger } from '../../observe/log.ts';
import { OngoingFault } from '../../retry/ongoing-fault.ts';
import { namespaceOf } from '../record/application-key.ts';
import { partsOf } from '../record/promotion-names.ts';
import type { TargetRecord } from '../record/record.ts';
import type { Archive } from './archive.ts';
import { foundOf, type Gap, gapsOf, type Known, lostOf } from './gaps.ts';
import { type Ledger, PROMOTIONS } from './ledger.ts';
import { targetIn } from './retention.ts';
import { trimApprovals } from './surplus-approvals.ts';
import { Trim } from './trim.ts';

/** Between two looks at all Promotions: what one leader left undone the next one finds with its first. */
const SWEEP_MS = 24 * 60 * 60_000;
/** The same after one that failed. */
const SWEEP_AGAIN_MS = 10 * 60_000;
/** What ended earlier was looked for in the archive by an earlier look at all; and it is once more before it goes. */
const LOOKED_FOR_MS = 7 * SWEEP_MS;
/** Of so many targets Promotions are listed for each by itself. */
const MOST_ASKED_APART = 5;
/** For the last batch, when it is to end. */
const LAST_MS = 2_000;
/** So long the end of a target waits for its record in the archive. */
const GONE_MS = 5_000;
/** A line of the log for each, for whoever keeps them elsewhere. */
const ENDED = 'A Promotion ended.';
const REMOVED = 'An Application left an environment.';
/** What waits for the archive in memory: more is found again by the next look at all. */
const MOST_WAITING = 10_000;

export interface KeeperOptions {
  client: KubeClient;
  archive: Archive;
  log: Logger;
  slices: Slices;
  /** The namespace of the Applications that are looked after; '': all. */
  namespace: string;
  /** Between two batches for the archive. */
  intervalMs: number;
  /** So many Promotions that ended each target keeps. */
  keep: number;
  /** What is kept of targets, and of namespaces, that are gone. */
  gone: { promotions: number; chunks: number; retentionMs: number };
  /** Told what is missing. */
  ledger: Pick<Ledger, 'record' | 'isUnderWay' | 'found' | 'left'>;
  applicationOf(key: string): Application | undefined;
  /** Of the targets of the Application with that key. */
  recordsOf(key: string): readonly TargetRecord[];
  /** Of the Applications that there are. */
  keys(): Iterable<string>;
}

/** What is to be written down in a namespace. */
interface Gaps {
  readonly targets: readonly { readonly known: Known; readonly gaps: readonly Gap[] }[];
  /** What is under way of those that are not known. */
  readonly lost: readonly Gap[];
}

/**
 * Keeps the ledger whole and small: by the minute what ended goes into the archive, and what is in that and is not among
 * the last of its target goes. After a start, and once a day, it goes through all Promotions, and has done what an earlier
 * process could not.
 */
export class LedgerKeeper {
  readonly #options: KeeperOptions;
  readonly #fault = new OngoingFault();
  /** By namespace and uid. */
  readonly #waiting = new Map<string, Map<string, LedgerRecord>>();
  readonly #trim: Trim;
  /** When all Promotions are looked at next, where that is before it is due: by the clock of the process. */
  #soonAt = Number.POSITIVE_INFINITY;
  #leading: AbortController | undefined;
  #running: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#trim = new Trim({
      ...options,
      onMissing: (namespace, records) => this.#takeAll(namespace, records),
    });
  }

  lead(): void {
    const leading = new AbortController();
    this.#leading?.abort();
    this.#leading = leading;
    this.#options.archive.forget();
    this.#running = this.#run(leading.signal);
  }

  /** What waits is written down, as far as that is possible still: a namespace that goes meanwhile takes what it has with it. */
  async follow(): Promise<void> {
    this.#leading?.abort(new Error('it leads no longer'));
    this.#leading = undefined;
    await this.#running;
    const signal = AbortSignal.timeout(LAST_MS);
    for (const namespace of this.#waiting.keys())
      await this.#append(namespace, signal).catch(() => this.#waiting.delete(namespace));
    this.#options.archive.forget();
  }

  /** A Promotion has ended. */
  ended(promotion: Promotion): void {
    const record = ledgerRecord(promotion);
    if (record !== undefined) this.#take(promotion.metadata.namespace, record);
  }

  /**
   * A target is gone: that is archived at once, with what was under way there. Resolves also where it cannot be, or not soon: the next batch has it then.
   * Never rejects.
   */
  async gone(namespace: string, records: readonly LedgerRecord[]): Promise<void> {
    this.#takeAll(namespace, records);
    const uids = new Set(records.map(({ uid }) => uid));
    const signal = AbortSignal.timeout(GONE_MS);
    await this.#tried(() => this.#appendEnds(namespace, uids, signal), signal);
  }

  /** Of many that go at once those that come meanwhile are in the next write. */
  async #appendEnds(namespace: string, uids: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const ends = () => {
      const waiting = this.#waiting.get(namespace)?.values() ?? [];
      return [...waiting].filter(({ type, uid }) => type === 'Remove' || uids.has(uid));
    };
    await this.#appendAll(namespace, ends, signal);
  }

  #takeAll(namespace: string, records: readonly LedgerRecord[]): void {
    for (const record of records) this.#take(namespace, record);
  }

  #take(namespace: string, record: LedgerRecord): void {
    const there = this.#waiting.get(namespace) ?? new Map<string, LedgerRecord>();
    if (!there.has(record.uid))
      this.#options.log.info({ namespace, record }, record.type === 'Remove' ? REMOVED : ENDED);
    if (there.size < MOST_WAITING) this.#waiting.set(namespace, there.set(record.uid, record));
  }

  /**
   * Something may be found by now that could not be written before, or is to be written anew: soon, but not each time that
   * anything is.
   */
  sweepSoon(): void {
    this.#soonAt = Math.min(this.#soonAt, performance.now() + SWEEP_AGAIN_MS);
  }

  /** Never rejects. */
  async #run(signal: AbortSignal): Promise<void> {
    let sweepAt = 0;
    for (;;) {
      await sleep(this.#options.intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const isDue = performance.now() >= Math.min(sweepAt, this.#soonAt);
      if (isDue) {
        sweepAt = performance.now() + SWEEP_AGAIN_MS;
        this.#soonAt = Number.POSITIVE_INFINITY;
      }
      const isSwept = isDue && (await this.#tried(() => this.#sweep(signal), signal));
      if (isSwept) sweepAt = performance.now() + SWEEP_MS;
      let isWell = isSwept === isDue;
      // What is in the way in one namespace is in no other one's.
      for (const namespace of [...this.#waiting.keys()])
        isWell = (await this.#tried(() => this.#archive(namespace, signal), signal)) && isWell;
      if (isWell) this.#fault.end();
    }
  }

  /** Answers whether it succeeded; else why not is told. Never rejects. */
  async #tried(work: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!signal.aborted && !(error instanceof NotLeaderError)) this.#tell(error);
      return false;
    }
  }

  /** What ended in a namespace since the last batch, and what may go by that. */
  async #archive(namespace: string, signal: AbortSignal): Promise<void> {
    const batch = await this.#append(namespace, signal);
    const targets = new Set(batch.map(({ application, environment }) => `${application}/${environment}`));
    for (const of of await this.#promotionsOf(namespace, targets, signal))
      await this.#trim.target(namespace, of, signal);
  }

  async #append(namespace: string, signal: AbortSignal): Promise<readonly LedgerRecord[]> {
    return this.#appendAll(namespace, () => [...(this.#waiting.get(namespace)?.values() ?? [])], signal);
  }

  /** @param waiting what is to be written, when it has its turn */
  async #appendAll(
    namespace: string,
    waiting: () => readonly LedgerRecord[],
    signal: AbortSignal,
  ): Promise<readonly LedgerRecord[]> {
    const batch = await this.#options.archive.append(namespace, waiting, signal);
    const there = this.#waiting.get(namespace);
    for (const { uid } of batch) there?.delete(uid);
    if (there?.size === 0) this.#waiting.delete(namespace);
    return batch;
  }

  /** Those of each target: where it is about many of them, asked for all at once. */
  async #promotionsOf(
    namespace: string,
    targets: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Promotion[][]> {
    const list = async (fieldSelector?: string) => {
      const select = fieldSelector === undefined ? {} : { fieldSelector };
      const path = { resource: PROMOTIONS, namespace };
      const { items } = await this.#options.client.list(path, select, { signal });
      return this.#each(items, (item) => present(parsePromotion(item)));
    };
    if (targets.size > MOST_ASKED_APART) {
      const all = Map.groupBy(await list(), targetIn);
      return [...targets].map((target) => all.get(target) ?? []);
    }
    const found: Promotion[][] = [];
    for (const target of targets) {
      const [application, environment] = target.split('/');
      found.push(await list(`spec.application=${application},spec.environment=${environment}`));
    }
    return found;
  }

  /** Page by page, in which namespaces come one after the other: no more than one of them is in memory. */
  async #sweep(signal: AbortSignal): Promise<void> {
    const { client, namespace, keys, keep, gone, slices } = this.#options;
    const listedAt = client.now();
    const path = { resource: PROMOTIONS, ...(namespace === '' ? {} : { namespace }) };
    const keysIn = Map.groupBy(keys(), namespaceOf);
    const inUse = new Set(keysIn.keys());
    const one = { namespace: '', promotions: [] as Promotion[] };
    const endOfOne = async () => {
      const { namespace: name, promotions } = one;
      const its = keysIn.get(name) ?? [];
      keysIn.delete(name);
      inUse.add(name);
      if (name !== '') await this.#sweepNamespace(name, { keys: its, promotions, listedAt }, signal);
    };
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page = await client.listPage(path, {}, next, { signal });
      next = page.continue === '' ? undefined : page.continue;
      for (const item of page.items) {
        await slices.pause();
        const promotion = parsePromotion(item);
        if (promotion === undefined) continue;
        if (promotion.metadata.namespace !== one.namespace) {
          await endOfOne();
          one.namespace = promotion.metadata.namespace;
          one.promotions = [];
        }
        one.promotions.push(promotion);
      }
    }
    await endOfOne();
    for (const [name, its] of [...keysIn])
      await this.#sweepNamespace(name, { keys: its, promotions: [], listedAt }, signal);
    const all = new Set(keys());
    const isGone = (name: string, target: string) => this.#isGone(all, name, target);
    await trimApprovals(client, { namespace, keep, gone: { keep: gone.promotions, isGone }, signal });
    await this.#retire(inUse, signal);
  }

  /** @param inUse namespaces in which an Application is, or a Promotion */
  async #retire(inUse: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { archive, client, gone, namespace } = this.#options;
    const bounds = { most: gone.chunks, since: client.now().getTime() - gone.retentionMs };
    const of = namespace === '' ? undefined : namespace;
    // What waits to be written is of one that is in use, too.
    const isInUse = (name: string) => inUse.has(name) || this.#waiting.has(name);
    await archive.retire(isInUse, { bounds, of }, signal);
  }

  async #sweepNamespace(
    namespace: string,
    {
      keys,
      promotions,
      listedAt,
    }: { keys: readonly string[]; promotions: readonly Promotion[]; listedAt: Date },
    signal: AbortSignal,
  ): Promise<void> {
    const { archive } = this.#options;
    const ofTargets = Map.groupBy(promotions, targetIn);
    await this.#fillAll(namespace, await this.#gapsIn(keys, ofTargets), listedAt, signal);
    const since = this.#options.client.now().getTime() - LOOKED_FOR_MS;
    const ended = await this.#each(promotions, (promotion) => {
      const record = ledgerRecord(promotion);
      return record !== undefined && Date.parse(record.finishedAt) >= since ? [record] : [];
    });
    this.#takeAll(namespace, await archive.missing(namespace, ended, signal));
    const there = new Set(keys);
    const { true: gone = [], false: others = [] } = Object.groupBy(
      ofTargets,
      ([target]) => `${this.#isGone(there, namespace, target)}` as const,
    );
    for (const [, of] of others) await this.#trim.target(namespace, of, signal);
    await this.#trim.gone(
      namespace,
      gone.flatMap(([, of]) => of),
      signal,
    );
  }

  async #fillAll(
    namespace: string,
    { targets, lost }: Gaps,
    listedAt: Date,
    signal: AbortSignal,
  ): Promise<void> {
    for (const gap of lost) this.#endLost(namespace, gap, listedAt);
    const gaps = targets.flatMap((of) => of.gaps);
    for (const gap of gaps) if (gap.isUnlessArchived === undefined) this.#fill(gap, listedAt);
    const inDoubt = gaps.flatMap((gap) => (gap.isUnlessArchived === undefined ? [] : [gap.recorded]));
    const lacking = new Set(await this.#options.archive.lacking(namespace, inDoubt, signal));
    for (const { known, gaps } of targets) {
      const left = gaps.filter((gap) => gap.isUnlessArchived === undefined || lacking.has(gap.recorded));
      for (const gap of left) if (gap.isUnlessArchived !== undefined) this.#fill(gap, listedAt);
      this.#noteFound(known, left);
    }
  }

  /** Its target may have come since all were listed. What is under way in one that is not there nobody goes on with. */
  #endLost(namespace: string, gap: Gap, listedAt: Date): void {
    const { ledger, keys } = this.#options;
    const { target } = gap.recorded;
    if (!ledger.isUnderWay(gap.recorded)) this.#fill(gap, listedAt);
    else if (this.#isGone(new Set(keys()), namespace, targetIn({ spec: partsOf(target) })))
      ledger.left(target);
  }

  #fill({ recorded, name }: Gap, listedAt: Date): void {
    const { ledger, log } = this.#options;
    const { target, id, startedAt, inPlaceOf } = recorded;
    if (ledger.isUnderWay(recorded)) return;
    if (inPlaceOf !== undefined && name === undefined) {
      // What a person asks for has its Promotion before it begins, and one of that time is in no list that is older.
      if (Date.parse(startedAt) >= listedAt.getTime()) return;
      log.warn(
        { target, deployment: id, promotion: inPlaceOf.promotion, uid: inPlaceOf.uid, by: inPlaceOf.by },
        'A Promotion that a person made is gone, and another one is made in place of it, by the record of the operator. Unless a backup was restored without it, find out who deleted it, and whether the admission policies of the chart are in force.',
      );
    }
    ledger.record(recorded, name);
  }

  /** Its Application is no more, or has nothing in that environment. @param target `<application>/<environment>` */
  #isGone(keys: ReadonlySet<string>, namespace: string, target: string): boolean {
    const { applicationOf, recordsOf } = this.#options;
    const [name = '', environment = ''] = target.split('/');
    const key = `${namespace}/${name}`;
    if (!keys.has(key)) return true;
    if (recordsOf(key).some((record) => record.target.environment === environment)) return false;
    const application = applicationOf(key);
    return application !== undefined && environmentOf(application.status, environment) === undefined;
  }

  async #gapsIn(
    keys: readonly string[],
    ofTargets: ReadonlyMap<string, readonly Promotion[]>,
  ): Promise<Gaps> {
    const { applicationOf, recordsOf } = this.#options;
    const names = new Set<string>();
    const targets = await this.#each(keys, (key) => {
      const application = applicationOf(key);
      return recordsOf(key).flatMap((record): Gaps['targets'] => {
        const name = `${key.slice(key.indexOf('/') + 1)}/${record.target.environment}`;
        names.add(name);
        if (application === undefined) return [];
        const known = { application, record, promotions: ofTargets.get(name) ?? [] };
        return [{ known, gaps: gapsOf(known) }];
      });
    });
    const lost = [...ofTargets].filter(([name]) => !names.has(name));
    return { targets, lost: lost.flatMap(([, promotions]) => lostOf(promotions)) };
  }

  #noteFound(known: Known, gaps: readonly Gap[]): void {
    const { ledger } = this.#options;
    const { name: target } = known.record.target;
    const applicationUID = known.application.metadata.uid;
    ledger.found(
      target,
      foundOf(known, gaps).filter((one) => !ledger.isUnderWay({ target, applicationUID, ...one })),
    );
  }

  /** What comes of each of many, however many there are: others have their turns. */
  async #each<Item, Result>(
    items: readonly Item[],
    of: (item: Item) => readonly Result[],
  ): Promise<Result[]> {
    const results: Result[] = [];
    for (const item of items) {
      await this.#options.slices.pause();
      results.push(...of(item));
    }
    return results;
  }

  #tell(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (!this.#fault.note(message)) return;
    this.#options.log.warn(
      { error: message },
      'The ledger cannot be archived; it is tried again. Promotions stay until it can.',
    );
  }
}

function present<Value>(value: Value | undefined): Value[] {
  return value === undefined ? [] : [value];
}
