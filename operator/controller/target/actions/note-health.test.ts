import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthState } from '../../../api/v1alpha1/application.ts';
import type { AppliedObject } from '../../../manifest/applied.ts';
import type { Governance } from '../../../promote/governance.ts';
import { healthyMs, type Soak } from '../../../promote/soak.ts';
import type { Verified } from '../../../promote/verify.ts';
import type { Deployment, TargetRecord } from '../../record/record.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import { noteHealth } from './note-health.ts';

const DIGEST = `sha256:${'d'.repeat(64)}`;
const MINUTE = 60_000;
const START = Date.parse('2026-11-30T10:00:00Z');
const at = (minute: number) => new Date(START + minute * MINUTE);
const ASKED: Governance = {
  is: 'InStage',
  policy: 'standard',
  stage: 'staging',
  isFollowed: true,
  soakedMs: 60 * MINUTE,
};
const CONFIRMED = { how: 'Confirmed' };
const DRIFTED = { how: 'Advanced', result: { progress: { state: 'Drifted' } } };

interface LookOptions {
  /** Minute until which the process before looked; undefined: this one has looked before. */
  ledUntil?: number;
  lookedAfter?: object | 'Nothing';
  /** Of its only object, where it has one. */
  health?: HealthState;
  /** Minutes at which somebody wrote to its objects. */
  written?: readonly number[];
  save?: () => Promise<void>;
  onVerified?: (application: string, verified: Verified) => void;
}

/** So many minutes the cluster's clock is ahead of the one at home. */
const CLOCK_AHEAD = 7;

/** As the cluster's clock has it. */
const objectWrittenAt = (minute: number) => ({
  group: '',
  kind: 'ConfigMap',
  entry: { hash: '', time: at(minute + CLOCK_AHEAD).toISOString() },
});

const WEB = { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web', uid: 'u' };

/** Something healthy that has counted since the start. */
function newTarget() {
  const deployment = { candidate: { id: DIGEST, digest: DIGEST }, outcome: 'Succeeded', applied: true };
  const soak: Soak = { digest: DIGEST, ms: 0, since: at(0).toISOString() };
  const record = { deployment, soak, applied: new Map() } as unknown as TargetRecord;
  const its = { record, writes: 0 };
  const look = async (
    minute: number,
    governance: Governance,
    {
      ledUntil,
      lookedAfter = CONFIRMED,
      health,
      written = [],
      save: write = async () => undefined,
      onVerified,
    }: LookOptions = {},
  ) => {
    const save = async () => {
      await write();
      its.writes += 1;
    };
    const { signal } = new AbortController();
    const run = {
      context: {
        record,
        store: { save },
        access: { signal, targetId: '' },
        inventory: {
          of: () =>
            health === undefined
              ? new Map(written.map((one) => [one, objectWrittenAt(one)]))
              : new Map([['web', { ...WEB, health: { state: health } }]]),
          watches: { unseen: () => undefined },
        },
        signal,
        now: () => at(minute),
        clusterNow: () => at(minute + CLOCK_AHEAD),
      },
      parts: {
        evidence: { knows: () => ledUntil === undefined },
        ledUntil: () => (ledUntil === undefined ? undefined : at(ledUntil)),
        onVerified,
      },
      target: { application: 'shop/web', governance, settings: { timeoutMs: 5 * MINUTE } },
    } as unknown as Run;
    record.applied = new Map(health === undefined ? [] : [['web', WEB as unknown as AppliedObject]]);
    const state = { soaks: true, deployment: record.deployment };
    const found = { sight: 'Seen', ...(lookedAfter === 'Nothing' ? {} : { lookedAfter }) };
    await noteHealth(run, { ...state, found } as unknown as TargetState);
  };
  return { its, look };
}

const { soakedMs: _, ...unasked } = ASKED;
for (const [what, governance] of [
  ['no policy selects it any more', { is: 'Free' }],
  ['several do', { is: 'Contested', policies: ['one', 'other'] }],
  ['its environment is in no stage any more', { is: 'InNoStage', policy: 'standard' }],
  ['nobody waits for it to soak any more', unasked],
] satisfies [string, Governance][])
  test(`A14, D7: what soaked costs processes that begin anew one write in all, and counts no time in which none looked: ${what}`, async () => {
    const { its, look } = newTarget();
    await look(10, governance);
    assert.equal(its.writes, 0, 'who saw it begin goes on');
    for (const minute of [100, 200, 300]) await look(minute, governance, { ledUntil: minute - 80 });
    assert.equal(its.writes, 1);
    await look(400, ASKED);
    assert.equal(healthyMs(its.record.soak ?? { ms: 0 }, at(410)), (20 + 2 + 10) * MINUTE);
  });

test('D7: of a time in which nobody looked none counts where somebody wrote to what runs in it, by the clock of its cluster', async () => {
  for (const [written, counted] of [
    [[], 21],
    [[3, 19], 21],
    [[20], 20],
    [[3, 20.5], 20],
  ] as const) {
    const { its, look } = newTarget();
    await look(21, ASKED, { ledUntil: 20, written });
    assert.equal(healthyMs(its.record.soak ?? { ms: 0 }, at(21)), counted * MINUTE, written.join());
  }
});

test('A14: what has soaked for long enough is not written anew by a process that begins', async () => {
  const { its, look } = newTarget();
  await look(100, ASKED, { ledUntil: 90 });
  assert.equal(its.writes, 0);
});

for (const [what, lookedAfter] of [
  ['nothing is written there', 'Nothing'],
  ['what is written there is refused', { how: 'Not', error: new Error('it is refused for now') }],
] as const)
  test(`A4: a soak begins anew with what is Degraded or Missing, also while ${what}, and stands still with what cannot be seen`, async () => {
    const soakOf = async (health: HealthState) => {
      const { its, look } = newTarget();
      await look(10, ASKED, { lookedAfter, health });
      return its.record.soak;
    };
    const anew = { digest: DIGEST, ms: 0, broken: true };
    assert.deepEqual([await soakOf('Degraded'), await soakOf('Missing')], [anew, anew]);
    assert.deepEqual(await soakOf('Unknown'), { digest: DIGEST, ms: 10 * MINUTE });
  });

test('A13: since when somebody changed what soaks is noted once, and no look after that writes', async () => {
  const { its, look } = newTarget();
  for (const minute of [10, 11, 12]) await look(minute, ASKED, { lookedAfter: DRIFTED });
  assert.equal(its.writes, 1);
  assert.equal(its.record.soak?.changedSince, at(10).toISOString());
  await look(13, ASKED);
  assert.deepEqual(its.record.soak, { digest: DIGEST, ms: 10 * MINUTE, since: at(13).toISOString() });
});

test('A20: what failed before it could be verified is counted as no verification that failed', async () => {
  const verified: string[] = [];
  for (const outcome of ['Succeeded', 'Failed']) {
    const candidate = { id: DIGEST, digest: DIGEST };
    const verify = { forMs: MINUTE, onFailure: 'Keep', ms: 0, since: at(0).toISOString() };
    const deployment = { candidate, outcome, applied: true, verify } as unknown as Deployment;
    const record = { deployment, applied: new Map() } as unknown as TargetRecord;
    const { signal } = new AbortController();
    const run = {
      context: {
        record,
        store: { save: async () => undefined },
        access: { signal, targetId: '' },
        inventory: { of: () => new Map() },
        signal,
        now: () => at(2),
        clusterNow: () => at(2),
      },
      parts: {
        evidence: { knows: () => true },
        onVerified: (_: string, one: Verified) =>
          verified.push(`${outcome}: ${one.outcome}, ${one.onFailure}`),
      },
      target: { governance: ASKED, settings: { timeoutMs: 5 * MINUTE } },
    } as unknown as Run;
    const found = { sight: 'Seen', lookedAfter: CONFIRMED };
    await noteHealth(run, { soaks: false, deployment, found } as unknown as TargetState);
    assert.equal(record.deployment?.verify?.outcome, outcome === 'Failed' ? 'Failed' : 'Passed');
  }
  assert.deepEqual(verified, ['Succeeded: Passed, Keep']);
});

test('D12: that what entered has passed is told once its record is written, and not where that fails', async () => {
  const verified = async (save: () => Promise<void>) => {
    const { its, look } = newTarget();
    const { deployment } = its.record;
    assert.ok(deployment !== undefined);
    const verify = { forMs: MINUTE, onFailure: 'Rollback', ms: 0, since: at(0).toISOString() } as const;
    its.record.deployment = { ...deployment, verify };
    const told: unknown[] = [];
    const onVerified = (application: string, { outcome }: Verified) =>
      told.push([application, outcome, its.record.deployment?.verify?.outcome, its.writes]);
    await look(2, ASKED, { save, onVerified }).catch(() => undefined);
    return told;
  };
  assert.deepEqual(await verified(async () => undefined), [['shop/web', 'Passed', 'Passed', 1]]);
  assert.deepEqual(await verified(() => Promise.reject(new Error('away'))), []);
});
