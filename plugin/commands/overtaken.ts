import type { Application, EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';

/** What is waited for: one commit or one candidate, by the beginning of what names it. */
export interface Named {
  by: 'revision' | 'candidate';
  /** Hexadecimal digits. */
  digits: string;
}

export function isNamed(
  { revision, candidate }: { revision: string; candidate?: string | undefined },
  { by, digits }: Named,
): boolean {
  if (by === 'revision') return revision.startsWith(digits);
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
  /** The newest in its history by then. */
  lastId: number;
  /** Commits that it was to run after that. */
  newer: Set<string>;
}

/**
 * What of one question was overtaken while somebody looked on. The history has only what was begun: of what waited for
 * its turn, and lost it to something newer, no status tells.
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
    if (isToRun(application, environment, this.#named)) {
      const lastId = Math.max(0, ...history.map(({ id }) => id));
      this.#seen.set(name, { revision: desiredRevision, lastId, newer: new Set() });
      return undefined;
    }
    const seen = this.#seen.get(name);
    if (seen === undefined) return undefined;
    if (desiredRevision !== undefined && desiredRevision !== seen.revision) seen.newer.add(desiredRevision);
    if (revision !== undefined && seen.newer.has(revision)) return revision;
    return history.find((entry) => entry.id > seen.lastId && seen.newer.has(entry.revision))?.revision;
  }
}
