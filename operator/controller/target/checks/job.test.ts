import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Check, CheckRun } from '../../../promote/checks.ts';
import { type CheckSubject, jobOf, jobText } from './job.ts';

const SUBJECT: CheckSubject = {
  target: { id: 'ab'.repeat(10), name: 'shop/web/staging', application: 'shop/web', environment: 'staging' },
  namespace: 'shop-staging',
  digest: `sha256:${'d'.repeat(64)}`,
  revision: '4f2c81a',
};
const RUN: CheckRun = {
  check: 'smoke',
  template: 'a'.repeat(64),
  run: 1,
  startedAt: '2026-11-29T10:00:00.000Z',
};

function check(template: Record<string, unknown>): Check {
  const job = { spec: { template, backoffLimit: 1, activeDeadlineSeconds: 60 } };
  return { name: 'smoke', template: RUN.template, deadlineMs: 60_000, job };
}

interface MadeJob {
  metadata: { name: string; labels: Record<string, string> };
  spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } };
}

function made(template: Record<string, unknown>): MadeJob {
  return JSON.parse(jobText(SUBJECT, check(template), RUN));
}

test('A18: the longest names make one of at most 58 characters, which is the same whoever computes it', () => {
  const target = {
    ...SUBJECT.target,
    application: `shop/${'a.'.repeat(26)}a`,
    environment: 'e'.repeat(63),
  };
  const run = { ...RUN, check: `${'c-'.repeat(31)}c` };
  const { name } = jobOf({ ...SUBJECT, target }, run);
  assert.match(name, /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
  assert.ok(name.length <= 58, name);
  assert.equal(jobOf({ ...SUBJECT, target: { ...target } }, { ...run }).name, name);
});

test('A7: another run, template, check, environment or digest has another name', () => {
  const { name } = jobOf(SUBJECT, RUN);
  const others = [
    jobOf(SUBJECT, { ...RUN, run: 2 }),
    jobOf(SUBJECT, { ...RUN, template: 'b'.repeat(64) }),
    jobOf(SUBJECT, { ...RUN, check: 'load' }),
    jobOf({ ...SUBJECT, digest: `sha256:${'e'.repeat(64)}` }, RUN),
    jobOf({ ...SUBJECT, target: { ...SUBJECT.target, id: 'cd'.repeat(10) } }, RUN),
  ].map((other) => other.name);
  assert.equal(new Set([name, ...others]).size, 6);
});

test('it is told what it is about, has no token, and is never started anew, unless the template says otherwise', () => {
  const env = [
    { name: 'TOWPATH_DIGEST', value: 'forged' },
    { name: 'OWN', value: 'x' },
  ];
  const { spec } = made({ spec: { containers: [{ name: 'smoke', env }] } }).spec.template;
  assert.deepEqual(
    { ...spec, containers: [] },
    {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      containers: [],
    },
  );
  assert.deepEqual(spec.containers[0]?.env, [
    { name: 'TOWPATH_APPLICATION', value: 'web' },
    { name: 'TOWPATH_NAMESPACE', value: 'shop' },
    { name: 'TOWPATH_ENVIRONMENT', value: 'staging' },
    { name: 'TOWPATH_REVISION', value: '4f2c81a' },
    { name: 'TOWPATH_DIGEST', value: SUBJECT.digest },
    { name: 'OWN', value: 'x' },
  ]);
  const other = made({ spec: { automountServiceAccountToken: true, restartPolicy: 'OnFailure' } });
  assert.deepEqual(other.spec.template.spec, {
    automountServiceAccountToken: true,
    restartPolicy: 'OnFailure',
  });
});

test('what is no Pod template is left for the API server to refuse', () => {
  for (const spec of [undefined, 'x', [], { containers: 'x' }, { containers: ['x', null] }])
    assert.doesNotThrow(() => made({ spec }));
});

test('a template that is too large is refused with how large it may be', () => {
  const args = ['x'.repeat(40_000)];
  assert.throws(() => made({ spec: { containers: [{ args }] } }), /more than 32768 bytes/);
});
