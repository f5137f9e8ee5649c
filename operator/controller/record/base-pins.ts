/** At which commits other Git repositories were that an Application's kustomizations refer to. */

import { comparableRepository } from '../../source/allowed-repositories.ts';

export interface BasePin {
  /** As `pinnedBase` writes it. */
  readonly repository: string;
  /** As the kustomization names it; '' where it names none. */
  readonly ref: string;
  readonly commit: string;
  /** What was meant: `refs/tags/v1` or `refs/heads/main`. */
  readonly name: string;
  /** Of a branch: the commit of the Application's source for which it was looked up. A tag is looked up once. */
  readonly revision?: string;
}

export type BaseRef = Pick<BasePin, 'repository' | 'ref'>;

/** Those that are remembered; those that were used longest ago go first. A kustomization may have 20. */
const MOST_PINS = 100;

/** The same for every way to write the URL of a repository. */
export function pinnedBase(repository: string): string {
  return comparableRepository(repository) ?? repository;
}

/** What a ref was for a commit of the Application's source. */
export function basePinOf(pins: readonly BasePin[], base: BaseRef, revision: string): BasePin | undefined {
  const repository = pinnedBase(base.repository);
  return pins.find(
    (pin) =>
      pin.repository === repository &&
      pin.ref === base.ref &&
      (pin.revision === undefined || pin.revision === revision),
  );
}

/** With those that are used now, which come first. */
export function withBasePins(pins: readonly BasePin[], used: readonly BasePin[]): readonly BasePin[] {
  const others = pins.filter((pin) => !isAmong(used, pin));
  return [...used, ...others].slice(0, MOST_PINS);
}

export function areBasesPinned(pins: readonly BasePin[], used: readonly BasePin[]): boolean {
  return used.every((one) => isAmong(pins, one));
}

function isAmong(pins: readonly BasePin[], { repository, ref, revision }: BasePin): boolean {
  return pins.some((pin) => pin.ref === ref && pin.revision === revision && pin.repository === repository);
}
