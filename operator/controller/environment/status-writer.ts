import { isDeepStrictEqual } from 'node:util';
import type { EnvironmentResourceStatus } from '../../api/v1alpha1/environment.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { mergePatchBetween } from '../work/merge-patch.ts';
import { StatusWrites } from '../work/status-writes.ts';
import { type EnvironmentFacts, environmentStatus, unreadableStatus } from './environment-status.ts';
import { ENVIRONMENTS, type KnownEnvironment } from './environments.ts';

export interface EnvironmentStatusWriterOptions {
  client: KubeClient;
  /** The Environment as it was told last. */
  get(name: string): KnownEnvironment | undefined;
  names(): Iterable<string>;
  /** Whether something is deployed there: then it is not deleted. */
  isUsed(name: string): boolean;
  /** Whether it is this installation's to tell of. */
  isOurs(name: string): boolean;
  /** Whether other installations tell of the same Environments. */
  isShared: boolean;
  finalizer: string;
  /** Of the finalizers of one that is being deleted those that this installation is to take off for who is gone. */
  leftOf(finalizers: readonly string[]): readonly string[];
  onLeftTaken(name: string, finalizers: readonly string[]): void;
  /** What is to be told of it now. */
  factsOf(name: string): EnvironmentFacts;
  /** Takes in what a write returned. */
  onWritten(object: KubeObject): void;
  /** It has our finalizer by now: what waited for that goes on. */
  onHeld(name: string): void;
  onFault(name: string, error: unknown): void;
  /** Nothing is left to be written. */
  onDone(name: string): void;
  random(): number;
}

/** The only writer of Environments: one patch of what changed, one at a time for each, and none where nothing did. */
export class EnvironmentStatusWriter {
  readonly #options: EnvironmentStatusWriterOptions;
  readonly #writes: StatusWrites;
  /** By name: what was written last, or was there, but for its times; kept where others write, too. */
  readonly #said = new Map<string, object>();

  constructor(options: EnvironmentStatusWriterOptions) {
    this.#options = options;
    this.#writes = new StatusWrites({
      ...options,
      patch: async (name, signal) => {
        await this.#patch(name, signal);
        options.onDone(name);
      },
    });
  }

  /** This process leads: what the Environments say is its to write. */
  lead(): void {
    this.#said.clear();
    this.#writes.lead();
  }

  follow(): void {
    this.#writes.follow();
  }

  /** Something of what the Environment is to say changed. */
  due(name: string): void {
    this.#writes.due(name);
  }

  /**
   * Sees to it that what is used has our finalizer, and nothing else has, and that nobody who is gone holds up its
   * deletion; answers whether there is something to tell.
   */
  async #isToTell(name: string, signal: AbortSignal): Promise<boolean> {
    const { client, get, isUsed, isOurs, finalizer, leftOf, onLeftTaken, onHeld } = this.#options;
    const metadata = get(name)?.object.metadata;
    if (metadata === undefined) return false;
    const { finalizers = [], resourceVersion, deletionTimestamp } = metadata;
    const isGoing = deletionTimestamp !== undefined;
    const left = isGoing ? leftOf(finalizers) : [];
    const isHeld = finalizers.includes(finalizer);
    // None comes to one that is going.
    const isToBeHeld = isUsed(name) && (isHeld || !isGoing);
    if (isHeld === isToBeHeld && left.length === 0) return isOurs(name);
    const others = finalizers.filter((one) => one !== finalizer && !left.includes(one));
    const body = {
      metadata: { resourceVersion, finalizers: isToBeHeld ? [...others, finalizer] : others },
    };
    try {
      this.#options.onWritten(
        await client.mergePatch({ resource: ENVIRONMENTS, name }, body, {}, { signal }),
      );
      if (left.length > 0) onLeftTaken(name, left);
      if (isToBeHeld) onHeld(name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return false;
    }
    return isOurs(name);
  }

  #statusOf(name: string, { object, environment, errors }: KnownEnvironment) {
    const now = this.#options.client.now();
    const generation = object.metadata.generation ?? 0;
    if (environment === undefined) {
      const told = 'status' in object ? object.status : undefined;
      return unreadableStatus(name, { errors, told }, generation, now);
    }
    const status = environmentStatus(environment, this.#options.factsOf(name), generation, now);
    return { before: environment.status ?? {}, status };
  }

  async #patch(name: string, signal: AbortSignal): Promise<void> {
    const { client, get } = this.#options;
    if (!(await this.#isToTell(name, signal))) return;
    const known = get(name);
    if (known === undefined) return;
    const { before, status } = this.#statusOf(name, known);
    const patch = mergePatchBetween(before, status);
    const said = withoutTimes(status);
    if (patch === undefined || this.#isSaid(name, said, before, status)) {
      this.#said.set(name, said);
      return;
    }
    const path = { resource: ENVIRONMENTS, name, subresource: 'status' };
    const { resourceVersion } = known.object.metadata;
    const body = { metadata: { resourceVersion }, status: patch };
    try {
      const written = await client.mergePatch(path, body, {}, { signal });
      this.#said.set(name, said);
      this.#options.onWritten(written);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /**
   * Whether we said just that before, and another installation says something else since, of whose Secrets and
   * Applications we know nothing: who says something new has the word, or both would answer each other for ever. But in
   * which cluster it is, nobody deploys there without.
   */
  #isSaid(name: string, said: object, before: EnvironmentResourceStatus, status: EnvironmentResourceStatus) {
    if (!this.#options.isShared || before.cluster?.uid !== status.cluster?.uid) return false;
    return isDeepStrictEqual(this.#said.get(name), said);
  }
}

/** When a condition came to be depends on what others say meanwhile. */
function withoutTimes({ conditions = [], ...status }: EnvironmentResourceStatus): object {
  return { ...status, conditions: conditions.map(({ lastTransitionTime: _, ...condition }) => condition) };
}
