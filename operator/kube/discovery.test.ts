import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type DefinitionOptions, definition } from '../../test/harness/definition.ts';
import { proxiedClient } from '../../test/harness/proxied-client.ts';
import { useControlPlane } from '../../test/harness/use-control-plane.ts';
import { eventually } from '../../test/harness/wait.ts';
import { Discovery } from './discovery.ts';

const CRDS = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' };
const API_SERVICES = { group: 'apiregistration.k8s.io', version: 'v1', plural: 'apiservices' };

const { proxy, client } = await proxiedClient();

function uniqueGroup(): string {
  return `t${randomBytes(4).toString('hex')}.example.com`;
}

/** Creates a CRD for kind Widget; removed at the test's end. */
async function createCrd(t: TestContext, group: string, options: DefinitionOptions): Promise<string> {
  const crd = definition('widgets', group, 'Widget', options);
  const { name } = crd.metadata;
  await client.create({ resource: CRDS }, crd);
  t.after(() => client.delete({ resource: CRDS, name }).catch(() => undefined));
  return name;
}

test('the built-in kinds are known with their scope, verbs and preferred version', async () => {
  const discovery = new Discovery(client);
  assert.equal(discovery.resourceFor('apps', 'Deployment'), undefined, 'nothing is known before it is asked');
  await discovery.refresh();
  const deployment = discovery.resourceFor('apps', 'Deployment');
  assert.ok(deployment);
  assert.ok(deployment.verbs.includes('patch'));
  assert.deepEqual(
    { ...deployment, verbs: [] },
    { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true, verbs: [] },
  );
  assert.equal(discovery.resourceFor('', 'Pod')?.plural, 'pods');
  assert.equal(discovery.resourceFor('', 'Namespace')?.namespaced, false);
  assert.equal(discovery.resourceFor('apps', 'Deployment', 'v1beta1'), undefined);
  assert.equal(discovery.resourceFor('autoscaling', 'HorizontalPodAutoscaler')?.version, 'v2');
  assert.equal(discovery.resourceFor('autoscaling', 'HorizontalPodAutoscaler', 'v1')?.version, 'v1');
  const scopes = discovery.scopes();
  assert.equal(scopes['rbac.authorization.k8s.io/ClusterRole'], false);
  assert.equal(scopes['/ConfigMap'], true);
  assert.match(discovery.kubeVersion(), /^v1\.\d+\.\d+/);
});

test('apiVersions are what the API server’s older discovery tells kubectl and Helm', async () => {
  const discovery = new Discovery(client);
  await discovery.refresh();
  const { request } = await useControlPlane();
  const get = async (path: string) => JSON.parse((await request('GET', path)).body);
  const groups: { versions: { groupVersion: string }[] }[] = (await get('/apis')).groups;
  const paths = groups.flatMap(({ versions }) => versions.map(({ groupVersion }) => `/apis/${groupVersion}`));
  const expected = new Set<string>();
  for (const path of ['/api/v1', ...paths]) {
    const document: { groupVersion: string; resources: { kind: string }[] } = await get(path);
    if (document.groupVersion.includes('.example.com')) continue;
    expected.add(document.groupVersion);
    for (const { kind } of document.resources) expected.add(`${document.groupVersion}/${kind}`);
  }
  const told = discovery.apiVersions().filter((name) => !name.includes('.example.com'));
  assert.deepEqual(told, [...expected].sort());
});

test('A10: a CRD that appears, changes and goes is followed', async (t) => {
  const discovery = new Discovery(client);
  await discovery.refresh();
  const group = uniqueGroup();
  const name = await createCrd(t, group, { versions: ['v1alpha1'] });
  discovery.invalidate();
  const found = await discovery.ensure(group, 'Widget', undefined, { waitMs: 10_000 });
  assert.deepEqual([found?.version, found?.plural, found?.namespaced], ['v1alpha1', 'widgets', true]);

  const { spec } = await client.get({ resource: CRDS, name });
  assert.ok(typeof spec === 'object' && spec !== null && 'versions' in spec && Array.isArray(spec.versions));
  const versions = [...spec.versions, { ...spec.versions[0], name: 'v1', storage: false }];
  await client.mergePatch({ resource: CRDS, name }, { spec: { versions } });
  const newer = await discovery.ensure(group, 'Widget', 'v1', { waitMs: 10_000 });
  assert.equal(newer?.version, 'v1');
  // The API server may tell the new version a moment before it has put the stable one first.
  await eventually(
    async () => {
      await discovery.refresh();
      return discovery.resourceFor(group, 'Widget')?.version === 'v1';
    },
    { describe: 'a stable version to be preferred' },
  );

  let changes = 0;
  const end = discovery.onChange(() => {
    changes += 1;
  });
  await client.delete({ resource: CRDS, name });
  await eventually(async () => {
    await discovery.refresh();
    return discovery.resourceFor(group, 'Widget') === undefined;
  });
  assert.ok(changes > 0);
  end();
});

test('A10: a kind that stays unknown asks once a second at most, and at once after invalidate', async () => {
  const discovery = new Discovery(client);
  await discovery.refresh();
  proxy.forget();
  const asked = () => proxy.find({ path: /^\/apis$/ }).length;
  discovery.invalidate();
  const unknown = () => discovery.ensure('nowhere.example.com', 'Nothing');
  await Promise.all(Array.from({ length: 50 }, unknown));
  for (let index = 0; index < 20; index += 1) assert.equal(await unknown(), undefined);
  const once = asked();
  assert.ok(once >= 1 && once <= 3, `${once} requests for 70 questions`);
  discovery.invalidate();
  await unknown();
  assert.equal(asked(), once + 1);
  await discovery.ensure('apps', 'Deployment');
  assert.equal(asked(), once + 1, 'a known kind asks nothing');
});

test('an unchanged document is not sent again', async () => {
  const discovery = new Discovery(client);
  await discovery.refresh();
  proxy.forget();
  let changes = 0;
  discovery.onChange(() => {
    changes += 1;
  });
  await discovery.refresh();
  assert.deepEqual(
    proxy.find({ path: /^\/apis?$/ }).map(({ status }) => status),
    [304, 304],
  );
  assert.equal(changes, 0);
});

test('A1: discovery that fails keeps what is known and asks again at once', async (t) => {
  const discovery = new Discovery(client);
  await discovery.refresh();
  t.after(() => proxy.clear());
  for (const fault of ['reset', 'malformed', { status: 503 }] as const) {
    const rule = proxy.fail({ path: /^\/apis$/, fault });
    await assert.rejects(discovery.refresh());
    rule.remove();
    assert.ok(discovery.resourceFor('apps', 'Deployment'));
  }
  const group = uniqueGroup();
  await createCrd(t, group, { scope: 'Cluster' });
  assert.equal((await discovery.ensure(group, 'Widget', 'v1', { waitMs: 10_000 }))?.namespaced, false);
});

test('an aggregated API that does not answer breaks no other', async (t) => {
  const discovery = new Discovery(client);
  const group = uniqueGroup();
  await client.create(
    { resource: API_SERVICES },
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `v1.${group}` },
      spec: {
        group,
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 10,
        service: { namespace: 'default', name: 'gone' },
        insecureSkipTLSVerify: true,
      },
    },
  );
  t.after(() => client.delete({ resource: API_SERVICES, name: `v1.${group}` }));
  await eventually(async () => {
    await discovery.refresh();
    return discovery.apiVersions().includes(`${group}/v1`);
  });
  assert.ok(discovery.resourceFor('apps', 'Deployment'));
  assert.ok(discovery.resourceFor('', 'Pod'));
});
