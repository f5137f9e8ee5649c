import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InStage } from '../../promote/governance.ts';
import { leftAfterSkipping } from '../../promote/skipping.ts';
import { type Candidate, type Deployment, newRecord, type TargetRecord } from '../record/record.ts';
import { Evidence, type Shown } from './evidence.ts';
import { promotionOf, stoppedBy } from './promotion.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';

const ASKED = 'a'.repeat(64);
const NOW = new Date('2026-11-30T10:00:00Z');
const digestIn = (environment: string) => `sha256:${environment}`;
const candidateIn = (environment: string) =>
  ({ id: 'sha256:id', digest: digestIn(environment) }) as unknown as Candidate;
const identityOf = (environment: string) => ({
  id: environment,
  name: `shop/web/${environment}`,
  application: 'shop/web',
  environment,
});

function recordIn(environment: string, runs: Candidate): TargetRecord {
  const its = { id: 1, candidate: runs, outcome: 'Succeeded', trigger: 'Promotion' };
  return {
    ...newRecord(identityOf(environment)),
    asks: [{ asked: ASKED, digest: digestIn(environment) }],
    deployment: its as unknown as Deployment,
  };
}

/** How eu is, and what it shows to the others; it came to what they wait for, unless it is suspended. */
interface Down {
  readonly record: TargetRecord;
  readonly shown: Shown;
  readonly words: RegExp;
}
const older = candidateIn('older');
const DOWN: Readonly<Record<string, Down>> = {
  'out of reach': {
    record: recordIn('eu', candidateIn('eu')),
    shown: { asked: ASKED, digest: digestIn('eu'), health: 'Unknown' },
    words: /how environment eu is cannot be seen for now/,
  },
  suspended: {
    record: { ...recordIn('eu', older), asks: [] },
    shown: { asked: undefined, digest: older.digest, health: 'Unknown', stopped: 'Suspended' },
    words: /environment eu is suspended/,
  },
  'suspended with it': {
    record: recordIn('eu', candidateIn('eu')),
    shown: { asked: undefined, digest: digestIn('eu'), health: 'Unknown', stopped: 'Suspended' },
    words: /environment eu is suspended/,
  },
  frozen: {
    record: recordIn('eu', older),
    shown: { asked: ASKED, digest: older.digest, health: 'Healthy', stopped: 'Frozen' },
    words: /environment eu is frozen, and does not run it/,
  },
};

const AFTER_STAGING = { stage: 'staging', environments: ['staging'] };
const line = (stage: string, more: Partial<InStage>): InStage => ({
  is: 'InStage',
  policy: 'line',
  stage,
  isFollowed: false,
  ...more,
});
/** Who waits, and whether what is the matter with eu keeps it out. */
const WAITS: Readonly<Record<string, { in: string; governance: InStage; isKeptOut: boolean }>> = {
  'beside it in a Parallel stage': {
    in: 'us',
    governance: line('prod', { after: AFTER_STAGING }),
    isKeptOut: false,
  },
  'behind it in a Sequential stage': {
    in: 'us',
    governance: line('prod', { after: AFTER_STAGING, behind: 'eu' }),
    isKeptOut: true,
  },
  'after a stage that it is one of': {
    in: 'last',
    governance: line('last', { after: { stage: 'prod', environments: ['eu', 'asia'] } }),
    isKeptOut: true,
  },
};

function keptOutBy({ record, shown }: Down, { in: environment, governance }: (typeof WAITS)[string]) {
  const evidence = new Evidence(() => undefined);
  const own = { ...newRecord(identityOf(environment)), governed: true as const };
  const others = ['staging', 'asia'].map((name) => recordIn(name, candidateIn(name)));
  for (const { target } of others)
    evidence.note(target, { asked: ASKED, digest: digestIn(target.environment), health: 'Healthy' });
  evidence.note(record.target, shown);
  const run = {
    parts: {
      commands: { given: () => [] },
      store: { recordsOf: () => [...others, record, own], candidatesOf: () => [] },
      evidence,
      specifiedTargets: () => [],
    },
    application: { metadata: { name: 'web' } },
    target: { ...identityOf(environment), governance, settings: { mode: 'Automatic' } },
    context: { record: own, now: () => NOW, store: { candidatesOf: () => [] } },
    underWay: { asked: ASKED },
  } as unknown as Run;
  const found = { sight: 'Seen', wanted: { candidate: candidateIn(environment) } } as unknown as Findings;
  return promotionOf(run, found, () => []).blockedBy;
}

for (const [how, down] of Object.entries(DOWN))
  for (const [where, waits] of Object.entries(WAITS))
    test(`A12: an environment that is ${how} ${waits.isKeptOut ? 'keeps out' : 'does not keep out'} who comes ${where}`, () => {
      const kept = keptOutBy(down, waits);
      assert.deepEqual(
        kept.map(({ reason }) => reason),
        waits.isKeptOut ? ['Order'] : [],
      );
      if (waits.isKeptOut) assert.match(kept[0]?.message ?? '', down.words);
      assert.deepEqual(leftAfterSkipping(kept, ['order']), [], 'a person may pass it by');
    });

test('A12: an environment shows that it is suspended, or frozen, to those that wait for it', () => {
  const shown = (suspended: string | undefined, reasons: readonly string[]) => {
    const blockedBy = reasons.map((reason) => ({ reason }));
    return stoppedBy({ settings: { suspended }, blockedBy } as unknown as TargetState).stopped;
  };
  assert.equal(shown(undefined, ['OutsideWindow']), undefined);
  assert.equal(shown(undefined, ['OutsideWindow', 'Frozen']), 'Frozen');
  assert.equal(shown('It is suspended.', ['Frozen']), 'Suspended');
});
