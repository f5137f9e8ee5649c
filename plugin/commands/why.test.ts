import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseApplication } from '../../operator/api/v1alpha1/application.ts';
import { ANNOTATION_PRUNE_CONSENT } from '../../operator/api/v1alpha1/names.ts';
import { causesOf, consentWith, retryIn } from './why.ts';

const METADATA = {
  name: 'web',
  namespace: 'shop',
  uid: 'u',
  resourceVersion: '1',
  generation: 1,
  labels: {},
  annotations: {},
  finalizers: [],
};

test('why tells of one environment only what is tried again there, and of all which one that is', () => {
  const status = { retry: { attempts: 2, nextAt: '2026-11-23T10:00:00Z', environment: 'staging' } };
  assert.equal(retryIn(status, 'prod'), undefined);
  assert.deepEqual(retryIn(status, 'staging'), status.retry);
  assert.deepEqual(retryIn(status, undefined), status.retry);
});

test('D3: the command that consents to one plan takes no consent from another one', () => {
  const web = (consent: string) => ({
    metadata: {
      ...METADATA,
      annotations: { [ANNOTATION_PRUNE_CONSENT]: consent },
    },
    status: {
      environments: [
        { name: 'staging', pendingPrune: { digest: 'sha256:1', count: 2 } },
        { name: 'prod', pendingPrune: { digest: 'sha256:2', count: 2 } },
      ],
    },
  });
  assert.equal(consentWith(web('staging=sha256:1'), 'prod', 'sha256:2'), 'staging=sha256:1,prod=sha256:2');
  assert.equal(consentWith(web('staging=sha256:0'), 'prod', 'sha256:2'), 'prod=sha256:2');
});

test('why tells of one environment only what stays of that one', () => {
  const kept = (environment: string, name: string) => ({
    environment,
    object: { group: '', kind: 'ConfigMap', namespace: 'shop', name },
    reason: 'it is annotated so.',
  });
  const staging = { name: 'staging', sync: 'Synced' as const, health: 'Healthy' as const };
  const application = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: METADATA,
    spec: { source: { repoURL: 'https://example.com/a.git' } },
    status: {
      conditions: [
        {
          type: 'Ready',
          lastTransitionTime: '2026-11-23T10:00:00Z',
          status: 'True',
          reason: 'Ready',
          message: 'All is well.',
        },
      ],
      environments: [staging, { ...staging, name: 'prod' }],
      kept: [kept('staging', 'one'), kept('prod', 'two')],
    },
  };
  const parsed = parseApplication(application);
  assert.ok(parsed.ok);
  const told = (names: readonly string[]) =>
    causesOf(
      parsed.application,
      (parsed.application.status?.environments ?? []).filter(({ name }) => names.includes(name)),
    ).map(({ message }) => message);
  assert.deepEqual(told(['staging']), ['ConfigMap shop/one left Git and stays: it is annotated so.']);
  assert.equal(told(['staging', 'prod']).length, 2);
});

test('commands to copy name the namespace, and what environments with other refs refuse its own commit', () => {
  const [one, two] = ['a', 'b'].map((letter) => letter.repeat(40));
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: METADATA,
    spec: { source: { repoURL: 'https://example.com/a.git' } },
    status: {
      observedGeneration: 1,
      conditions: [
        {
          type: 'Ready',
          lastTransitionTime: '2026-11-23T10:00:00Z',
          status: 'False',
          reason: 'AwaitingSync',
          message: 'It waits.',
        },
      ],
      environments: [
        { name: 'staging', desiredRevision: one, pendingPrune: { digest: 'sha256:1', count: 2 } },
        { name: 'prod', desiredRevision: two },
      ],
      quarantine: {
        revision: two,
        errors: [
          { environment: 'staging', message: 'Wrong.' },
          { environment: 'prod', message: 'Worse.' },
        ],
        total: 2,
      },
    },
  });
  assert.ok(parsed.ok);
  const causes = causesOf(parsed.application, parsed.application.status?.environments ?? []);
  assert.deepEqual(
    causes.flatMap(({ next }) => next ?? []),
    [
      'kubectl towpath sync web -n shop',
      'kubectl annotate -n shop applications.towpath.dev web --overwrite towpath.dev/prune-consent=staging=sha256:1',
    ],
  );
  assert.deepEqual(
    causes.filter(({ reason }) => reason.startsWith('Refused')).map(({ reason }) => reason),
    ['Refused aaaaaaa', 'Refused bbbbbbb'],
  );
});
