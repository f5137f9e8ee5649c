import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { namespaceFor, useControlPlane } from '../harness/control-plane.ts';

const API = '/apis/towpath.dev/v1alpha1/namespaces';
const REPOSITORY = 'https://git.example.com/shop/podinfo.git';
const CRD = join(import.meta.dirname, '../../crds/towpath.dev_applications.yaml');

before(async () => {
  const { kubectl } = await useControlPlane();
  const applied = await kubectl(['apply', '--server-side', '-f', CRD]);
  assert.equal(applied.code, 0, applied.stderr);
  const waited = await kubectl([
    'wait',
    '--for=condition=Established',
    '--timeout=30s',
    'crd/applications.towpath.dev',
  ]);
  assert.equal(waited.code, 0, waited.stderr);
});

interface Answer {
  status: number;
  /** The message of a Status, or ''. */
  message: string;
  object: { spec?: Record<string, unknown> };
}

function application(spec: unknown, name = 'podinfo'): Record<string, unknown> {
  return { apiVersion: 'towpath.dev/v1alpha1', kind: 'Application', metadata: { name }, spec };
}

/** What the API server says to an Application, without keeping it. */
async function tried(namespace: string, object: unknown): Promise<Answer> {
  const { request } = await useControlPlane();
  const path = `${API}/${namespace}/applications?dryRun=All&fieldValidation=Strict`;
  const { status, body } = await request('POST', path, { body: object });
  const parsed = JSON.parse(body);
  return { status, message: parsed.kind === 'Status' ? parsed.message : '', object: parsed };
}

type Refusal = [what: string, spec: unknown, field: string, message: string];
const source = (fields: Record<string, unknown>) => ({ source: { repoURL: REPOSITORY, ...fields } });
const sync = (fields: Record<string, unknown>) => ({ ...source({}), sync: fields });
const helm = (fields: Record<string, unknown>) => ({ ...source({}), helm: fields });
const ignored = (...paths: string[]) =>
  sync({ ignore: [{ group: 'apps', kind: 'Deployment', name: 'web', paths }] });
const url = (repoURL: string) => ({ source: { repoURL } });

const ADDRESS = 'must be the address of a Git repository';
const CREDENTIALS = 'must not carry credentials: put username and password into a Secret';
const INSIDE = 'must stay inside the repository';
const EXACTLY_ONE = 'must name exactly one of branch, tag, semver and commit';
const NAME = 'must be a Kubernetes name';

const REFUSED: Refusal[] = [
  ['a spec without a source', {}, 'spec.source', 'Required value'],
  ['a source without a repository', { source: {} }, 'spec.source.repoURL', 'Required value'],
  ['an address that is a file', url('file:///srv/git'), 'spec.source.repoURL', ADDRESS],
  ['an address that is a path', url('/srv/git'), 'spec.source.repoURL', ADDRESS],
  ['an address without a repository', url('https://git.example.com'), 'spec.source.repoURL', ADDRESS],
  ['an address that would be an option of ssh', url('-oProxy@host:a'), 'spec.source.repoURL', ADDRESS],
  ['an address with a query', url(`${REPOSITORY}?ref=x`), 'spec.source.repoURL', 'must not have a query'],
  ['embedded credentials', url('https://me:hunter2@git.example.com/a'), 'spec.source.repoURL', CREDENTIALS],
  ['an embedded token', url('https://hunter2@git.example.com/a'), 'spec.source.repoURL', CREDENTIALS],
  [
    'an embedded SSH password',
    url('ssh://git:hunter2@git.example.com/a'),
    'spec.source.repoURL',
    CREDENTIALS,
  ],
  [
    'an address of 1,025 characters',
    url(`https://h/${'a'.repeat(1015)}`),
    'spec.source.repoURL',
    'may not be more than 1024',
  ],
  ['two refs', source({ ref: { branch: 'main', tag: 'v1' } }), 'spec.source.ref', EXACTLY_ONE],
  ['a ref that names nothing', source({ ref: {} }), 'spec.source.ref', EXACTLY_ONE],
  [
    'a branch with its prefix',
    source({ ref: { branch: 'refs/heads/main' } }),
    'spec.source.ref.branch',
    'without refs/heads/ before it',
  ],
  [
    'a branch that Git refuses',
    source({ ref: { branch: 'a..b' } }),
    'spec.source.ref.branch',
    'must be the name of a branch',
  ],
  [
    'a branch that would be an option',
    source({ ref: { branch: '--upload-pack=x' } }),
    'spec.source.ref.branch',
    'must be the name of a branch',
  ],
  ['a tag with a space', source({ ref: { tag: 'v 1' } }), 'spec.source.ref.tag', 'must be the name of a tag'],
  [
    'a version that is no range',
    source({ ref: { semver: 'latest' } }),
    'spec.source.ref.semver',
    'must be a range of semantic versions',
  ],
  [
    'a short commit',
    source({ ref: { commit: '4f2c81a' } }),
    'spec.source.ref.commit',
    'must be the full id of a commit',
  ],
  ['a path upwards', source({ path: '../other' }), 'spec.source.path', INSIDE],
  ['a path upwards in its middle', source({ path: 'a/../../b' }), 'spec.source.path', INSIDE],
  [
    'an absolute path',
    source({ path: '/etc' }),
    'spec.source.path',
    'must be relative to the root of the repository',
  ],
  ['a path with backslashes', source({ path: 'a\\..\\b' }), 'spec.source.path', 'must be a path with "/"'],
  [
    'a Secret of another namespace',
    source({ secretRef: { name: 'other/git' } }),
    'spec.source.secretRef.name',
    NAME,
  ],
  [
    'an interval without a unit',
    source({ interval: '60' }),
    'spec.source.interval',
    'must be a duration from 1s to 24h',
  ],
  [
    'an interval of nothing',
    source({ interval: '0s' }),
    'spec.source.interval',
    'must be a duration from 1s to 24h',
  ],
  [
    'a release name in capitals',
    helm({ releaseName: 'Podinfo' }),
    'spec.helm.releaseName',
    'must be a name that Helm accepts',
  ],
  [
    'a release name of 54 characters',
    helm({ releaseName: 'a'.repeat(54) }),
    'spec.helm.releaseName',
    'may not be more than 53',
  ],
  [
    'a values file upwards',
    helm({ valuesFiles: ['ok.yaml', '../values.yaml'] }),
    'spec.helm.valuesFiles[1]',
    INSIDE,
  ],
  ['values that are a list', helm({ values: [] }), 'spec.helm.values', 'must be of type object'],
  ['values that are a text', helm({ values: 'a: 1' }), 'spec.helm.values', 'must be of type object'],
  [
    'values from a Pod',
    helm({ valuesFrom: [{ kind: 'Pod', name: 'a' }] }),
    'spec.helm.valuesFrom[0].kind',
    'supported values: "ConfigMap", "Secret"',
  ],
  [
    'values from a key that cannot be',
    helm({ valuesFrom: [{ kind: 'Secret', name: 'a', key: 'a/b' }] }),
    'spec.helm.valuesFrom[0].key',
    'must be a key of a ConfigMap or Secret',
  ],
  [
    'a ServiceAccount that cannot be',
    { ...source({}), serviceAccountName: 'a:b' },
    'spec.serviceAccountName',
    NAME,
  ],
  [
    'an unknown mode',
    sync({ mode: 'Sometimes' }),
    'spec.sync.mode',
    'supported values: "Automatic", "Manual"',
  ],
  ['an unknown drift', sync({ drift: 'Ignore' }), 'spec.sync.drift', 'supported values: "Repair", "Report"'],
  [
    'a timeout that is no duration',
    sync({ timeout: 'soon' }),
    'spec.sync.timeout',
    'must be a duration from 1s to 24h',
  ],
  [
    'retries below none',
    sync({ retries: { limit: -1 } }),
    'spec.sync.retries.limit',
    'should be greater than or equal to 0',
  ],
  [
    'a backoff beyond its maximum',
    sync({ retries: { backoff: '5m' } }),
    'spec.sync.retries.backoff',
    'backoff must not be longer than maxBackoff',
  ],
  [
    'an ignored path that is no pointer',
    ignored('spec.replicas'),
    'spec.sync.ignore[0].paths[0]',
    'must be a JSON pointer to a field',
  ],
  [
    'an ignored identity',
    ignored('/metadata/name'),
    'spec.sync.ignore[0].paths[0]',
    'must not name the identity or the status',
  ],
  ['an ignored nothing', ignored(), 'spec.sync.ignore[0].paths', 'should have at least 1 items'],
  [
    'two dependencies of one name',
    { ...source({}), dependsOn: [{ name: 'a' }, { name: 'a' }] },
    'spec.dependsOn[1]',
    'Duplicate value',
  ],
  [
    'a dependency on itself',
    { ...source({}), dependsOn: [{ name: 'podinfo' }] },
    'spec.dependsOn',
    'an Application cannot depend on itself',
  ],
  [
    'an unknown deletion policy',
    { ...source({}), deletionPolicy: 'Delete' },
    'spec.deletionPolicy',
    'supported values: "Prune", "Orphan"',
  ],
  [
    'a history of nothing',
    { ...source({}), revisionHistoryLimit: 0 },
    'spec.revisionHistoryLimit',
    'should be greater than or equal to 1',
  ],
  ['a suspend that is a text', { ...source({}), suspend: 'yes' }, 'spec.suspend', 'must be of type boolean'],
];

test('the API server refuses, naming the field and what to write instead', async (t) => {
  const namespace = await namespaceFor(t);
  for (const [what, spec, field, message] of REFUSED) {
    await t.test(what, async () => {
      const answer = await tried(namespace, application(spec));
      assert.equal(answer.status, 422, answer.message);
      assert.ok(answer.message.includes(`${field}: `), answer.message);
      assert.ok(answer.message.includes(message), answer.message);
      assert.ok(!answer.message.includes('hunter2'), 'a credential is not repeated');
    });
  }
});

const ACCEPTED: [what: string, spec: unknown][] = [
  ['HTTP', url('http://git.example.com:8080/a')],
  ['SSH', url('ssh://git@git.example.com:22/a.git')],
  ["scp's form", url('git@git.example.com:shop/podinfo.git')],
  ['a branch', source({ ref: { branch: 'feature/a-b_c.d' } })],
  ['a tag', source({ ref: { tag: 'v1.2.3' } })],
  ['a range of versions', source({ ref: { semver: '>=1.2.0 <2.0.0 || ^3' } })],
  ['a commit', source({ ref: { commit: 'a'.repeat(40) } })],
  ['the root of the repository', source({ path: '' })],
  ['a path with dots in names', source({ path: './charts/a..b/.c' })],
  ['a Secret', source({ secretRef: { name: 'git.example.com' }, interval: '1h30m' })],
  ['values files', helm({ valuesFiles: ['values.yaml', '/shared/values.yaml'] })],
  ['values', helm({ values: { a: { b: [1, null, 'x', 9007199254740993n.toString()] } } })],
  [
    'values from elsewhere',
    helm({
      valuesFrom: [
        { kind: 'ConfigMap', name: 'a' },
        { kind: 'Secret', name: 'b', key: 'k', optional: true },
      ],
    }),
  ],
  [
    'all of sync',
    sync({
      mode: 'Manual',
      prune: false,
      drift: 'Report',
      timeout: '1.5h',
      retries: { limit: 0, backoff: '100ms', maxBackoff: '100ms' },
    }),
  ],
  ['ignored fields', ignored('/spec/replicas', '/metadata/annotations/a.example.com~1b', '/data/a~0b')],
  ['dependencies', { ...source({}), dependsOn: [{ name: 'database' }, { name: 'cache' }] }],
  [
    'the rest',
    {
      ...source({}),
      serviceAccountName: 'deployer',
      deletionPolicy: 'Orphan',
      revisionHistoryLimit: 200,
      suspend: true,
    },
  ],
];

test('the API server accepts', async (t) => {
  const namespace = await namespaceFor(t);
  for (const [what, spec] of ACCEPTED) {
    await t.test(what, async () => {
      const answer = await tried(namespace, application(spec));
      assert.equal(answer.status, 201, answer.message);
    });
  }
});

test('an unknown field is refused', async (t) => {
  const namespace = await namespaceFor(t);
  for (const [spec, field] of [
    [{ ...source({}), environments: [] }, 'spec.environments'],
    [sync({ pruneBudget: '50%' }), 'spec.sync.pruneBudget'],
    [source({ ref: { brunch: 'main' } }), 'spec.source.ref.brunch'],
  ] as const) {
    const answer = await tried(namespace, application(spec));
    assert.equal(answer.status, 400);
    assert.ok(answer.message.includes(`unknown field "${field}"`), answer.message);
  }
});

test('a name that no Helm release can have is refused', async (t) => {
  const namespace = await namespaceFor(t);
  const long = await tried(namespace, application(source({}), 'a'.repeat(54)));
  assert.equal(long.status, 422);
  assert.match(long.message, /metadata\.name must have at most 53 characters/);
  assert.equal((await tried(namespace, application(source({}), 'a'.repeat(53)))).status, 201);
});

test('the defaults are those that the operator fills in', async (t) => {
  const namespace = await namespaceFor(t);
  const answer = await tried(namespace, application(source({})));
  const { parseApplication } = await import('../../operator/api/v1alpha1/application.ts');
  const here = parseApplication({ ...application(source({})), metadata: { name: 'podinfo', namespace } });
  assert.ok(here.ok);
  assert.deepEqual(answer.object.spec, here.application.spec);
});

/** Creates an Application, to be gone with its namespace. */
async function created(t: TestContext, spec: unknown): Promise<string> {
  const namespace = await namespaceFor(t);
  const { request } = await useControlPlane();
  const answer = await request('POST', `${API}/${namespace}/applications`, { body: application(spec) });
  assert.equal(answer.status, 201, answer.body);
  return namespace;
}

async function patched(namespace: string, path: string, patch: unknown): Promise<Answer> {
  const { request } = await useControlPlane();
  const { status, body } = await request('PATCH', `${API}/${namespace}/applications/podinfo${path}`, {
    body: patch,
    contentType: 'application/merge-patch+json',
  });
  const parsed = JSON.parse(body);
  return { status, message: parsed.kind === 'Status' ? parsed.message : '', object: parsed };
}

test('the release name cannot change', async (t) => {
  const unnamed = await created(t, source({}));
  assert.equal((await patched(unnamed, '', { spec: { helm: { releaseName: 'podinfo' } } })).status, 200);
  const renamed = await patched(unnamed, '', { spec: { helm: { releaseName: 'other' } } });
  assert.equal(renamed.status, 422);
  assert.match(renamed.message, /spec\.helm\.releaseName: .*releaseName cannot change/);

  const named = await created(t, helm({ releaseName: 'other' }));
  for (const change of [
    { helm: null },
    { helm: { releaseName: null } },
    { helm: { releaseName: 'third' } },
  ]) {
    assert.match((await patched(named, '', { spec: change })).message, /releaseName cannot change/);
  }
  assert.equal((await patched(named, '', { spec: { suspend: true } })).status, 200);
});

test('integers beyond 2^53 in values stay exact, and valuesText reads them so', async (t) => {
  const namespace = await namespaceFor(t);
  const { kubectl, request } = await useControlPlane();
  const text = JSON.stringify(application(helm({ values: { id: 'ID' } }))).replace(
    '"ID"',
    '9007199254740993',
  );
  const applied = await kubectl(['apply', '-n', namespace, '-f', '-'], { input: text });
  assert.equal(applied.code, 0, applied.stderr);
  const { body } = await request('GET', `${API}/${namespace}/applications/podinfo`);
  const { valuesText } = await import('../../operator/api/v1alpha1/values-text.ts');
  assert.equal(valuesText(body), '{"id":9007199254740993}');
});

test('kubectl get shows the columns, by every name', async (t) => {
  const namespace = await created(t, source({}));
  const { kubectl } = await useControlPlane();
  const since = '2026-01-01T00:00:00Z';
  const status = {
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Synced', message: 'All runs.', lastTransitionTime: since },
    ],
    sync: 'Synced',
    health: 'Healthy',
    summary: { revision: 'main@4f2c81a', environments: '1/1' },
  };
  assert.equal((await patched(namespace, '/status', { status })).status, 200);
  for (const name of ['applications', 'application', 'tapp', 'gitops', 'applications.towpath.dev']) {
    const { stdout, stderr } = await kubectl(['get', name, '-n', namespace]);
    const [head, row] = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    assert.deepEqual(head, ['NAME', 'READY', 'SYNC', 'HEALTH', 'REVISION', 'ENVIRONMENTS', 'AGE'], stderr);
    assert.match(row?.[0] ?? '', /^(application\.towpath\.dev\/)?podinfo$/);
    assert.deepEqual(row?.slice(1, 6), ['True', 'Synced', 'Healthy', 'main@4f2c81a', '1/1']);
  }
  const wide = await kubectl(['get', 'applications', '-n', namespace, '-o', 'wide']);
  assert.match(
    wide.stdout,
    /AGE\s+MESSAGE\s+REPOSITORY\n.*\bAll runs\.\s+https:\/\/git\.example\.com\/shop\/podinfo\.git/,
  );
  const waited = await kubectl([
    'wait',
    '--for=condition=Ready',
    '-n',
    namespace,
    'application/podinfo',
    '--timeout=10s',
  ]);
  assert.equal(waited.code, 0, waited.stderr);
});

test('kubectl explain tells what a field means', async () => {
  const { kubectl } = await useControlPlane();
  const { stdout } = await kubectl(['explain', 'applications.spec.sync.drift']);
  assert.match(stdout, /What becomes of changes that others make/);
});

test('the status is a subresource: writing the object does not write it', async (t) => {
  const namespace = await created(t, source({}));
  const answer = await patched(namespace, '', { status: { sync: 'Synced' } });
  assert.equal(answer.status, 200);
  assert.equal(Reflect.get(answer.object, 'status'), undefined);
});

test('conditions merge by type, environments by name', async () => {
  const crd = await readFile(CRD, 'utf8');
  assert.equal(crd.match(/x-kubernetes-list-map-keys:\n\s+- type/g)?.length, 1);
  assert.equal(crd.match(/x-kubernetes-list-map-keys:\n\s+- name/g)?.length, 2);
});
