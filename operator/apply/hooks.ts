import { TowpathError } from '../api/errors.ts';
import type { KubeObject, Resource } from '../kube/client.ts';
import { isAlreadyExists, isForbidden, isNotFound } from '../kube/errors.ts';
import { ListWatch } from '../kube/list-watch.ts';
import { HOOK_MANAGER, isOurHook, isOurs, type LiveObject, liveObject } from '../manifest/live.ts';
import {
  describeObject,
  groupKind,
  type HookDeletePolicy,
  type HookEvent,
  idOf,
  type Manifest,
  objectKey,
} from '../manifest/manifest.ts';
import { withMetadata } from '../manifest/metadata-text.ts';
import { classify } from './classify.ts';
import { deleteAndAwait, deleteHookObject } from './prune.ts';
import { callOptions, pathOf, resourceOf, resourceToWrite, type TargetAccess } from './target.ts';

/** The hooks of an event in Helm's order: weight, then name, then as they were rendered (by kind). */
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
  /** A hook that has not ended so long after it began has failed. */
  timeoutMs: number;
  /** For so long the deployment stood still: one that was begun before has that much more. */
  pausedMs: number;
}

/**
 * Creates the hook's object and waits until a Job completed or a Pod succeeded (others are done when they
 * exist). One that this run of the hook began before a restart is waited for, not made again; one that it
 * failed with is made again, where its delete policy lets it go. Throws TowpathError.
 */
export async function runHook(access: TargetAccess, manifest: Manifest, run: HookRun): Promise<void> {
  try {
    const resource = await resourceToWrite(access, manifest);
    const problem = await runOnce(access, resource, manifest, run);
    if (problem === undefined) return;
    if (hasPolicy(manifest, 'hook-failed')) await deleteHook(access, resource, manifest, run.event);
    throw hookFailed(
      manifest,
      problem,
      `failed: ${problem}${/[.!?]$/.test(problem) ? '' : '.'} ${nextAfter(run.event)}`,
    );
  } catch (error) {
    access.signal.throwIfAborted();
    throw classify(error, 'run hook', manifest).error;
  }
}

/** A deletion runs what was kept: Git has no part in it any more. */
function nextAfter(event: HookEvent): string {
  return event === 'pre-delete' || event === 'post-delete'
    ? 'Look at its logs; it is run again.'
    : 'Look at its logs; correct it in Git or ask for a sync.';
}

/** What went wrong; undefined: it succeeded. */
async function runOnce(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  run: HookRun,
): Promise<string | undefined> {
  const existing = await find(access, resource, manifest);
  const own = existing !== undefined && isOfRun(existing, access, run) ? existing : undefined;
  const before = own === undefined ? undefined : finished(own);
  if (before?.done === true && before.problem === undefined) return undefined;
  if (own !== undefined && before?.problem === undefined) {
    const created = Date.parse(own.metadata.creationTimestamp ?? '');
    const since = created ? created + run.pausedMs : access.client.now().getTime();
    return outcome(access, resource, manifest, own, new Date(since + run.timeoutMs));
  }
  if (existing !== undefined && isDefinition(manifest)) {
    await applyDefinition(access, resource, manifest, run, existing);
    return undefined;
  }
  if (existing !== undefined && hasPolicy(manifest, 'before-hook-creation'))
    await deleteFormer(access, resource, manifest, existing);
  else if (before?.problem !== undefined) return before.problem;
  const deadline = new Date(access.client.now().getTime() + run.timeoutMs);
  const created = await createHook(access, resource, manifest, run);
  return outcome(access, resource, manifest, created, deadline);
}

/** Helm deletes whatever has the name; an object that is no hook, or another target's, may be dear to someone. */
async function deleteFormer(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  existing: KubeObject,
): Promise<void> {
  const mayGo = (now: LiveObject) =>
    isOurs(now, access.targetId, access.targetName) ||
    access.isHandedOver(now) ||
    (now.hook && (now.target === '' || now.target === access.targetId));
  const live = liveObject(resource, existing.metadata);
  if (!mayGo(live)) throw notOurs(manifest);
  await deleteAndAwait(access, resource, live, mayGo);
}

function isDefinition(manifest: Manifest): boolean {
  return groupKind(manifest) === 'apiextensions.k8s.io/CustomResourceDefinition';
}

/** A definition is never deleted, as in Helm: all its objects would go with it. The new one is laid over it. */
async function applyDefinition(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  run: HookRun,
  existing: KubeObject,
): Promise<void> {
  const live = liveObject(resource, existing.metadata);
  if (
    !isOurHook(live, access.targetId, access.targetName) &&
    !isOurs(live, access.targetId, access.targetName) &&
    !access.isHandedOver(live)
  )
    throw notOurs(manifest);
  await access.client.apply(
    pathOf(resource, manifest),
    withMetadata(manifest.text, { uid: live.uid }),
    { fieldManager: hookManager(run), force: true, fieldValidation: 'Strict' },
    callOptions(access),
  );
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

/**
 * Deletes the hooks of an event that their policy lets go when all of them succeeded, the last one first, as
 * Helm does; called after their completion was recorded.
 */
export async function cleanUpHooks(
  access: TargetAccess,
  hooks: readonly Manifest[],
  event: HookEvent,
): Promise<void> {
  for (const manifest of hooks.filter((one) => hasPolicy(one, 'hook-succeeded')).toReversed()) {
    try {
      await deleteHook(access, await resourceOf(access, manifest), manifest, event);
    } catch (error) {
      access.signal.throwIfAborted();
      throw classify(error, 'delete hook', manifest).error;
    }
  }
}

function hasPolicy(manifest: Manifest, policy: HookDeletePolicy): boolean {
  return manifest.hook?.deletePolicies.includes(policy) ?? false;
}

/** The field manager of a hook's object: it tells for which event of which deployment it was made. */
function hookManager(run: HookRun): string {
  return `${HOOK_MANAGER}${run.deployment}-${run.event}`;
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
): Promise<KubeObject> {
  const { name: _name, ...collection } = pathOf(resource, manifest);
  try {
    return await access.client.create(
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

/** Only what was made for this event: the same hook may run for another one by now. */
async function deleteHook(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  event: HookEvent,
): Promise<void> {
  if (isDefinition(manifest)) return;
  try {
    const { metadata } = await access.client.getMetadata(pathOf(resource, manifest), callOptions(access));
    const live = liveObject(resource, metadata);
    if (live.target !== access.targetId || !live.madeFor.includes(event)) return;
    await deleteHookObject(access, resource, live);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** A hook that cannot be watched is looked at again later. */
const FIRST_SIGHT_MS = 20_000;
/** Node fires timers of more at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

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

/** Hooks of these kinds run; all others are done when they exist. */
export function isWaitedFor(kind: { group: string; kind: string }): boolean {
  return groupKind(kind) === 'batch/Job' || groupKind(kind) === '/Pod';
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

function unseen(manifest: Manifest): TowpathError {
  return new TowpathError(
    'Time',
    'ClusterUnreachable',
    `The hook ${describeObject(manifest)} cannot be looked at: the API server does not answer. It is tried again.`,
  );
}

/**
 * Waits for the end of a Job or Pod; undefined: it succeeded. It is watched from `begun` on, which an answer told:
 * one that ends and is removed in the same moment (ttlSecondsAfterFinished: 0) is seen to end all the same. One that
 * goes without having been seen to end has failed. Rejects where it cannot be seen.
 */
async function outcome(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  begun: KubeObject,
  deadline: Date,
): Promise<string | undefined> {
  if (!isWaitedFor(manifest)) return undefined;
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const aborted = () => reject(access.signal.reason);
  const watch = new ListWatch<Finished>({
    client: access.client,
    resource,
    namespace: manifest.namespace,
    fieldSelector: `metadata.name=${manifest.name}`,
    from: begun,
    reduce: finished,
    onEvent: (event) => {
      if (event.object.done) resolve(event.object.problem);
      else if (event.type === 'Deleted') resolve('it was deleted before it ended');
    },
    onState: (state) => {
      if (state.state === 'Failing' && isForbidden(state.error)) reject(state.error);
      if (state.state === 'Watching') seen();
    },
    ...(access.as === undefined ? {} : { as: access.as }),
  });
  const late = () => resolve('it did not end within spec.sync.timeout');
  let timer: NodeJS.Timeout | undefined;
  let isSeen = false;
  const seen = () => {
    if (isSeen) return;
    isSeen = true;
    clearTimeout(timer);
    const left = Math.max(0, deadline.getTime() - access.client.now().getTime());
    timer = setTimeout(late, Math.min(left, LONGEST_TIMER_MS));
  };
  access.signal.addEventListener('abort', aborted, { once: true });
  try {
    access.signal.throwIfAborted();
    // Not late before it was seen once: it may have ended while nobody looked.
    timer = setTimeout(() => reject(watch.lastError ?? unseen(manifest)), FIRST_SIGHT_MS);
    watch.start();
    return await promise;
  } finally {
    isSeen = true;
    clearTimeout(timer);
    access.signal.removeEventListener('abort', aborted);
    void watch.stop();
  }
}
