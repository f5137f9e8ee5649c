import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { parseEnvironment } from '../../operator/api/v1alpha1/environment.ts';
import { installCRDs } from '../harness/operator.ts';
import { namespaceFor, useControlPlane } from '../harness/use-control-plane.ts';

const API = '/apis/towpath.dev/v1alpha1';
const ENVIRONMENTS = `${API}/environments`;
const ALL = { allowedNamespaces: ['*'] };
const CLUSTER = { cluster: { kubeConfig: { secretRef: { name: 'eu' } } } };

before(async () => installCRDs(await useControlPlane()));

const environment = (spec: object, name = 'eu') => ({
  apiVersion: 'towpath.dev/v1alpha1',
  kind: 'Environment',
  metadata: { name },
  spec,
});

const frozen = (from: string, until?: string) => ({
  ...ALL,
  freezes: [{ from, ...(until === undefined ? {} : { until }) }],
});

/** Whether the operator's own check of the same schema lets it pass. */
function isReadable(object: ReturnType<typeof environment>): boolean {
  return parseEnvironment(object).ok;
}

async function request(method: string, path: string, body: object) {
  const { request } = await useControlPlane();
  const isPatch = method === 'PATCH';
  const contentType = isPatch ? 'application/merge-patch+json' : 'application/json';
  const answer = await request(method, `${path}?dryRun=All&fieldValidation=Strict`, { body, contentType });
  const { kind, message = '' } = JSON.parse(answer.body) as { kind: string; message?: string };
  return { status: answer.status, message: kind === 'Status' ? message : '' };
}

const WINDOW = { days: ['Mon', 'Sun'], from: '09:00', until: '16:00', timeZone: 'Europe/Berlin' };
const open = (changes: object) => ({ ...ALL, gates: { windows: [{ ...WINDOW, ...changes }] } });

const SMOKE = {
  name: 'smoke',
  validFor: '24h',
  job: { spec: { template: { spec: { containers: [{ name: 'c', image: 'example.com/smoke:1' }] } } } },
};
const demanding = (gates: object) => ({ ...ALL, gates });

const ACCEPTED: [what: string, spec: object][] = [
  ['all namespaces', ALL],
  ['namespaces by their labels', { namespaceSelector: { matchLabels: { tier: 'web' } } }],
  ['another cluster', { ...ALL, ...CLUSTER }],
  ['managed access', { ...ALL, access: { clusterRole: 'view' } }],
  [
    'an account',
    { ...ALL, access: { serviceAccountName: 'deployer', clusterScoped: [{ kind: 'Namespace' }] } },
  ],
  ['a freeze', frozen('2026-12-20T00:00:00Z', '2027-01-04T06:00:00+01:00')],
  ['a freeze without an end', frozen('2026-12-20T00:00:00.123456789-23:59')],
  ['a window over midnight', open({ from: '22:00', until: '02:00' })],
  ['a window of a whole day', open({ from: '00:00', until: '24:00', timeZone: '+05:30' })],
  ['no gates', { ...ALL, gates: {} }],
  ['a soak and a check', demanding({ soak: '30m', checks: [SMOKE] })],
  ['eight checks', demanding({ checks: [...'abcdefgh'].map((name) => ({ ...SMOKE, name })) })],
  ['a freeze on the day of a leap year', frozen('2028-02-29T23:59:59Z', '2400-02-29T00:00:00Z')],
];

const TIME = 'must be a time with its zone';
const REFUSED: [what: string, spec: object, field: string, message: string][] = [
  ['nobody named', {}, 'spec', 'must name exactly one of allowedNamespaces and namespaceSelector'],
  [
    'both ways to name',
    { ...ALL, namespaceSelector: { matchLabels: { tier: 'web' } } },
    'spec',
    'must name exactly one of allowedNamespaces and namespaceSelector',
  ],
  [
    'both kinds of access',
    { ...ALL, access: { serviceAccountName: 'deployer', clusterRole: 'edit' } },
    'spec.access',
    'must name exactly one of serviceAccountName and clusterRole',
  ],
  ['neither kind of access', { ...ALL, access: {} }, 'spec.access', 'must name exactly one of'],
  [
    'managed access to kinds outside namespaces',
    { ...ALL, access: { clusterRole: 'edit', clusterScoped: [{ kind: 'Namespace' }] } },
    'spec.access.clusterScoped',
    'clusterScoped needs serviceAccountName',
  ],
  [
    'an end before the beginning, in another zone',
    frozen('2026-12-20T00:30:00Z', '2026-12-20T01:00:00+01:00'),
    'spec.freezes[0].until',
    'until must be after from',
  ],
  ...[
    '2026-12-20t00:00:00z',
    '2026-12-20T00:00:00,5Z',
    '2026-12-20T00:00:00+99:99',
    '2026-12-20T00:00:00',
    '2026-12-20 00:00:00Z',
    '2026-12-20T00:00Z',
    '2026-12-20T24:00:00Z',
    '2026-12-20T00:00:60Z',
    '2026-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-12-20',
    'soon',
  ].map((time): [string, object, string, string] => [
    `the time ${time}`,
    frozen(time),
    'spec.freezes[0].from',
    TIME,
  ]),
  ...['9:00', '24:00', '09:60', ''].map((from): [string, object, string, string] => [
    `a window from ${from}`,
    open({ from }),
    'spec.gates.windows[0].from',
    'must be a time of day from 00:00 to 23:59',
  ]),
  [
    'a window until 24:30',
    open({ until: '24:30' }),
    'spec.gates.windows[0].until',
    'must be a time of day from 00:00 to 24:00',
  ],
  [
    'a window that ends as it begins',
    open({ until: '09:00' }),
    'spec.gates.windows[0].until',
    'from and until must differ',
  ],
  [
    'a window in two words',
    open({ timeZone: 'New York' }),
    'spec.gates.windows[0].timeZone',
    'must be the name of a time zone',
  ],
  ['a window on no day', open({ days: [] }), 'spec.gates.windows[0].days', 'at least 1'],
  ['a window on any day', open({ days: ['Any'] }), 'spec.gates.windows[0].days[0]', 'supported values'],
  ['a soak without a unit', demanding({ soak: '30' }), 'spec.gates.soak', 'must be a duration from 1s'],
  ['no checks', demanding({ checks: [] }), 'spec.gates.checks', 'at least 1'],
  ['a check of no name', demanding({ checks: [{ job: SMOKE.job }] }), 'spec.gates.checks[0].name', ''],
  ['two checks of a name', demanding({ checks: [SMOKE, SMOKE] }), 'spec.gates.checks[1]', 'Duplicate value'],
  ['no windows', { ...ALL, gates: { windows: [] } }, 'spec.gates.windows', 'at least 1'],
  ['a time to end', frozen('2026-12-20T00:00:00Z', 'never'), 'spec.freezes[0].until', TIME],
];

test('the API server accepts Environments that the operator reads', async (t) => {
  for (const [what, spec] of ACCEPTED)
    await t.test(what, async () => {
      const { status, message } = await request('POST', ENVIRONMENTS, environment(spec));
      assert.equal(status, 201, message);
      assert.ok(isReadable(environment(spec)), 'the operator reads it too');
    });
});

test('the API server refuses Environments that the operator would not read, and says what to write instead', async (t) => {
  for (const [what, spec, field, expected] of REFUSED)
    await t.test(what, async () => {
      const { status, message } = await request('POST', ENVIRONMENTS, environment(spec));
      assert.equal(status, 422, message);
      assert.ok(message.includes(`${field}: `), message);
      assert.ok(message.includes(expected), message);
      assert.ok(!isReadable(environment(spec)), 'the operator would refuse it too');
    });
});

test('the name default is reserved', async () => {
  const { status, message } = await request('POST', ENVIRONMENTS, environment(ALL, 'default'));
  assert.equal(status, 422, message);
  assert.match(message, /not be default/);
});

test('neither the cluster nor the namespace of an Environment can change', async (t) => {
  const name = await namespaceFor(t);
  const cluster = await useControlPlane();
  const path = `${ENVIRONMENTS}/${name}`;
  t.after(() => cluster.request('DELETE', path));
  const made = await cluster.request('POST', ENVIRONMENTS, {
    body: environment({ ...ALL, ...CLUSTER }, name),
  });
  assert.equal(made.status, 201, made.body);
  const other = { kubeConfig: { secretRef: { name: 'us' } } };
  for (const [spec, what] of [
    [{ cluster: other }, 'cluster cannot change'],
    [{ cluster: null }, 'cluster cannot change'],
    [{ namespace: 'elsewhere' }, 'cannot change, because objects would be left behind there'],
  ] as const) {
    const { status, message } = await request('PATCH', path, { spec });
    assert.equal(status, 422, message);
    assert.ok(message.includes(what), message);
  }
  assert.equal((await request('PATCH', path, { spec: { suspend: true } })).status, 200);
});

test('an Application in Environments has no account of its own but the one that it always had', async (t) => {
  const namespace = await namespaceFor(t);
  const source = { repoURL: 'https://git.example.com/shop/podinfo.git' };
  const application = (serviceAccountName: string) => ({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web' },
    spec: { source, serviceAccountName, environments: [{ name: 'eu' }] },
  });
  const path = `${API}/namespaces/${namespace}/applications`;
  assert.equal((await request('POST', path, application('towpath'))).status, 201);
  const { status, message } = await request('POST', path, application('deployer'));
  assert.equal(status, 422, message);
  assert.match(
    message,
    /spec\.serviceAccountName: .*serviceAccountName is for an Application without environments/,
  );
});
