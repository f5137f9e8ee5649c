import { TowpathError } from '../api/errors.ts';
import type { KubeObject, Resource } from '../kube/client.ts';
import { isAlreadyExists, isForbidden, isNotFound } from '../kube/errors.ts';
import { ListWatch } from '../kube/list-watch.ts';
import { liveObject } from '../manifest/live.ts';
import {
  describeObject,
  groupKind,
  type HookDeletePolicy,
  type HookEvent,
  idOf,
  type Manifest,
  objectKey,
} from '../manifest/manifest.ts';
import { classify } from './classify.ts';
import { deleteAndAwait } from './prune.ts';
import { callOptions, pathOf, resourceOf, type TargetAccess } from './target.ts';

/** The hooks of an event in Helm's order: weight, then kind order as rendered, then name. */
export function hooksFor(hooks: readonly Manifest[], event: HookEvent): Manifest[] {
  return hooks
    .filter((manifest) => manifest.hook?.events.includes(event))
    .sort(
      (a, b) =>
        (a.hook?.weight ?? 0) - (b.hook?.weight ?? 0) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
    );
}

/** Under this name a completed hook stands in the target record. */
export function hookName(event: HookEvent, manifest: Manifest): string {
  return `${event} ${objectKey(manifest)}`;
}

/** One event of one deployment, for which a hook runs once. */
export interface HookRun {
  event: HookEvent;
  /** Counts the deployments of the target. */
  deployment: number;
  /** When the deployment began; a hook's object that is older belongs to another one. */
  since: Date;
  /** A hook that has not ended by then has failed. */
  deadline: Date;
}

/**
 * Creates the hook's object and waits until a Job completed or a Pod succeeded (others are done when they
 * exist). One that this run of the hook began before a restart is waited for, not made again; one that it
 * failed with is made again, where its delete policy lets it go. Throws TowpathError.
 */
export async function runHook(access: TargetAccess, manifest: Manifest, run: HookRun): Promise<void> {
  try {
    const problem = await runOnce(access, manifest, run);
    if (problem === undefined) return;
    if (hasPolicy(manifest, 'hook-failed')) await deleteHook(access, manifest);
    throw hookFailed(
      manifest,
      problem,
      `failed: ${problem}${/[.!?]$/.test(problem) ? '' : '.'} Look at its logs; correct it in Git or ask for a sync.`,
    );
  } catch (error) {
    access.signal.throwIfAborted();
    throw classify(error, 'run hook', manifest).error;
  }
}

/** What went wrong; undefined: it succeeded. */
async function runOnce(access: TargetAccess, manifest: Manifest, run: HookRun): Promise<string | undefined> {
  const resource = await resourceOf(access, manifest);
  const existing = await find(access, resource, manifest);
  const isOwn = existing !== undefined && isOfRun(existing, access, run);
  const before = isOwn ? finished(existing) : undefined;
  const isToBeMade = !isOwn || before?.problem !== undefined;
  if (isToBeMade) {
    if (existing !== undefined && hasPolicy(manifest, 'before-hook-creation')) {
      const live = liveObject(resource, existing.metadata);
      // Helm deletes whatever has the name; an object that is no hook, or another target's, may be dear to someone.
      if (!live.hook || (live.target !== '' && live.target !== access.targetId)) throw notOurs(manifest);
      await deleteAndAwait(access, resource, live);
    } else if (before?.problem !== undefined) return before.problem;
    await createHook(access, resource, manifest, run);
  }
  return outcome(access, resource, manifest, run.deadline);
}

function hookFailed(manifest: Manifest, problem: string, how: string): TowpathError {
  const file = manifest.file === undefined ? {} : { file: manifest.file };
  const details = [{ object: idOf(manifest), message: problem, ...file }];
  return new TowpathError('Time', 'HookFailed', `The hook ${describeObject(manifest)} ${how}`, { details });
}

function notOurs(manifest: Manifest): TowpathError {
  const message = `The hook ${describeObject(manifest)} would replace an object that is not its own: delete that object, or rename the hook.`;
  return new TowpathError('Person', 'NotOwned', message, { details: [{ object: idOf(manifest), message }] });
}

/** What the delete policy says of a hook that succeeded; called after its completion was recorded. */
export async function cleanUpHook(access: TargetAccess, manifest: Manifest): Promise<void> {
  if (!hasPolicy(manifest, 'hook-succeeded')) return;
  try {
    await deleteHook(access, manifest);
  } catch (error) {
    access.signal.throwIfAborted();
    throw classify(error, 'delete hook', manifest).error;
  }
}

function hasPolicy(manifest: Manifest, policy: HookDeletePolicy): boolean {
  return manifest.hook?.deletePolicies.includes(policy) ?? false;
}

/** The field manager of a hook's object: it tells for which event of which deployment it was made. */
function hookManager(run: HookRun): string {
  return `towpath-hook-${run.deployment}-${run.event}`;
}

function isOfRun(object: KubeObject, access: TargetAccess, run: HookRun): boolean {
  const live = liveObject({ group: '', version: '', kind: '' }, object.metadata);
  // creationTimestamp has whole seconds; the deployment's start has milliseconds.
  const created = Date.parse(object.metadata.creationTimestamp ?? '') + 999;
  return (
    live.target === access.targetId &&
    !live.deleting &&
    created >= run.since.getTime() &&
    (object.metadata.managedFields ?? []).some((entry) => entry.manager === hookManager(run))
  );
}

async function find(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
): Promise<KubeObject | undefined> {
  try {
    return await access.client.get(pathOf(resource, manifest), callOptions(access));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function createHook(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  run: HookRun,
): Promise<void> {
  const { name: _name, ...collection } = pathOf(resource, manifest);
  try {
    await access.client.create(
      collection,
      manifest.text,
      { fieldManager: hookManager(run), fieldValidation: 'Strict' },
      callOptions(access),
    );
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    throw hookFailed(
      manifest,
      'The hook exists already.',
      'exists already: delete it, or give it the delete policy before-hook-creation.',
    );
  }
}

async function deleteHook(access: TargetAccess, manifest: Manifest): Promise<void> {
  const resource = await resourceOf(access, manifest);
  const path = pathOf(resource, manifest);
  try {
    const { metadata } = await access.client.getMetadata(path, callOptions(access));
    // Somebody else's object may have the name by now (D1).
    const live = liveObject(resource, metadata);
    if (live.target !== access.targetId || !live.hook) return;
    const { uid, resourceVersion } = live;
    await access.client.delete(
      path,
      { uid, resourceVersion, propagationPolicy: 'Background' },
      callOptions(access),
    );
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

interface Finished {
  done: boolean;
  problem?: string;
}

interface JobOrPod {
  status?: {
    phase?: string;
    message?: string;
    reason?: string;
    conditions?: { type: string; status: string; message?: string }[];
  };
}

/** Whether a Job or a Pod ended, and what went wrong. */
export function finished(object: KubeObject & JobOrPod): Finished {
  const failed = object.status?.conditions?.find(
    (condition) => condition.type === 'Failed' && condition.status === 'True',
  );
  if (failed !== undefined) return { done: true, problem: failed.message ?? 'the Job failed' };
  if (object.status?.phase === 'Failed')
    return { done: true, problem: object.status.message ?? 'the Pod failed' };
  const complete = object.status?.conditions?.some(
    (condition) => condition.type === 'Complete' && condition.status === 'True',
  );
  return { done: complete === true || object.status?.phase === 'Succeeded' };
}

/** Waits for the end of a Job or Pod; undefined: it succeeded. Rejects where it cannot be seen. */
async function outcome(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  deadline: Date,
): Promise<string | undefined> {
  if (groupKind(manifest) !== 'batch/Job' && groupKind(manifest) !== '/Pod') return undefined;
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const aborted = () => reject(access.signal.reason);
  const watch = new ListWatch<Finished>({
    client: access.client,
    resource,
    namespace: manifest.namespace,
    fieldSelector: `metadata.name=${manifest.name}`,
    reduce: finished,
    onEvent: (event) => {
      if (event.type === 'Deleted') resolve('it was deleted before it ended');
      else if (event.object.done) resolve(event.object.problem);
    },
    onState: (state) => {
      if (state.state === 'Failing' && isForbidden(state.error)) reject(state.error);
    },
    ...(access.as === undefined ? {} : { as: access.as }),
  });
  const left = Math.max(0, deadline.getTime() - access.client.now().getTime());
  const timer = setTimeout(() => resolve('it did not end within spec.sync.timeout'), left);
  access.signal.addEventListener('abort', aborted, { once: true });
  try {
    access.signal.throwIfAborted();
    watch.start();
    return await promise;
  } finally {
    clearTimeout(timer);
    access.signal.removeEventListener('abort', aborted);
    void watch.stop();
  }
}
