import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { parseApplication } from '../../operator/api/v1alpha1/application.ts';
import { boundStatus } from '../../operator/api/v1alpha1/bound-status.ts';
import { largestStatus } from '../../operator/api/v1alpha1/testing/largest-status.ts';
import { valuesText } from '../../operator/api/v1alpha1/values-text.ts';
import { installCRDs } from '../harness/operator.ts';
import { namespaceFor, useControlPlane } from '../harness/use-control-plane.ts';
import { ACCEPTED, helm, REFUSED, source, sync } from './application-schema-cases.ts';

const CRD = join(import.meta.dirname, '../../crds/towpath.dev_applications.yaml');
const API = '/apis/towpath.dev/v1alpha1/namespaces';

before(async () => installCRDs(await useControlPlane()));

interface Answer {
  status: number;
  /** The message of a Status, or ''. */
  message: string;
  object: { spec?: Record<string, unknown> };
}

function application(spec: unknown, name = 'podinfo'): Record<string, unknown> {
  return { apiVersion: 'towpath.dev/v1alpha1', kind: 'Application', metadata: { name }, spec };
}

/** Whether the operator's own check of the same schema lets it pass. */
function isReadable(namespace: string, spec: unknown): boolean {
  return parseApplication({ ...application(spec), metadata: { name: 'podinfo', namespace } }).ok;
}

/** What the API server says to an Application, without keeping it. */
async function tried(namespace: string, object: unknown): Promise<Answer> {
  const { request } = await useControlPlane();
  const path = `${API}/${namespace}/applications?dryRun=All&fieldValidation=Strict`;
  const { status, body } = await request('POST', path, { body: object });
  const parsed = JSON.parse(body);
  return { status, message: parsed.kind === 'Status' ? parsed.message : '', object: parsed };
}

test('the API server refuses, naming the field and what to write instead', async (t) => {
  const namespace = await namespaceFor(t);
  for (const [what, spec, field, message] of REFUSED) {
    await t.test(what, async () => {
      const answer = await tried(namespace, application(spec));
      assert.equal(answer.status, 422, answer.message);
      assert.ok(answer.message.includes(`${field}: `), answer.message);
      assert.ok(answer.message.includes(message), answer.message);
      assert.ok(!answer.message.includes('hunter2'), 'S5: a credential is not repeated');
      assert.ok(!isReadable(namespace, spec), 'the operator would refuse it too');
    });
  }
});

test('the API server accepts', async (t) => {
  const namespace = await namespaceFor(t);
  for (const [what, spec] of ACCEPTED) {
    await t.test(what, async () => {
      const answer = await tried(namespace, application(spec));
      assert.equal(answer.status, 201, answer.message);
      assert.ok(isReadable(namespace, spec), 'the operator reads it too');
    });
  }
});

test('an unknown field is refused', async (t) => {
  const namespace = await namespaceFor(t);
  for (const [spec, field] of [
    [{ ...source({}), environments: [{ name: 'staging', brunch: 'x' }] }, 'spec.environments[0].brunch'],
    [sync({ pruneLimit: '50%' }), 'spec.sync.pruneLimit'],
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
  const here = parseApplication({ ...application(source({})), metadata: { name: 'podinfo', namespace } });
  assert.ok(here.ok);
  assert.deepEqual(answer.object.spec, here.application.spec);
  // The operator's to supply: what was named can be told from what was not.
  assert.equal(here.application.spec.serviceAccountName, undefined);
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

test('the largest status there can be is written and read back', async (t) => {
  const namespace = await created(t, source({}));
  const distinct = largestStatus();
  const numbered = (name: string, index: number) => `${name.slice(0, -2)}${String(index).padStart(2, '0')}`;
  const status = boundStatus({
    ...distinct,
    conditions: distinct.conditions?.map((one, index) => ({ ...one, type: numbered(one.type, index) })),
    environments: distinct.environments?.map((one, index) => ({ ...one, name: numbered(one.name, index) })),
  });
  const answer = await patched(namespace, '/status', { status });
  assert.equal(answer.status, 200, answer.message);
  const { request } = await useControlPlane();
  const read = parseApplication(
    JSON.parse((await request('GET', `${API}/${namespace}/applications/podinfo`)).body),
  );
  assert.ok(read.ok);
  assert.deepEqual(read.application.status, status);
});

test('conditions merge by type, environments by name', async () => {
  const crd = await readFile(CRD, 'utf8');
  assert.equal(crd.match(/x-kubernetes-list-map-keys:\n\s+- type/g)?.length, 1);
  assert.equal(crd.match(/x-kubernetes-list-map-keys:\n\s+- name/g)?.length, 3);
});
