import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type LedgerRecord, ledgerRecord, removalRecord } from '../../api/v1alpha1/ledger.ts';
import { GROUP, VERSION } from '../../api/v1alpha1/names.ts';
import {
  isFinished,
  type Promotion,
  type PromotionPhase,
  parsePromotion,
} from '../../api/v1alpha1/promotion.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import {
  ApiError,
  isAlreadyExists,
  isNamespaceTerminating,
  isNotFound,
  NotLeaderError,
} from '../../kube/errors.ts';
import type { Logger } from '../../observe/log.ts';
import { backoffMs } from '../../retry/backoff.ts';
import { OngoingFault } from '../../retry/ongoing-fault.ts';
import {
  isSameDeployment,
  partsOf,
  promotionNames,
  type Recordable,
  secondOf,
} from '../record/promotion-names.ts';
import { type Deployment, deploymentsIn, type TargetRecord } from '../record/record.ts';
import type { TargetIdentity } from '../record/target.ts';
import type { LedgerView, Noted } from '../target/ledger-view.ts';
import type { Found } from './gaps.ts';
import { isOf, promotionInWords, promotionOf, type Recorded, statusOf } from './promotion-of.ts';
import { recordedOf, type Told } from './recorded.ts';
import { RecordedDeployments } from './recorded-deployments.ts';
import { type Unrecorded, UnrecordedDeployments } from './unrecorded.ts';

export const PROMOTIONS = { group: GROUP, version: VERSION, plural: 'promotions' };
const RETRY = { firstMs: 1_000, longestMs: 30_000 };
/** What was refused, by a quota say, somebody has to mend. */
const RETRY_REFUSED = { firstMs: 1_000, longestMs: 5 * 60_000 };
/** What ends sooner is written once, at its end. */
const TELL_AFTER_MS = 1_000;
/** Tries to write into a namespace that is not there: what looks for gaps finds it later, where that comes back. */
const TRIES_WITHOUT_PLACE = 5;
/** As long as the address in the other name. */
const RANDOM_BYTES = 10;
/** So long the end of a target waits to be told what was its last deployment. */
const LOOK_UP_MS = 2_000;

export interface LedgerOptions {
  client: KubeClient;
  log: Logger;
  /** What goes into the archive of a target that is gone, and of what was under way; resolves when it is there, or soon. */
  onGone(namespace: string, records: readonly LedgerRecord[]): Promise<void>;
  /** A Promotion has ended, and says so. */
  onEnded(promotion: Promotion): void;
  /** What was dropped, because it could not be written for long, may be found and written by now. */
  onWritable(): void;
  now(): Date;
  random(): number;
}

/** A deployment on its way into the ledger. */
interface Entry extends Unrecorded {
  recorded: Recorded;
  /** Name of its Promotion, as soon as there is one. */
  name: string | undefined;
  /** Of that Promotion, as far as it is known. */
  uid: string | undefined;
  /** Its target is gone: nobody finds it later. */
  isLast: boolean;
  /** What its Promotion says of it. */
  wrote: PromotionPhase | undefined;
  /** And of what that waits for. */
  wroteWaits: Recorded['blockedBy'];
  /** Called when more of it is known. */
  wake: () => void;
}

/**
 * Writes down each deployment as a Promotion: made when it begins, with a status when it goes on for longer, and at its
 * end. Nobody waits for that, and no deployment for whether it can be done: what is in the way is told and tried again.
 */
export class Ledger implements LedgerView {
  readonly #options: LedgerOptions;
  /** By what is refused, and the namespace: a quota or a webhook of one says nothing of another. */
  readonly #faults = new Map<string, OngoingFault>();
  readonly #unrecorded = new UnrecordedDeployments();
  readonly #recorded = new RecordedDeployments();
  /** By target's name, and what tells the deployment from all others there: those that are not through. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  #leading = new AbortController();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** So many deployments wait for their Promotion, because none could be made. */
  get unrecorded(): number {
    return this.#unrecorded.size;
  }

  /** Whether it is being written down at the moment. */
  isUnderWay(deployment: Recordable): boolean {
    return this.#entries.get(deployment.target)?.has(keyOf(deployment)) === true;
  }

  isRecorded(target: string, deployment: Pick<Deployment, 'id' | 'startedAt'>): boolean {
    return this.#recorded.has(target, deployment);
  }

  nameOf(target: string, deployment: Pick<Deployment, 'id' | 'startedAt'>): string | undefined {
    const its = [...(this.#entries.get(target)?.values() ?? [])];
    const entry = its.findLast(({ recorded }) => isSameDeployment(recorded, deployment));
    return entry === undefined ? this.#recorded.nameOf(target, deployment) : entry.name;
  }

  /** A Promotion of a person says how it ended. */
  ended({ metadata, spec, status = {} }: Promotion): void {
    const { deployment: id, startedAt } = status;
    const target = `${metadata.namespace}/${spec.application}/${spec.environment}`;
    if (id !== undefined && startedAt !== undefined) this.#recorded.add(target, { id, startedAt });
  }

  /** Promotions of these were found to say how they ended, or are in the archive alone. */
  found(target: string, deployments: readonly Found[]): void {
    for (const one of deployments) this.#recorded.add(target, one, one.name);
  }

  note(
    { name: target }: TargetIdentity,
    applicationUID: string,
    record: TargetRecord,
    { waits = [], changes }: Noted = {},
  ): void {
    const { deployment, ended } = record;
    this.#recorded.keep(target, deploymentsIn(record));
    // An Application that had the name before is gone, whether that was heard of or not.
    for (const entry of this.#entries.get(target)?.values() ?? [])
      if (entry.recorded.applicationUID !== applicationUID) this.#end(entry);
      else if (deployment === undefined || !isSameDeployment(entry.recorded, deployment))
        noteBefore(entry, ended, deployment?.startedAt);
    if (deployment === undefined) return;
    const entry = this.#entries.get(target)?.get(keyOf({ applicationUID, ...deployment }));
    // Its own Promotion is written by who does what that asks for, unless one stands in place of it.
    if (isOfPerson(deployment) && entry === undefined) return;
    const previous = entry === undefined ? ended.at(-1)?.candidate : entry.recorded.previous;
    const known = recordedOf(deployment, { target, applicationUID, previous });
    const recorded = waits.length === 0 ? known : Object.freeze({ ...known, blockedBy: waits });
    if (entry !== undefined) update(entry, recorded);
    // What ended before this process knew of it is for who looks for gaps.
    else if (!isFinished(recorded.phase))
      this.record(changes === undefined ? recorded : Object.freeze({ ...recorded, changes }));
  }

  gone(
    { name: target }: TargetIdentity,
    applicationUID: string,
    record: TargetRecord | undefined,
  ): Promise<void> {
    const { namespace, ...of } = partsOf(target);
    const at = this.#options.now().toISOString();
    const last = record && lastOf(record, { target, applicationUID, at });
    // A process before this one knew of it.
    if (last !== undefined && last.inPlaceOf === undefined) this.record(last);
    const records = last === undefined ? [] : recordOfPerson(last, at);
    this.#recorded.keep(target, []);
    for (const entry of this.#entries.get(target)?.values() ?? []) {
      this.#end(entry, at);
      // Its namespace may go, and its Promotion with that, before the end of it is written there.
      const promotion = entry.uid === undefined ? undefined : promotionInWords(entry.recorded, entry, at);
      const its = promotion && ledgerRecord(promotion);
      if (its !== undefined) records.push(its);
    }
    const end = (id: number | undefined) =>
      this.#options.onGone(namespace, [removalRecord(of, applicationUID, at, id), ...records]);
    const { id } = record?.deployment ?? {};
    return id === undefined ? this.#lastIn(target, applicationUID).then(end) : end(id);
  }

  /** Nobody looks after a target any more, and nobody told its end: what was under way there is over. */
  left(target: string): void {
    this.#recorded.keep(target, []);
    for (const entry of this.#entries.get(target)?.values() ?? []) this.#end(entry);
  }

  /** Nothing more comes of it. */
  #end(entry: Entry, at = this.#options.now().toISOString()): void {
    entry.isLast = true;
    if (!isFinished(entry.recorded.phase)) update(entry, overtaken(entry, at));
  }

  /** Id of the last deployment of a target whose record is lost, as far as Promotions tell. Never rejects. */
  async #lastIn(target: string, applicationUID: string): Promise<number | undefined> {
    const signal = AbortSignal.any([this.#leading.signal, AbortSignal.timeout(LOOK_UP_MS)]);
    const promotions = await this.#promotionsIn(target, signal).catch(() => []);
    const ids = promotions.flatMap(({ spec: { deployment } }) =>
      deployment?.applicationUID === applicationUID ? [deployment.id] : [],
    );
    return ids.length === 0 ? undefined : Math.max(...ids);
  }

  /** @param name of its Promotion, where there is one */
  record(recorded: Recorded, name?: string): void {
    const { target, id } = recorded;
    const key = keyOf(recorded);
    const entries = this.#entries.get(target) ?? new Map<string, Entry>();
    if (entries.has(key)) return;
    const dropped = new AbortController();
    const drop = () => dropped.abort(new Error('too many wait'));
    const entry: Entry = {
      target,
      id,
      recorded,
      name,
      uid: undefined,
      isLast: false,
      wrote: undefined,
      wroteWaits: undefined,
      wake: () => undefined,
      drop,
    };
    this.#entries.set(target, entries.set(key, entry));
    const signal = AbortSignal.any([this.#leading.signal, dropped.signal]);
    void this.#write(entry, signal).finally(() => {
      this.#unrecorded.delete(entry);
      entries.delete(key);
      if (entries.size === 0 && this.#entries.get(target) === entries) this.#entries.delete(target);
    });
  }

  /** What is under way ends: the next leader finds out what is missing. */
  follow(): void {
    this.#leading.abort(new Error('it leads no longer'));
    this.#leading = new AbortController();
    this.#entries.clear();
    this.#recorded.clear();
    this.#faults.clear();
  }

  /** Never rejects. Resolves when its end is written down, or it is given up. */
  async #write(entry: Entry, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted && !isFinished(entry.wrote); ) {
      try {
        await this.#step(entry, signal);
        failures = 0;
      } catch (error) {
        failures += 1;
        if (signal.aborted || error instanceof NotLeaderError) return;
        if (isLost(error, failures, entry)) return this.#lose(entry, error);
        // Somebody deleted it: it is made anew.
        if (isNotFound(error)) entry.name = undefined;
        this.#tell(entry, error);
        if (entry.name === undefined && this.#unrecorded.add(entry) > 0) this.#tellDropped(entry);
        const retry = isRefused(error) ? RETRY_REFUSED : RETRY;
        const pause = backoffMs({ ...retry, failures, jitter: 'Fifth', random: this.#options.random() });
        await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  /** It has no Promotion, nor will it: the archive tells how it ended, where no look for gaps could. */
  #lose({ recorded, name, uid, isLast }: Entry, error: unknown): void {
    if (!isFinished(recorded.phase) || !(isLast || isNamespaceTerminating(error))) return;
    const promotion = promotionInWords(recorded, { name, uid }, this.#options.now().toISOString());
    if (promotion !== undefined) this.#options.onEnded(promotion);
  }

  /** Writes what is not written yet, or waits until there is something. */
  async #step(entry: Entry, signal: AbortSignal): Promise<void> {
    if (entry.name === undefined) {
      Object.assign(entry, await this.#make(entry.recorded, signal));
      this.#canBeMade(entry);
    }
    const { phase } = entry.recorded;
    if (phase === entry.wrote && isDeepStrictEqual(entry.recorded.blockedBy, entry.wroteWaits))
      return this.#more(entry, undefined, signal);
    if (entry.wrote === undefined && !isFinished(phase)) {
      const isLong = await this.#more(entry, TELL_AFTER_MS, signal).then(
        () => entry.recorded.phase === phase,
      );
      if (!isLong) return;
    }
    if (entry.name !== undefined) await this.#say(entry, entry.name, signal);
  }

  /** Resolves when more of it is known, or after that time. */
  async #more(entry: Entry, milliseconds: number | undefined, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const ends = AbortSignal.any([signal, over.signal]);
    entry.wake = () => over.abort(new Error('more of it is known'));
    await sleep(milliseconds ?? 2 ** 31 - 1, undefined, { signal: ends, ref: false }).catch(() => undefined);
    entry.wake = () => undefined;
  }

  /** Answers with what it is recorded by: also where an earlier process, or a request without an answer, did that. */
  async #make(recorded: Recorded, signal: AbortSignal): Promise<Pick<Entry, 'name' | 'uid'>> {
    const names = promotionNames(recorded);
    for (const name of names) {
      const made = await this.#makeAs(name, recorded, signal);
      if (made !== undefined) return made;
    }
    // Who may make Promotions can work out both, and take them, to keep this out of the ledger: a third one nobody can.
    const all = await this.#promotionsIn(recorded.target, signal);
    const there = all.find((one) => isOf(one, recorded));
    if (there !== undefined) return { name: there.metadata.name, uid: there.metadata.uid };
    const third = `${names[0]}-${randomBytes(RANDOM_BYTES).toString('hex')}`;
    const made = await this.#makeAs(third, recorded, signal);
    if (made === undefined) throw new Error('Promotions of all its names are of other deployments');
    return made;
  }

  /** Undefined where that name is another one's. */
  async #makeAs(
    name: string,
    recorded: Recorded,
    signal: AbortSignal,
  ): Promise<Pick<Entry, 'name' | 'uid'> | undefined> {
    const { client } = this.#options;
    const path = { resource: PROMOTIONS, namespace: partsOf(recorded.target).namespace };
    try {
      const { metadata } = await client.create(path, promotionOf(recorded, name), {}, { signal });
      return { name, uid: metadata.uid };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const there = parsePromotion(await client.get({ ...path, name }, { signal }));
      return there !== undefined && isOf(there, recorded) ? { name, uid: there.metadata.uid } : undefined;
    }
  }

  async #promotionsIn(target: string, signal: AbortSignal): Promise<Promotion[]> {
    const { namespace, application, environment } = partsOf(target);
    const fieldSelector = `spec.application=${application},spec.environment=${environment}`;
    const path = { resource: PROMOTIONS, namespace };
    const { items } = await this.#options.client.list(path, { fieldSelector }, { signal });
    return items.flatMap((item) => parsePromotion(item) ?? []);
  }

  async #say(entry: Entry, name: string, signal: AbortSignal): Promise<void> {
    const { client, now } = this.#options;
    const { recorded } = entry;
    const { namespace } = partsOf(recorded.target);
    const path = { resource: PROMOTIONS, namespace, name, subresource: 'status' };
    const status = statusOf(recorded, now().toISOString());
    const patch = { status: { blockedBy: null, ...status } };
    const written: KubeObject = await client.mergePatch(path, patch, {}, { signal });
    entry.wrote = recorded.phase;
    entry.wroteWaits = recorded.blockedBy;
    this.#faults.delete(`patch ${namespace}`);
    const promotion = parsePromotion(written);
    if (!isFinished(entry.wrote)) return;
    if (!entry.isLast) this.#recorded.add(entry.target, recorded, name);
    if (promotion !== undefined) this.#options.onEnded(promotion);
  }

  #tell({ recorded, name }: Entry, error: unknown): void {
    const key = `${name === undefined ? 'create' : 'patch'} ${partsOf(recorded.target).namespace}`;
    const fault = this.#faults.get(key) ?? new OngoingFault();
    this.#faults.set(key, fault);
    const message = error instanceof Error ? error.message : String(error);
    // The words have the name of each, and all of them wait for the same.
    const cause = error instanceof ApiError ? `${error.code} ${error.reason} ${error.refuser}` : message;
    if (!fault.note(cause)) return;
    this.#options.log.warn(
      { target: recorded.target, deployment: recorded.id, error: message },
      'A deployment cannot be written down as a Promotion; it goes on all the same, and that is tried again. If it is refused, let the operator create Promotions in that namespace: raise the quota, or exempt it in the webhook or policy that is named. If there is no such resource, the definition is missing: kubectl apply --server-side --force-conflicts -f charts/towpath/crds. Of each environment the last ten that wait are kept.',
    );
  }

  #tellDropped({ recorded: { target } }: Entry): void {
    const { namespace } = partsOf(target);
    this.#options.log.debug(
      { target, namespace },
      'Too many deployments wait for their Promotion; the oldest is given up, unless its record has it later.',
    );
  }

  #canBeMade(entry: Entry): void {
    const { namespace } = partsOf(entry.target);
    this.#unrecorded.delete(entry);
    this.#faults.delete(`create ${namespace}`);
    if (this.#unrecorded.takeDropped(namespace)) this.#options.onWritable();
  }
}

/** Of one of a target: another Application of the name counts from 1, too, and so does an environment that came back. */
function keyOf({ applicationUID, id, startedAt }: Omit<Recordable, 'target'>): string {
  return `${applicationUID} ${id} ${secondOf(startedAt)}`;
}

/** Whether its Promotion is one that a person made. */
function isOfPerson({ promoted }: Told): boolean {
  return promoted !== undefined;
}

/** What is under way when its target goes, as it ends by that. */
function lastOf(
  { deployment, ended }: TargetRecord,
  { target, applicationUID, at }: { target: string; applicationUID: string; at: string },
): Recorded | undefined {
  if (deployment === undefined) return undefined;
  const around = { target, applicationUID, previous: ended.at(-1)?.candidate };
  if (isFinished(recordedOf(deployment, around).phase)) return undefined;
  return recordedOf(deployment, { ...around, overtakenAt: at });
}

/** The same of what a person asked for, under the uid of that Promotion: it is one record, whoever writes it. */
function recordOfPerson(recorded: Recorded, at: string): LedgerRecord[] {
  const { inPlaceOf } = recorded;
  if (inPlaceOf === undefined) return [];
  const promotion = promotionInWords(recorded, { name: inPlaceOf.promotion, uid: inPlaceOf.uid }, at);
  const record = promotion && ledgerRecord(promotion);
  return record === undefined ? [] : [record];
}

/** It is known to be further. */
function update(entry: Entry, recorded: Recorded): void {
  const { phase, blockedBy } = entry.recorded;
  if (recorded.phase === phase && isDeepStrictEqual(recorded.blockedBy, blockedBy)) return;
  const { deployedAt, changes } = entry.recorded;
  // What failed later was deployed all the same.
  entry.recorded = Object.freeze({
    ...(deployedAt === undefined ? {} : { deployedAt }),
    ...(changes === undefined ? {} : { changes }),
    ...recorded,
  });
  entry.wake();
}

/** What its record says of one that is not the last, or nothing any more. @param overtakenAt when the last one began */
function noteBefore(entry: Entry, ended: readonly Deployment[], overtakenAt: string | undefined): void {
  const { target, applicationUID, previous, phase } = entry.recorded;
  const told = ended.find((one) => isSameDeployment(one, entry.recorded));
  const around = { target, applicationUID, previous, ...(overtakenAt === undefined ? {} : { overtakenAt }) };
  if (told !== undefined) update(entry, recordedOf(told, around));
  else if (!isFinished(phase)) update(entry, overtaken(entry, overtakenAt));
}

/** How one ended of which nothing else is known any more. */
function overtaken(entry: Entry, at: string | undefined): Recorded {
  return Object.freeze({
    ...entry.recorded,
    phase: 'Superseded',
    ...(at === undefined ? {} : { finishedAt: at }),
  });
}

/** Time alone does not help. */
function isRefused(error: unknown): boolean {
  return error instanceof ApiError && error.code >= 400 && error.code < 500 && error.code !== 429;
}

/**
 * Where nothing can be written any more: its namespace goes, or is gone. Where the definition is missing somebody brings that
 * back; for what nobody finds later the archive is surer.
 */
function isLost(error: unknown, failures: number, { isLast }: Pick<Entry, 'isLast'>): boolean {
  if (isNamespaceTerminating(error)) return true;
  if (!isNotFound(error) || failures < TRIES_WITHOUT_PLACE) return false;
  return isLast || error.subject.kind === 'namespaces';
}
