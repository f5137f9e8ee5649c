import { isDeepStrictEqual } from 'node:util';
import { API_VERSION } from '../../api/v1alpha1/names.ts';
import {
  isFinished,
  type Promotion,
  type PromotionStatus,
  parsePromotion,
  REQUESTED_BY_OPERATOR,
  UNFINISHED_SELECTOR,
} from '../../api/v1alpha1/promotion.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { ListWatch, type WatchEvent } from '../../kube/list-watch.ts';
import { entryOf } from '../../kube/object-store.ts';
import { tellingFaults } from '../../kube/watch-faults.ts';
import type { Logger } from '../../observe/log.ts';
import type { Command } from '../../promote/command.ts';
import { commandedBy, endedUnheard, type Given } from '../../promote/commands.ts';
import type { CommandAnswer, CommandsView } from '../target/commands-view.ts';
import { mergePatchBetween } from '../work/merge-patch.ts';
import { StatusWrites } from '../work/status-writes.ts';
import { AdmissionProof } from './admission.ts';
import { statusAfter } from './command-status.ts';
import { PROMOTIONS } from './ledger.ts';
import { type Known, keyOf, MOST_HEARD, PromotionsOfPersons } from './promotions-of-persons.ts';

export interface CommandsOptions {
  client: KubeClient;
  /** The namespace of the Applications that are looked after; '': all. */
  namespace: string;
  /** Name of the ValidatingAdmissionPolicy, and of its binding. */
  policy: string;
  log: Logger;
  /** What is asked for of a target, by its name, is something else by now. Answers whether there is such a target. */
  onChange(target: string): boolean;
  /** Whether the record of that target says that the Promotion with that uid was acted on. */
  isActedOn(target: string, uid: string): boolean;
  /** A Promotion has ended, and says so. */
  onEnded(promotion: Promotion): void;
  /** One that had not ended is gone, so that it does not tell what came of it: somebody deleted it. */
  onVanished(): void;
  /** By the clock at home. */
  now(): Date;
  random(): number;
}

/** By these nothing new enters from when they are accepted. */
const GOES_BACK: ReadonlySet<Command['type']> = new Set(['Rollback', 'Retry']);

/**
 * The Promotions that people make, until they are over. Whether the API server proves who makes them is watched from
 * when there is one.
 */
export class Commands implements CommandsView {
  readonly #options: CommandsOptions;
  readonly #watch: ListWatch<Known | undefined>;
  readonly #proof: AdmissionProof;
  readonly #writes: StatusWrites;
  /** The same of those that ended, by target. */
  readonly #ends: StatusWrites;
  /** What is being written, by key. */
  readonly #writing = new Map<string, Promise<void>>();
  readonly #made: PromotionsOfPersons;
  /** What their status is to say, by key. */
  readonly #answers = new Map<string, { readonly uid: string; readonly status: PromotionStatus }>();
  /** Keys of those that ended before anybody heard of them. */
  readonly #unheard = new Set<string>();
  /** Targets that were told that it is not known what people ask for. */
  readonly #toldUnknown = new Set<string>();
  /** Targets of which something changed that nobody was told of. */
  readonly #changes = new Set<string>();
  readonly #answered = Promise.withResolvers<void>();
  #hasAnswered = false;
  #isProofWatched = false;
  #isLeading = false;
  #isTelling = false;
  #isStopped = false;

  constructor(options: CommandsOptions) {
    this.#options = options;
    const { client, namespace, policy, log } = options;
    this.#made = new PromotionsOfPersons({
      isActedOn: ({ target, uid }) => options.isActedOn(target, uid),
      now: () => options.now(),
    });
    this.#proof = new AdmissionProof({ client, name: policy, onChange: () => this.#onProof() });
    const failed = (of: object, error: unknown) =>
      log.warn(
        { ...of, error: error instanceof Error ? error.message : String(error) },
        'The status of a Promotion could not be written; it is tried again.',
      );
    this.#writes = new StatusWrites({
      names: () => this.#answers.keys(),
      patch: async (key, signal) => {
        if (!isFinished(this.#answers.get(key)?.status.phase)) await this.#patch(key, signal);
      },
      onFault: (promotion, error) => failed({ promotion }, error),
      random: options.random,
    });
    this.#ends = new StatusWrites({
      names: () => this.#made.targetsOfEnds(),
      patch: (target, signal) => this.#patchEnds(target, signal),
      onFault: (target, error) => failed({ target }, error),
      random: options.random,
    });
    this.#watch = new ListWatch<Known | undefined>({
      client,
      resource: PROMOTIONS,
      fieldSelector: UNFINISHED_SELECTOR,
      ...(namespace === '' ? {} : { namespace }),
      reduce: known,
      onEvent: (event) => this.#takeIn(event),
      onListed: () => {
        this.#noteAnswer('Promotions');
        this.#known();
      },
      // Who waits for it was told, and is woken when it is known again; nobody else has anything to ask.
      onStale: () => this.#known(),
      onState: tellingFaults({
        onFailing: () => this.#noteAnswer('Promotions'),
        warn: (error) =>
          log.warn({ error }, 'Promotions cannot be watched; it is tried again. What people ask for waits.'),
      }),
    });
  }

  /** Resolves when it is known what people ask for, and whether that is proven, or that cannot be seen for now. */
  async start(): Promise<void> {
    this.#watch.start();
    await this.#answered.promise;
  }

  /** This process leads: what they say is its to write. */
  lead(): void {
    this.#isLeading = true;
    this.#writes.lead();
    this.#ends.lead();
    this.#onProof();
  }

  follow(): void {
    this.#isLeading = false;
    this.#writes.follow();
    this.#ends.follow();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.follow();
    this.#answered.resolve();
    await Promise.all([this.#watch.stop(), this.#proof.stop()]);
  }

  given(target: string): readonly Command[] {
    return this.#made.open(target).heard.flatMap((one) => {
      const command = this.#commandOf(one);
      return this.#isProven(one, command) ? [command] : [];
    });
  }

  unknown(target: string): string | undefined {
    const why = this.#whyUnknown(target);
    if (why !== undefined) this.#toldUnknown.add(target);
    return why;
  }

  #whyUnknown(target: string): string | undefined {
    const { synced, stale } = this.#watch;
    if (stale !== undefined && !isNotFound(stale)) return stale.message;
    if (synced) {
      const { state } = this.#proof;
      const mayGoBack =
        state.is === 'Unknown' && this.#made.open(target).heard.some(({ spec }) => GOES_BACK.has(spec.type));
      return mayGoBack ? state.why : undefined;
    }
    const { lastError } = this.#watch;
    // Where there is no such kind, nobody asks for anything.
    if (isNotFound(lastError)) return undefined;
    return lastError?.message ?? 'Promotions are not listed yet';
  }

  #known(): void {
    if (this.#watch.stale !== undefined) return;
    for (const target of this.#toldUnknown) this.#changed(target);
    this.#toldUnknown.clear();
  }

  answer(target: string, answer: CommandAnswer): void {
    const { uid } = answer.command;
    const one = this.#made.ofUID(uid);
    if (one === undefined || one.target !== target) return;
    const key = keyOf(one);
    const before = this.#answers.get(key)?.status ?? one.status;
    if (isFinished(before.phase)) return;
    const status = statusAfter(before, answer, this.#options.now());
    if (isDeepStrictEqual(before, status)) return;
    this.#answers.set(key, { uid, status });
    if (isFinished(status.phase)) {
      this.#made.end(key);
      this.#ends.due(target);
    } else this.#writes.due(key);
  }

  #takeIn({ type, namespace, name, object }: WatchEvent<Known | undefined>): void {
    const key = `${namespace}/${name}`;
    const before = this.#made.get(key);
    const after = type === 'Deleted' || isFinished(object?.status.phase) ? undefined : object;
    // What ended leaves the watch like what is deleted.
    const isEnd = isFinished(this.#answers.get(key)?.status.phase);
    if (type === 'Deleted' && before !== undefined && !isEnd) this.#options.onVanished();
    if (before !== undefined && before.uid !== after?.uid) {
      this.#made.forget(key);
      this.#answers.delete(key);
    }
    if (after !== undefined) {
      this.#made.put(after);
      this.#watchProof();
    }
    if (before?.uid === after?.uid || (this.#unheard.delete(key) && after === undefined)) return;
    for (const target of new Set([before?.target, after?.target]))
      if (target !== undefined) this.#changed(target);
  }

  /** There is no such target any more: what was begun for somebody is over, and nobody else would say so. */
  gone(target: string): void {
    if (this.#made.isAskedOf(target)) this.#changed(target);
  }

  /** What comes together is told once. */
  #changed(target: string): void {
    this.#changes.add(target);
    if (!this.#isTelling) void this.#tellChanges();
  }

  /** However many there are, others have their turns. Never rejects. */
  async #tellChanges(): Promise<void> {
    const { client } = this.#options;
    this.#isTelling = true;
    await undefined;
    for (const target of this.#changes) {
      await client.slices.pause();
      this.#changes.delete(target);
      try {
        if (!this.#isStopped) await this.#tell(target);
      } catch (error) {
        client.onWatchFault(PROMOTIONS.plural, error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#isTelling = false;
  }

  /** Nobody looks at what there is not: its Promotions say so. */
  async #tell(target: string): Promise<void> {
    const isThere = this.#options.onChange(target);
    await this.#endSurplus(target);
    if (isThere || !this.#isLeading) return;
    const commands = this.given(target);
    const given = commands.map((command): Given => {
      const isBegun = command.deployment !== undefined || command.joined === true;
      return { command, is: isBegun ? 'Over' : 'Waiting' };
    });
    for (const ended of endedUnheard(commandedBy(given))) this.answer(target, ended);
    for (const command of commands) this.answer(target, withoutTarget(command));
  }

  /** Else all that wait would be gone through for each further one, where nobody can say what becomes of any. */
  async #endSurplus(target: string): Promise<void> {
    for (const { one, newest } of this.#made.open(target).surplus) {
      await this.#options.client.slices.pause();
      if (!this.#isLeading) return;
      if (this.#options.isActedOn(target, one.uid)) continue;
      const { type, requestedBy } = newest.spec;
      this.#unheard.add(keyOf(one));
      this.answer(target, {
        command: this.#commandOf(one),
        phase: 'Superseded',
        message: `Promotion ${newest.name} (${type}, by ${requestedBy}) and others took its place before it was begun: of each type the newest ${MOST_HEARD} wait for an environment.`,
      });
    }
  }

  #watchProof(): void {
    if (this.#isProofWatched) return;
    this.#isProofWatched = true;
    this.#proof.start();
  }

  #noteAnswer(of?: 'Promotions'): void {
    if (of !== undefined) this.#hasAnswered = true;
    if (this.#hasAnswered && (!this.#isProofWatched || this.#proof.hasAnswered)) this.#answered.resolve();
  }

  #onProof(): void {
    this.#noteAnswer();
    for (const target of this.#made.targets()) this.#changed(target);
  }

  #commandOf(one: Known): Command {
    const { name, uid, spec, status } = one;
    const { type, application, environment, requestedBy, candidate, historyID, promotion, skipGates } = spec;
    // What was begun for it may not be written yet.
    const { deployment, phase } = this.#answers.get(keyOf(one))?.status ?? status;
    return {
      uid,
      promotion: name,
      type,
      application,
      environment,
      by: requestedBy,
      requestedAt: this.#made.seenAt(one),
      skipGates,
      reason: spec.reason ?? '',
      ...(candidate === undefined ? {} : { candidate }),
      ...(historyID === undefined ? {} : { historyID }),
      ...(promotion === undefined ? {} : { about: promotion }),
      ...(deployment === undefined ? {} : { deployment }),
      ...(deployment === undefined && phase === 'Verifying' ? { joined: true } : {}),
    };
  }

  /** What nobody proved is told so, and counts for nothing. */
  #isProven(one: Known, command: Command): boolean {
    // It was proven then, whatever becomes of the policy that proved it.
    if (this.#options.isActedOn(one.target, one.uid)) return true;
    const { state } = this.#proof;
    if (state.is === 'Enforced' && one.createdAt > state.since) return true;
    if (state.is === 'Enforced')
      this.answer(one.target, {
        command,
        phase: 'Failed',
        message: `It is no newer than the admission policy ${this.#options.policy}, so nobody proved who made it: make it again.`,
      });
    if (state.is === 'Missing')
      this.answer(one.target, {
        command,
        phase: 'Pending',
        message: '',
        blockedBy: [
          {
            reason: 'AdmissionPolicyMissing',
            message: `Who makes a Promotion, and whether he may, is proven by the ${state.what}, which is missing or does not deny. Who runs Towpath installs it with the chart; make this Promotion again then.`,
            remedy: 'Resource',
            standing: 'Blocked',
          },
        ],
      });
    return false;
  }

  /** The oldest first: else one that waited would count again where the process dies between these writes. */
  async #patchEnds(target: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = this.#made.oldestEnd(target);
      if (key === undefined) return;
      // What it waited for must not be written after that.
      await this.#writing.get(key)?.catch(() => undefined);
      await this.#patch(key, signal);
      this.#made.written(key);
    }
  }

  async #patch(key: string, signal: AbortSignal): Promise<void> {
    const writing = this.#write(key, signal);
    this.#writing.set(key, writing);
    try {
      await writing;
    } finally {
      this.#writing.delete(key);
    }
  }

  async #write(key: string, signal: AbortSignal): Promise<void> {
    const [one, answer] = [this.#made.get(key), this.#answers.get(key)];
    if (one === undefined || answer === undefined || one.uid !== answer.uid) return;
    const status = mergePatchBetween(one.status, answer.status);
    if (status === undefined) return;
    const { namespace, name, uid } = one;
    const path = { resource: PROMOTIONS, namespace, name, subresource: 'status' };
    try {
      const written = await this.#options.client.mergePatch(
        path,
        { metadata: { uid }, status },
        {},
        { signal },
      );
      // Others write there, too, once a deployment was begun for it.
      if (this.#answers.get(key) === answer && !isFinished(answer.status.phase)) this.#answers.delete(key);
      this.#watch.takeIn(entryOf(written, known(written)));
      const promotion = parsePromotion({ apiVersion: API_VERSION, kind: 'Promotion', ...written });
      if (promotion !== undefined && isFinished(promotion.status?.phase)) this.#options.onEnded(promotion);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

/** What there is to say of one whose Application, or whose environment of that, is not there. */
function withoutTarget(command: Command): CommandAnswer {
  const { application, environment, promotion, deployment, joined } = command;
  const begun = deployment === undefined ? 'what it promoted' : `deployment ${deployment}`;
  if (deployment !== undefined || joined === true)
    return {
      command,
      phase: 'Superseded',
      message: `Application ${application}, or its environment ${environment}, was deleted before ${begun} came to its end.`,
    };
  return {
    command,
    phase: 'Pending',
    message: '',
    blockedBy: [
      {
        reason: 'ApplicationNotFound',
        message: `There is no Application ${application} with an environment ${environment} in this namespace: make it, or take this back: kubectl towpath cancel ${promotion}`,
        remedy: 'Resource',
        standing: 'Blocked',
      },
    ],
  };
}

/** What cannot be read as one asks for nothing, and those of the operator's own neither. */
function known(object: KubeObject): Known | undefined {
  const promotion = parsePromotion({ apiVersion: API_VERSION, kind: 'Promotion', ...object });
  if (promotion === undefined || promotion.spec.requestedBy.startsWith(REQUESTED_BY_OPERATOR))
    return undefined;
  const { metadata, spec, status = {} } = promotion;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    target: `${metadata.namespace}/${spec.application}/${spec.environment}`,
    uid: metadata.uid,
    spec,
    status,
    createdAt: new Date(metadata.creationTimestamp ?? Number.NaN),
    resourceVersion: object.metadata.resourceVersion,
  };
}
