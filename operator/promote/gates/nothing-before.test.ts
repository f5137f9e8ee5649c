import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gates } from '../../api/v1alpha1/gates.ts';
import { FREE, type Governance, type InStage } from '../governance.ts';
import { nothingBefore } from './nothing-before.ts';

const SOAK: Gates = { soak: '1h' };
const job = { spec: { template: {}, backoffLimit: 0, activeDeadlineSeconds: 600 } };
const CHECK: Gates = { checks: [{ name: 'smoke', job }] };
const FIRST: InStage = { is: 'InStage', policy: 'standard', stage: 'prod', isFollowed: false };
const LATER: InStage = { ...FIRST, after: { stage: 'staging', environments: [] } };
const UNKNOWN: Governance = { is: 'Unknown', problem: 'no answer' };

const CASES: readonly [string, Governance, Gates, readonly RegExp[]][] = [
  ['no policy', FREE, SOAK, [/^Soak: .*was healthy for 1h in the stage before.*no PromotionPolicy selects/]],
  [
    'no policy, and both',
    FREE,
    { ...SOAK, ...CHECK },
    [/^Soak: .*healthy for 1h and passed checks in .*--skip-gates=soak,checks$/, /^Checks: /],
  ],
  [
    'the first stage',
    FIRST,
    CHECK,
    [/^Checks: .*its stage prod of PromotionPolicy standard comes after none/],
  ],
  ['another one of the first stage before it', { ...FIRST, behind: 'eu' }, SOAK, [/^Soak: /]],
  ['no stage', { is: 'InNoStage', policy: 'p' }, SOAK, [/PromotionPolicy p has it in no stage/]],
  ['a stage before', LATER, { ...SOAK, ...CHECK }, []],
  ['nobody knows which policy', UNKNOWN, SOAK, []],
  ['two policies', { is: 'Contested', policies: ['a', 'b'] }, SOAK, []],
  ['no policy, and no such gates', FREE, { windows: [] }, []],
];
for (const [what, governance, gates, words] of CASES)
  test(`S14: what an Environment demands of the stage before, where there is ${what}`, () => {
    const told = nothingBefore({ environment: 'prod', governance, gates });
    assert.equal(told.length, words.length);
    for (const [index, { reason, message, standing, clearsAt }] of told.entries()) {
      assert.match(`${reason}: ${message}`, words[index] ?? /^$/);
      assert.deepEqual([standing, clearsAt], ['Blocked', undefined]);
    }
  });
