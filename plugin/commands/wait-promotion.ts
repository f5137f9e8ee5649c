import type { Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { watchPromotion } from '../promotion.ts';
import { plain } from '../text/terminal.ts';
import type { Context } from './command.ts';
import type { Verdict } from './verdict.ts';

export const PROMOTION_GOALS = ['deployed', 'verified'] as const;

export type PromotionGoal = (typeof PROMOTION_GOALS)[number];

/** Resolves with the first verdict on a state of it. */
export async function promotionEnds(
  { kubectl }: Context,
  name: string,
  verdictOn: (promotion: Promotion) => Verdict | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  for await (const { type, promotion } of watchPromotion(kubectl, name, signal)) {
    if (type === 'DELETED') throw new CommandError(`Promotion ${name} was deleted meanwhile.`);
    const verdict = verdictOn(promotion);
    if (verdict !== undefined) return verdict;
  }
  throw signal.reason;
}

/** What became of it; undefined: nothing final yet. */
export function verdictOnPromotion(
  { metadata: { name }, status = {} }: Promotion,
  goal: PromotionGoal,
): Verdict | undefined {
  const { phase = 'Pending', message, deployedAt } = status;
  const said = `Promotion ${name}: ${phase}${message === undefined ? '.' : `: ${plain(message)}`}`;
  switch (phase) {
    case 'Succeeded':
      return { code: EXIT.Done, message: said };
    case 'Verifying':
      return goal === 'deployed' ? { code: EXIT.Done, message: said } : undefined;
    case 'Failed':
    case 'RolledBack':
      return { code: EXIT.Failed, message: said };
    case 'Superseded':
    case 'Cancelled':
      return { code: EXIT.Superseded, message: said };
    default:
      return goal === 'deployed' && deployedAt !== undefined ? { code: EXIT.Done, message: said } : undefined;
  }
}

/** How it was when the time was over. */
export function promotionSoFar({ metadata: { name }, status = {} }: Promotion): string {
  const { phase = 'Pending', message, blockedBy = [] } = status;
  const why = blockedBy.map(({ reason, message: one }) => ` ${reason}: ${plain(one)}`).join('');
  return ` Promotion ${name} is ${phase}.${why !== '' || message === undefined ? why : ` ${plain(message)}`}`;
}
