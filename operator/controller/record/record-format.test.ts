import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppliedObject } from '../../manifest/applied.ts';
import { objectKey } from '../../manifest/manifest.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import type { Accepted, ApplicationRecord } from './application-record.ts';
import type { BasePin } from './base-pins.ts';
import type { ChartPin } from './chart-pins.ts';
import { candidateKey, type Deployed, type Deployment, type TargetRecord } from './record.ts';
import {
  readApplication,
  readDescribed,
  readIndex,
  readTarget,
  versionMismatch,
  writtenApplication,
  writtenTarget,
} from './record-format.ts';

const hex = 'ab'.repeat(32);

const deployed: Required<Deployed> = {
  id: `sha256:${hex}`,
  request: hex,
  revision: 'c0ffee'.padEnd(40, '0'),
  ref: 'refs/heads/main',
  commit: { message: 'One', author: 'A. Uthor', committedAt: '2026-01-01T00:00:00Z' },
  chart: 'web-1.2.3',
  published: { repository: 'https://charts.example.com', name: 'web', version: '1.2.3', digest: hex },
  appVersion: '1.2.3',
  digest: `sha256:${hex}`,
};

const reads = { kubeVersion: 'v1.36.0', 'has batch/v1': 'true' };
const { digest, ...ofAll } = deployed;
const accepted: Required<Accepted> = {
  ...ofAll,
  verified: hex,
  inputs: hex,
  order: 3,
  environments: { staging: { digest }, prod: { digest, reads } },
};
const charts: Required<ChartPin>[] = [
  { repository: 'https://charts.example.com', name: 'redis', version: '1.0.0', digest: hex, range: '^1.0.0' },
];
const bases: Required<BasePin>[] = [
  {
    repository: 'https://git.example.com/acme/base',
    ref: 'main',
    commit: 'a1'.repeat(20),
    name: 'refs/heads/main',
    revision: 'b2'.repeat(20),
  },
];
const application: Required<ApplicationRecord> = {
  application: 'shop/web',
  order: 4,
  candidates: [accepted],
  charts,
  bases,
};

const deployment: Required<Deployment> = {
  id: 7,
  candidate: deployed,
  trigger: 'Manual',
  generation: 3,
  startedAt: '2026-01-01T00:00:00Z',
  clusterStartedAt: '2026-01-01T00:00:00Z',
  install: false,
  hooks: ['pre-upgrade batch/Job/shop/migrate'],
  deferred: ['/ConfigMap/shop/web'],
  from: ['default'],
  baseline: { objects: 3, coming: { 'apps/Deployment': 1 } },
  consented: ['uid-1'],
  applied: true,
  outcome: 'Failed',
  finishedAt: '2026-01-01T00:01:00Z',
  verify: {
    forMs: 600_000,
    onFailure: 'Rollback',
    ms: 1_000,
    since: '2026-01-01T00:01:00Z',
    comingUpSince: '2026-01-01T00:01:00Z',
    outcome: 'Failed',
    endedAt: '2026-01-01T00:02:00Z',
    wentBack: 'Impossible',
  },
  passed: { stage: 'staging', asked: 'a'.repeat(64) },
  promoted: { promotion: 'web-1', uid: 'u', by: 'anna', skipped: ['windows'] },
  approvals: [{ name: 'web-prod-bens', by: 'ben', at: '2026-01-01T00:00:00Z' }],
  displaced: {
    hold: { promotion: 'web-0', uid: 'uid-0', by: 'olga', since: '2026-01-01T00:00:00Z' },
    rejected: [{ digest: `sha256:${hex}`, why: 'It failed.', at: '2026-01-01T00:00:00Z' }],
    cancelled: {
      digest: `sha256:${hex}`,
      promotion: 'web-3',
      by: 'ben',
      at: '2026-01-01T00:00:00Z',
      earlier: [{ digest: `sha256:${hex}`, promotion: 'web-2', by: 'ben', at: '2026-01-01T00:00:00Z' }],
    },
  },
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
  cluster: '0b0c8a5e-1111-4222-8333-444455556666',
  kinds: [{ group: 'apps', kind: 'Deployment', namespace: 'shop' }],
  applied: new Map([[objectKey(applied), applied]]),
  deployment,
  ended: [deployment],
  lastId: 7,
  pending: { id: deployed.id, digest },
  waiting: [{ id: deployed.id, digest, asked: hex }],
  asks: [{ asked: hex, digest }],
  soak: {
    digest,
    ms: 1_000,
    since: '2026-11-29T10:00:00.000Z',
    comingUpSince: '2026-11-29T10:00:00.000Z',
    changedSince: '2026-11-29T10:00:00.000Z',
    broken: true,
  },
  checks: {
    digest,
    runs: [
      {
        check: 'smoke',
        template: hex,
        run: 2,
        startedAt: '2026-11-29T10:00:00.000Z',
        ended: { outcome: 'Failed', at: '2026-11-29T10:01:00.000Z', why: 'exit code 1' },
        tries: 1,
      },
    ],
    request: hex,
  },
  rejected: [{ digest, why: 'It was Degraded.', at: '2026-01-01T00:02:00Z', candidate: digest }],
  cancelled: {
    digest,
    promotion: 'web-2',
    by: 'anna',
    at: '2026-11-29T10:00:00.000Z',
    candidate: digest,
  },
  hold: { promotion: 'web-1', uid: 'uid-2', by: 'anna', since: '2026-01-01T00:02:00Z', refused: true },
  answered: [{ uid: 'uid-2', phase: 'Failed', message: 'It is kept no more.' }],
  governed: true,
  inherited: true,
  took: { blue: 2 },
  whole: true,
  ran: [candidateKey(deployed)],
  succeeded: candidateKey(deployed),
  account: 'deployer',
  managedRole: 'edit',
  used: [{ approval: '0b0c8a5e-2222-4222-8333-444455556666', deployment: 7, at: '2026-01-01T00:00:00Z' }],
  abandoned: hex,
  ending: true,
  handledRequest: hex,
  settings: hex,
};

/** As JSON brings it back. */
function written(change: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...JSON.parse(JSON.stringify(writtenTarget(record))), ...change };
}

function writtenOfApplication(change: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...JSON.parse(JSON.stringify(writtenApplication(application))), ...change };
}

test('records are read as they were written, whatever they have', async () => {
  assert.deepEqual(await readTarget(written(), new Slices()), record);
  assert.deepEqual(await readApplication(writtenOfApplication(), new Slices()), application);
});

test('S9: a record of an Application that was written before charts were pinned is read', async () => {
  const { charts: _, ...older } = application;
  assert.deepEqual(
    await readApplication(JSON.parse(JSON.stringify(writtenApplication(older))), new Slices()),
    older,
  );
});

test('S16: a record that was written before it named the ClusterRole of managed access is read', async () => {
  const { managedRole: _, ...older } = record;
  const text = JSON.stringify(writtenTarget(older));
  assert.deepEqual(await readTarget(JSON.parse(text), new Slices()), older);
});

test("a target's record names candidates, and has none of what they were rendered of", async () => {
  const whole = { ...deployed, inputs: hex, reads, charts };
  const of = { ...record, deployment: { ...deployment, candidate: whole }, pending: whole };
  assert.deepEqual(await readTarget(JSON.parse(JSON.stringify(writtenTarget(of))), new Slices()), record);
});

test('D9, I2: of a record that a later build wrote all is read that is known', async () => {
  const more = { more: { of: ['a', 'later', 'build'] } };
  const { deployment: itsDeployment, applied = [] } = written();
  const later = {
    ...more,
    deployment: { ...(itsDeployment as object), ...more },
    applied: (applied as object[]).map((its) => ({ ...its, ...more })),
  };
  assert.deepEqual(await readTarget(written(later), new Slices()), record);
  const candidates = (writtenOfApplication()['candidates'] as object[]).map((its) => ({ ...its, ...more }));
  const read = await readApplication(writtenOfApplication({ ...more, candidates }), new Slices());
  assert.deepEqual(read, application);
});

const [object] = written().applied as Record<string, unknown>[];
const { version: _version, ...unversioned } = written();
const untrusted: Record<string, unknown> = {
  nothing: undefined,
  'a text': 'no',
  'without a version': unversioned,
  'of an older version': written({ version: 2 }),
  'of a newer version': written({ version: 4 }),
  'of a version that is a text': written({ version: '2' }),
  'without kinds': written({ kinds: undefined }),
  'with kinds of another shape': written({ kinds: ['apps/Deployment'] }),
  'with an applied object without uid': written({ applied: [{ ...object, uid: undefined }] }),
  'with a list of applied objects that is none': written({ applied: {} }),
  'S18: with a candidate by 12 digits': written({ pending: { id: 'c-0123456789ab', digest } }),
  'S18: with one that waits by 12 digits': written({
    waiting: [{ id: 'c-0123456789ab', digest, asked: hex }],
  }),
  'S18: with one that ran by 12 digits': written({ ran: ['c-0123456789ab'] }),
  'S18: with a success by 12 digits': written({ succeeded: 'c-0123456789ab' }),
  'with a deployment of an outcome that nobody knows': written({
    deployment: { ...deployment, outcome: 'Forgotten' },
  }),
};
for (const [what, value] of Object.entries(untrusted)) {
  test(`D9: no record of a target is trusted ${what}`, async () => {
    await assert.rejects(readTarget(value, new Slices()));
  });
}

const [one] = writtenOfApplication().candidates as Record<string, unknown>[];
const { version: _none, ...unversionedApplication } = writtenOfApplication();
const untrustedApplication: Record<string, unknown> = {
  nothing: undefined,
  'without a version': unversionedApplication,
  'of an older version': writtenOfApplication({ version: 2 }),
  'of a newer version': writtenOfApplication({ version: 4 }),
  "that is a target's": written(),
  'without candidates': writtenOfApplication({ candidates: undefined }),
  'with a base of no commit': writtenOfApplication({ bases: [{ ...bases[0], commit: 'main' }] }),
  'with a chart of no digest': writtenOfApplication({ charts: [{ ...charts[0], digest: '' }] }),
  'with a candidate of no order': writtenOfApplication({ candidates: [{ ...one, order: undefined }] }),
  'with a candidate of no environments': writtenOfApplication({ candidates: [{ ...one, environments: [] }] }),
  'S18: with a candidate by 12 digits': writtenOfApplication({
    candidates: [{ ...one, id: 'c-0123456789ab' }],
  }),
  'S18: with manifests by 12 digits': writtenOfApplication({
    candidates: [{ ...one, environments: { prod: { digest: 'sha256:0123456789ab' } } }],
  }),
};
for (const [what, value] of Object.entries(untrustedApplication)) {
  test(`D9: no record of an Application is trusted ${what}`, async () => {
    await assert.rejects(readApplication(value, new Slices()));
  });
}

test('what is told of another version is its number, and nothing else that stands there', () => {
  assert.equal(versionMismatch(written()), undefined);
  assert.equal(versionMismatch(writtenOfApplication()), undefined);
  assert.match(versionMismatch(written({ version: 1 })) ?? '', /^it has version 1, and \d+ is known$/);
  assert.equal(versionMismatch({}), 'it has no version');
  assert.equal(versionMismatch(undefined), 'it has no version');
  assert.doesNotMatch(versionMismatch({ version: 'secret' }) ?? '', /secret/);
});

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
  const index = { places: [['o.a', { secret: 's', bytes: 1 }]], manifests: [[digest, [0]]] };
  assert.deepEqual(await readIndex(index, slices), index);
  for (const other of [undefined, { at: 's' }, { ...index, manifests: [[digest, ['o.a']]] }])
    await assert.rejects(readIndex(other, slices));
});
