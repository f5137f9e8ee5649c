import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newManifest } from '../../../../test/harness/manifest.ts';
import { type LiveObject, ownerAnnotation } from '../../../manifest/live.ts';
import { idOf, objectKey } from '../../../manifest/manifest.ts';
import type { Command } from '../../../promote/command.ts';
import { candidateKey, type Deployment, newRecord, type TargetRecord } from '../../record/record.ts';
import { Claims } from '../claims.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import { goBack } from './go-back.ts';
import { advance } from './look-after.ts';

const NOW = new Date('2026-11-30T10:00:00Z');
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const OLD = { id: digest('1'), digest: digest('a'), revision: '1'.repeat(40), ref: 'refs/heads/main' };
const NEW = { ...OLD, id: digest('2'), digest: digest('b'), revision: '2'.repeat(40) };
const WEB = newManifest('web', '{}');
const PROD = {
  id: 'ab'.repeat(10),
  name: 'shop/web/prod',
  application: 'shop/web',
  environment: 'prod',
};
const TARGET = { ...PROD, cluster: 'home', namespace: 'shop', settings: { timeoutMs: 300_000 } };
const OTHER = { id: 'cd'.repeat(10), name: 'shop/other/default', cluster: 'home' };
const ENTRY = { hash: 'h', time: '2026-01-01T00:00:00Z' };
const LIVE = {
  ...WEB,
  uid: 'u',
  target: PROD.id,
  owner: ownerAnnotation(PROD.name, WEB),
  deleting: false,
  madeFor: [],
  entry: ENTRY,
} as unknown as LiveObject;

/** A target whose ConfigMap is there as the record has it, so that nothing is asked about it. */
function newRun(deployment: Partial<Deployment>, more: Partial<TargetRecord> = {}) {
  const record: TargetRecord = {
    ...newRecord(PROD),
    deployment: { id: 2, candidate: NEW, applied: false, ...deployment } as unknown as Deployment,
    succeeded: candidateKey(OLD),
    ...more,
  };
  record.applied.set(objectKey(WEB), {
    ...idOf(WEB),
    apiVersion: 'v1',
    uid: 'u',
    digest: WEB.digest,
    entry: ENTRY,
  });
  const records = new Map([[PROD.id, record]]);
  const claims = new Claims({ recordOf: ({ id }) => records.get(id) });
  const { signal } = new AbortController();
  const store = {
    candidatesOf: () => [OLD, NEW],
    manifests: () => Promise.resolve({ objects: [WEB], hooks: [] }),
    save: () => Promise.resolve(),
  };
  const context = {
    target: TARGET,
    record,
    store,
    signal,
    now: () => NOW,
    clusterNow: () => NOW,
    settings: { ignore: [], prune: true },
    slices: { pause: () => undefined },
    inventory: {
      watches: { ensure: () => Promise.resolve() },
      of: () => new Map([[objectKey(WEB), LIVE]]),
      isScaled: () => false,
    },
    access: {
      targetId: PROD.id,
      targetName: PROD.name,
      signal,
      discovery: { resourceFor: () => undefined },
    },
    moving: { takersOf: () => Promise.resolve(new Map()) },
    unreported: { begin: () => undefined },
  };
  const application = { metadata: { name: 'web', namespace: 'shop', generation: 1 } };
  const run = { parts: { claims, store }, application, target: TARGET, context } as unknown as Run;
  return { run, record, claims };
}

const isTakenBy = (claims: Claims, name: string) =>
  assert.throws(() => claims.take(OTHER, [WEB]), new RegExp(`is being made by Application ${name}`));

test('D5: what another Application is about to make is not made by what an earlier process began', async () => {
  const { run, claims } = newRun({});
  claims.take(OTHER, [WEB]);
  await assert.rejects(advance(run, { found: {} } as TargetState), /being made by Application shop\/other/);
  claims.release(OTHER.name);
  // It gets no further here: the rest needs a cluster.
  await advance(run, { found: {} } as TargetState).catch(() => undefined);
  isTakenBy(claims, 'shop/web');
});

test('D5: what another Application is about to make is not gone back to, and nobody makes what is', async () => {
  const verify = { forMs: 1, onFailure: 'Rollback', ms: 0, outcome: 'Failed' } as const;
  const { run, record, claims } = newRun({ outcome: 'Failed', verify });
  claims.take(OTHER, [WEB]);
  assert.deepEqual(await goBack(run, {} as TargetState), { type: 'Stayed' });
  assert.match(record.deployment?.message ?? '', /is refused: .* being made by Application shop\/other/);
  claims.release(OTHER.name);
  assert.deepEqual(await goBack(run, {} as TargetState), { type: 'WentBack' });
  isTakenBy(claims, 'shop/web');
});

test('D12, A26: who goes back to what was rejected and taken back under another name wants it again', async () => {
  const said = { at: NOW.toISOString(), candidate: OLD.id };
  const { run, record } = newRun(
    { outcome: 'Succeeded', applied: true },
    {
      inherited: true,
      rejected: [{ ...said, digest: digest('c'), why: 'It was slow.' }],
      cancelled: { ...said, digest: digest('d'), promotion: 'stop', by: 'anna' },
    },
  );
  const asked = {
    type: 'Rollback',
    uid: 'u',
    promotion: 'back',
    by: 'olga',
    reason: '',
    candidate: OLD.digest,
  };
  const state = { asked: asked as unknown as Command } as TargetState;
  assert.deepEqual(await goBack(run, state), { type: 'WentBack' });
  assert.deepEqual(
    record.rejected?.map((one) => one.digest),
    [NEW.digest],
  );
  assert.equal(record.cancelled, undefined);
});
