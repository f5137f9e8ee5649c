import assert from 'node:assert/strict';
import { type Application, parseApplication } from '../../operator/api/v1alpha1/application.ts';
import type { Gates } from '../../operator/api/v1alpha1/gates.ts';
import { type PromotionPolicy, parsePolicy } from '../../operator/api/v1alpha1/promotion-policy.ts';
import { ENVIRONMENTS, type Environment } from './staged-year.ts';

const WINDOW = {
  days: ['Mon', 'Tue', 'Wed', 'Thu'],
  from: '09:00',
  until: '16:00',
  timeZone: 'Europe/Berlin',
};
const PROD = {
  name: 'prod',
  after: ['staging'],
  environments: ['eu', 'us'],
  rollout: 'Sequential',
  gates: { soak: '30m', windows: [WINDOW] },
};
const VERIFIED = { ...PROD, verify: { for: '20m', onFailure: 'Rollback' } };
const STAGING = {
  name: 'staging',
  environments: ['staging'],
  verify: { for: '10m', onFailure: 'Rollback' },
};
/** So long a yes counts. */
export const VALID_HOURS = 24;
const PARTNER = {
  name: 'partner',
  after: ['staging'],
  environments: ['partner'],
  gates: { soak: '2h', approvals: { required: 1, validFor: `${VALID_HOURS}h` } },
};
const LAST = { name: 'last', after: ['prod'], environments: ['last'], gates: { soak: '1h' } };

function policy(name: string, stages: readonly object[]): PromotionPolicy {
  const parsed = parsePolicy({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name, namespace: 'shop' },
    spec: { selector: {}, stages },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.policy;
}

const TREE = policy('standard', [STAGING, VERIFIED, PARTNER, LAST]);

/** What there is in turn: the tree; others by edit; none; two at once. */
export const POLICIES: readonly (readonly PromotionPolicy[])[] = [
  [TREE],
  [policy('standard', [STAGING, { ...VERIFIED, rollout: 'Parallel' }, PARTNER, LAST])],
  [policy('standard', [STAGING, { ...PROD, gates: { soak: '4h' } }, LAST])],
  [policy('standard', [{ ...STAGING, environments: ['partner', 'staging'] }, VERIFIED, LAST])],
  [],
  [TREE, policy('other', [STAGING])],
];

/** A soak as long as a day or two in two environments, and a window of seven hours. */
export function longSoak(soak: '12h' | '24h' | '48h'): readonly PromotionPolicy[] {
  const staging = { name: 'staging', environments: ['staging', 'partner'] };
  return [policy('standard', [staging, { ...PROD, gates: { soak, windows: [WINDOW] } }])];
}

/** What Environments demand themselves meanwhile. */
export const OWN_GATES: readonly Partial<Record<Environment, Gates>>[] = [
  { us: { soak: '1h' } },
  { us: { soak: '10m' }, partner: { soak: '3h' } },
  { us: { soak: '6h' } },
  {},
  { us: { soak: '1h' } },
  { eu: { soak: '2h' } },
];

/** In which of them us gets nothing before eu has it. */
export const SEQUENTIAL: readonly number[] = [0, 2, 3];

export function stagedApplication(): Application {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      source: { repoURL: 'https://git.example.com/web.git' },
      environments: ENVIRONMENTS.map((name) => ({ name })),
    },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.application;
}
