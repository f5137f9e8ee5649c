import type { Command } from '../../operator/promote/command.ts';

/** What anna asks for of web in prod. */
export function commandInProd(uid: string, type: Command['type'], more: Partial<Command>): Command {
  const who = { application: 'web', environment: 'prod', by: 'anna', reason: '', skipGates: [] };
  return { uid, promotion: uid, type, requestedAt: new Date(0), ...who, ...more };
}

/** Of a target that a policy has in its second stage, what decides on commands. */
export const GOVERNED_PROD = {
  name: 'shop/web/prod',
  environment: 'prod',
  governance: {
    is: 'InStage',
    policy: 'standard',
    stage: 'prod',
    after: { stage: 'staging', environments: ['staging'] },
    isFollowed: false,
  },
  gates: {},
  settings: { mode: 'Automatic' },
} as const;
