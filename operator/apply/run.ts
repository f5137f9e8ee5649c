import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../kube/errors.ts';
import { inParallel } from '../kube/in-parallel.ts';
import type { AppliedObject, PlannedApply } from '../manifest/applied.ts';
import { type GroupKind, groupKind, type Manifest, type ObjectId, objectKey } from '../manifest/manifest.ts';
import { backoffMs } from '../retry/backoff.ts';
import { classify, isNamespaceMissing, type Refusal } from './classify.ts';
import { type Definition, definitionOf, schemaRefusals } from './crd-schema.ts';
import { applyObject, dryRunObject } from './object.ts';
import { resourceToWrite, type TargetAccess } from './target.ts';
import { dryRunAsNew } from './trial.ts';

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
 * Asks the API server, without writing, whether it takes the objects. Those whose namespace, kind, role or
 * account comes with the same candidate cannot be asked about yet: their schema is checked as far as that
 * goes, and they are returned as `deferred`, to be asked just before their wave.
 */
export async function dryRunAll(
  access: TargetAccess,
  planned: readonly PlannedApply[],
  candidate: readonly Manifest[],
): Promise<{ refusals: Refusal[]; deferred: PlannedApply[] }> {
  const refusals: Refusal[] = [];
  const deferred: PlannedApply[] = [];
  const definitions = definitionsIn(candidate);
  const sent = new Set(planned.map((one) => objectKey(one.manifest)));
  const created = new Set(
    planned.filter((one) => one.live === undefined).map((one) => objectKey(one.manifest)),
  );
  // What is not sent has to fit, too: what a definition no longer knows is lost, and could not be put back.
  for (const manifest of candidate) {
    const definition = definitions.get(groupKind(manifest));
    if (definition !== undefined && sent.has(definition.key) && !sent.has(objectKey(manifest)))
      refusals.push(...schemaRefusals(manifest, definition));
  }
  await inParallel(planned, async (one) => {
    const { manifest } = one;
    try {
      const definition = definitions.get(groupKind(manifest));
      // A definition that changes along knows fields that the served one does not.
      if (definition !== undefined && sent.has(definition.key)) {
        deferred.push(one);
        refusals.push(...schemaRefusals(manifest, definition));
        return;
      }
      await dryRunObject(access, one);
    } catch (error) {
      access.signal.throwIfAborted();
      if (waitsForPrerequisite(error, manifest, created)) deferred.push(one);
      else refusals.push(classify(error, 'dry-run of', manifest));
    }
  });
  return { refusals, deferred };
}

/** How long a changed definition may take until the API server goes by it. */
const DEFINITION_MS = 5_000;
const DEFINITION_RETRY = { firstMs: 50, longestMs: 2_000 };

/**
 * Asks about objects that `dryRunAll` had deferred, now that their prerequisites are applied. One of a kind
 * that came along is asked again for a while: the API server takes a moment to go by a new definition.
 */
export async function dryRunDeferred(
  access: TargetAccess,
  deferred: readonly PlannedApply[],
  candidate: readonly Manifest[],
): Promise<Refusal[]> {
  const definitions = definitionsIn(candidate);
  const deadline = performance.now() + DEFINITION_MS;
  const refusals: Refusal[] = [];
  await inParallel(deferred, async (one) => {
    for (let failures = 1; ; failures += 1) {
      try {
        await dryRunObject(access, one);
        return;
      } catch (error) {
        access.signal.throwIfAborted();
        const refusal = classify(error, 'dry-run of', one.manifest);
        const mayPass =
          definitions.has(groupKind(one.manifest)) &&
          (refusal.verdict === 'Principle' || refusal.error.reason === 'KindMissing') &&
          performance.now() < deadline;
        if (!mayPass) {
          refusals.push(refusal);
          return;
        }
      }
      await sleep(backoffMs({ ...DEFINITION_RETRY, failures, jitter: 'None' }), undefined, {
        signal: access.signal,
      });
    }
  });
  return refusals;
}

/**
 * Asks about a candidate's hooks as creations under another name: those of an earlier deployment may still be
 * there. What a hook needs may come with the candidate, so that only refusals in principle tell anything.
 */
export async function dryRunHooks(access: TargetAccess, hooks: readonly Manifest[]): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  await inParallel(hooks, async (manifest) => {
    try {
      await dryRunAsNew(access, await resourceToWrite(access, manifest), manifest);
    } catch (error) {
      access.signal.throwIfAborted();
      const refusal = classify(error, 'dry-run of', manifest);
      if (refusal.verdict === 'Principle') refusals.push(refusal);
    }
  });
  return refusals;
}

/** The custom kinds that a candidate defines itself. */
function definitionsIn(candidate: readonly Manifest[]): Map<GroupKind, Definition> {
  const definitions = new Map<GroupKind, Definition>();
  for (const manifest of candidate) {
    const definition = definitionOf(manifest);
    if (definition !== undefined) definitions.set(groupKind(definition), definition);
  }
  return definitions;
}

const RBAC = 'rbac.authorization.k8s.io';

/** Whether the refusal is about something that the candidate itself creates before the object's turn. */
function waitsForPrerequisite(error: unknown, manifest: Manifest, created: ReadonlySet<string>): boolean {
  if (!(error instanceof ApiError) || (error.code !== 403 && error.code !== 404)) return false;
  if (isNamespaceMissing(error)) {
    return created.has(objectKey({ group: '', kind: 'Namespace', namespace: '', name: manifest.namespace }));
  }
  return needsOf(manifest).some((need) => created.has(objectKey(need)));
}

interface Needs {
  /** Of a binding. */
  roleRef?: { kind?: string; name?: string };
  /** Of a Pod. */
  spec?: { serviceAccountName?: string; priorityClassName?: string; runtimeClassName?: string };
}

/** What admission looks up by name: a binding's role, a bare Pod's account and classes. */
function needsOf(manifest: Manifest): ObjectId[] {
  const { namespace } = manifest;
  const { roleRef, spec } = JSON.parse(manifest.text) as Needs;
  if (groupKind(manifest) === `${RBAC}/RoleBinding` || groupKind(manifest) === `${RBAC}/ClusterRoleBinding`) {
    const { kind = '', name = '' } = roleRef ?? {};
    return [{ group: RBAC, kind, namespace: kind === 'Role' ? namespace : '', name }];
  }
  if (groupKind(manifest) !== '/Pod') return [];
  const { serviceAccountName = 'default', priorityClassName = '', runtimeClassName = '' } = spec ?? {};
  return [
    { group: '', kind: 'ServiceAccount', namespace, name: serviceAccountName },
    { group: 'scheduling.k8s.io', kind: 'PriorityClass', namespace: '', name: priorityClassName },
    { group: 'node.k8s.io', kind: 'RuntimeClass', namespace: '', name: runtimeClassName },
  ];
}
