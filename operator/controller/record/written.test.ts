import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppliedObject } from '../../manifest/applied.ts';
import { objectKey } from '../../manifest/manifest.ts';
import { Slices } from '../../observe/slices.ts';
import { type Candidate, candidateKey, type Deployment, type TargetRecord } from './record.ts';
import { readDescribed, readIndex, readRecord, writtenRecord } from './written.ts';

const hex = 'ab'.repeat(32);

const candidate: Candidate = {
  id: `sha256:${hex}`,
  inputs: hex,
  request: hex,
  revision: 'c0ffee'.padEnd(40, '0'),
  ref: 'refs/heads/main',
  commit: { message: 'One', author: 'A. Uthor', committedAt: '2026-01-01T00:00:00Z' },
  chart: 'web-1.2.3',
  appVersion: '1.2.3',
  digest: `sha256:${hex}`,
  reads: { kubeVersion: 'v1.36.0', 'has batch/v1': 'true' },
};

const deployment: Required<Deployment> = {
  id: 7,
  candidate,
  trigger: 'Manual',
  request: 'now',
  generation: 3,
  startedAt: '2026-01-01T00:00:00Z',
  install: false,
  hooks: ['pre-upgrade batch/Job/shop/migrate'],
  deferred: ['/ConfigMap/shop/web'],
  consented: true,
  applied: true,
  outcome: 'Failed',
  finishedAt: '2026-01-01T00:01:00Z',
  pausedAt: '2026-01-01T00:00:30Z',
  pausedMs: 500,
  attempts: 2,
  exhausted: true,
  reason: 'HookFailed',
  message: 'Job shop/migrate failed.',
};

const applied: Required<AppliedObject> = {
  group: '',
  kind: 'PersistentVolumeClaim',
  namespace: 'shop',
  name: 'data',
  apiVersion: 'v1',
  uid: 'u',
  digest: hex,
  entry: { hash: 'h', time: '2026-01-01T00:00:00Z' },
  atRest: true,
  larger: { git: '1Gi', live: '2Gi' },
};

const record: Required<TargetRecord> = {
  target: { id: 'ab'.repeat(10), name: 'shop/web/default', application: 'shop/web', environment: 'default' },
  kinds: [{ group: 'apps', kind: 'Deployment', namespace: 'shop' }],
  applied: new Map([[objectKey(applied), applied]]),
  deployment,
  ended: [deployment],
  pending: candidate,
  candidates: [candidate],
  succeeded: candidateKey(candidate),
  settings: hex,
};

/** As JSON brings it back. */
function written(change: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...JSON.parse(JSON.stringify(writtenRecord(record))), ...change };
}

test('a record is read as it was written, whatever it has', async () => {
  assert.deepEqual(await readRecord(written(), new Slices()), record);
});

const [object] = written().applied as Record<string, unknown>[];
const { version: _version, ...unversioned } = written();
const untrusted: Record<string, unknown> = {
  nothing: undefined,
  'a text': 'no',
  'without a version': unversioned,
  'of an older version': written({ version: 0 }),
  'of a newer version': written({ version: 2 }),
  'of a version that is a text': written({ version: '1' }),
  'with a member that nobody knows': written({ more: true }),
  'without kinds': written({ kinds: undefined }),
  'with kinds of another shape': written({ kinds: ['apps/Deployment'] }),
  'with an applied object without uid': written({ applied: [{ ...object, uid: undefined }] }),
  'with an applied object that has more': written({ applied: [object, { ...object, more: true }] }),
  'with a list of applied objects that is none': written({ applied: {} }),
  'S18: with a candidate by 12 digits': written({ candidates: [{ ...candidate, id: 'c-0123456789ab' }] }),
  'S18: with a success by 12 digits': written({ succeeded: 'c-0123456789ab' }),
  'with a deployment of an outcome that nobody knows': written({
    deployment: { ...deployment, outcome: 'RolledBack' },
  }),
};
for (const [what, value] of Object.entries(untrusted)) {
  test(`D9: no record is trusted ${what}`, async () => {
    await assert.rejects(readRecord(value, new Slices()));
  });
}

test('D9: kept manifests and their index are trusted in one shape only', async () => {
  const { entry: _, uid: __, atRest: ___, larger: ____, ...id } = applied;
  const manifest = { ...id, annotations: {} };
  const hook = { events: ['pre-install'], weight: 1, deletePolicies: ['hook-failed'] };
  const slices = new Slices();
  const described = { objects: [manifest], hooks: [{ ...manifest, hook, file: 'a.yaml' }] };
  assert.deepEqual(await readDescribed(described, slices), described);
  for (const other of [
    undefined,
    { objects: [manifest] },
    { ...described, hooks: [{ ...manifest, hook: { ...hook, events: ['when-it-likes'] } }] },
    { ...described, objects: [{ ...manifest, digest: 'short' }] },
  ])
    await assert.rejects(readDescribed(other, slices));
  const index = { places: [['o.a', { secret: 's', bytes: 1 }]], manifests: [[candidate.digest, [0]]] };
  assert.deepEqual(await readIndex(index, slices), index);
  for (const other of [undefined, { at: 's' }, { ...index, manifests: [[candidate.digest, ['o.a']]] }])
    await assert.rejects(readIndex(other, slices));
});
