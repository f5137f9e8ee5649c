import { cleanUpHooks, hookName, hooksFor, runHook } from '../../../apply/hooks.ts';
import { deleteHookObject } from '../../../apply/prune.ts';
import { resourceOf, type TargetAccess } from '../../../apply/target.ts';
import { inParallel } from '../../../kube/in-parallel.ts';
import { isOurHook } from '../../../manifest/live.ts';
import {
  describeObject,
  type HookEvent,
  idOf,
  type Manifest,
  objectKey,
} from '../../../manifest/manifest.ts';
import type { Inventory, ObservedObject } from '../../cluster/inventory.ts';
import type { Deployment, TargetRecord } from '../../record/record.ts';
import type { RecordStore } from '../../record/store.ts';
import { type DeployContext, findDeleted } from '../deploy-context.ts';

export interface HookContext {
  access: TargetAccess;
  store: RecordStore;
  record: TargetRecord;
  inventory: Inventory;
  /** spec.sync.timeout, which each hook has for itself. */
  timeoutMs: number;
}

/** Takes what is waited for, as a sentence: when a hook begins, and again when its Pods tell why it does not end. */
type Tell = (message: string, hook: Manifest) => Promise<void> | void;

/** So many reasons of one hook are told; a Pod that crashes again and again has no more. */
const MOST_REPORTED = 5;

/** Whether the deployment has completed all hooks of an event. */
export function haveRun(deployment: Deployment, all: readonly Manifest[], event: HookEvent): boolean {
  return hooksFor(all, event).every((hook) => deployment.hooks.includes(hookName(event, hook)));
}

/**
 * Runs the hooks of an event that the deployment has not completed, one after the other. Each completion is
 * recorded before any of them is deleted: a restart in between must not run one twice.
 */
export async function runHooks(
  context: HookContext,
  deployment: Deployment,
  all: readonly Manifest[],
  event: HookEvent,
  tell: Tell,
): Promise<void> {
  const { access, store, record, timeoutMs } = context;
  const hooks = hooksFor(all, event);
  if (hooks.length === 0) return;
  const run = {
    event,
    deployment: deployment.id,
    since: new Date(deployment.clusterStartedAt),
    timeoutMs,
    pausedMs: deployment.pausedMs ?? 0,
  };
  for (const hook of hooks) {
    const name = hookName(event, hook);
    if (deployment.hooks.includes(name)) continue;
    await whileTelling(context, hook, event, tell, () => runHook(access, hook, run));
    deployment.hooks.push(name);
    await store.save(record, { signal: access.signal });
  }
  const cleaned = `cleaned ${event}`;
  if (deployment.hooks.includes(cleaned)) return;
  // Also a completion that could not be recorded at once: what is deleted must not be run again after a restart.
  if (store.isAhead(record)) await store.save(record, { signal: access.signal });
  await cleanUpHooks(access, hooks, event);
  // Kept with the next write of the record: until then it is done again, which changes nothing.
  deployment.hooks.push(cleaned);
  store.changed(record);
}

/** Only the Pods of a hook know why it does not end: that none of them finds a node, say. */
async function whileTelling(
  { access, inventory }: HookContext,
  hook: Manifest,
  event: HookEvent,
  tell: Tell,
  work: () => Promise<void>,
): Promise<void> {
  const waiting = `for the hook ${describeObject(hook)} (${event}) to end`;
  await tell(`${waiting}.`, hook);
  const over = new AbortController();
  const signal = AbortSignal.any([access.signal, over.signal]);
  const follow = async () => {
    await inventory.watches.ensure([idOf(hook)], { ...access, signal });
    const reported = new Set<string | undefined>([undefined]);
    const why = () => problemOf(inventory.of(access.targetId).get(objectKey(hook)));
    while (reported.size <= MOST_REPORTED) {
      await inventory.until(
        access.targetId,
        () => {
          inventory.lookAtPods(access.targetId, access.as);
          return !reported.has(why());
        },
        signal,
      );
      const problem = why();
      reported.add(problem);
      if (problem !== undefined) await tell(`${waiting}: ${problem}.`, hook);
    }
  };
  // What cannot be seen or told is no reason not to wait.
  const following = follow().catch(() => undefined);
  try {
    await work();
  } finally {
    over.abort(new Error('the hook has ended'));
    await following;
  }
}

/** What keeps a Job's Pods from running, or a Pod from ending; undefined: nothing that is known. */
function problemOf(object: ObservedObject | undefined): string | undefined {
  if (object?.runs !== true) return undefined;
  const { health, pods } = object;
  if (pods !== undefined) return health.message === pods.own.message ? undefined : trimmed(health.message);
  const isTrouble = health.state === 'Degraded' || health.message?.startsWith('Unschedulable') === true;
  return object.kind === 'Pod' && isTrouble ? trimmed(health.message) : undefined;
}

function trimmed(message: string | undefined): string | undefined {
  return message?.replace(/\.$/, '');
}

/**
 * Deletes the hooks' objects that have not ended and that nothing waits for any more.
 *
 * @param isWaitedFor whether one is still of use, by the events and the deployment that it was made for.
 */
export async function endHooks(
  context: Pick<DeployContext, 'access' | 'inventory' | 'unreported'>,
  isWaitedFor: (made: Pick<ObservedObject, 'madeFor' | 'madeIn'>) => boolean,
): Promise<void> {
  const { access, inventory, unreported } = context;
  const { targetId, targetName } = access;
  const idle = [...inventory.of(targetId).values()].filter(
    (live) =>
      live.runs === true && !live.deleting && isOurHook(live, targetId, targetName) && !isWaitedFor(live),
  );
  findDeleted(context, 'endedHooks', idle);
  unreported.deleting('endedHooks', idle);
  await inParallel(idle, async (live) => {
    try {
      await deleteHookObject(access, await resourceOf(access, live), live);
      unreported.deleted('endedHooks', [live]);
    } catch {
      // Whoever may make Jobs and not delete them must not be held up by one: it is tried again at the next look.
      access.signal.throwIfAborted();
    }
  });
}
