import { TowpathError } from '../../api/errors.ts';
import {
  type ChartReference,
  MissingBases,
  MissingCharts,
  type Rendered,
  type Renderer,
  type RenderRequest,
  type RenderTree,
  treeWithArchives,
} from '../../render/renderer.ts';
import { asChartOfKustomization, asChartOfSpec } from '../../source/charts/chart-words.ts';
import { printable } from '../../source/text.ts';
import { namespaceOf } from '../record/application-key.ts';
import type { ChartPin, PublishedChart } from '../record/chart-pins.ts';
import type { Target } from '../record/target.ts';
import type { CredentialFor } from './chart-credentials.ts';
import {
  type ChartFetcher,
  type FetchTerms,
  fetchedCharts,
  namingVersions,
  notWhatItSays,
  rangesOf,
  rangeWarnings,
} from './chart-dependencies.ts';
import { ChartSignatures, keyringDigest, type ProvenanceFetcher } from './chart-signatures.ts';
import { FoundMemory } from './found-charts.ts';
import { patienceWith } from './patience.ts';
import { Quarantine } from './quarantine.ts';
import { RangeMemory } from './settled-ranges.ts';

export interface RenderingOptions {
  renderer: Pick<Renderer, 'render' | 'verify'>;
  /** Brings what charts depend on and Git does not have. */
  charts: ChartFetcher & ProvenanceFetcher;
}

export interface RenderingInput {
  /** As the status has it. */
  revision: string;
  /** Of the Application. */
  key: string;
  target: Pick<Target, 'allowedRepositories'>;
  /** Candidates whose manifests are kept. */
  kept: readonly unknown[];
  /** What charts were that were fetched for the Application before. */
  pins: readonly ChartPin[];
  credentialFor: CredentialFor;
  /** What is rendered, where it is no chart of the repository. */
  chart?: ChartToRender;
}

/** A chart that spec.helm.chart names, in the version that is wanted now. */
export interface ChartToRender {
  reference: ChartReference;
  /** Of its repository, and of a registry to which the index of that leads. */
  credentialFor: CredentialFor;
  /** Where the spec names that Secret, or could. */
  secret: string;
  /** Of those who may sign it; undefined: it need not be signed. */
  keyring: Uint8Array | undefined;
}

export type RenderedCandidate = Rendered & {
  /** What was fetched. */
  charts?: readonly ChartPin[];
  published?: PublishedChart;
  /** Of the keyring that has the key of who signed it. */
  verified?: string;
};

/** Renders commits, with the charts that they lack. */
export class Rendering {
  readonly #options: RenderingOptions;
  readonly #ranges = new RangeMemory();
  readonly #found = new FoundMemory();
  readonly #signatures: ChartSignatures;

  constructor(options: RenderingOptions) {
    this.#options = options;
    this.#signatures = new ChartSignatures(options);
  }

  /** Another process may look after what this one did. */
  clear(): void {
    this.#ranges.clear();
    this.#found.clear();
  }

  forget(application: string): void {
    this.#ranges.forget(application);
    this.#found.forget(application);
  }

  /** @throws Quarantine for what the render refuses, which no cluster will ever take; TowpathError for what does not come. */
  async render(
    input: RenderingInput,
    tree: RenderTree,
    request: RenderRequest,
    signal: AbortSignal,
  ): Promise<RenderedCandidate> {
    if (input.chart !== undefined) return this.#renderPublished(input, input.chart, tree, request, signal);
    try {
      return await this.#options.renderer.render(tree, request, signal);
    } catch (error) {
      if (!(error instanceof MissingCharts)) throw refused(input, error);
      return this.#renderWith(error, input, tree, request, signal);
    }
  }

  /** A chart of the repository, with those that it lacks. */
  async #renderWith(
    missing: MissingCharts,
    input: RenderingInput,
    tree: RenderTree,
    request: RenderRequest,
    signal: AbortSignal,
  ): Promise<RenderedCandidate> {
    const { renderer, charts: fetcher } = this.#options;
    const terms = this.#terms(input, input.credentialFor);
    const { ranges } = terms;
    // Not of the commit, but of where it is fetched from: asked for again, as Git is.
    const told = missing.of === 'Chart' ? (error: unknown) => error : asChartOfKustomization;
    const fetched = await fetchedCharts(fetcher, missing.charts, terms, signal).catch((error: unknown) => {
      throw told(error);
    });
    try {
      const whole = treeWithArchives(tree, request.path, missing.charts, fetched.archives);
      const rendered = await renderer.render(whole, request, signal);
      for (const { chart, version } of rangesOf(fetched.pins)) ranges.confirm(chart, version);
      const warnings = [...rendered.warnings, ...rangeWarnings(fetched.pins, missing.of)];
      return { ...rendered, warnings, charts: fetched.pins };
    } catch (error) {
      // It is rendered once more with these, of the same charts.
      if (error instanceof MissingBases) throw refused(input, error);
      // The next one that is published may render.
      for (const { chart, version } of rangesOf(fetched.pins)) ranges.release(chart, version);
      const failure = error instanceof MissingCharts ? told(notWhatItSays(error)) : error;
      throw refused(input, namingVersions(failure, fetched.pins, missing.of));
    }
  }

  /** What its archive depends on is in that: nothing else is fetched. */
  async #renderPublished(
    input: RenderingInput,
    { reference, credentialFor, secret, keyring }: ChartToRender,
    tree: RenderTree,
    request: RenderRequest,
    signal: AbortSignal,
  ): Promise<RenderedCandidate> {
    const { renderer, charts: fetcher } = this.#options;
    const terms = this.#terms(input, credentialFor);
    const fetched = await fetchedCharts(fetcher, [reference], terms, signal).catch((error: unknown) => {
      throw asChartOfSpec(error, secret);
    });
    const [chart] = fetched.archives;
    const [published] = fetched.pins;
    if (chart === undefined || published === undefined) throw new Error('no chart came of a fetch');
    if (keyring !== undefined) {
      const { repository } = reference;
      const { patience, tenant } = terms;
      const { revision } = input;
      const asked = { credentialFor, tenant, patience };
      const signed = { repository, archive: chart, keyring, revision, ...asked };
      await this.#signatures.verify(signed, signal).catch((error: unknown) => {
        throw asChartOfSpec(error, secret);
      });
    }
    try {
      const rendered = await renderer.render(tree, { ...request, chart }, signal);
      refuseOther(reference, rendered.chart);
      const verified = keyring === undefined ? {} : { verified: keyringDigest(keyring) };
      return { ...rendered, charts: fetched.pins, published, ...verified };
    } catch (error) {
      throw refused(input, error);
    }
  }

  #terms({ key, target, kept, pins }: RenderingInput, credentialFor: CredentialFor): FetchTerms {
    return {
      allowed: target.allowedRepositories,
      tenant: namespaceOf(key),
      patience: patienceWith(kept),
      pins,
      found: this.#found.of(key),
      ranges: this.#ranges.of(key, pins),
      credentialFor,
    };
  }
}

function refused({ revision }: RenderingInput, error: unknown): unknown {
  return error instanceof TowpathError && error.remedy === 'Person'
    ? new Quarantine({ revision }, error)
    : error;
}

/** What was published under a name and version is a chart of that name and version. */
function refuseOther({ name, version, repository }: ChartReference, found: Rendered['chart']): void {
  if (found?.name === name && isSameVersion(found.version, version)) return;
  const is = found === undefined ? 'no chart' : `chart ${found.name} ${found.version}`;
  throw new TowpathError(
    'Person',
    'ChartArchiveInvalid',
    `What ${printable(repository, 200)} has as chart ${name} ${version} is ${printable(is, 200)}. Have who publishes it correct that, or use another version.`,
  );
}

/** Build metadata counts; a "v" before it does not, nor numbers that are left out at its end: to an index 1.0 is 1.0.0. */
function isSameVersion(one: string, other: string): boolean {
  return inFull(one) === inFull(other);
}

function inFull(version: string): string {
  // Linear: a hyphen or a plus sign ends the numbers.
  const [, numbers = '', rest = ''] = /^v?([^-+]*)(.*)$/s.exec(version) ?? [];
  const parts = numbers.split('.');
  return `${[...parts, '0', '0'].slice(0, Math.max(3, parts.length)).join('.')}${rest}`;
}
