import { shownChecks } from '../../../promote/checks.ts';
import type { TargetState } from '../state.ts';

/** What has to become of what entered, as a sentence goes on. */
export function verifiedBy({ lostChecks }: Pick<TargetState, 'lostChecks'>): string {
  if (lostChecks.length === 0) return 'it has to stay healthy.';
  const those = shownChecks(lostChecks);
  return `it has to pass ${those}, as the policy said when it entered, and no PromotionPolicy that holds, and can be read, has that any more. Have one that does, or bring a newer commit.`;
}
