import type { TowpathError } from '../../api/errors.ts';
import { notOwned } from '../../apply/owner.ts';
import { type ObjectId, objectKey } from '../../manifest/manifest.ts';
import { applicationOf } from '../record/application-key.ts';
import type { TargetRecord } from '../record/record.ts';
import type { Target } from '../record/target.ts';

interface Claim {
  readonly target: Pick<Target, 'id' | 'name'>;
  readonly keys: readonly string[];
  /** Its deployment is written down: from then on its record says whether it is under way. */
  isBegun: boolean;
}

export interface ClaimsOptions {
  /** What is recorded of a target. */
  recordOf(target: Pick<Target, 'id' | 'name'>): Pick<TargetRecord, 'deployment'> | undefined;
}

/**
 * Which objects are made by deployments that are under way: what is not there yet nothing in the cluster says of, and two that
 * begin at once would each get a part of what both have in Git. In memory: what one of them made before the process ended is
 * marked, and what it has not made yet is claimed anew where it goes on.
 */
export class Claims {
  readonly #options: ClaimsOptions;
  /** By cluster and object key. */
  readonly #byObject = new Map<string, Claim>();
  /** By name of the target. */
  readonly #byTarget = new Map<string, Claim>();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /**
   * The objects are the target's from now on, until its deployment has applied them, or has ended.
   *
   * @throws TowpathError where another one is about to make one of them: then none is
   */
  take(
    { id, name, cluster, takesOver = [] }: Pick<Target, 'id' | 'name' | 'cluster' | 'takesOver'>,
    objects: readonly ObjectId[],
  ): void {
    const keys = objects.map((object) => `${cluster} ${objectKey(object)}`);
    const own = new Set([name, ...takesOver.map((former) => former.name)]);
    for (const [at, object] of objects.entries()) {
      const claim = this.#byObject.get(keys[at] ?? '');
      if (claim === undefined || own.has(claim.target.name)) continue;
      if (this.#isUnderWay(claim)) throw madeByAnother(claim.target.name, object);
      this.release(claim.target.name);
    }
    this.release(name);
    const claim = { target: { id, name }, keys, isBegun: false };
    for (const key of keys) this.#byObject.set(key, claim);
    this.#byTarget.set(name, claim);
  }

  /** The same of what an earlier process began, and this one goes on with: once. */
  takeUp(target: Pick<Target, 'id' | 'name' | 'cluster' | 'takesOver'>, objects: readonly ObjectId[]): void {
    if (this.#byTarget.has(target.name)) return;
    this.take(target, objects);
    this.begun(target.name);
  }

  begun(target: string): void {
    const claim = this.#byTarget.get(target);
    if (claim !== undefined) claim.isBegun = true;
  }

  /** At the end of a look: what is applied has its marks, and what ended makes nothing more. */
  settle(target: string): void {
    const claim = this.#byTarget.get(target);
    if (claim !== undefined && !this.#isUnderWay(claim)) this.release(target);
  }

  release(target: string): void {
    const claim = this.#byTarget.get(target);
    if (claim === undefined) return;
    this.#byTarget.delete(target);
    for (const key of claim.keys) if (this.#byObject.get(key) === claim) this.#byObject.delete(key);
  }

  #isUnderWay({ target, isBegun }: Claim): boolean {
    if (!isBegun) return true;
    const deployment = this.#options.recordOf(target)?.deployment;
    return deployment !== undefined && !deployment.applied && deployment.outcome === undefined;
  }
}

function madeByAnother(target: string, object: ObjectId): TowpathError {
  return notOwned(
    object,
    `is being made by Application ${applicationOf(target)}, which has it in Git, too`,
    'Remove it from one of the two: nothing is written here meanwhile.',
  );
}
