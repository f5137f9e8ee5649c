import { isDeepStrictEqual } from 'node:util';
import { type Environment, parseEnvironment } from '../../api/v1alpha1/environment.ts';
import {
  ANNOTATION_CLUSTER_CONFIRMED,
  API_VERSION,
  GROUP,
  LABEL_MANAGED_FOR,
  VERSION,
} from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { ListWatch } from '../../kube/list-watch.ts';
import { entryOf } from '../../kube/object-store.ts';
import { tellingFaults } from '../../kube/watch-faults.ts';
import type { Logger } from '../../observe/log.ts';
import { landsByLabel } from './landing-refusal.ts';
import { type KnownLabels, NamespaceLabels } from './namespace-labels.ts';
import type { Whereabouts } from './whereabouts.ts';

export const ENVIRONMENTS = { group: GROUP, version: VERSION, plural: 'environments' };

export interface EnvironmentsOptions {
  client: KubeClient;
  log: Logger;
  /** One came, changed, or went; what its status says of its cluster is a part of it. */
  onChange(name: string): void;
  /** All that there are were told: one that is not known does not exist. */
  onListed(): void;
  /** It was told, also where nothing but its status changed. */
  onTold(name: string): void;
}

/** An Environment as it was last told. */
export interface KnownEnvironment {
  readonly object: KubeObject;
  /** Undefined where it cannot be read as one. */
  readonly environment: Environment | undefined;
  readonly errors: readonly string[];
}

/** What placement needs to know of the Environments. */
export interface EnvironmentsView {
  /** Why they are not known; undefined: those that `get` does not find do not exist. */
  readonly problem: string | undefined;
  get(name: string): KnownEnvironment | undefined;
  /** Why it may say something else by now, or the labels of namespaces by which it decides: they were listed once. */
  doubt(environment: Environment): string | undefined;
  /** At home; by none of them does anything land there. */
  readonly ownNamespace: string;
  /** Of a namespace at home, where an Environment goes by them. */
  labelsOf(namespace: string): KnownLabels;
  /** In which cluster it is, as far as that is known. */
  whereabouts(environment: Environment): Whereabouts;
}

/** The Environments that there are. */
export class Environments {
  readonly #watch: ListWatch<KnownEnvironment>;
  readonly #answered = Promise.withResolvers<void>();
  readonly #byName = new Map<string, KnownEnvironment>();
  readonly #namespaces: NamespaceLabels;

  constructor({ client, log, onChange, onListed, onTold }: EnvironmentsOptions) {
    this.#namespaces = new NamespaceLabels({
      client,
      onChange: (isOther) => {
        for (const [name, { environment }] of this.#byName)
          if (labelsFor(environment)?.some(isOther)) onChange(name);
      },
      onListed: () => this.#changedByLabel(onChange),
      onStale: () => this.#changedByLabel(onChange),
    });
    this.#watch = new ListWatch<KnownEnvironment>({
      client,
      resource: ENVIRONMENTS,
      reduce: known,
      onEvent: ({ type, name, object }) => {
        const before = this.#byName.get(name);
        if (type === 'Deleted') this.#byName.delete(name);
        else this.#byName.set(name, object);
        if (labelsFor(object.environment) !== undefined) this.#namespaces.start();
        // Our own status must not wake everybody who deploys there.
        if (type === 'Deleted' || before === undefined || decidesOtherwise(before, object)) onChange(name);
        onTold(name);
      },
      onListed: () => {
        this.#answered.resolve();
        onListed();
      },
      onStale: () => {
        for (const name of this.#byName.keys()) onChange(name);
      },
      onState: tellingFaults({
        describe,
        onFailing: () => this.#answered.resolve(),
        warn: (error) =>
          log.warn(
            { error },
            'Environments cannot be watched; it is tried again. Applications without environments go on.',
          ),
      }),
    });
  }

  #changedByLabel(onChange: (name: string) => void): void {
    for (const [name, { environment }] of this.#byName)
      if (labelsFor(environment) !== undefined) onChange(name);
  }

  /** Resolves when they are listed, or cannot be for now: Applications without environments wait for none of it. */
  async start(): Promise<void> {
    this.#watch.start();
    await this.#answered.promise;
  }

  get problem(): string | undefined {
    if (this.#watch.synced) return this.#stale;
    const { lastError } = this.#watch;
    return lastError === undefined ? 'They are not listed yet.' : describe(lastError);
  }

  get #stale(): string | undefined {
    const { stale } = this.#watch;
    return stale && describe(stale);
  }

  doubt(environment: Environment): string | undefined {
    if (this.#stale !== undefined) return this.#stale;
    return labelsFor(environment) === undefined ? undefined : this.#namespaces.stale;
  }

  get(name: string): KnownEnvironment | undefined {
    return this.#byName.get(name);
  }

  labelsOf(namespace: string): KnownLabels {
    return this.#namespaces.of(namespace);
  }

  names(): Iterable<string> {
    return this.#byName.keys();
  }

  /** Takes in an Environment as a write of ours was answered. */
  takeIn(object: KubeObject): void {
    this.#watch.takeIn(entryOf(object, known(object)));
  }

  async stop(): Promise<void> {
    this.#answered.resolve();
    await Promise.all([this.#watch.stop(), this.#namespaces.stop()]);
  }
}

/** Labels of namespaces by which it decides; undefined: it knows all without any. */
function labelsFor(environment: Environment | undefined): readonly string[] | undefined {
  if (environment === undefined) return undefined;
  const { namespaceSelector } = environment.spec;
  const landing = landsByLabel(environment) === 'Here' ? [LABEL_MANAGED_FOR] : [];
  if (namespaceSelector === undefined) return landing.length === 0 ? undefined : landing;
  return [...Object.keys(namespaceSelector.matchLabels ?? {}), ...landing];
}

/** What was never listed and is not found has no definition. */
function describe(error: Error): string {
  if (!isNotFound(error)) return error.message;
  return `the definition environments.${GROUP} is missing: kubectl apply --server-side --force-conflicts -f charts/towpath/crds`;
}

/** Whether it may decide otherwise about who lands there, and where. */
function decidesOtherwise(before: KnownEnvironment, after: KnownEnvironment): boolean {
  const relevant = ({ object: { metadata }, environment }: KnownEnvironment) => [
    metadata.uid,
    metadata.generation,
    metadata.deletionTimestamp,
    metadata.annotations?.[ANNOTATION_CLUSTER_CONFIRMED],
    environment?.status?.cluster?.uid,
  ];
  return !isDeepStrictEqual(relevant(before), relevant(after));
}

function known(object: KubeObject): KnownEnvironment {
  const { managedFields: _, ...metadata } = object.metadata;
  const parsed = parseEnvironment({ apiVersion: API_VERSION, kind: 'Environment', ...object });
  return {
    object: { ...object, metadata },
    environment: parsed.ok ? parsed.environment : undefined,
    errors: parsed.ok ? [] : parsed.errors,
  };
}
