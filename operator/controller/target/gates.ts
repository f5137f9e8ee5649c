import { decide } from '../../promote/decide.ts';
import { dependenciesIn } from './dependencies.ts';
import { promotionOf } from './promotion.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';

/** What waits, what keeps it out now, and which may enter, gathered and judged at one moment. */
export function gatesOf(run: Run, found: Findings): Pick<TargetState, 'parked' | 'blockedBy' | 'choice'> {
  const { parts, application, target, context } = run;
  const gates = decide({
    environment: target.environment,
    now: context.now(),
    freezes: target.freezes,
    dependencies: dependenciesIn(target.environment, application, parts.lookup),
  });
  return promotionOf(run, found, () => gates);
}
