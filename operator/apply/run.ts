import { ApiError } from '../kube/errors.ts';
import { groupKind, type Manifest, objectKey } from '../manifest/manifest.ts';
import type { AppliedObject, PlannedApply } from '../plan/plan.ts';
import { classify, isNamespaceMissing, type Refusal } from './classify.ts';
import { validateAgainstCRDs } from './crd-schema.ts';
import { applyObject, dryRunObject } from './object.ts';
import type { TargetAccess } from './target.ts';

/** Requests of one target under way at once. */
const PARALLEL = 16;

/** Runs `work` over the items, a bounded number at once; waits for all, also after one failed. */
export async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const lanes = Array.from({ length: Math.min(PARALLEL, items.length) }, async () => {
    for (const item of queue) await work(item);
  });
  await Promise.all(lanes);
}

/** Applies objects that do not need each other; what was applied is told one by one, also if another fails. */
export async function applyAll(
  access: TargetAccess,
  planned: readonly PlannedApply[],
  onApplied: (applied: AppliedObject) => void,
): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  await inParallel(planned, async (one) => {
    try {
      onApplied(await applyObject(access, one));
    } catch (error) {
      access.signal.throwIfAborted();
      refusals.push(classify(error, 'apply', one.manifest));
    }
  });
  return refusals;
}

/**
 * Asks the API server, without writing, whether it takes the objects. Those whose namespace, kind or role
 * comes with the same candidate cannot be asked about yet: their schema is checked as far as that goes, and
 * they are returned as `deferred`, to be asked just before their wave.
 */
export async function dryRunAll(
  access: TargetAccess,
  planned: readonly PlannedApply[],
  candidate: readonly Manifest[],
): Promise<{ refusals: Refusal[]; deferred: PlannedApply[] }> {
  const refusals: Refusal[] = [];
  const deferred: PlannedApply[] = [];
  const prerequisites = new Set(candidate.map(objectKey));
  await inParallel(planned, async (one) => {
    try {
      if (
        definedByCandidate(one.manifest, candidate) !== undefined &&
        !(await isServed(access, one.manifest))
      ) {
        deferred.push(one);
        refusals.push(...validateAgainstCRDs(one.manifest, candidate));
        return;
      }
      await dryRunObject(access, one);
    } catch (error) {
      access.signal.throwIfAborted();
      if (waitsForPrerequisite(error, one.manifest, prerequisites)) deferred.push(one);
      else refusals.push(classify(error, 'dry-run of', one.manifest));
    }
  });
  return { refusals, deferred };
}

async function isServed(access: TargetAccess, manifest: Manifest): Promise<boolean> {
  const version = manifest.apiVersion.slice(manifest.apiVersion.indexOf('/') + 1);
  return access.discovery.resourceFor(manifest.group, manifest.kind, version) !== undefined;
}

/** The CustomResourceDefinition of the same candidate that defines the manifest's kind. */
export function definedByCandidate(manifest: Manifest, candidate: readonly Manifest[]): Manifest | undefined {
  return candidate.find(
    (other) =>
      other.kind === 'CustomResourceDefinition' &&
      other.name.endsWith(`.${manifest.group}`) &&
      (JSON.parse(other.text) as { spec?: { names?: { kind?: string } } }).spec?.names?.kind ===
        manifest.kind,
  );
}

function waitsForPrerequisite(
  error: unknown,
  manifest: Manifest,
  prerequisites: ReadonlySet<string>,
): boolean {
  if (isNamespaceMissing(error)) {
    return prerequisites.has(
      objectKey({ group: '', kind: 'Namespace', namespace: '', name: manifest.namespace }),
    );
  }
  // A binding to a role that is not there yet: the API server cannot tell whether it would escalate.
  const isBinding = ['RoleBinding', 'ClusterRoleBinding'].includes(manifest.kind);
  if (!isBinding || groupKind(manifest) !== `rbac.authorization.k8s.io/${manifest.kind}`) return false;
  const reference = (JSON.parse(manifest.text) as { roleRef?: { kind?: string; name?: string } }).roleRef;
  const role = {
    group: 'rbac.authorization.k8s.io',
    kind: reference?.kind ?? '',
    namespace: reference?.kind === 'Role' ? manifest.namespace : '',
    name: reference?.name ?? '',
  };
  return (
    error instanceof ApiError &&
    (error.code === 403 || error.code === 404) &&
    prerequisites.has(objectKey(role))
  );
}
