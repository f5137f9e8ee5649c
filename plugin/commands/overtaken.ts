import type {
  Application,
  EnvironmentStatus,
  HistoryEntry,
} from '../../operator/api/v1alpha1/application.ts';
import { isMeant } from '../../operator/api/v1alpha1/revision.ts';

/** What is waited for: one commit or one candidate, by the beginning of what names it. */
export interface Named {
  by: 'revision' | 'candidate';
  /** Hexadecimal digits; of a published chart its version. */
  digits: string;
}

export function isNamed(
  { revision, candidate }: { revision: string; candidate?: string | undefined },
  { by, digits }: Named,
): boolean {
  if (by === 'revision') return isMeant(digits, revision);
  return candidate?.replace(/^sha256:/, '').startsWith(digits) ?? false;
}

/** Whether that is what an environment is to run. */
export function isToRun(
  { status }: Application,
  { desiredRevision }: EnvironmentStatus,
  named: Named,
): boolean {
  if (desiredRevision === undefined) return false;
  const { revision, candidate } = status?.source ?? {};
  return isNamed(
    { revision: desiredRevision, candidate: revision === desiredRevision ? candidate : undefined },
    named,
  );
}

/** What was seen in an environment since it was to run what is waited for. */
interface Seen {
  revision: string | undefined;
  /** Of its manifests there; undefined: not told. */
  digest: string | undefined;
  /** The newest in its history by then. */
  lastId: number;
  /** Commits that it was to run after that. */
  newer: Set<string>;
}

/**
 * What of one question was overtaken while somebody looked on. The history has only what was begun: of what waited for
 * its turn, and lost it to something newer, no status tells. Nor does one tell of a commit whose manifests, waiting or
 * on their way, are a newer one's by now, which changes none of them.
 */
export class Overtaken {
  readonly #named: Named;
  readonly #seen = new Map<string, Seen>();

  constructor(named: Named) {
    this.#named = named;
  }

  /** Takes note of a status, and says which newer commit was begun in its place; undefined: none, as far as was seen. */
  by(application: Application, environment: EnvironmentStatus): string | undefined {
    const { name, desiredRevision, revision, history = [] } = environment;
    const seen = this.#seen.get(name);
    if (isToRun(application, environment, this.#named)) {
      const lastId = Math.max(0, ...history.map(({ id }) => id));
      // A look that did not get so far says nothing of what waits.
      const before = seen?.revision === desiredRevision ? seen?.digest : undefined;
      const digest = this.#digestIn(environment) ?? before;
      this.#seen.set(name, { revision: desiredRevision, digest, lastId, newer: new Set() });
      return undefined;
    }
    if (seen === undefined) return undefined;
    if (desiredRevision !== undefined && desiredRevision !== seen.revision) seen.newer.add(desiredRevision);
    if (this.runsAsNewer(environment)) return undefined;
    if (revision !== undefined && seen.newer.has(revision)) return revision;
    return history.find(
      (entry) => entry.id > seen.lastId && seen.newer.has(entry.revision) && !this.isSame(name, entry),
    )?.revision;
  }

  wasToRunIn(name: string): boolean {
    return this.#seen.has(name);
  }

  /** Whether its manifests run there under a newer commit, without an end of its own. */
  runsAsNewer({ name, digest, history = [] }: EnvironmentStatus): boolean {
    const seen = this.#seen.get(name);
    if (seen?.digest === undefined || seen.digest !== digest) return false;
    return !history.some((entry) => entry.id > seen.lastId && isNamed(entry, this.#named));
  }

  /** Whether that was a deployment of its manifests, which ended since then. */
  isSame(name: string, { id, digest }: HistoryEntry): boolean {
    const seen = this.#seen.get(name);
    return seen?.digest !== undefined && digest === seen.digest && id > seen.lastId;
  }

  /** A candidate keeps its id, whatever commit it is of. */
  #digestIn({ desiredDigest, desiredRevision, revision, digest }: EnvironmentStatus): string | undefined {
    if (this.#named.by === 'candidate') return undefined;
    return desiredDigest ?? (revision === desiredRevision ? digest : undefined);
  }
}
