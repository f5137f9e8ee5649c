import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { type Environment, parseEnvironment } from '../../api/v1alpha1/environment.ts';
import { ApiError, UnreachableError } from '../../kube/errors.ts';
import { HOME } from '../record/target.ts';
import { troubleOf } from './cluster-trouble.ts';
import type { ClusterFacts, ClusterStand, StandState } from './clusters.ts';
import { environmentStatus } from './environment-status.ts';
import { unlistedRole } from './managed-access.ts';
import { whereaboutsOf } from './whereabouts.ts';

const NOW = new Date('2026-11-29T14:00:00.500Z');
const OTHER_UID = 'ffffffff-0000-4000-8000-000000000000';
const UID = '00000000-0000-4000-8000-000000000000';

function environment(
  status?: object,
  annotations: Record<string, string> = {},
  spec: object = {},
): Environment {
  const parsed = parseEnvironment({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Environment',
    metadata: { name: 'eu', uid: 'u', resourceVersion: '1', generation: 3, annotations },
    spec: { allowedNamespaces: ['*'], cluster: { kubeConfig: { secretRef: { name: 'eu' } } }, ...spec },
    ...(status === undefined ? {} : { status }),
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.environment;
}

function atHome(): Environment {
  const { spec, ...others } = environment();
  const { cluster: _, ...here } = spec;
  return { ...others, spec: here };
}

function stand(state: StandState, facts: Partial<ClusterFacts> = {}): ClusterStand {
  const known = { version: 'v1.37.2', uid: UID, context: 'eu', expiresAt: undefined, issuedAt: undefined };
  return { state, facts: { ...known, ...facts } };
}

const REACHED = stand({ is: 'Reached', uid: UID });
const unreachable = new TowpathError('Time', 'ClusterUnreachable', 'No answer. It is tried again.');
const LOST = stand({ is: 'Lost', error: unreachable });

const statusOf = (of: Environment, of_: ClusterStand | undefined) =>
  environmentStatus(of, { stand: of_, homeVersion: 'v1.36.0' }, 3, NOW);

test('B5: an Environment is in the cluster that its status has, and in another one only when a person confirmed that', () => {
  const known = { cluster: { uid: UID } };
  const isIn = (of: Environment, at: ClusterStand | undefined) => {
    const whereabouts = whereaboutsOf(of, at);
    return whereabouts.is === 'Lost' ? whereabouts.error.reason : whereabouts;
  };
  const home = atHome();
  assert.deepEqual(isIn(home, undefined), { is: 'Known', cluster: HOME });
  assert.deepEqual(isIn(environment(known), undefined), { is: 'Pending' }, 'elsewhere is never at home');
  assert.deepEqual(isIn(environment(known), REACHED), { is: 'Known', cluster: UID });
  assert.deepEqual(isIn(environment(known), stand({ is: 'Connecting' })), { is: 'Pending' });
  assert.equal(isIn(environment(known), LOST), 'ClusterUnreachable');
  assert.deepEqual(isIn(environment(), REACHED), { is: 'Found', uid: UID }, 'the first one');
  const another = environment({ cluster: { uid: OTHER_UID } });
  assert.equal(isIn(another, REACHED), 'ClusterChanged');
  const confirm = (uid: string) =>
    environment({ cluster: { uid: OTHER_UID } }, { 'towpath.dev/cluster-confirmed': uid });
  assert.deepEqual(isIn(confirm(UID), REACHED), { is: 'Found', uid: UID });
  assert.equal(isIn(confirm(OTHER_UID), REACHED), 'ClusterChanged', 'that was another one');
});

test('B5: an Environment that came without its status is in the cluster that records know, until a person confirms another', () => {
  const recorded = new Set([OTHER_UID]);
  const facts = { stand: REACHED, homeVersion: undefined, recorded };
  const whereabouts = whereaboutsOf(environment(), REACHED, recorded);
  assert.equal(whereabouts.is, 'Lost');
  assert.ok(whereabouts.error.message.includes(OTHER_UID) && whereabouts.error.message.includes(UID));
  const told = environmentStatus(environment(), facts, 3, NOW);
  assert.equal(told.conditions?.[0]?.reason, 'ClusterChanged');
  assert.equal(told.cluster?.uid, undefined, 'nobody confirmed it');

  const confirmed = environment(undefined, { 'towpath.dev/cluster-confirmed': UID });
  assert.equal(environmentStatus(confirmed, facts, 3, NOW).cluster?.uid, UID);
  assert.equal(whereaboutsOf(environment(), REACHED, new Set([UID])).is, 'Found', 'the same one');
  assert.equal(whereaboutsOf(environment({ cluster: { uid: UID } }), REACHED, recorded).is, 'Known');
});

test('the status of an Environment tells of its cluster, keeps what is known of it, and changes with nothing else', () => {
  const first = statusOf(environment(), REACHED);
  assert.deepEqual(first, {
    observedGeneration: 3,
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'Available',
        message: 'Applications can be deployed here.',
        observedGeneration: 3,
        lastTransitionTime: '2026-11-29T14:00:00Z',
      },
    ],
    cluster: { version: 'v1.37.2', uid: UID, reachable: true, context: 'eu' },
  });
  const facts = { stand: REACHED, homeVersion: '' };
  const later = environmentStatus(environment(first), facts, 3, new Date());
  assert.deepEqual(later, first, 'no heartbeat');

  const down = statusOf(environment(first), LOST);
  assert.deepEqual(down.cluster, { ...first.cluster, reachable: false });
  assert.deepEqual(
    down.conditions?.map(({ type, status, reason }) => [type, status, reason]),
    [
      ['Ready', 'False', 'ClusterUnreachable'],
      ['Reconciling', 'True', 'ClusterUnreachable'],
    ],
  );
  const gone = statusOf(environment(down), { state: LOST.state, facts: undefined });
  assert.deepEqual(gone.cluster, { version: 'v1.37.2', uid: UID, reachable: false });
  assert.deepEqual(statusOf(environment(first), stand({ is: 'Connecting' })), first, 'nobody knows yet');
  assert.deepEqual(statusOf(environment(down), REACHED).conditions?.length, 1);

  const home = statusOf(atHome(), undefined);
  assert.deepEqual(home.cluster, { version: 'v1.36.0', reachable: true });
});

test('B5: of another cluster nothing is told as if it were the one that is known', () => {
  const before = statusOf(environment(), REACHED);
  const other = stand({ is: 'Reached', uid: OTHER_UID }, { uid: OTHER_UID, version: 'v1.30.0' });
  const changed = statusOf(environment(before), other);
  assert.deepEqual(changed.cluster, { ...before.cluster, reachable: true });
  assert.equal(changed.conditions?.[1]?.type, 'Stalled');
  const confirmed = environment(changed, { 'towpath.dev/cluster-confirmed': OTHER_UID });
  assert.deepEqual(statusOf(confirmed, other).cluster, {
    ...before.cluster,
    uid: OTHER_UID,
    version: 'v1.30.0',
  });
});

test('a suspended Environment does not say that Applications can be deployed there', () => {
  const { conditions } = statusOf(environment(undefined, {}, { suspend: true }), REACHED);
  assert.deepEqual(
    conditions?.map(({ type, message }) => [type, message]),
    [['Ready', 'Suspended: nothing is written here until spec.suspend is false.']],
  );
});

test('a message that is too long keeps its next step', () => {
  const next = 'Store a new one.';
  const error = new TowpathError('Person', 'CredentialExpired', `${'x'.repeat(400)} ${next}`, { next });
  const { conditions } = statusOf(environment(), stand({ is: 'Lost', error }));
  for (const { message } of conditions ?? [])
    assert.ok(Buffer.byteLength(message) <= 256 && message.endsWith(next), message);
});

test('B3: expired, refused, forbidden, not trusted and out of reach are told apart', () => {
  const access = { server: 'https://eu.example.com:6443/k8s', proxyUrl: undefined, tls: {}, headers: [] };
  const reasonOf = (error: unknown, expiresAt?: Date) => {
    const trouble = troubleOf(error, { access, expiresAt }, NOW)('The kubeconfig');
    assert.ok(trouble.message.endsWith(trouble.next) && trouble.next !== '', trouble.message);
    return trouble.reason;
  };
  const past = new Date(NOW.getTime() - 1);
  const future = new Date(NOW.getTime() + 60_000);
  const unauthorized = new ApiError(401, 'Unauthorized', 'Unauthorized');
  assert.equal(reasonOf(unauthorized, past), 'CredentialExpired');
  assert.equal(reasonOf(unauthorized, future), 'CredentialRefused');
  assert.equal(reasonOf(unauthorized), 'CredentialRefused');
  assert.equal(reasonOf(new ApiError(403, 'Forbidden', 'no'), past), 'ClusterForbidden');
  const failed = (code: string) => new UnreachableError(code, `GET / failed: … (${code})`);
  for (const code of ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_HAS_EXPIRED'])
    assert.equal(reasonOf(failed(code), past), 'ClusterUntrusted', code);
  assert.equal(reasonOf(failed('ERR_TLS_CERT_ALTNAME_INVALID')), 'ClusterUntrusted');
  assert.equal(reasonOf(failed('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), past), 'CredentialExpired');
  for (const code of ['ECONNREFUSED', 'Timeout', 'ENOTFOUND', 'UND_ERR_SOCKET'])
    assert.equal(reasonOf(failed(code), past), 'ClusterUnreachable', code);
  assert.equal(reasonOf(new ApiError(503, 'ServiceUnavailable', 'no')), 'ClusterUnreachable');
});

test('S16: an Environment whose ClusterRole may not be bound is stalled with the values to add', () => {
  const access = unlistedRole('eu', 'admin', ['edit']);
  const { conditions = [] } = environmentStatus(
    environment(),
    { stand: REACHED, homeVersion: '', access },
    3,
    NOW,
  );
  assert.deepEqual(
    conditions.map(({ type, status, reason }) => [type, status, reason]),
    [
      ['Ready', 'False', 'ClusterRoleNotListed'],
      ['Stalled', 'True', 'ClusterRoleNotListed'],
    ],
  );
  assert.match(conditions[0]?.message ?? '', /managedAccess: \{clusterRoles: \[edit, admin\]\}/);
  assert.equal(unlistedRole('eu', 'edit', ['edit']), undefined);
  assert.equal(unlistedRole('eu', undefined, []), undefined, 'it names an account');
});
