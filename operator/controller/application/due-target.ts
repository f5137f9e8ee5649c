import { applicationOf } from '../record/application-key.ts';
import type { TargetIdentity } from '../record/target.ts';
import type { DueTarget } from '../target/looks.ts';
import type { ApplicationCache } from './application-cache.ts';

/** The target with that name, and what is due there; undefined before its Application has our finalizer. */
export function dueTarget(applications: ApplicationCache, name: string): DueTarget | undefined {
  const key = applicationOf(name);
  const cached = applications.get(key);
  const memory = cached?.memory.targets.get(name);
  const isIt = (target: TargetIdentity) => target.name === name;
  const identity = cached?.targets.find(isIt);
  if (cached === undefined || memory === undefined || identity === undefined) return undefined;
  const { application, object } = cached;
  const isDeleted = object.metadata.deletionTimestamp !== undefined;
  const isReady = applications.isReady(key);
  if (memory.gone !== undefined) return { due: 'Nothing', identity, memory };
  if (application === undefined)
    return { due: isDeleted && isReady ? 'Release' : 'Nothing', identity, memory };
  const target = cached.specified.find(isIt);
  if (target === undefined || !isReady) return undefined;
  return { due: isDeleted ? 'Removal' : 'Sync', identity, memory, specified: { application, target } };
}
