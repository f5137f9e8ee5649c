import { type HostAliases, repositoryName } from '../source/repository-name.ts';
import { PushRelay } from './push-relay.ts';
import type { Named } from './pushed-names.ts';

interface UsedRepository {
  name: string;
  /** How many Applications have each way to write its URL. */
  users: Map<string, number>;
}

/** Which repositories Applications have, by their names; kept up with each change of an Application. */
export class RepositoryIndex {
  readonly #aliases: HostAliases;
  readonly #urlOf = new Map<string, string>();
  readonly #byName = new Map<string, UsedRepository>();
  readonly #byKey = new Map<string, UsedRepository>();
  /** By the last part of their paths. */
  readonly #byEnd = new Map<string, Set<UsedRepository>>();

  constructor(aliases: HostAliases) {
    this.#aliases = aliases;
  }

  /** Takes in what an Application has now; undefined where it is gone, or has none. */
  set(application: string, url: string | undefined): void {
    const before = this.#urlOf.get(application);
    if (before === url) return;
    if (url === undefined) this.#urlOf.delete(application);
    else {
      this.#urlOf.set(application, url);
      this.#add(url);
    }
    if (before !== undefined) this.#remove(before);
  }

  /** The names of the repositories that are meant. */
  matching({ names, paths }: Named): string[] {
    const anywhere = [...paths].flatMap((path) =>
      this.endingLike(path).filter((name) => name.endsWith(`/${path}`)),
    );
    return [...new Set([...[...names].filter((name) => this.#byName.has(name)), ...anywhere])];
  }

  /** Names whose last part is the same. */
  endingLike(name: string): string[] {
    return [...(this.#byEnd.get(endOf(name)) ?? [])].map((used) => used.name);
  }

  /** Any names, so many. */
  some(count: number): string[] {
    return this.#byName.keys().take(count).toArray();
  }

  urlsOf(names: readonly string[]): Set<string> {
    return new Set(names.flatMap((name) => [...(this.#byName.get(name)?.users.keys() ?? [])]));
  }

  /** The names that these keys stand for, where they are known. */
  namesOf(keys: ReadonlySet<string>): string[] {
    return [...keys].flatMap((key) => this.#byKey.get(key)?.name ?? []);
  }

  #add(url: string): void {
    const name = repositoryName(url, this.#aliases);
    if (name === undefined) return;
    const used = this.#byName.get(name) ?? this.#learn(name);
    used.users.set(url, (used.users.get(url) ?? 0) + 1);
  }

  #learn(name: string): UsedRepository {
    const used = { name, users: new Map<string, number>() };
    this.#byName.set(name, used);
    this.#byKey.set(PushRelay.relayKey(name), used);
    const alike = this.#byEnd.get(endOf(name)) ?? new Set();
    this.#byEnd.set(endOf(name), alike.add(used));
    return used;
  }

  #remove(url: string): void {
    const name = repositoryName(url, this.#aliases);
    const used = name === undefined ? undefined : this.#byName.get(name);
    if (name === undefined || used === undefined) return;
    const left = (used.users.get(url) ?? 0) - 1;
    if (left > 0) used.users.set(url, left);
    else used.users.delete(url);
    if (used.users.size === 0) this.#forget(used);
  }

  #forget(used: UsedRepository): void {
    const { name } = used;
    this.#byName.delete(name);
    this.#byKey.delete(PushRelay.relayKey(name));
    const alike = this.#byEnd.get(endOf(name));
    alike?.delete(used);
    if (alike?.size === 0) this.#byEnd.delete(endOf(name));
  }
}

function endOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
