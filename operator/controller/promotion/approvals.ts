import { setTimeout as sleep } from 'node:timers/promises';
import { parseApproval } from '../../api/v1alpha1/approval.ts';
import { API_VERSION, GROUP, VERSION } from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isNotFound, NotLeaderError } from '../../kube/errors.ts';
import { ListWatch, type WatchEvent } from '../../kube/list-watch.ts';
import { entryOf } from '../../kube/object-store.ts';
import { secondTime } from '../../kube/times.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { tellingFaults } from '../../kube/watch-faults.ts';
import type { Logger } from '../../observe/log.ts';
import type { Admission, Decision } from '../../promote/gate.ts';
import { backoffMs } from '../../retry/backoff.ts';
import type { UsedApproval } from '../record/record.ts';
import type { ApprovalsView } from '../target/approvals-view.ts';
import { AdmissionProof } from './admission.ts';

const APPROVALS = { group: GROUP, version: VERSION, plural: 'approvals' };
const RETRY = { firstMs: 1_000, longestMs: 30_000 };

export interface ApprovalsOptions {
  client: KubeClient;
  /** The namespace of the Applications that are looked after; '': all. */
  namespace: string;
  /** Name of the ValidatingAdmissionPolicy, and of its binding. */
  policy: string;
  log: Logger;
  /** What is decided of a target, by its name, is something else by now. */
  onChange(target: string): void;
  /** Whether what is decided counts is something else by now: for each target that wants approvals. */
  onAdmission(): void;
  random(): number;
}

interface Known {
  readonly namespace: string;
  readonly name: string;
  /** `<namespace>/<application>/<environment>` */
  readonly target: string;
  readonly digest: string;
  readonly decision: Decision;
  readonly isUsed: boolean;
}

/** The Approvals of people. They are watched from the first look at what is in an Environment. */
export class Approvals implements ApprovalsView {
  readonly #options: ApprovalsOptions;
  readonly #watch: ListWatch<Known | undefined>;
  readonly #admission: AdmissionProof;
  /** By `<namespace>/<name>`. */
  readonly #byKey = new Map<string, Known>();
  /** Their keys by the target that they are about, and by uid. */
  readonly #byTarget = new Map<string, Set<string>>();
  readonly #byUid = new Map<string, string>();
  readonly #marking = new Set<string>();
  readonly #stopping = new AbortController();
  /** Targets that were told that it cannot be seen what is decided of them. */
  readonly #toldUnseen = new Set<string>();
  readonly #answered = Promise.withResolvers<void>();
  #hasAnswered = false;
  #isStarted = false;

  constructor(options: ApprovalsOptions) {
    this.#options = options;
    const { client, namespace, policy } = options;
    this.#admission = new AdmissionProof({
      client,
      name: policy,
      onChange: () => {
        this.#noteAnswer();
        options.onAdmission();
        // A no counts also where nobody wants a yes.
        for (const target of this.#byTarget.keys()) options.onChange(target);
      },
    });
    this.#watch = new ListWatch<Known | undefined>({
      client,
      resource: APPROVALS,
      ...(namespace === '' ? {} : { namespace }),
      reduce: known,
      onEvent: (event) => this.#takeIn(event),
      onListed: () => {
        this.#noteAnswer('Approvals');
        options.onAdmission();
        this.#seen();
      },
      onStale: () => {
        options.onAdmission();
        this.#seen();
      },
      onState: tellingFaults({
        onFailing: () => this.#noteAnswer('Approvals'),
        warn: (error) =>
          options.log.warn(
            { error },
            'Approvals cannot be watched; it is tried again. What waits for one waits on.',
          ),
      }),
    });
  }

  async known(signal: AbortSignal): Promise<void> {
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#admission.start();
      this.#watch.start();
    }
    if (this.#hasAnswered && this.#admission.hasAnswered) return;
    await unlessAborted(this.#answered.promise, signal);
  }

  unused(target: string, digest: string): readonly Decision[] {
    return [...(this.#byTarget.get(target) ?? [])].flatMap((key) => {
      const one = this.#byKey.get(key);
      return one === undefined || one.isUsed || one.digest !== digest ? [] : [one.decision];
    });
  }

  get admission(): Admission {
    const { stale } = this.#watch;
    if (stale !== undefined) return { is: 'Unknown', why: stale.message };
    if (this.#watch.synced) return this.#admission.state;
    return { is: 'Unknown', why: this.#watch.lastError?.message ?? 'they are not listed yet' };
  }

  unseen(target: string): string | undefined {
    const why = this.#whyUnseen();
    if (why !== undefined) this.#toldUnseen.add(target);
    return why;
  }

  #whyUnseen(): string | undefined {
    const { synced, stale, lastError } = this.#watch;
    const error = stale ?? (synced ? undefined : lastError);
    // Where there is no such kind, nobody decides anything.
    if (isNotFound(error)) return undefined;
    return error?.message ?? (synced ? undefined : 'they are not listed yet');
  }

  #seen(): void {
    if (this.#watch.stale !== undefined) return;
    for (const target of this.#toldUnseen) this.#options.onChange(target);
    this.#toldUnseen.clear();
  }

  /** Who gave the one with that uid, and when; undefined where it is not known, or not any more. */
  giverOf(approval: string): { name: string; by: string; at: Date } | undefined {
    const known = this.#byKey.get(this.#byUid.get(approval) ?? '');
    return known && { name: known.name, by: known.decision.by, at: known.decision.at };
  }

  isUnmarked(approval: string): boolean {
    return this.#byKey.get(this.#byUid.get(approval) ?? '')?.isUsed === false;
  }

  markUsed(used: readonly UsedApproval[]): void {
    for (const one of used) {
      if (this.#marking.has(one.approval) || !this.isUnmarked(one.approval)) continue;
      this.#marking.add(one.approval);
      void this.#mark(one).finally(() => this.#marking.delete(one.approval));
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'));
    this.#answered.resolve();
    await Promise.all([this.#watch.stop(), this.#admission.stop()]);
  }

  #noteAnswer(of?: 'Approvals'): void {
    if (of !== undefined) this.#hasAnswered = true;
    if (this.#hasAnswered && this.#admission.hasAnswered) this.#answered.resolve();
  }

  #takeIn({ type, namespace, name, object }: WatchEvent<Known | undefined>): void {
    const key = `${namespace}/${name}`;
    const before = this.#byKey.get(key);
    const after = type === 'Deleted' ? undefined : object;
    if (before !== undefined) this.#forget(key, before);
    if (after !== undefined) {
      const there = this.#byTarget.get(after.target) ?? new Set<string>();
      this.#byTarget.set(after.target, there.add(key));
      this.#byKey.set(key, after);
      this.#byUid.set(after.decision.uid, key);
    }
    // That it is used the target knows that used it.
    if (before?.decision.uid === after?.decision.uid) return;
    for (const target of new Set([before?.target, after?.target]))
      if (target !== undefined) this.#options.onChange(target);
  }

  #forget(key: string, { target, decision }: Known): void {
    const there = this.#byTarget.get(target);
    there?.delete(key);
    if (there?.size === 0) this.#byTarget.delete(target);
    this.#byKey.delete(key);
    this.#byUid.delete(decision.uid);
  }

  async #mark({ approval, deployment, at }: UsedApproval): Promise<void> {
    const { client, log, random } = this.#options;
    const { signal } = this.#stopping;
    for (let failures = 1; this.isUnmarked(approval); failures += 1) {
      const one = this.#byKey.get(this.#byUid.get(approval) ?? '');
      if (one === undefined || signal.aborted) return;
      const { namespace, name } = one;
      const body = {
        metadata: { uid: approval },
        status: { enteredAt: secondTime(new Date(at)), deployment },
      };
      try {
        const path = { resource: APPROVALS, namespace, name, subresource: 'status' };
        const written = await client.mergePatch(path, body, {}, { signal });
        this.#watch.takeIn(entryOf(written, known(written)));
        return;
      } catch (error) {
        if (signal.aborted || error instanceof NotLeaderError || isNotFound(error)) return;
        const message = error instanceof Error ? error.message : String(error);
        if (failures === 1)
          log.warn(
            { approval: `${namespace}/${name}`, error: message },
            'It could not be written into an Approval that it was used; it is tried again.',
          );
        const pause = backoffMs({ ...RETRY, failures, jitter: 'Fifth', random: random() });
        await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }
}

/** What cannot be read as one says nothing. */
function known(object: KubeObject): Known | undefined {
  const approval = parseApproval({ apiVersion: API_VERSION, kind: 'Approval', ...object });
  if (approval === undefined) return undefined;
  const { metadata, spec, status } = approval;
  const { application, environment, digest, decision, by, groups } = spec;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    target: `${metadata.namespace}/${application}/${environment}`,
    digest,
    decision: {
      uid: metadata.uid,
      by,
      groups,
      decision,
      at: new Date(metadata.creationTimestamp ?? Number.NaN),
    },
    isUsed: status?.enteredAt !== undefined,
  };
}
