import { BoundedMap } from '../../source/bounded-map.ts';

/** What this process remembers for each Application, of each so many, until its record has it. */
export abstract class ApplicationMemory<Value> {
  readonly #applications = new Map<string, BoundedMap<string, Value>>();
  readonly #most: number;

  /** @param most of one Application; what was not used for longest goes first. */
  constructor(most: number) {
    this.#most = most;
  }

  protected ofApplication(application: string): BoundedMap<string, Value> {
    const known = this.#applications.get(application) ?? new BoundedMap<string, Value>(this.#most);
    this.#applications.set(application, known);
    return known;
  }

  forget(application: string): void {
    this.#applications.delete(application);
  }

  /** Another process may settle what this one did not write down. */
  clear(): void {
    this.#applications.clear();
  }
}
