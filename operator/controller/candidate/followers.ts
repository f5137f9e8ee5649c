import { applicationOf } from '../record/application-key.ts';
import type { Target } from '../record/target.ts';
import { placesOf, type Touched } from './touched.ts';

/** What a commit is to an Application; `Perhaps` where nobody knows before it is rendered. */
export type Concern = 'Yes' | 'Perhaps' | 'No';

type FollowingTarget = Pick<Target, 'name' | 'overlay'>;

interface Follower {
  overlay: FollowingTarget['overlay'];
  /** That its spec names. */
  places: readonly string[];
  /** What its ref named when it was looked at last. */
  commit: string;
  /** Where the candidate that it has was read; undefined: this process has not rendered it. */
  read?: { candidate: string; places: readonly string[] } | undefined;
}

/** What targets looked at in their repositories last, and what is read there for them. */
export class Followers {
  /** By Application, and name. */
  readonly #byApplication = new Map<string, Map<string, Follower>>();

  /** A look goes on with the commit that the target's ref names. */
  noteLook({ name, overlay }: FollowingTarget, commit: string): void {
    const application = applicationOf(name);
    const targets = this.#byApplication.get(application) ?? new Map<string, Follower>();
    const before = targets.get(name);
    const places = before?.overlay === overlay ? before.places : placesOf(overlay);
    this.#byApplication.set(application, targets.set(name, { overlay, places, commit, read: before?.read }));
  }

  /** A candidate of the target was rendered, or found again; undefined where it is not known what that is. */
  noteRead(name: string, candidate: string | undefined, places: readonly string[] | undefined): void {
    const follower = this.#find(name);
    if (follower === undefined) return;
    follower.read = candidate === undefined || places === undefined ? undefined : { candidate, places };
  }

  /** The target has that candidate, which was not rendered now. */
  noteKept(name: string, candidate: string): void {
    const follower = this.#find(name);
    if (follower?.read?.candidate !== candidate) this.noteRead(name, undefined, undefined);
  }

  forgetTarget(name: string): void {
    const targets = this.#byApplication.get(applicationOf(name));
    targets?.delete(name);
    if (targets?.size === 0) this.#byApplication.delete(applicationOf(name));
  }

  forget(application: string): void {
    this.#byApplication.delete(application);
  }

  clear(): void {
    this.#byApplication.clear();
  }

  /** Whether each of its targets has been looked at with the commit that `commitOf` gives for what it follows. */
  haveSeen(
    application: string,
    commitOf: (follower: Pick<Follower, 'overlay'>) => string | undefined,
  ): boolean {
    const targets = this.#byApplication.get(application);
    if (targets === undefined) return false;
    return [...targets.values()].every((follower) => follower.commit === commitOf(follower));
  }

  concern(application: string, touched: Touched): Concern {
    const targets = [...(this.#byApplication.get(application)?.values() ?? [])];
    const concerns = targets.map((follower) => concernOf(follower, touched));
    if (concerns.includes('Yes')) return 'Yes';
    return concerns.length === 0 || concerns.includes('Perhaps') ? 'Perhaps' : 'No';
  }

  #find(name: string): Follower | undefined {
    return this.#byApplication.get(applicationOf(name))?.get(name);
  }
}

function concernOf({ places, read }: Follower, touched: Touched): Concern {
  const isTouched = (path: string) => touched.has(path);
  if (places.some(isTouched)) return 'Yes';
  if (read === undefined) return 'Perhaps';
  return read.places.some(isTouched) ? 'Yes' : 'No';
}
