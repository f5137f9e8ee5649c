import { createHash } from 'node:crypto';
import { TowpathError } from '../../api/errors.ts';
import { type Application, VALUES_LIMIT } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { LABEL_TARGET } from '../../api/v1alpha1/names.ts';
import type { Discovery } from '../../kube/discovery.ts';
import { canonicalJson, parseExact } from '../../manifest/exact-json.ts';
import { withStringDataAsData } from '../../manifest/secret.ts';
import type { Rendered, Renderer, RenderRequest } from '../../render/renderer.ts';
import { parseCredential } from '../../source/credential.ts';
import { parseRemoteUrl } from '../../source/remote-url.ts';
import type { Access, GitRef, Repository, Resolved, Sources } from '../../source/sources.ts';
import type { Tree } from '../../source/tree.ts';
import { type Candidate, type Manifests, manifestsDigest, type TargetName, targetName } from '../record.ts';
import { Quarantine } from './facts.ts';
import { Redaction } from './redaction.ts';
import type { Reference, ReferencedContent, References } from './references.ts';
import { RenderFailures } from './render-failures.ts';

export interface WantedOptions {
  sources: Sources;
  renderer: Renderer;
  references: References;
  discovery: Discovery;
  onChange(application: string): void;
  random(): number;
}

/** What the Application asks for at the moment. */
export interface Wanted {
  candidate: Candidate;
  /** Present where it was rendered just now; else the record keeps them. */
  manifests?: Manifests;
  resolved: Resolved;
  /** Keeps values of Secrets out of what is told. */
  redaction: Redaction;
}

interface Subscription {
  access: string;
  interval: number;
  repository: Repository;
  /** When it began, on the clock of performance.now(). */
  since: number;
}

export interface WantedInput {
  /** `<namespace>/<name>` */
  key: string;
  application: Application;
  target: TargetName;
  targetId: string;
  /** Exact JSON text of spec.helm.values. */
  values: string | undefined;
  /** Candidates whose manifests are kept. */
  known: readonly Candidate[];
  /** The revision and candidate that the status names: they outlive a restart. */
  settled: { revision?: string | undefined; candidate?: string | undefined };
  /** A request to look now, and to try again what failed; acted on once for each value. */
  lookNow: string | undefined;
  now: Date;
}

/** Of so many versions of an Application's Secrets the values are kept out of messages. */
const KEPT_REDACTIONS = 3;

/** How long a look at an Application that runs already waits for its Git server. */
const ANSWER_MS = 3_000;

/** Resolves the source and renders it: Git and the engine are asked only when an input changed. */
export class WantedCandidates {
  readonly #options: WantedOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #failures: RenderFailures;
  readonly #looked = new Map<string, string>();
  /** Of each Application the newest first. */
  readonly #redactions = new Map<string, Redaction[]>();
  /** The ref that each Application follows. */
  readonly #refs = new Map<string, GitRef>();

  constructor(options: WantedOptions) {
    this.#options = options;
    this.#failures = new RenderFailures(options.random);
  }

  /** Definitions changed: what was refused may render now. Returns whom to look at again. */
  reconsider(): string[] {
    return this.#failures.clear();
  }

  /** Ends the polls of all repositories, until they are wanted again. */
  rest(): void {
    for (const key of this.#subscriptions.keys()) this.#options.sources.unwatch(key);
    this.#subscriptions.clear();
    this.#looked.clear();
  }

  forget(key: string): void {
    this.#options.sources.unwatch(key);
    this.#options.references.forget(key);
    this.#subscriptions.delete(key);
    this.#failures.forget(key);
    this.#looked.delete(key);
    this.#redactions.delete(key);
    this.#refs.delete(key);
  }

  /** Throws TowpathError, or Quarantine for what does not render; `onResolved` is told the revision before. */
  async find(
    input: WantedInput,
    onResolved: (resolved: Resolved) => void,
    signal: AbortSignal,
  ): Promise<Wanted> {
    const contents = await this.#options.references.read(input.key, referencesOf(input.application), signal);
    // Before Git is asked: what runs is looked after also when Git does not answer, and may tell of errors.
    const redaction = this.#redaction(input.key, secretTexts(input.application, contents));
    const repository = this.#subscribe(input, contents);
    const isAsked = input.lookNow !== undefined && this.#looked.get(input.key) !== input.lookNow;
    // Before the answer: what it changes wakes this Application anew, and is not to be asked for twice.
    if (isAsked) this.#looked.set(input.key, input.lookNow ?? '');
    if (isAsked) this.#failures.forget(input.key);
    const resolved = await this.#resolve(input, repository, isAsked, signal);
    onResolved(resolved);
    refuseTooLarge(input.values, resolved);
    const values = valuesFrom(input.application, contents);
    const digest = requestDigest(input, values);
    const known = this.#known(input, resolved, digest);
    if (known !== undefined)
      return { candidate: { ...known, revision: resolved.commit, ref: resolved.ref }, resolved, redaction };
    const inputs = `${digest} ${resolved.commit}`;
    const failed = this.#failures.find(input.key, inputs, input.now);
    if (failed !== undefined) throw failed;
    try {
      const request = this.#request(input, values);
      const wanted = await this.#render(input, repository, resolved, request, digest, signal);
      this.#failures.forget(input.key);
      return { ...wanted, redaction };
    } catch (error) {
      if (error instanceof Quarantine && (await this.#isOutdated(input, repository, resolved, signal))) {
        return this.find(input, onResolved, signal);
      }
      if (error instanceof Quarantine) throw this.#failures.add(input.key, inputs, error, input.now);
      throw error;
    }
  }

  /**
   * Refs that were polled for others, before anyone asked for this Application, may be older than what its
   * author pushed for it: before it is told that something is missing, the server is asked once more.
   */
  async #isOutdated(
    input: WantedInput,
    repository: Repository,
    resolved: Resolved,
    signal: AbortSignal,
  ): Promise<boolean> {
    const since = this.#subscriptions.get(input.key)?.since ?? 0;
    if ((repository.checkedAt ?? 0) >= since) return false;
    await repository.poll(signal);
    return repository.resolve(input.application.spec.source.ref ?? {}).commit !== resolved.commit;
  }

  /** The one that there is while its Secrets are the same: it remembers what it found in them. */
  #redaction(key: string, secrets: readonly string[]): Redaction {
    const known = this.#redactions.get(key) ?? [];
    const [latest] = known;
    if (latest?.isOf(secrets)) return latest;
    const redaction = new Redaction(secrets);
    // The former ones too: what was rendered with them may still be under way.
    this.#redactions.set(key, [redaction, ...known].slice(0, KEPT_REDACTIONS));
    return redaction;
  }

  /** Reads the Secrets that values come from, so that `hide` knows them. */
  async learnSecrets(application: Application, signal: AbortSignal): Promise<void> {
    const key = keyOf(application);
    const contents = await this.#options.references.read(key, referencesOf(application), signal);
    this.#redaction(key, secretTexts(application, contents));
  }

  /** The same error without values of the Secrets that went into what is or was wanted (S5). */
  hide(application: Application, error: unknown): unknown {
    const known = this.#redactions.get(keyOf(application));
    if (known !== undefined) return known.reduce((told, redaction) => redaction.of(told), error);
    const hasSecrets = (application.spec.helm?.valuesFrom ?? []).some(({ kind }) => kind === 'Secret');
    return hasSecrets ? Redaction.ofUnknown().of(error) : error;
  }

  /** The Git server's state as the last poll left it: undefined where it answered. */
  sourceError(key: string): TowpathError | undefined {
    return this.#subscriptions.get(key)?.repository.error;
  }

  #subscribe(input: WantedInput, contents: Map<string, ReferencedContent>): Repository {
    const { source } = input.application.spec;
    this.#refs.set(input.key, source.ref ?? {});
    const access = this.#access(input, contents);
    const digest = sha256(JSON.stringify([access.url, access.credential ?? null]));
    const interval = parseDuration(source.interval);
    const existing = this.#subscriptions.get(input.key);
    if (existing?.access === digest && existing.interval === interval) return existing.repository;
    // Should the watch fail, nothing is watched any more: what was valid before is to be watched anew.
    this.#subscriptions.delete(input.key);
    let told: string | undefined;
    const repository = this.#options.sources.watch(input.key, access, interval, () => {
      // A push to another branch of the repository is no reason to break off a sync.
      const now = stateOf(repository, this.#refs.get(input.key) ?? {});
      if (now === told) return;
      told = now;
      this.#options.onChange(input.key);
    });
    this.#subscriptions.set(input.key, { access: digest, interval, repository, since: performance.now() });
    return repository;
  }

  /** Throws where the credential is missing or wrong; the server is then no longer asked with an older one. */
  #access(input: WantedInput, contents: Map<string, ReferencedContent>): Access {
    try {
      return accessOf(input.application, contents);
    } catch (error) {
      this.#options.sources.unwatch(input.key);
      this.#subscriptions.delete(input.key);
      throw error;
    }
  }

  async #resolve(
    input: WantedInput,
    repository: Repository,
    isAsked: boolean,
    signal: AbortSignal,
  ): Promise<Resolved> {
    const ref = input.application.spec.source.ref ?? {};
    if (ref.commit !== undefined) return { commit: ref.commit, ref: '' };
    if (isAsked) await this.#poll(input, repository, signal);
    const { error } = repository;
    if (error !== undefined && (error.remedy === 'Person' || repository.advertisement === undefined))
      throw error;
    if (repository.advertisement === undefined) await this.#poll(input, repository, signal);
    return repository.resolve(ref);
  }

  /** Where something runs already, it is not left alone for as long as a Git server hangs (A4). */
  async #poll(input: WantedInput, repository: Repository, signal: AbortSignal): Promise<void> {
    return this.#patiently(input, signal, (limited) => repository.poll(limited));
  }

  async #open(
    input: WantedInput,
    repository: Repository,
    resolved: Resolved,
    signal: AbortSignal,
  ): Promise<Tree> {
    try {
      return await this.#patiently(input, signal, (limited) => repository.open(resolved, limited));
    } catch (error) {
      signal.throwIfAborted();
      // The fetch goes on; its end is told by nobody else.
      const wake = () => this.#options.onChange(input.key);
      if (error instanceof TowpathError && error.reason === 'Timeout')
        void repository.open(resolved).then(wake, () => undefined);
      throw error;
    }
  }

  async #patiently<T>(
    input: WantedInput,
    signal: AbortSignal,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (input.known.length === 0) return ask(signal);
    const limit = AbortSignal.timeout(ANSWER_MS);
    try {
      return await ask(AbortSignal.any([signal, limit]));
    } catch (error) {
      if (error !== limit.reason) throw error;
      throw new TowpathError(
        'Time',
        'Timeout',
        `The Git server of ${input.application.spec.source.repoURL} has not answered for ${ANSWER_MS / 1_000} s: it is waited for, and what runs is looked after meanwhile.`,
      );
    }
  }

  #known(input: WantedInput, resolved: Resolved, digest: string): Candidate | undefined {
    return input.known.find(
      (candidate) =>
        candidate.request === digest &&
        (candidate.revision === resolved.commit ||
          (input.settled.candidate === candidate.id && input.settled.revision === resolved.commit)),
    );
  }

  async #render(
    input: WantedInput,
    repository: Repository,
    resolved: Resolved,
    request: RenderRequest,
    digest: string,
    signal: AbortSignal,
  ): Promise<Omit<Wanted, 'redaction'>> {
    const tree = await this.#open(input, repository, resolved, signal);
    const rendered = await this.#rendered(tree, request, signal);
    const id = `c-${sha256(`${rendered.inputs} ${digest}`).slice(0, 12)}`;
    const place = { revision: resolved.commit, ref: resolved.ref, commit: tree.commit };
    const manifests = { objects: rendered.objects.map(withStringDataAsData), hooks: rendered.hooks };
    const rendering = manifestsDigest(manifests);
    const known = input.known.find(
      (candidate) => candidate.id === id || (candidate.request === digest && candidate.digest === rendering),
    );
    // The commit touched nothing that this render reads: the accepted manifests stay, random values too.
    if (known !== undefined) return { candidate: { ...known, ...place }, resolved };
    const candidate: Candidate = {
      ...place,
      id,
      inputs: rendered.inputs,
      request: digest,
      digest: rendering,
      ...(rendered.chart === undefined ? {} : { chart: `${rendered.chart.name}-${rendered.chart.version}` }),
      ...(rendered.chart?.appVersion === undefined ? {} : { appVersion: rendered.chart.appVersion }),
    };
    return { candidate, manifests, resolved };
  }

  /** What the render refuses, no cluster will ever take. */
  async #rendered(tree: Tree, request: RenderRequest, signal: AbortSignal): Promise<Rendered> {
    try {
      return await this.#options.renderer.render(tree, request, signal);
    } catch (error) {
      if (error instanceof TowpathError && error.remedy === 'Person')
        throw new Quarantine({ revision: tree.revision }, error);
      throw error;
    }
  }

  #request(input: WantedInput, values: ValuesFrom[]): RenderRequest {
    const { spec, metadata } = input.application;
    return {
      path: spec.source.path,
      namespace: input.target.namespace,
      releaseName: spec.helm?.releaseName ?? metadata.name,
      helm: {
        valuesFiles: spec.helm?.valuesFiles ?? [],
        valuesFrom: values,
        ...(input.values === undefined ? {} : { values: input.values }),
      },
      capabilities: {
        kubeVersion: this.#options.discovery.kubeVersion(),
        apiVersions: this.#options.discovery.apiVersions(),
      },
      scopes: this.#options.discovery.scopes(),
      labels: { [LABEL_TARGET]: input.targetId },
      owner: targetName(input.target),
    };
  }
}

function refuseTooLarge(values: string | undefined, { commit: revision }: Resolved): void {
  const bytes = Buffer.byteLength(values ?? '');
  if (bytes <= VALUES_LIMIT) return;
  const error = new TowpathError(
    'Person',
    'ValuesTooLarge',
    `spec.helm.values has ${bytes} bytes as JSON; at most 256 KiB (${VALUES_LIMIT}) are taken. Move a part of it into a values file.`,
  );
  throw new Quarantine({ revision }, error);
}

/** Digest of all that the spec and its references ask for; the cluster's capabilities are no part of it. */
function requestDigest(input: WantedInput, from: readonly ValuesFrom[]): string {
  const { source, helm } = input.application.spec;
  return sha256(
    canonicalJson([
      source.repoURL,
      source.path,
      input.target.namespace,
      helm?.releaseName ?? input.application.metadata.name,
      helm?.valuesFiles ?? [],
      from.map(({ name, text }) => [name, sha256(text)]),
      input.values === undefined ? null : parseExact(input.values),
    ]),
  );
}

function referencesOf(application: Application): Reference[] {
  const { namespace } = application.metadata;
  const { source, helm } = application.spec;
  const references: Reference[] = (helm?.valuesFrom ?? []).map(({ kind, name }) => ({
    kind,
    namespace,
    name,
  }));
  if (source.secretRef !== undefined)
    references.push({ kind: 'Secret', namespace, name: source.secretRef.name });
  return references;
}

function accessOf(application: Application, contents: Map<string, ReferencedContent>): Access {
  const { repoURL, secretRef } = application.spec.source;
  if (secretRef === undefined) return { url: repoURL };
  const content = contents.get(`Secret/${secretRef.name}`);
  if (content === undefined) throw missing('Secret', application, secretRef.name, 'spec.source.secretRef');
  const { scheme } = parseRemoteUrl(repoURL);
  return { url: repoURL, credential: parseCredential(Object.fromEntries(content), scheme) };
}

const MISSING = { Secret: 'SecretMissing', ConfigMap: 'ConfigMapMissing' } as const;

function keyOf({ metadata }: Application): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** What of a repository's state is about a ref: the commit, or why there is none. */
function stateOf(repository: Repository, ref: GitRef): string {
  const error = repository.error?.message ?? '';
  try {
    return `${repository.resolve(ref).commit} ${error}`;
  } catch (failure) {
    return `${failure instanceof Error ? failure.message : ''} ${error}`;
  }
}

/** The texts of Secrets that values come from, as far as they are there. */
function secretTexts(application: Application, contents: Map<string, ReferencedContent>): string[] {
  return (application.spec.helm?.valuesFrom ?? []).flatMap(({ kind, name, key }) => {
    const bytes = kind === 'Secret' ? contents.get(`Secret/${name}`)?.get(key) : undefined;
    return bytes === undefined ? [] : [Buffer.from(bytes).toString('utf8')];
  });
}

interface ValuesFrom {
  name: string;
  text: string;
  secret: boolean;
}

function valuesFrom(application: Application, contents: Map<string, ReferencedContent>): ValuesFrom[] {
  const found: ValuesFrom[] = [];
  for (const { kind, name, key, optional } of application.spec.helm?.valuesFrom ?? []) {
    const bytes = contents.get(`${kind}/${name}`)?.get(key);
    if (bytes === undefined && optional) continue;
    if (!contents.has(`${kind}/${name}`)) throw missing(kind, application, name, 'spec.helm.valuesFrom');
    if (bytes === undefined) {
      throw new TowpathError(
        'Resource',
        MISSING[kind],
        `${kind} ${application.metadata.namespace}/${name} has no key ${key}, which spec.helm.valuesFrom names: add it; it is noticed at once.`,
      );
    }
    found.push({
      name: `${kind} ${name} key ${key}`,
      text: Buffer.from(bytes).toString('utf8'),
      secret: kind === 'Secret',
    });
  }
  return found;
}

function missing(
  kind: 'Secret' | 'ConfigMap',
  application: Application,
  name: string,
  field: string,
): TowpathError {
  return new TowpathError(
    'Resource',
    MISSING[kind],
    `${kind} ${application.metadata.namespace}/${name}, which ${field} names, does not exist: create it; it is noticed at once.`,
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
