import type { Discovery } from '../../kube/discovery.ts';
import {
  areAnsweredAlike,
  type ClusterAnswers,
  type ClusterReads,
  digestOfVersions,
} from '../../render/cluster-reads.ts';
import type { RenderRequest } from '../../render/renderer.ts';
import { type Candidate, candidateKey } from '../record/record.ts';

/** What candidates read of the cluster when they were rendered, which is as much an input of theirs as a file is. */
export class ClusterInputs {
  readonly #discovery: Discovery;
  /** By Application what was rendered last: with other answers it may have come to the same manifests. */
  readonly #last = new Map<string, { candidate: string; reads: ClusterReads }>();

  constructor(discovery: Discovery) {
    this.#discovery = discovery;
  }

  /** Whether the cluster answers what a candidate was rendered with; what it does not say now is no change. */
  areSame(key: string, candidate: Candidate): boolean {
    const last = this.#last.get(key);
    const reads = last?.candidate === candidateKey(candidate) ? last.reads : candidate.reads;
    return areAnsweredAlike(reads ?? {}, answersOf(this.#discovery));
  }

  /** Notes what a render just now read; a change of it is told by `changed`. */
  note(key: string, candidate: Pick<Candidate, 'id' | 'digest'>, reads: ClusterReads): void {
    this.#last.set(key, { candidate: candidateKey(candidate), reads });
  }

  /** The same of a candidate that is wanted still, or again, and was not rendered. */
  keep(key: string, candidate: Candidate): void {
    if (this.#last.get(key)?.candidate !== candidateKey(candidate))
      this.note(key, candidate, candidate.reads ?? {});
  }

  forget(key: string): void {
    this.#last.delete(key);
  }

  /** The Applications whose candidates would be rendered with other answers now. */
  changed(): string[] {
    const answers = answersOf(this.#discovery);
    return [...this.#last].flatMap(([key, { reads }]) => (areAnsweredAlike(reads, answers) ? [] : [key]));
  }

  /**
   * What a render is told of the cluster. An aggregated API that does not answer must not take away what runs: of it
   * the answers count that the candidates before had.
   */
  forRender(candidates: readonly Candidate[]): Pick<RenderRequest, 'capabilities' | 'scopes'> {
    const discovery = this.#discovery;
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

function answersOf(discovery: Discovery): ClusterAnswers {
  const scopes = discovery.scopes();
  return {
    kubeVersion: () => discovery.kubeVersion(),
    serves: (name) => discovery.serves(name),
    apiVersionsDigest: () =>
      discovery.unknown().length > 0 ? undefined : digestOfVersions(discovery.apiVersions()),
    isNamespaced: (kind) => scopes[kind],
  };
}
