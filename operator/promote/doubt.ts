import type { BlockedBy } from './gate.ts';

/** What could be listed, and cannot be any more: it may say something else by now. */
export interface Doubt {
  readonly reason: 'EnvironmentsUnknown' | 'PoliciesUnknown';
  /** What the API server said. */
  readonly problem: string;
}

const KINDS: Readonly<Record<Doubt['reason'], string>> = {
  EnvironmentsUnknown: 'Environments',
  PoliciesUnknown: 'PromotionPolicies',
};

/** What runs goes on by what they said last. */
export function doubtGate(environment: string, { reason, problem }: Doubt): BlockedBy {
  return {
    reason,
    message: `${KINDS[reason]} cannot be listed any more, and may say something else of environment ${environment} by now: nothing new enters; it is tried again: ${problem}`,
    remedy: 'Time',
    standing: 'Blocked',
  };
}
