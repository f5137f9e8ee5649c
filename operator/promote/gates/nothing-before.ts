import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import type { Gates } from '../../api/v1alpha1/gates.ts';
import type { BlockedBy } from '../gate.ts';
import type { Governance } from '../governance.ts';

interface Entering {
  readonly environment: string;
  readonly governance: Governance;
  readonly gates?: Pick<Gates, 'soak' | 'checks'>;
}

/** What an Environment demands of a stage before, where no policy has one before it that could show that. Pure. */
export function nothingBefore(entering: Entering): readonly BlockedBy[] {
  const { environment, governance, gates } = entering;
  if (!demandsBefore(gates)) return [];
  const why = whyNothing(governance);
  if (why === undefined) return [];
  const { soak, checks } = gates;
  const wants = [
    ...(soak === undefined ? [] : [`was healthy for ${soak}`]),
    ...(checks === undefined ? [] : ['passed checks']),
  ].join(' and ');
  const reasons: readonly ('Soak' | 'Checks')[] = [
    ...(soak === undefined ? [] : ['Soak' as const]),
    ...(checks === undefined ? [] : ['Checks' as const]),
  ];
  const message = fitBetween(
    `Environment ${environment} takes only what ${wants} in the stage before (spec.gates), and `,
    why,
    `: a policy with one lets it in, or who may override: kubectl towpath promote --skip-gates=${reasons.join().toLowerCase()}`,
  );
  // Of several the first is told: the words are about all.
  return reasons.map((reason) => ({ reason, message, remedy: 'Resource', standing: 'Blocked' }));
}

/** Whether an Environment takes nothing that no stage before has shown: then nothing comes there by itself without one. */
export function demandsBefore(
  gates: Pick<Gates, 'soak' | 'checks'> | undefined,
): gates is Pick<Gates, 'soak' | 'checks'> {
  return gates?.soak !== undefined || gates?.checks !== undefined;
}

/** Undefined: there is a stage before, or what keeps that from being known is in the way already. */
function whyNothing(governance: Governance): string | undefined {
  switch (governance.is) {
    case 'Free':
      return 'no PromotionPolicy selects this Application';
    case 'InNoStage':
      return `PromotionPolicy ${governance.policy} has it in no stage, or its entry has a ref of its own`;
    case 'InStage': {
      const { after, stage, policy } = governance;
      return after === undefined
        ? `its stage ${stage} of PromotionPolicy ${policy} comes after none`
        : undefined;
    }
    case 'Contested':
    case 'Unknown':
      return undefined;
  }
}
