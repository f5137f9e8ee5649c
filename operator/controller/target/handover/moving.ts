import { adopts, callOptions, pathOf, type TargetAccess } from '../../../apply/target.ts';
import type { ServiceAccount } from '../../../kube/client.ts';
import { isForbidden } from '../../../kube/errors.ts';
import { inParallel } from '../../../kube/in-parallel.ts';
import type { LiveObject } from '../../../manifest/live.ts';
import { type Manifest, type ObjectId, objectKey } from '../../../manifest/manifest.ts';
import { holdsMore } from '../../../manifest/never-pruned.ts';
import type { KeptObject } from '../../../plan/plan.ts';
import { applicationOf } from '../../record/application-key.ts';
import type { TargetRecord } from '../../record/record.ts';
import type { Wishes } from './wishes.ts';

export interface MovingOptions {
  wishes: Wishes;
  /** Name of the target that has the objects now, and the cluster that they are in. */
  owner: string;
  cluster: string;
  access: TargetAccess;
  /** As whom another target deploys, by its name; undefined: as the operator itself. */
  accountOf(target: string): ServiceAccount | undefined;
  /** Told of another target that may take over something now. */
  onLeft(target: string): void;
}

/** What of one target's objects moves to others, in the course of one look. */
export class Moving {
  readonly #options: MovingOptions;
  /** By object and target. */
  readonly #mayTake = new Map<string, boolean>();
  readonly #left = new Set<string>();

  constructor(options: MovingOptions) {
    this.#options = options;
  }

  /** Waits until no other target is about to tell that it wants something. */
  othersTold(): Promise<void> {
    const { wishes, owner, access } = this.#options;
    return wishes.othersTold(owner, access.signal);
  }

  /** By object key the Application that wants the object, and may have it by its own rights. */
  async takersOf(objects: readonly LiveObject[]): Promise<Map<string, string>> {
    const { wishes, owner } = this.#options;
    const takers = new Map<string, string>();
    const wanted = objects.filter((object) => wishes.of(this.#clusterKey(object), owner).length > 0);
    await inParallel(wanted, async (object) => {
      const key = objectKey(object);
      for (const target of wishes.of(this.#clusterKey(object), owner)) {
        if (takers.has(key) || !(await this.#mayBeTaken(object, target))) continue;
        takers.set(key, applicationOf(target));
      }
    });
    return takers;
  }

  /** What is kept is left to those who want it: they are told when that is written down. */
  leave(kept: readonly KeptObject[]): void {
    const { wishes, owner } = this.#options;
    for (const { object } of kept)
      for (const target of wishes.leave(this.#clusterKey(object), owner)) this.#left.add(target);
  }

  #clusterKey(object: ObjectId): string {
    return clusterKey(this.#options.cluster, object);
  }

  tellLeft(): void {
    for (const target of this.#left) this.#options.onLeft(target);
    this.#left.clear();
  }

  /** Nobody can have another's objects kept who could not take them over. Where that cannot be found out, they stay. */
  async #mayBeTaken(object: LiveObject, target: string): Promise<boolean> {
    const { access, accountOf } = this.#options;
    const as = accountOf(target);
    if (as === undefined) return true;
    const id = `${target} ${objectKey(object)}`;
    const cached = this.#mayTake.get(id);
    if (cached !== undefined) return cached;
    const resource = access.discovery.resourceFor(object.group, object.kind);
    if (resource === undefined) return true;
    const unchanged = { metadata: { uid: object.uid } };
    const may = await access.client
      .mergePatch(pathOf(resource, object), unchanged, { dryRun: true }, { ...callOptions(access), as })
      .then(() => true)
      .catch((error: unknown) => {
        access.signal.throwIfAborted();
        return !isForbidden(error);
      });
    this.#mayTake.set(id, may);
    return may;
  }
}

/**
 * The objects of a candidate that its Application would take over from another one: annotated to be adopted, or with
 * more in them than Git has, where it is told how. Whatever else another one gives up is made anew.
 */
export function wishesOf(
  objects: readonly Manifest[],
  cluster: string,
  access: Pick<TargetAccess, 'adopt'>,
  { applied }: Pick<TargetRecord, 'applied'>,
): Set<string> {
  const wanted = objects.filter((manifest) => adopts(access, manifest) || holdsMore(manifest));
  const missing = wanted.filter((manifest) => !applied.has(objectKey(manifest)));
  return new Set(missing.map((manifest) => clusterKey(cluster, manifest)));
}

/** What is of one name in two clusters are two objects. */
function clusterKey(cluster: string, object: ObjectId): string {
  return `${cluster} ${objectKey(object)}`;
}
