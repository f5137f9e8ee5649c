import type { BlockedBy } from './gate.ts';

/**
 * What stands in the way, without steps that would change nothing: while manifests are held back, whoever else says yes to
 * them lets nothing in.
 */
export function withUsefulAdvice(blockedBy: readonly BlockedBy[]): readonly BlockedBy[] {
  const isHeldBack = blockedBy.some(
    ({ reason, untilPromoted }) => untilPromoted === true || reason === 'Rejected',
  );
  if (!isHeldBack) return blockedBy;
  return blockedBy.map(({ meanwhile, ...one }) => ({ ...one, message: meanwhile ?? one.message }));
}
