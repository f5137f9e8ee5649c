import { applicationOf } from '../record/application-key.ts';
import type { TargetIdentity } from '../record/target.ts';
import type { DueTarget } from '../target/looks.ts';
import type { ApplicationCache, CachedApplication } from './application-cache.ts';
import { isPlaced, isRefused } from './targets.ts';

/** What decides what is due in a target, before anything of it is looked at. */
export interface Whereabouts {
  /** Nothing is left of it but what was kept. */
  isGone: boolean;
  /** Its Application names its environment no more. */
  hasLeft: boolean;
  /** Its Application is being deleted. */
  isDeleted: boolean;
  /** Its Application has our finalizer. */
  hasFinalizer: boolean;
  /** It is known where it is. */
  isPlaced: boolean;
  isReadable: boolean;
}

/**
 * What a look at the target is for; `Later`: it is not looked at before its Application has our finalizer. Pure: what
 * is next within a look for `Sync`, `next` decides.
 */
export function dueIn({
  isGone,
  hasLeft,
  isDeleted,
  hasFinalizer,
  isReadable,
  isPlaced: isKnownWhere,
}: Whereabouts): DueTarget['due'] | 'Later' {
  if (isGone) return 'Nothing';
  if (!isReadable) return isDeleted && hasFinalizer ? 'Release' : 'Nothing';
  // One that is deleted before it had it never gets it, and nothing of it was deployed.
  if (!hasFinalizer) return isDeleted ? 'Nothing' : 'Later';
  if (!isKnownWhere) return isDeleted || hasLeft ? 'RemovalRefusal' : 'Refusal';
  if (isDeleted) return 'Removal';
  return hasLeft ? 'Leaving' : 'Sync';
}

/** The target with that name, and what is due there; undefined where there is none, or it is not looked at yet. */
export function dueTarget(applications: ApplicationCache, name: string): DueTarget | undefined {
  const key = applicationOf(name);
  const cached = applications.get(key);
  const memory = cached?.memory.targets.get(name);
  const isIt = (target: TargetIdentity) => target.name === name;
  const identity = cached?.targets.find(isIt);
  if (cached === undefined || memory === undefined || identity === undefined) return undefined;
  const { application } = cached;
  const target = [...cached.specified, ...cached.left].find(isIt);
  const due = dueIn({
    isGone: memory.gone !== undefined,
    hasLeft: cached.left.some(isIt),
    isPlaced: target !== undefined && isPlaced(target),
    ...applicationWhereabouts(applications, key, cached),
  });
  if (due === 'Nothing') return { due, identity, memory };
  if (due === 'Release') return { due, identity, memory, applicationUID: cached.object.metadata.uid };
  if (due === 'Later' || application === undefined || target === undefined) return undefined;
  const isDeleted = cached.object.metadata.deletionTimestamp !== undefined;
  const successors = cached.specified.filter(isPlaced).filter((one) => one.takesOver?.some(isIt));
  if (due === 'Refusal' || due === 'RemovalRefusal')
    return isRefused(target)
      ? // With the Application nobody takes over anything any more.
        { due, identity, memory, unplaced: { application, target }, successors: isDeleted ? [] : successors }
      : undefined;
  if (!isPlaced(target)) return undefined;
  const specified = { application, target, isOneOfSeveral: cached.targets.length > 1 };
  if (due === 'Sync') return { due, identity, memory, specified };
  return { due, identity, memory, specified, successors };
}

/** Whether it is only to get our finalizer, and its targets are looked at after that. */
export function isToBegin(applications: ApplicationCache, key: string): boolean {
  const cached = applications.get(key);
  if (cached === undefined) return false;
  const whereabouts = applicationWhereabouts(applications, key, cached);
  return dueIn({ isGone: false, hasLeft: false, isPlaced: true, ...whereabouts }) === 'Later';
}

function applicationWhereabouts(
  applications: ApplicationCache,
  key: string,
  { application, object }: CachedApplication,
): Omit<Whereabouts, 'isGone' | 'hasLeft' | 'isPlaced'> {
  return {
    isDeleted: object.metadata.deletionTimestamp !== undefined,
    hasFinalizer: applications.isReady(key),
    isReadable: application !== undefined,
  };
}
