import { fitBetween } from '../api/v1alpha1/bound-status.ts';
import type { BlockedBy } from './gate.ts';
import type { Governance } from './governance.ts';

const GOES_ON = ', and what has its first write goes on';

/**
 * What keeps anything new out of an Environment that requires a policy (S14): what decides alone is that exactly one has the target
 * in a stage, in whichever order all of this was made, and no Promote of a person passes that. What was let in goes on, whatever
 * becomes of the policy: waves, retries, verify, going back. Undefined: one has it. Pure.
 */
export function requiredPolicyGate(environment: string, governance: Governance): BlockedBy | undefined {
  const gate = (reason: string, remedy: BlockedBy['remedy'], why: string): BlockedBy => ({
    reason,
    message: fitBetween(
      `Environment ${environment} takes only what a PromotionPolicy brings there (spec.requirePolicy), and `,
      why,
      `: nothing new enters${GOES_ON}.`,
    ),
    remedy,
    standing: 'Blocked',
  });
  switch (governance.is) {
    case 'InStage':
      return undefined;
    case 'Free':
      return gate('NoPolicy', 'Resource', 'none of its namespace selects this Application');
    case 'InNoStage':
      return gate(
        'NoPolicy',
        'Resource',
        `PromotionPolicy ${governance.policy} has it in no stage for this Application, or its entry has a ref of its own`,
      );
    case 'Contested':
      return gate(
        'PolicyContested',
        'Person',
        `${governance.policies.join(' and ')} all select this Application`,
      );
    case 'Unknown':
      return gate('PoliciesUnknown', 'Time', `these are not known: ${governance.problem}`);
  }
}

/** The message of that gate where nothing has its first write. */
export function whereNothingBegan(message: string): string {
  return message.replace(GOES_ON, '');
}
