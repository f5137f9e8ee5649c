import { TowpathError } from '../../api/errors.ts';
import type { Discovery } from '../../kube/discovery.ts';
import {
  areAnsweredAlike,
  type ClusterAnswers,
  type ClusterReads,
  digestOfVersions,
} from '../../render/cluster-reads.ts';
import type { RenderRequest } from '../../render/renderer.ts';
import { type Candidate, candidateKey } from '../record/record.ts';
import type { PlacedTarget } from '../record/target.ts';

/** What of a cluster a render may read. */
export type Served = Pick<Discovery, 'kubeVersion' | 'apiVersions' | 'scopes' | 'serves' | 'unknown'>;

/** What candidates read of their cluster when they were rendered, which is as much an input of theirs as a file is. */
export class ClusterInputs {
  readonly #discoveryOf: (target: PlacedTarget) => Served;
  /** By the names of targets what was rendered last: with other answers it may have come to the same manifests. */
  readonly #last = new Map<string, { target: PlacedTarget; candidate: string; reads: ClusterReads }>();

  /** `discoveryOf` throws a TowpathError where there is no way to the target's cluster. */
  constructor(discoveryOf: (target: PlacedTarget) => Served) {
    this.#discoveryOf = discoveryOf;
  }

  /** Whether the cluster answers what a candidate was rendered with; what it does not say now is no change. */
  areSame(target: PlacedTarget, candidate: Candidate): boolean {
    const last = this.#last.get(target.name);
    const reads = last?.candidate === candidateKey(candidate) ? last.reads : candidate.reads;
    return this.#isAnsweredAlike(target, reads ?? {});
  }

  /** Notes what a render just now read; a change of it is told by `changed`. */
  note(target: PlacedTarget, candidate: Pick<Candidate, 'id' | 'digest'>, reads: ClusterReads): void {
    this.#last.set(target.name, { target, candidate: candidateKey(candidate), reads });
  }

  /** The same of a candidate that is wanted still, or again, and was not rendered. */
  keep(target: PlacedTarget, candidate: Candidate): void {
    if (this.#last.get(target.name)?.candidate !== candidateKey(candidate))
      this.note(target, candidate, candidate.reads ?? {});
  }

  forgetTarget(name: string): void {
    this.#last.delete(name);
  }

  forget(application: string): void {
    for (const [name, { target }] of this.#last)
      if (target.application === application) this.#last.delete(name);
  }

  /** The names of the targets whose candidates would be rendered with other answers now. */
  changed(): string[] {
    return [...this.#last.values()].flatMap(({ target, reads }) =>
      this.#isAnsweredAlike(target, reads) ? [] : [target.name],
    );
  }

  /** Of a cluster to which there is no way any more nothing is known to have changed. */
  #isAnsweredAlike(target: PlacedTarget, reads: ClusterReads): boolean {
    let discovery: Served;
    try {
      discovery = this.#discoveryOf(target);
    } catch (error) {
      if (error instanceof TowpathError) return true;
      throw error;
    }
    return areAnsweredAlike(reads, answersOf(discovery));
  }

  /**
   * What a render is told of the cluster. An aggregated API that does not answer must not take away what runs: of it
   * the answers count that the candidates before had.
   */
  forRender(
    target: PlacedTarget,
    candidates: readonly Candidate[],
  ): Pick<RenderRequest, 'capabilities' | 'scopes'> {
    const discovery = this.#discoveryOf(target);
    const served = new Set(discovery.apiVersions());
    const scopes = { ...discovery.scopes() };
    const before = discovery.unknown().length === 0 ? [] : candidates;
    for (const [read, answer] of before.flatMap(({ reads = {} }) => Object.entries(reads))) {
      const name = read.slice(read.indexOf(' ') + 1);
      if (read.startsWith('has ') && answer === 'true' && discovery.serves(name) === undefined)
        served.add(name);
      if (read.startsWith('scope ')) scopes[name] ??= answer === 'true';
    }
    return {
      capabilities: { kubeVersion: discovery.kubeVersion(), apiVersions: [...served].sort() },
      scopes,
    };
  }
}

function answersOf(discovery: Served): ClusterAnswers {
  const scopes = discovery.scopes();
  return {
    kubeVersion: () => discovery.kubeVersion(),
    serves: (name) => discovery.serves(name),
    apiVersionsDigest: () =>
      discovery.unknown().length > 0 ? undefined : digestOfVersions(discovery.apiVersions()),
    isNamespaced: (kind) => scopes[kind],
  };
}
