import { TowpathError } from '../../api/errors.ts';
import {
  MissingCharts,
  type Rendered,
  type Renderer,
  type RenderRequest,
  type RenderTree,
  treeWithArchives,
} from '../../render/renderer.ts';
import type { ChartPin } from '../record/chart-pins.ts';
import type { Target } from '../record/target.ts';
import type { CredentialFor } from './chart-credentials.ts';
import {
  type ChartFetcher,
  fetchedCharts,
  namingVersions,
  notWhatItSays,
  rangesOf,
  rangeWarnings,
} from './chart-dependencies.ts';
import { Quarantine } from './quarantine.ts';
import { RangeMemory } from './settled-ranges.ts';

export interface RenderingOptions {
  renderer: Pick<Renderer, 'render'>;
  /** Brings what charts depend on and Git does not have. */
  charts: ChartFetcher;
}

export interface RenderingInput {
  /** Of the Application. */
  key: string;
  target: Pick<Target, 'allowedRepositories'>;
  /** Candidates whose manifests are kept. */
  kept: readonly unknown[];
  /** What charts were that were fetched for the Application before. */
  pins: readonly ChartPin[];
  credentialFor: CredentialFor;
}

/** Renders commits, with the charts that they lack. */
export class Rendering {
  readonly #options: RenderingOptions;
  readonly #ranges = new RangeMemory();

  constructor(options: RenderingOptions) {
    this.#options = options;
  }

  /** Another process may look after what this one did. */
  clear(): void {
    this.#ranges.clear();
  }

  forget(application: string): void {
    this.#ranges.forget(application);
  }

  /** @throws Quarantine for what the render refuses, which no cluster will ever take; TowpathError for what does not come. */
  async render(
    { key, target, kept, pins, credentialFor }: RenderingInput,
    tree: RenderTree,
    request: RenderRequest,
    signal: AbortSignal,
  ): Promise<Rendered & { charts?: readonly ChartPin[] }> {
    const { renderer, charts: fetcher } = this.#options;
    const refused = (error: unknown) =>
      error instanceof TowpathError && error.remedy === 'Person'
        ? new Quarantine({ revision: tree.revision }, error)
        : error;
    let missing: MissingCharts;
    try {
      return await renderer.render(tree, request, signal);
    } catch (error) {
      if (!(error instanceof MissingCharts)) throw refused(error);
      missing = error;
    }
    const ranges = this.#ranges.of(key, pins);
    // Not of the commit, but of where it is fetched from: asked for again, as Git is.
    const terms = {
      allowed: target.allowedRepositories,
      patience: kept.length === 0 ? ('Unlimited' as const) : ('Limited' as const),
      pins,
      ranges,
      credentialFor,
    };
    const fetched = await fetchedCharts(fetcher, missing.charts, terms, signal);
    try {
      const whole = treeWithArchives(tree, request.path, missing.charts, fetched.archives);
      const rendered = await renderer.render(whole, request, signal);
      for (const { chart, version } of rangesOf(fetched.pins)) ranges.confirm(chart, version);
      const warnings = [...rendered.warnings, ...rangeWarnings(fetched.pins, missing.of)];
      return { ...rendered, warnings, charts: fetched.pins };
    } catch (error) {
      // The next one that is published may render.
      for (const { chart, version } of rangesOf(fetched.pins)) ranges.release(chart, version);
      throw refused(namingVersions(notWhatItSays(error), fetched.pins, missing.of));
    }
  }
}
