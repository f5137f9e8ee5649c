import { cleanUpHooks, hookName, hooksFor, runHook } from '../../apply/hooks.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { HookEvent, Manifest } from '../../manifest/manifest.ts';
import type { Deployment, TargetRecord } from '../record.ts';
import type { RecordStore } from '../record-store.ts';

export interface HookContext {
  access: TargetAccess;
  store: RecordStore;
  record: TargetRecord;
  /** spec.sync.timeout, which each hook has for itself. */
  timeoutMs: number;
}

/** Whether the deployment has completed all hooks of an event. */
export function haveRun(deployment: Deployment, all: readonly Manifest[], event: HookEvent): boolean {
  return hooksFor(all, event).every((hook) => deployment.hooks.includes(hookName(event, hook)));
}

/**
 * Runs the hooks of an event that the deployment has not completed, one after the other. Each completion is
 * recorded before any of them is deleted: a restart in between must not run one twice.
 */
export async function runHooks(
  { access, store, record, timeoutMs }: HookContext,
  deployment: Deployment,
  all: readonly Manifest[],
  event: HookEvent,
  onRun: (hook: Manifest) => Promise<void> | void,
): Promise<void> {
  const hooks = hooksFor(all, event);
  if (hooks.length === 0) return;
  const run = {
    event,
    deployment: deployment.id,
    since: new Date(deployment.startedAt),
    timeoutMs,
    pausedMs: deployment.pausedMs ?? 0,
  };
  for (const hook of hooks) {
    const name = hookName(event, hook);
    if (deployment.hooks.includes(name)) continue;
    await onRun(hook);
    await runHook(access, hook, run);
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
