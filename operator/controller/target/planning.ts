import type { PlannedApply } from '../../manifest/applied.ts';
import type { LiveObject } from '../../manifest/live.ts';
import { groupKind, idOf, type Manifest, type ObjectId, objectKey } from '../../manifest/manifest.ts';
import { ignoredPaths, REPLICAS } from '../../plan/ignore.ts';
import { waves } from '../../plan/order.ts';
import { type KeptObject, type Plan, type PlanInput, planObjects, planRemoval } from '../../plan/plan.ts';
import { type Baseline, baselineOf } from '../../plan/prune-budget.ts';
import type { Deployment } from '../record/record.ts';
import type { DeployContext } from './deploy-context.ts';

/** A definition is not taken back: what is stored of its kind may be what only the newer one knows. */
export type Applying = 'All' | 'NoDefinitions';

/** What a deployment applies of its manifests. */
export function applyingOf({ trigger }: Pick<Deployment, 'trigger'>): Applying {
  return trigger === 'Rollback' ? 'NoDefinitions' : 'All';
}

const DEFINITION = 'apiextensions.k8s.io/CustomResourceDefinition';

/** Whether it is a part of what is applied. */
export function isApplied(object: ObjectId, applying: Applying): boolean {
  return applying === 'All' || groupKind(object) !== DEFINITION;
}

/** So many objects are planned before others may have a turn. */
const PIECE = 100;

/**
 * The manifests of a candidate as one look plans with them: what is the same at each stage is found out once, and a
 * stage plans its own objects only (A15).
 */
export class Planning {
  /** All that there is to be, applied or not. */
  readonly objects: readonly Manifest[];
  /** In the order of applying. */
  readonly waves: readonly (readonly (readonly Manifest[])[])[];
  readonly #context: DeployContext;
  readonly #ignored: Map<Manifest, readonly string[]>;
  readonly #applying: Applying;

  private constructor(
    context: DeployContext,
    objects: readonly Manifest[],
    ignored: Map<Manifest, readonly string[]>,
    applying: Applying,
  ) {
    this.objects = objects;
    this.#applying = applying;
    this.waves = waves(objects.filter((object) => isApplied(object, this.#applying)));
    this.#context = context;
    this.#ignored = ignored;
  }

  static async of(
    context: DeployContext,
    objects: readonly Manifest[],
    applying: Applying = 'All',
  ): Promise<Planning> {
    const { target, settings, slices, inventory, access } = context;
    await slices.pause();
    // What is not taken over yet is seen where it was.
    const ids = [access.targetId, ...(target.takesOver ?? []).map(({ id }) => id)];
    const pathsOf = ignoredPaths(settings.ignore, objects, target.namespace, (key) =>
      ids.some((id) => inventory.isScaled(id, key)),
    );
    const ignored = new Map<Manifest, readonly string[]>();
    for (const [index, object] of objects.entries()) {
      if (index % PIECE === 0) await slices.pause();
      ignored.set(object, pathsOf(object));
    }
    await slices.pause();
    return new Planning(context, objects, ignored, applying);
  }

  /** What is to be done, as everything is now. */
  async plan(): Promise<Plan> {
    const apply = await this.applies(this.objects);
    await this.#context.slices.pause();
    const removal = planRemoval(this.#input());
    const takers = await this.#context.moving.takersOf(removal.prune);
    return { apply, ...(takers.size === 0 ? removal : planRemoval({ ...this.#input(), takers })) };
  }

  /** The same just before something is deleted by it: when all others told what they would have of it. */
  async planPruning(): Promise<Plan> {
    const { prune } = planRemoval(this.#input());
    if (prune.length > 0) {
      const { say, moving } = this.#context;
      say('Pruning: other Applications are looked at first, which may take over what left Git here.');
      await moving.othersTold();
    }
    return this.plan();
  }

  /** What would be deleted if no other Application took anything over; more than that is never deleted. */
  leaving(): readonly LiveObject[] {
    return planRemoval(this.#input()).prune;
  }

  /** For a deployment that begins now. */
  baseline(): Baseline {
    return baselineOf(this.#input());
  }

  /** How some of the objects are to be applied, as they are now. */
  async applies(objects: readonly Manifest[]): Promise<PlannedApply[]> {
    const applies: PlannedApply[] = [];
    for (let from = 0; from < objects.length; from += PIECE) {
      const pause = this.#context.slices.pause();
      if (pause !== undefined) await pause;
      const piece = objects.slice(from, from + PIECE).filter((object) => isApplied(object, this.#applying));
      applies.push(...planObjects(piece, this.#input()));
    }
    return applies;
  }

  /** What is left as it is, although it differs. */
  leftAlone(): readonly KeptObject[] {
    const left = this.objects.filter((object) => !isApplied(object, this.#applying));
    return planObjects(left, this.#input()).map(({ manifest }) => ({
      object: idOf(manifest),
      reason: 'Going back leaves a definition as it is: what is stored of its kind may need it so.',
    }));
  }

  /** The same just before it is sent: what an autoscaler scaled that was not seen until now keeps its replicas. */
  async sparingScaled(planned: readonly PlannedApply[]): Promise<readonly PlannedApply[]> {
    const { inventory, access } = this.#context;
    const keys = planned
      .filter(({ ignore }) => !ignore.includes(REPLICAS))
      .map(({ manifest }) => objectKey(manifest));
    const scaled = await inventory.askScaled(access, keys);
    if (scaled.size === 0) return planned;
    const objects = planned.map(({ manifest }) => manifest);
    for (const object of objects) {
      if (!scaled.has(objectKey(object))) continue;
      this.#ignored.set(object, [...(this.#ignored.get(object) ?? []), REPLICAS].sort());
    }
    return this.applies(objects);
  }

  #input(): PlanInput {
    const { access, record, settings, inventory } = this.#context;
    return {
      targetId: access.targetId,
      targetName: access.targetName,
      desired: this.objects,
      applied: record.applied,
      live: inventory.of(access.targetId),
      prune: settings.prune,
      pluralOf: ({ group, kind }) => access.discovery.resourceFor(group, kind)?.plural,
      ignorePaths: (manifest) => this.#ignored.get(manifest) ?? [],
    };
  }
}
