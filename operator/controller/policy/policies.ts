import { isDeepStrictEqual } from 'node:util';
import type { Application } from '../../api/v1alpha1/application.ts';
import { API_VERSION, GROUP, VERSION } from '../../api/v1alpha1/names.ts';
import { type PromotionPolicy, parsePolicy } from '../../api/v1alpha1/promotion-policy.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { ListWatch } from '../../kube/list-watch.ts';
import { entryOf } from '../../kube/object-store.ts';
import { tellingFaults } from '../../kube/watch-faults.ts';
import type { Logger } from '../../observe/log.ts';
import { FREE, type Governance } from '../../promote/governance.ts';
import { type GatesIn, governanceIn } from './governance.ts';

export const PROMOTION_POLICIES = { group: GROUP, version: VERSION, plural: 'promotionpolicies' };

/** What targets need to know of the policies. */
export interface PoliciesView {
  /** @param gatesIn what Environments demand themselves */
  governanceOf(
    application: Pick<Application, 'metadata' | 'spec'>,
    environment: string,
    gatesIn: GatesIn,
  ): Governance;
  /** Why they may say something else by now: they could be listed, and cannot be any more. */
  doubt(): string | undefined;
}

/** Where nobody knows of any policy. */
export const NO_POLICIES: PoliciesView = { governanceOf: () => FREE, doubt: () => undefined };

/** A PromotionPolicy as it was last told. */
export interface KnownPolicy {
  readonly object: KubeObject;
  /** Undefined where it cannot be read as one. */
  readonly policy: PromotionPolicy | undefined;
  readonly errors: readonly string[];
}

export interface PoliciesOptions {
  client: KubeClient;
  /** '': of all namespaces. */
  namespace: string;
  log: Logger;
  /** Those of a namespace may say something else by now. */
  onChange(namespace: string): void;
  /** Which there are is known now, or not any more. */
  onKnown(): void;
  /** One was told, by `<namespace>/<name>`, also where nothing but its status changed. */
  onTold(key: string): void;
}

/** The PromotionPolicies that there are. */
export class Policies implements PoliciesView {
  readonly #watch: ListWatch<KnownPolicy>;
  readonly #answered = Promise.withResolvers<void>();
  /** By namespace and name. */
  readonly #known = new Map<string, Map<string, KnownPolicy>>();

  constructor({ client, namespace, log, onChange, onKnown, onTold }: PoliciesOptions) {
    this.#watch = new ListWatch<KnownPolicy>({
      client,
      resource: PROMOTION_POLICIES,
      ...(namespace === '' ? {} : { namespace }),
      reduce: known,
      onEvent: ({ type, namespace: of, name, object }) => {
        const before = this.#known.get(of)?.get(name);
        const after = type === 'Deleted' ? undefined : object;
        this.#note(of, name, after);
        if (!isDeepStrictEqual(rulesOf(before), rulesOf(after))) onChange(of);
        onTold(`${of}/${name}`);
      },
      onListed: () => {
        this.#answered.resolve();
        onKnown();
      },
      onStale: onKnown,
      onState: tellingFaults({
        describe,
        onFailing: () => this.#answered.resolve(),
        warn: (error) =>
          log.warn(
            { error },
            'PromotionPolicies cannot be watched; it is tried again. Applications without environments go on.',
          ),
      }),
    });
  }

  /** Resolves when they are listed, or cannot be for now. */
  async start(): Promise<void> {
    this.#watch.start();
    await this.#answered.promise;
  }

  async stop(): Promise<void> {
    this.#answered.resolve();
    await this.#watch.stop();
  }

  get(key: string): KnownPolicy | undefined {
    const slash = key.indexOf('/');
    return this.#known.get(key.slice(0, slash))?.get(key.slice(slash + 1));
  }

  /** All, by `<namespace>/<name>`. */
  keys(): string[] {
    return [...this.#known.keys()].flatMap((namespace) => this.keysIn(namespace));
  }

  keysIn(namespace: string): string[] {
    return [...(this.#known.get(namespace)?.keys() ?? [])].map((name) => `${namespace}/${name}`);
  }

  /** Of a namespace, those that can be read. */
  readable(namespace: string): PromotionPolicy[] {
    return [...(this.#known.get(namespace)?.values() ?? [])].flatMap(({ policy }) => policy ?? []);
  }

  governanceOf(
    application: Pick<Application, 'metadata' | 'spec'>,
    environment: string,
    gatesIn: GatesIn,
  ): Governance {
    const { namespace } = application.metadata;
    const problem = this.#problemIn(namespace);
    if (problem !== undefined) return Object.freeze({ is: 'Unknown', problem });
    return governanceIn(application, environment, this.readable(namespace), gatesIn);
  }

  doubt(): string | undefined {
    const { stale } = this.#watch;
    return stale && describe(stale);
  }

  /** Takes in a policy as a write of ours was answered. */
  takeIn(object: KubeObject): void {
    this.#watch.takeIn(entryOf(object, known(object)));
  }

  #note(namespace: string, name: string, policy: KnownPolicy | undefined): void {
    const policies = this.#known.get(namespace) ?? new Map<string, KnownPolicy>();
    if (policy === undefined) policies.delete(name);
    else policies.set(name, policy);
    if (policies.size === 0) this.#known.delete(namespace);
    else this.#known.set(namespace, policies);
  }

  /** Which one of those that cannot be read is for whom, nobody knows. */
  #problemIn(namespace: string): string | undefined {
    for (const [name, { errors }] of this.#known.get(namespace) ?? [])
      if (errors.length > 0) return `PromotionPolicy ${name} cannot be read: ${errors.join('; ')}`;
    if (this.#watch.synced) return undefined;
    const { lastError } = this.#watch;
    return lastError === undefined ? 'They are not listed yet.' : describe(lastError);
  }
}

/** What was never listed and is not found has no definition. */
function describe(error: Error): string {
  if (!isNotFound(error)) return error.message;
  return `the definition ${PROMOTION_POLICIES.plural}.${GROUP} is missing: kubectl apply --server-side --force-conflicts -f charts/towpath/crds`;
}

/** Our own status must not wake everybody whom it is for. */
function rulesOf(known: KnownPolicy | undefined) {
  return known && [known.policy?.spec, known.errors];
}

function known(object: KubeObject): KnownPolicy {
  const { managedFields: _, ...metadata } = object.metadata;
  const parsed = parsePolicy({ apiVersion: API_VERSION, kind: 'PromotionPolicy', ...object });
  return {
    object: { ...object, metadata },
    policy: parsed.ok ? parsed.policy : undefined,
    errors: parsed.ok ? [] : parsed.errors,
  };
}
