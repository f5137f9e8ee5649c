import { isDeepStrictEqual } from 'node:util';
import { TowpathError } from '../../api/errors.ts';
import { type Application, VALUES_LIMIT } from '../../api/v1alpha1/application.ts';
import { LABEL_TARGET } from '../../api/v1alpha1/names.ts';
import { isTooDeep, VALUES_DEPTH } from '../../api/v1alpha1/values-text.ts';
import type { Discovery } from '../../kube/discovery.ts';
import type { Manifest } from '../../manifest/manifest.ts';
import { withMarksOf } from '../../manifest/marks.ts';
import { withStringDataAsData } from '../../manifest/secret.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import type { RenderRequest, RenderTree } from '../../render/renderer.ts';
import type { Sources } from '../../source/sources.ts';
import { applicationKey, applicationOf } from '../record/application-key.ts';
import type { BasePin } from '../record/base-pins.ts';
import type { ChartPin } from '../record/chart-pins.ts';
import {
  type Candidate,
  candidateId,
  candidateKey,
  type Manifests,
  manifestsDigest,
  movedTo,
} from '../record/record.ts';
import type { PlacedTarget, Target } from '../record/target.ts';
import type { ChartWatcher } from './chart-following.ts';
import { keyringDigest, keyringOf } from './chart-signatures.ts';
import { ClusterInputs } from './cluster-inputs.ts';
import type { Wake } from './commit-wakes.ts';
import { type Fetching, fetchingOf } from './fetching.ts';
import { type Newest, type Origin, Origins } from './origins.ts';
import { Quarantine } from './quarantine.ts';
import type { References } from './references.ts';
import { RemoteBases } from './remote-bases.ts';
import { RenderFailures } from './render-failures.ts';
import { type RenderedCandidate, Rendering, type RenderingOptions } from './rendering.ts';
import type { Secrecy } from './secrecy/secrecy.ts';
import {
  askedFor,
  type ResolvedValues,
  referencesOf,
  requestDigest,
  resolvedValues,
  secretTexts,
} from './spec-inputs.ts';

export interface WantedOptions extends RenderingOptions {
  sources: Sources;
  chartVersions: ChartWatcher;
  references: References;
  /** What the cluster serves that the target is in. */
  discoveryOf(target: PlacedTarget): Discovery;
  /** Is told of the Secrets that values come from. */
  secrecy: Secrecy;
  slices: Slices;
  nameOf(url: string): string | undefined;
  onChange(application: string, wake: Wake): void;
  /** Whether there is such an Application still: for another one nothing is watched. */
  isKnown(application: string): boolean;
  random(): number;
}

/** What the Application asks for at the moment. */
export interface Wanted {
  candidate: Candidate;
  /** Present where it was rendered just now; else the record keeps them. */
  manifests?: Manifests;
  resolved: Pick<Newest, 'revision' | 'ref'>;
  /** What the render just now found odd, without values of Secrets. */
  warnings?: readonly string[];
}

/** Is told what is found out before it is known what is wanted, which may never be. */
export interface Heard {
  /** Of Git, where it is not known yet which version the chart has. */
  onCommit(commit: string): void;
  /** `asked`: what the Application asks for at that, the same in all environments that follow the same ref. */
  onResolved(resolved: Newest, asked: () => string): void;
}

/** Which candidate a revision comes to: by its id, or by the manifests that it has where it runs. */
export interface Settled {
  revision?: string | undefined;
  candidate?: string | undefined;
  digest?: string | undefined;
}

export interface WantedInput {
  /** `<namespace>/<name>` */
  key: string;
  application: Application;
  target: Target;
  /** Exact JSON texts of values, by their fields. */
  values: ReadonlyMap<string, string>;
  /** Candidates whose manifests are kept. */
  kept: readonly Candidate[];
  /** Keys of those that another keyring does not judge again: see `admittedIn`. */
  admitted: ReadonlySet<string>;
  /** What charts were that were fetched for the Application before. */
  pins: readonly ChartPin[];
  /** At which commits other repositories were that it was rendered with. */
  basePins: readonly BasePin[];
  /** Of those whose objects the target takes over: what it asks for alike keeps their bytes, random values too. */
  taken?: { candidates: readonly Candidate[]; read(candidate: Candidate): Promise<Manifests | undefined> };
  /** What the status says of a revision: it outlives a restart. */
  settled: Settled;
  /** A request to look now, and to try again what failed; done once for each value. */
  lookNow: string | undefined;
  now: Date;
}

/** Resolves the source and renders it: Git and the engine are asked only when an input changed. */
export class WantedCandidates {
  readonly #options: WantedOptions;
  readonly #origins: Origins;
  readonly #failures: RenderFailures;
  readonly #cluster: ClusterInputs;
  readonly #rendering: Rendering;
  readonly #bases: RemoteBases;
  /** By the names of targets the last request to look now, and when it was seen, on the clock of performance.now(). */
  readonly #requests = new Map<string, { lookNow: string; at: number }>();

  constructor(options: WantedOptions) {
    this.#options = options;
    this.#origins = new Origins(options);
    this.#failures = new RenderFailures(options.random);
    this.#cluster = new ClusterInputs(options.discoveryOf);
    this.#rendering = new Rendering(options);
    this.#bases = new RemoteBases(options.sources);
  }

  /**
   * The kinds that the cluster serves changed: what was refused may render now, and what asked for them may render
   * otherwise. Returns the names of the targets to look at again.
   */
  reconsider(): string[] {
    return [...new Set([...this.#failures.clear(), ...this.#cluster.changed()])];
  }

  /** Ends the polls of all repositories, until they are wanted again. */
  stopPolling(): void {
    this.#origins.stopPolling();
    this.#rendering.clear();
    this.#bases.clear();
    this.#requests.clear();
  }

  /** Has others see what the Application's repository told last. Rejects with the signal's reason. */
  othersSee(owner: string, signal: AbortSignal): Promise<void> {
    return this.#origins.othersSee(owner, signal);
  }

  /** The target with that name is there no more, though its Application is. */
  forgetTarget(name: string): void {
    this.#failures.forget(name);
    this.#requests.delete(name);
    this.#origins.followers.forgetTarget(name);
    this.#cluster.forgetTarget(name);
    this.#bases.forgetTarget(name);
  }

  forget(key: string): void {
    this.#origins.forget(key);
    this.#options.references.forget(key);
    this.#failures.forgetAll(key);
    this.#rendering.forget(key);
    this.#bases.forget(key);
    this.#cluster.forget(key);
    for (const target of this.#requests.keys())
      if (applicationOf(target) === key) this.#requests.delete(target);
    this.#options.secrecy.forget(key);
  }

  /** Throws TowpathError, or Quarantine for what does not render. */
  async find(input: WantedInput, heard: Heard, signal: AbortSignal): Promise<Wanted> {
    const contents = await this.#options.references.read(input.key, referencesOf(input.application), signal);
    // Of an Application that went meanwhile nothing is followed, nor remembered.
    signal.throwIfAborted();
    // Before Git is asked: what runs is looked after also when Git does not answer, and may tell of errors.
    this.#options.secrecy.learn(input.key, secretTexts(input.application, contents));
    const origin = this.#origins.follow(input, contents);
    const requestedAt = this.#tryAgain(input);
    const resolved = await this.#origins.resolve(input, origin, heard, signal);
    heard.onResolved(resolved, () => askedFor(input.application, resolved.revision, contents));
    refuseTooLarge(input, resolved);
    const { overlay } = input.target;
    const values = resolvedValues(input.application, overlay, input.values, contents);
    const digest = requestDigest(input.application, overlay.path, values);
    // Who may sign says nothing of what is rendered: another keyring judges what enters from then on.
    const keyring = keyringOf(input.application, contents);
    const kept = this.#keptFor(input, resolved, digest, keyring);
    if (kept !== undefined) {
      this.#cluster.keep(input.target, kept);
      this.#origins.followers.noteKept(input.target.name, kept.id);
      // Nothing was fetched: of another commit's message and time nothing is known.
      const place = { revision: resolved.revision, ref: resolved.ref };
      return { candidate: movedTo(kept, place), resolved };
    }
    const inputs = `${digest} ${resolved.revision} ${Buffer.from(keyring ?? []).toString('base64')}`;
    const failed = this.#failures.find(input.target.name, inputs, input.now);
    if (failed !== undefined) throw failed;
    try {
      const request = this.#request(input, values);
      const asked = { ...input, ...fetchingOf({ ...input, requestedAt }, origin, resolved, contents) };
      const wanted = await this.#render(asked, origin, resolved, request, digest, signal);
      this.#failures.forget(input.target.name);
      return wanted;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Quarantine && (await this.#origins.isOutdated(input, origin, resolved, signal))) {
        return this.find(input, heard, signal);
      }
      if (error instanceof Quarantine) throw this.#failures.add(input.target.name, inputs, error, input.now);
      throw error;
    }
  }

  /** What failed is forgotten when a person asks, and stays so until it was tried. Returns when that was seen first. */
  #tryAgain({ target: { name }, lookNow }: WantedInput): number | undefined {
    if (lookNow === undefined) return undefined;
    const known = this.#requests.get(name);
    if (known?.lookNow === lookNow) return known.at;
    const at = performance.now();
    this.#requests.set(name, { lookNow, at });
    this.#failures.forget(name);
    return at;
  }

  /** Reads the Secrets that values come from, so that they are kept out of messages. */
  async learnSecrets(application: Application, signal: AbortSignal): Promise<void> {
    const key = applicationKey(application);
    if (!this.#options.isKnown(key)) return;
    const contents = await this.#options.references.read(key, referencesOf(application), signal);
    if (this.#options.isKnown(key)) this.#options.secrecy.learn(key, secretTexts(application, contents));
  }

  /** The state of the Git server, or of the chart's repository, as the last poll left it: undefined where it answered. */
  sourceError(key: string): TowpathError | undefined {
    return this.#origins.error(key);
  }

  /** Whether those answered since this request was seen. */
  hasAnswered(key: string, request: string): boolean {
    return this.#origins.hasAnswered(key, request);
  }

  #keptFor(
    input: WantedInput,
    resolved: Newest,
    digest: string,
    keyring: Uint8Array | undefined,
  ): Candidate | undefined {
    const judge = keyring && keyringDigest(keyring);
    const mayEnter = (one: Candidate) =>
      judge === undefined || one.verified === judge || input.admitted.has(candidateKey(one));
    return input.kept.find(
      (candidate) =>
        candidate.request === digest &&
        mayEnter(candidate) &&
        this.#cluster.areSame(input.target, candidate) &&
        (candidate.revision === resolved.revision || isSettled(input.settled, resolved, candidate)),
    );
  }

  async #render(
    input: WantedInput & Fetching,
    origin: Origin,
    resolved: Newest,
    request: RenderRequest,
    digest: string,
    signal: AbortSignal,
  ): Promise<Wanted> {
    const { followers } = this.#origins;
    // Where it does not render, what would mend that is not known.
    followers.noteRead(input.target.name, undefined, undefined);
    const tree = await this.#origins.open(input, origin, resolved, signal);
    const render = (whole: RenderTree) => this.#rendering.render(input, whole, request, signal);
    const rendered = await this.#bases.render(input, tree, render, signal);
    const fetched = fetchedFor(rendered);
    const id = candidateId(rendered.inputs, digest);
    const place = {
      revision: resolved.revision,
      ref: resolved.ref,
      ...(tree.commit === undefined ? {} : { commit: tree.commit }),
    };
    const fresh = { objects: await this.#asStored(rendered.objects), hooks: rendered.hooks };
    const manifests = (await this.#takenOver(input, { id, reads: rendered.reads })) ?? fresh;
    const rendering = manifestsDigest(manifests);
    const isKnown = (candidate: Candidate) =>
      (candidate.id === id && isDeepStrictEqual(candidate.reads ?? {}, rendered.reads)) ||
      (candidate.request === digest && candidate.digest === rendering);
    const kept = input.kept.find(isKnown);
    // The commit touched nothing that this render reads: the accepted manifests stay, random values too.
    this.#cluster.note(input.target, kept ?? { id, digest: rendering }, rendered.reads);
    followers.noteRead(input.target.name, kept?.id ?? id, rendered.places);
    if (kept !== undefined) {
      // That was of what was published then.
      const { verified: _, ...known } = kept;
      return { candidate: { ...known, ...place, ...fetched, reads: rendered.reads }, resolved };
    }
    const candidate: Candidate = {
      ...place,
      ...fetched,
      id,
      inputs: rendered.inputs,
      request: digest,
      digest: rendering,
      reads: rendered.reads,
      ...(rendered.chart === undefined ? {} : { chart: `${rendered.chart.name}-${rendered.chart.version}` }),
      ...(rendered.chart?.appVersion === undefined ? {} : { appVersion: rendered.chart.appVersion }),
    };
    return { candidate, manifests, resolved, warnings: rendered.warnings };
  }

  /** The same candidate as those had it whose objects the target takes over, with its own marks. */
  async #takenOver(
    { taken, target }: WantedInput,
    { id, reads }: { id: string; reads: Candidate['reads'] },
  ): Promise<Manifests | undefined> {
    const former = taken?.candidates.find(
      (candidate) => candidate.id === id && isDeepStrictEqual(candidate.reads ?? {}, reads),
    );
    const manifests = former && (await taken?.read(former));
    if (manifests === undefined) return undefined;
    const marked = async (all: readonly Manifest[]) => {
      const mine: Manifest[] = [];
      for (const manifest of all) {
        const pause = this.#options.slices.pause();
        if (pause !== undefined) await pause;
        mine.push(withMarksOf(manifest, target));
      }
      return mine;
    };
    return { objects: await marked(manifests.objects), hooks: await marked(manifests.hooks) };
  }

  async #asStored(rendered: readonly Manifest[]): Promise<Manifest[]> {
    const objects: Manifest[] = [];
    for (const manifest of rendered) {
      const pause = this.#options.slices.pause();
      if (pause !== undefined) await pause;
      objects.push(withStringDataAsData(manifest));
    }
    return objects;
  }

  #request(input: WantedInput, { defaults, layers }: ResolvedValues): RenderRequest {
    const { spec, metadata } = input.application;
    const { id, name, namespace, overlay } = input.target;
    return {
      path: overlay.path,
      ...(overlay.pathField === undefined ? {} : { pathField: overlay.pathField }),
      namespace,
      releaseName: spec.helm?.releaseName ?? metadata.name,
      helm: {
        ...(defaults === undefined ? {} : { defaults }),
        layers,
        ...(spec.helm?.skipSchemaValidation === true ? { skipSchemaValidation: true } : {}),
      },
      ...this.#cluster.forRender(input.target, input.kept),
      labels: { [LABEL_TARGET]: id },
      owner: name,
    };
  }
}

function isSettled({ revision, candidate, digest }: Settled, wanted: Newest, one: Candidate): boolean {
  return revision === wanted.revision && (candidate === one.id || digest === one.digest);
}

function fetchedFor({ charts, published, bases, verified }: RenderedCandidate & Pick<Candidate, 'bases'>) {
  return {
    ...(charts === undefined ? {} : { charts }),
    ...(published === undefined ? {} : { published }),
    ...(bases === undefined ? {} : { bases }),
    ...(verified === undefined ? {} : { verified }),
  };
}

/** What nobody could work with, whatever the chart makes of it. */
function refuseTooLarge({ target, values }: WantedInput, { revision }: Newest): void {
  const refuse = (reason: string, message: string) =>
    new Quarantine({ revision }, new TowpathError('Person', reason, message));
  const { defaults, layers } = target.overlay;
  for (const at of [defaults, ...layers.map((layer) => layer.values)]) {
    if (at === undefined) continue;
    const bytes = Buffer.byteLength(values.get(at.field) ?? '');
    if (bytes > VALUES_LIMIT)
      throw refuse(
        'ValuesTooLarge',
        `${at.field} has ${bytes} bytes as JSON; at most 256 KiB (${VALUES_LIMIT}) are taken. Move a part of it into a values file.`,
      );
    if (isTooDeep(at.values))
      throw refuse(
        'ValuesInvalid',
        `${at.field} is nested more than ${VALUES_DEPTH} deep. Flatten it; values files are bounded alike.`,
      );
  }
}
