import { saveChanges } from '../deploy-context.ts';
import type { Run } from '../run.ts';
import { wasSuspended } from '../stage.ts';
import type { Outcome, TargetState } from '../state.ts';

/** Stops the clock of a deployment under way: spec.sync.timeout stands still while the Application is suspended. */
export async function pause({ context }: Run): Promise<Outcome> {
  const { record, store, now } = context;
  const { deployment } = record;
  if (deployment !== undefined && deployment.outcome === undefined && deployment.pausedAt === undefined) {
    deployment.pausedAt = now().toISOString();
    store.changed(record);
  }
  await saveChanges(context);
  return { type: 'Paused' };
}

/** Lets it run again. */
export async function resume({ context }: Run, state: TargetState): Promise<Outcome> {
  const { record, store, now, signal } = context;
  const { deployment } = record;
  if (deployment?.pausedAt !== undefined) {
    const paused = now().getTime() - Date.parse(deployment.pausedAt);
    deployment.pausedMs = (deployment.pausedMs ?? 0) + Math.max(0, paused);
    delete deployment.pausedAt;
    await store.save(record, { signal });
  }
  if (wasSuspended(state)) context.say('It is no longer suspended.', { atOnce: true });
  return { type: 'Resumed' };
}
