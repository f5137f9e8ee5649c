import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, parseApplication } from '../../operator/api/v1alpha1/application.ts';
import { requestFor } from '../../operator/api/v1alpha1/environment-request.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../operator/api/v1alpha1/names.ts';
import { haltOf, haltsOf, requestWith } from './ask.ts';

function application(asked: string | undefined, handledSyncRequest?: string): Application {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '1',
      generation: 1,
      ...(asked === undefined ? {} : { annotations: { [ANNOTATION_SYNC_REQUESTED]: asked } }),
    },
    spec: {
      source: { repoURL: 'https://git.example.com/web' },
      environments: [{ name: 'staging' }, { name: 'prod' }],
    },
    status: { handledSyncRequest },
  });
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return parsed.application;
}

test('D4: a sync of one environment keeps what was asked of another and is not done yet', () => {
  assert.equal(requestWith(application(undefined), 'prod', 'now'), 'prod=now');
  assert.equal(requestWith(application('staging=one'), 'prod', 'now'), 'staging=one,prod=now');
  assert.equal(requestWith(application('staging=one,prod=two'), 'prod', 'now'), 'staging=one,prod=now');
  const all = requestWith(application('one'), 'prod', 'now');
  assert.deepEqual([requestFor(all, 'staging'), requestFor(all, 'prod')], ['one', 'now'], 'asked of all');
  assert.equal(requestWith(application('staging=one'), undefined, 'now'), 'now', 'all are asked anew');
});

test('D4: what was done, or was asked of what is no more, is not asked for again', () => {
  assert.equal(requestWith(application('staging=one', 'staging=one'), 'prod', 'now'), 'prod=now');
  assert.equal(requestWith(application('staging=two', 'staging=one'), 'prod', 'now'), 'staging=two,prod=now');
  assert.equal(requestWith(application('gone=one'), 'prod', 'now'), 'prod=now');
});

test('D4: a sync of what is held says so, and how it is let go', () => {
  const message = 'Revision main@4f2c81a is deployed: 1 object. olga holds it there (Promotion back).';
  assert.equal(
    haltOf({ name: 'prod', sync: 'Held', message }, 'web'),
    `prod: ${message} Let it go: kubectl towpath resume web prod.`,
  );
});

test('D4: a sync of what is held and was taken back says both', () => {
  const blockedBy = [
    { reason: 'Cancelled', message: 'anna took these manifests back here.' },
    { reason: 'Held', message: 'olga holds it.' },
  ];
  assert.equal(
    haltOf({ name: 'prod', sync: 'Held', message: 'olga holds it there.', blockedBy }, 'web'),
    'prod: olga holds it there. Let it go: kubectl towpath resume web prod. anna took these manifests back here.',
  );
});

test('D4: a sync right after a resume asks, though the status says still that it is suspended', () => {
  const suspended = { name: 'prod', sync: 'Suspended', message: 'It is suspended.' } as const;
  const held = { name: 'staging', sync: 'Held', message: 'olga holds it.' } as const;
  const haltsAt = (observedGeneration: number) => {
    const of = application(undefined);
    return haltsOf({ ...of, status: { ...of.status, observedGeneration } }, [suspended, held]);
  };
  const isHeld = 'staging: olga holds it. Let it go: kubectl towpath resume web staging.';
  assert.deepEqual(haltsAt(1), ['prod: It is suspended.', isHeld]);
  assert.deepEqual(haltsAt(0), [isHeld]);
});

test('D4: a sync of what waits says for what, but for checks, which it runs again', () => {
  const waiting = { name: 'prod', sync: 'Waiting', message: 'It was taken back.' } as const;
  assert.equal(haltOf(waiting, 'web'), 'prod: It was taken back.');
  const gate = (reason: string) => ({ ...waiting, blockedBy: [{ reason, message: 'Until Monday.' }] });
  assert.equal(haltOf(gate('Frozen'), 'web'), 'prod: Until Monday.');
  assert.equal(haltOf(gate('Checks'), 'web'), undefined);
  assert.equal(haltOf({ name: 'prod', sync: 'Failed' }, 'web'), undefined);
});
