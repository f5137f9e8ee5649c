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
import { isNewerVersion } from '../../kube/resource-version.ts';
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

interface Known {
  readonly namespace: string;
  readonly name: string;
  /** `<namespace>/<application>/<environment>` */
  readonly target: string;
  readonly uid: string;
  readonly spec: Promotion['spec'];
  readonly status: PromotionStatus;
  readonly createdAt: Date;
  readonly resourceVersion: string;
}

/**
 * The Promotions that people make, until they are over. Whether the API server proves who makes them is watched from
 * when there is one.
 */
export class Commands implements CommandsView {
  readonly #options: CommandsOptions;
  readonly #watch: ListWatch<Known | undefined>;
  readonly #proof: AdmissionProof;
  readonly #writes: StatusWrites;
  /** By `<namespace>/<name>`. */
  readonly #byKey = new Map<string, Known>();
  /** Their keys by the target that they are about. */
  readonly #byTarget = new Map<string, Set<string>>();
  /** When each was seen first, by uid, as its status says or is to say. */
  readonly #seen = new Map<string, Date>();
  /** What their status is to say, by key. */
  readonly #answers = new Map<string, { readonly uid: string; readonly status: PromotionStatus }>();
  /** Targets that were told that it is not known what people ask for. */
  readonly #toldUnknown = new Set<string>();
  readonly #answered = Promise.withResolvers<void>();
  #hasAnswered = false;
  #isProofWatched = false;
  #isLeading = false;
  #latest = 0;

  constructor(options: CommandsOptions) {
    this.#options = options;
    const { client, namespace, policy, log } = options;
    this.#proof = new AdmissionProof({ client, name: policy, onChange: () => this.#onProof() });
    this.#writes = new StatusWrites({
      names: () => this.#answers.keys(),
      patch: (key, signal) => this.#patch(key, signal),
      onFault: (promotion, error) =>
        log.warn(
          { promotion, error: error instanceof Error ? error.message : String(error) },
          'The status of a Promotion could not be written; it is tried again.',
        ),
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
    this.#onProof();
  }

  follow(): void {
    this.#isLeading = false;
    this.#writes.follow();
  }

  async stop(): Promise<void> {
    this.#writes.follow();
    this.#answered.resolve();
    await Promise.all([this.#watch.stop(), this.#proof.stop()]);
  }

  given(target: string): readonly Command[] {
    const all = this.#of(target);
    if (all.length === 0) return [];
    const commands = this.#inOrder(all).map((one) => [one, this.#commandOf(one)] as const);
    return commands.flatMap(([one, command]) => {
      // What is to be told of its end may not be written yet.
      if (isFinished(this.#answers.get(keyOf(one))?.status.phase)) return [];
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
        state.is === 'Unknown' && this.#of(target).some(({ spec }) => GOES_BACK.has(spec.type));
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

  #of(target: string): readonly Known[] {
    return [...(this.#byTarget.get(target) ?? [])].flatMap((key) => this.#byKey.get(key) ?? []);
  }

  answer(target: string, answer: CommandAnswer): void {
    const { uid } = answer.command;
    const key = [...(this.#byTarget.get(target) ?? [])].find((one) => this.#byKey.get(one)?.uid === uid);
    const one = key === undefined ? undefined : this.#byKey.get(key);
    if (key === undefined || one === undefined) return;
    const before = this.#answers.get(key)?.status ?? one.status;
    if (isFinished(before.phase)) return;
    const status = statusAfter(before, answer, this.#options.now());
    if (isDeepStrictEqual(before, status)) return;
    this.#answers.set(key, { uid, status });
    this.#writes.due(key);
  }

  #takeIn({ type, namespace, name, object }: WatchEvent<Known | undefined>): void {
    const key = `${namespace}/${name}`;
    const before = this.#byKey.get(key);
    const after = type === 'Deleted' || isFinished(object?.status.phase) ? undefined : object;
    // What ended leaves the watch like what is deleted.
    const isEnd = isFinished(this.#answers.get(key)?.status.phase);
    if (type === 'Deleted' && before !== undefined && !isEnd) this.#options.onVanished();
    if (before !== undefined && before.uid !== after?.uid) this.#forget(key, before);
    if (after !== undefined) {
      const there = this.#byTarget.get(after.target) ?? new Set<string>();
      this.#byTarget.set(after.target, there.add(key));
      this.#byKey.set(key, after);
      this.#watchProof();
    }
    if (before?.uid === after?.uid) return;
    for (const target of new Set([before?.target, after?.target]))
      if (target !== undefined) this.#changed(target);
  }

  /** There is no such target any more: what was begun for somebody is over, and nobody else would say so. */
  gone(target: string): void {
    if (this.#byTarget.has(target)) this.#changed(target);
  }

  /** Nobody looks at what there is not: its Promotions say so. */
  #changed(target: string): void {
    if (this.#options.onChange(target) || !this.#isLeading) return;
    const commands = this.given(target);
    const given = commands.map((command): Given => {
      return { command, is: command.deployment === undefined ? 'Waiting' : 'Over' };
    });
    for (const ended of endedUnheard(commandedBy(given))) this.answer(target, ended);
    for (const command of commands) this.answer(target, withoutTarget(command));
  }

  #forget(key: string, { target, uid }: Known): void {
    const there = this.#byTarget.get(target);
    there?.delete(key);
    if (there?.size === 0) this.#byTarget.delete(target);
    this.#byKey.delete(key);
    this.#answers.delete(key);
    this.#seen.delete(uid);
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
    for (const target of [...this.#byTarget.keys()]) this.#changed(target);
  }

  /** As they were made: of two of the same second that one which was seen first, or has the older version. */
  #inOrder(all: readonly Known[]): readonly Known[] {
    const sorted = all.toSorted((one, other) => {
      const seconds = one.createdAt.getTime() - other.createdAt.getTime();
      if (seconds !== 0) return seconds;
      const [first, second] = [this.#seenAt(one), this.#seenAt(other)];
      if (first !== undefined && second !== undefined) return first.getTime() - second.getTime();
      if (first !== undefined) return -1;
      if (second !== undefined) return 1;
      return isNewerVersion(one.resourceVersion, other.resourceVersion) ? 1 : -1;
    });
    for (const one of sorted) {
      const at = this.#seenAt(one) ?? this.#nextMoment();
      this.#seen.set(one.uid, at);
    }
    return sorted;
  }

  #seenAt({ uid, status: { requestedAt } }: Known): Date | undefined {
    return requestedAt === undefined ? this.#seen.get(uid) : new Date(requestedAt);
  }

  /** No two are the same. */
  #nextMoment(): Date {
    this.#latest = Math.max(this.#latest + 1, this.#options.now().getTime());
    return new Date(this.#latest);
  }

  #commandOf(one: Known): Command {
    const { name, uid, spec, status } = one;
    const { type, application, environment, requestedBy, candidate, historyID, promotion, skipGates } = spec;
    // What was begun for it may not be written yet.
    const { deployment } = this.#answers.get(keyOf(one))?.status ?? status;
    return {
      uid,
      promotion: name,
      type,
      application,
      environment,
      by: requestedBy,
      requestedAt: this.#seenAt(one) ?? this.#options.now(),
      skipGates,
      reason: spec.reason ?? '',
      ...(candidate === undefined ? {} : { candidate }),
      ...(historyID === undefined ? {} : { historyID }),
      ...(promotion === undefined ? {} : { about: promotion }),
      ...(deployment === undefined ? {} : { deployment }),
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

  async #patchOlder(one: Known, signal: AbortSignal): Promise<void> {
    const all = this.#inOrder(this.#of(one.target));
    for (const older of all.slice(0, all.indexOf(one))) {
      const key = keyOf(older);
      if (isFinished(this.#answers.get(key)?.status.phase)) await this.#patch(key, signal);
    }
  }

  async #patch(key: string, signal: AbortSignal): Promise<void> {
    const [one, answer] = [this.#byKey.get(key), this.#answers.get(key)];
    if (one === undefined || answer === undefined || one.uid !== answer.uid) return;
    const status = mergePatchBetween(one.status, answer.status);
    if (status === undefined) return;
    // Else one that waited would count again where the process dies between these writes.
    if (isFinished(answer.status.phase)) await this.#patchOlder(one, signal);
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

function keyOf({ namespace, name }: Pick<Known, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** What there is to say of one whose Application, or whose environment of that, is not there. */
function withoutTarget(command: Command): CommandAnswer {
  const { application, environment, promotion, deployment } = command;
  if (deployment !== undefined)
    return {
      command,
      phase: 'Superseded',
      message: `Application ${application}, or its environment ${environment}, was deleted before deployment ${deployment} came to its end.`,
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
