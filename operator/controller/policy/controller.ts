import type { Application } from '../../api/v1alpha1/application.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { Logger } from '../../observe/log.ts';
import type { Governance } from '../../promote/governance.ts';
import { namespaceOf } from '../record/application-key.ts';
import { mergePatchBetween } from '../work/merge-patch.ts';
import { StatusWrites } from '../work/status-writes.ts';
import { Timers } from '../work/timers.ts';
import type { GatesIn } from './governance.ts';
import { Policies, type PoliciesView, PROMOTION_POLICIES } from './policies.ts';
import { policyStatus, unreadablePolicyStatus } from './status.ts';

export interface PolicyControllerOptions {
  /** The API server with the policies. */
  client: KubeClient;
  /** '': of all namespaces. */
  namespace: string;
  log: Logger;
  /** The Applications of a namespace that can be read. */
  applicationsIn(namespace: string): readonly Application[];
  /** Whether it is known that there is no such Environment. */
  isMissing(environment: string): boolean;
  /** What Environments demand themselves. */
  readonly gatesIn: GatesIn;
  /** What those of a namespace say of Applications may be another thing now; undefined: those of all. */
  onChange(namespace: string | undefined): void;
  random(): number;
}

/** What is counted is told so long after it changed: what comes together is one write. */
const COUNT_AFTER_MS = 2_000;

/** The PromotionPolicies: what they say of Applications, and what their status tells. The only writer of that. */
export class PolicyController implements PoliciesView {
  readonly #options: PolicyControllerOptions;
  readonly #policies: Policies;
  readonly #writes: StatusWrites;
  readonly #counts = new Timers((key) => this.#writes.due(key));

  constructor(options: PolicyControllerOptions) {
    this.#options = options;
    this.#policies = new Policies({
      ...options,
      onChange: (namespace) => {
        options.onChange(namespace);
        for (const key of this.#in(namespace)) this.#writes.due(key);
      },
      onKnown: () => options.onChange(undefined),
      onTold: (key) => this.#writes.due(key),
    });
    this.#writes = new StatusWrites({
      names: () => this.#policies.keys(),
      patch: (key, signal) => this.#patch(key, signal),
      onFault: (policy, error) =>
        options.log.warn(
          { policy, error: error instanceof Error ? error.message : String(error) },
          'The status of a PromotionPolicy could not be written; it is tried again.',
        ),
      random: options.random,
    });
  }

  /** Resolves when the policies are known, or cannot be for now. */
  start(): Promise<void> {
    return this.#policies.start();
  }

  async stop(): Promise<void> {
    this.follow();
    await this.#policies.stop();
  }

  /** This process leads. */
  lead(): void {
    this.#writes.lead();
  }

  follow(): void {
    this.#writes.follow();
    this.#counts.clear();
  }

  /** An Application came, changed, or went, by its key: what is counted of it is told, but not for each change (A14). */
  used(application: string): void {
    for (const key of this.#in(namespaceOf(application))) this.#counts.setIfNone(key, COUNT_AFTER_MS);
  }

  /** An Environment came, changed, or went, or which there are is known now: undefined. */
  onEnvironment(environment: string | undefined): void {
    for (const key of this.#policies.keys()) {
      const { stages = [] } = this.#policies.get(key)?.policy?.spec ?? {};
      const isNamed = stages.some(({ environments }) => environments.some((name) => name === environment));
      if (environment === undefined || isNamed) this.#counts.setIfNone(key, COUNT_AFTER_MS);
    }
  }

  governanceOf(
    application: Pick<Application, 'metadata' | 'spec'>,
    environment: string,
    gatesIn: GatesIn,
  ): Governance {
    return this.#policies.governanceOf(application, environment, gatesIn);
  }

  doubt(): string | undefined {
    return this.#policies.doubt();
  }

  #in(namespace: string): string[] {
    return this.#policies.keysIn(namespace);
  }

  async #patch(key: string, signal: AbortSignal): Promise<void> {
    const { client, applicationsIn, isMissing, gatesIn } = this.#options;
    const known = this.#policies.get(key);
    if (known === undefined) return;
    const { policy, object, errors } = known;
    const { namespace = '', name, generation = 0, resourceVersion } = object.metadata;
    const facts = {
      applications: applicationsIn(namespace),
      policies: this.#policies.readable(namespace),
      isMissing,
      gatesIn,
    };
    const status =
      policy === undefined
        ? unreadablePolicyStatus(errors, generation, client.now())
        : policyStatus(policy, facts, generation, client.now());
    const patch = mergePatchBetween(policy?.status ?? {}, status);
    if (patch === undefined) return;
    const path = { resource: PROMOTION_POLICIES, namespace, name, subresource: 'status' };
    const body = { metadata: { resourceVersion }, status: patch };
    try {
      this.#policies.takeIn(await client.mergePatch(path, body, {}, { signal }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
