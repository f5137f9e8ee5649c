import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../../api/v1alpha1/application.ts';
import { GROUP, VERSION } from '../../api/v1alpha1/names.ts';
import {
  isFinished,
  type Promotion,
  type PromotionPhase,
  parsePromotion,
} from '../../api/v1alpha1/promotion.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isAlreadyExists, isNamespaceTerminating, isNotFound, NotLeaderError } from '../../kube/errors.ts';
import type { Logger } from '../../observe/log.ts';
import { backoffMs } from '../../retry/backoff.ts';
import { OngoingFault } from '../../retry/ongoing-fault.ts';
import type { Deployment, TargetRecord } from '../record/record.ts';
import type { TargetIdentity } from '../record/target.ts';
import type { LedgerView } from '../target/ledger-view.ts';
import {
  isOf,
  partsOf,
  phaseOf,
  promotionNames,
  promotionOf,
  type Recorded,
  statusOf,
} from './promotion-of.ts';

export const PROMOTIONS = { group: GROUP, version: VERSION, plural: 'promotions' };
const RETRY = { firstMs: 1_000, longestMs: 30_000 };
/** What ends sooner is written once, at its end. */
const TELL_AFTER_MS = 1_000;
/** Tries to write into a namespace, or of a kind, that is not there: what looks for gaps finds it later. */
const TRIES_WITHOUT_PLACE = 5;

export interface LedgerOptions {
  client: KubeClient;
  log: Logger;
  /** A Promotion has ended, and says so. */
  onEnded(promotion: Promotion): void;
  now(): Date;
  random(): number;
}

/** A deployment on its way into the ledger. */
interface Entry {
  recorded: Recorded;
  /** Name of its Promotion, as soon as there is one. */
  name: string | undefined;
  /** What its Promotion says of it. */
  wrote: PromotionPhase | undefined;
  /** Called when more of it is known. */
  wake: () => void;
}

/**
 * Writes down each deployment as a Promotion: made when it begins, with a status when it goes on for longer, and at its
 * end. Nobody waits for that, and no deployment for whether it can be done: what is in the way is told and tried again.
 */
export class Ledger implements LedgerView {
  readonly #options: LedgerOptions;
  readonly #fault = new OngoingFault();
  /** By target's name and id of the deployment: those that are not through. */
  readonly #entries = new Map<string, Map<number, Entry>>();
  #leading = new AbortController();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Whether it is being written down at the moment. */
  isUnderWay(target: string, deployment: number): boolean {
    return this.#entries.get(target)?.has(deployment) === true;
  }

  note({ name: target }: TargetIdentity, applicationUID: string, { deployment, ended }: TargetRecord): void {
    for (const [id, entry] of this.#entries.get(target) ?? [])
      if (id !== deployment?.id) update(entry, ended.find((one) => one.id === id) ?? overtakenBy(deployment));
    if (deployment === undefined) return;
    const entry = this.#entries.get(target)?.get(deployment.id);
    if (entry !== undefined) update(entry, deployment);
    // What ended before this process knew of it is for who looks for gaps.
    else if (deployment.outcome === undefined)
      this.record(recordedOf(target, applicationUID, deployment, ended.at(-1)));
  }

  /** @param name of its Promotion, where there is one */
  record(recorded: Recorded, name?: string): void {
    const { target, id } = recorded;
    const entries = this.#entries.get(target) ?? new Map<number, Entry>();
    if (entries.has(id)) return;
    const entry: Entry = { recorded, name, wrote: undefined, wake: () => undefined };
    this.#entries.set(target, entries.set(id, entry));
    void this.#write(entry, this.#leading.signal).finally(() => {
      entries.delete(id);
      if (entries.size === 0 && this.#entries.get(target) === entries) this.#entries.delete(target);
    });
  }

  /** What is under way ends: the next leader finds out what is missing. */
  follow(): void {
    this.#leading.abort(new Error('it leads no longer'));
    this.#leading = new AbortController();
    this.#entries.clear();
  }

  /** Never rejects. Resolves when its end is written down, or it is given up. */
  async #write(entry: Entry, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted && !isFinished(entry.wrote); ) {
      try {
        await this.#step(entry, signal);
        failures = 0;
        this.#fault.end();
      } catch (error) {
        failures += 1;
        if (signal.aborted || error instanceof NotLeaderError || isLost(error, failures)) return;
        // Somebody deleted it: it is made anew.
        if (isNotFound(error)) entry.name = undefined;
        this.#tell(entry, error);
        const pause = backoffMs({ ...RETRY, failures, jitter: 'Fifth', random: this.#options.random() });
        await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  /** Writes what is not written yet, or waits until there is something. */
  async #step(entry: Entry, signal: AbortSignal): Promise<void> {
    entry.name ??= await this.#make(entry.recorded, signal);
    const phase = phaseOf(entry.recorded);
    if (phase === entry.wrote) return this.#more(entry, undefined, signal);
    if (entry.wrote === undefined && !isFinished(phase)) {
      const isLong = await this.#more(entry, TELL_AFTER_MS, signal).then(
        () => phaseOf(entry.recorded) === phase,
      );
      if (!isLong) return;
    }
    await this.#say(entry, entry.name, signal);
  }

  /** Resolves when more of it is known, or after that time. */
  async #more(entry: Entry, milliseconds: number | undefined, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const ends = AbortSignal.any([signal, over.signal]);
    entry.wake = () => over.abort(new Error('more of it is known'));
    await sleep(milliseconds ?? 2 ** 31 - 1, undefined, { signal: ends, ref: false }).catch(() => undefined);
    entry.wake = () => undefined;
  }

  /** Answers with the name under which it is recorded: also where an earlier process, or a request without an answer, did that. */
  async #make(recorded: Recorded, signal: AbortSignal): Promise<string> {
    const { namespace } = partsOf(recorded.target);
    for (const name of promotionNames(recorded)) {
      try {
        await this.#options.client.create(
          { resource: PROMOTIONS, namespace },
          promotionOf(recorded, name),
          {},
          { signal },
        );
        return name;
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        const there = parsePromotion(
          await this.#options.client.get({ resource: PROMOTIONS, namespace, name }, { signal }),
        );
        if (there !== undefined && isOf(there, recorded)) return name;
      }
    }
    throw new Error('Promotions of both its names are of other deployments');
  }

  async #say(entry: Entry, name: string, signal: AbortSignal): Promise<void> {
    const { client, now } = this.#options;
    const { recorded } = entry;
    const { namespace } = partsOf(recorded.target);
    const path = { resource: PROMOTIONS, namespace, name, subresource: 'status' };
    const status = statusOf(recorded, now().toISOString());
    const written: KubeObject = await client.mergePatch(path, { status }, {}, { signal });
    entry.wrote = phaseOf(recorded);
    const promotion = parsePromotion(written);
    if (isFinished(entry.wrote) && promotion !== undefined) this.#options.onEnded(promotion);
  }

  #tell({ recorded }: Entry, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (!this.#fault.note(message)) return;
    this.#options.log.warn(
      { target: recorded.target, deployment: recorded.id, error: message },
      'A deployment cannot be written down as a Promotion; it goes on all the same, and that is tried again.',
    );
  }
}

function update(entry: Entry, { outcome, finishedAt, message }: Ending): void {
  if (outcome === entry.recorded.outcome || outcome === undefined) return;
  entry.recorded = Object.freeze({
    ...entry.recorded,
    outcome,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(message === undefined ? {} : { message }),
  });
  entry.wake();
}

type Ending = Pick<Deployment, 'outcome' | 'finishedAt' | 'message'>;

/** How one ended of which nothing else is known any more. */
function overtakenBy(next: Deployment | undefined): Ending {
  const outcome: Outcome = 'Superseded';
  return { outcome, ...(next === undefined ? {} : { finishedAt: next.startedAt }) };
}

/** What of a deployment the ledger tells. */
type Told = Pick<
  Deployment,
  'id' | 'candidate' | 'trigger' | 'startedAt' | 'outcome' | 'finishedAt' | 'message'
>;

/** What the ledger records of a deployment. @param before the one before it */
export function recordedOf(
  target: string,
  applicationUID: string,
  { id, candidate, trigger, startedAt, outcome, finishedAt, message }: Told,
  before: Pick<Deployment, 'candidate'> | undefined,
): Recorded {
  return Object.freeze({
    target,
    applicationUID,
    id,
    candidate,
    trigger,
    startedAt,
    previous: before?.candidate,
    ...(outcome === undefined ? {} : { outcome }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(message === undefined ? {} : { message }),
  });
}

/** Where nothing can be written any more: its namespace goes, or is gone. */
function isLost(error: unknown, failures: number): boolean {
  return isNamespaceTerminating(error) || (isNotFound(error) && failures >= TRIES_WITHOUT_PLACE);
}
