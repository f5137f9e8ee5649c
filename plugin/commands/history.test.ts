import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LedgerEntry } from '../../operator/api/v1alpha1/ledger.ts';
import type { Ledger } from '../ledger/at.ts';
import type { Context } from './command.ts';
import { history, ratesIn } from './history.ts';

const minute = (count: number) => new Date(Date.UTC(2026, 10, 30, 10, count)).toISOString();

function entry(id: number, phase: LedgerEntry['phase'], more: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    uid: `u-${id}`,
    promotion: `web-prod-${id}`,
    application: 'web',
    environment: 'prod',
    type: 'Promote',
    phase,
    by: 'towpath:Commit',
    deployment: id,
    applicationUID: 'a',
    requestedAt: minute(id),
    startedAt: minute(id),
    ...more,
  };
}

const ALL = { application: 'web', environment: undefined, times: undefined };
const ledger = (more: Partial<Ledger>): Ledger => {
  return { entries: [], unrecorded: [], reach: 'Whole', isGone: () => false, ...more };
};

test('A5: a deployment counts once, also where its record came back from a backup under another uid', () => {
  const entries = [entry(1, 'Succeeded'), entry(2, 'Failed'), entry(2, 'Failed', { uid: 'restored' })];
  assert.deepEqual(ratesIn(ledger({ entries }), ALL), [
    { environment: 'prod', deployments: 2, failed: 1, failureRate: 0.5, complete: true },
  ]);
});

test('what is not recorded counts as nothing, and it is said that something is missing: of the environment that it is of', () => {
  const unrecorded = [{ ...entry(2, 'Deploying'), isUnrecorded: true as const }];
  const others = { environment: 'staging', promotion: 'web-staging-1', uid: 's' };
  const entries = [entry(1, 'Succeeded'), entry(1, 'Succeeded', others)];
  const rates = ratesIn(ledger({ entries, unrecorded }), ALL);
  assert.deepEqual(
    rates.map(({ environment, deployments, complete }) => [environment, deployments, complete]),
    [
      ['prod', 1, false],
      ['staging', 1, true],
    ],
  );
});

/** What a user sees of ten Promotions of the last ten minutes, without a right to read the archive. */
async function seen(time: string) {
  const printed: string[] = [];
  const told: string[] = [];
  const items = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20].map((id) => ({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: {
      name: `web-prod-${id}`,
      namespace: 'shop',
      uid: `u-${id}`,
      resourceVersion: '1',
      generation: 1,
    },
    spec: {
      type: 'Promote',
      application: 'web',
      environment: 'prod',
      candidate: `sha256:${'a'.repeat(64)}`,
      requestedBy: 'towpath:Commit',
      deployment: { applicationUID: 'a', id, startedAt: minute(id) },
    },
    status: { phase: 'Succeeded', deployment: id, startedAt: minute(id), finishedAt: minute(id) },
  }));
  const web = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', uid: 'a', resourceVersion: '1', generation: 1 },
    spec: { source: { repoURL: 'https://git.example.com/web' }, environments: [{ name: 'prod' }] },
  };
  const kubectl = {
    namespace: () => Promise.resolve('shop'),
    json: () => Promise.resolve({ items }),
    // The archive alone may not be read.
    jsonIfAny: (...args: readonly unknown[]) =>
      Promise.resolve(/applications/.test(args.join(' ')) ? { items: [web] } : undefined),
  };
  const code = await history.run({
    kubectl,
    words: ['web'],
    flags: { rates: true, time, output: 'json' },
    now: () => new Date(minute(21)),
    signal: new AbortController().signal,
    out: { write: (text: string) => printed.push(text) },
    err: { write: (text: string) => told.push(text) },
  } as unknown as Context);
  return { code, told: told.join(''), rates: JSON.parse(printed.join('')) };
}

test('A5: who cannot read the archive is told that the last ten are not the month that was asked for', async () => {
  const month = await seen('30d..');
  assert.equal(month.code, 10);
  assert.match(month.told, /Not all deployments of prod .* towpath-system cannot be read with your rights/);
  assert.deepEqual(month.rates, [
    { environment: 'prod', deployments: 10, failed: 0, failureRate: 0, complete: false },
  ]);
  const minutes = await seen('9m..');
  assert.deepEqual([minutes.code, minutes.told], [0, '']);
  assert.deepEqual(minutes.rates, [
    { environment: 'prod', deployments: 9, failed: 0, failureRate: 0, complete: true },
  ]);
});
