import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { type FaultProxy, startFaultProxy } from '../../test/harness/fault-proxy.ts';
import { namespaceFor, useControlPlane } from '../../test/harness/use-control-plane.ts';
import { eventually } from '../../test/harness/wait.ts';
import { type ClientOptions, KubeClient, type ObjectPath, type RequestRecord } from './client.ts';
import {
  ApiError,
  isConflict,
  isFieldConflict,
  isForbidden,
  isInvalid,
  isNotFound,
  isTransient,
  isUnauthorized,
  isUnreachable,
  NotLeaderError,
  UnreachableError,
} from './errors.ts';
import { WriteGate } from './write-gate.ts';

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };
const APPLY = { fieldManager: 'towpath-test', force: false };

let proxy: FaultProxy;
before(async () => {
  proxy = await startFaultProxy(await useControlPlane());
});
after(() => proxy.stop());

/** A client through the proxy, a namespace, and the path of a ConfigMap in it. */
async function arrange(t: TestContext, options: ClientOptions = {}) {
  const client = KubeClient.fromKubeConfig(proxy.kubeConfigText, options);
  t.after(async () => {
    proxy.clear();
    await client.close();
  });
  const namespace = await namespaceFor(t);
  const path: ObjectPath = { resource: CONFIG_MAPS, namespace, name: 'settings' };
  return { client, namespace, path };
}

function configMap(data: Record<string, string>, metadata: object = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', ...metadata },
    data,
  });
}

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'towpath-client-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => assert.fail('it succeeded'),
    (error: unknown) => error,
  );
}

test('an object is created, read, changed, replaced, patched and deleted', async (t) => {
  const { client, path, namespace } = await arrange(t);
  const created = await client.create({ resource: CONFIG_MAPS, namespace }, configMap({ a: '1' }));
  assert.equal(created.kind, 'ConfigMap');
  assert.deepEqual((await client.get(path)).data, { a: '1' });
  const replaced = await client.replace(path, { ...created, data: { a: '2' } });
  assert.ok(
    isConflict(await failureOf(client.replace(path, { ...created, data: { a: '3' } }))),
    'stale version',
  );
  assert.notEqual(replaced.metadata.resourceVersion, created.metadata.resourceVersion);
  assert.deepEqual((await client.mergePatch(path, { data: { b: '1' } })).data, { a: '2', b: '1' });
  const operations = [{ op: 'remove', path: '/data/a' }];
  assert.deepEqual((await client.jsonPatch(path, operations)).data, { b: '1' });
  const metadata = await client.getMetadata(path);
  assert.equal(metadata.data, undefined);
  assert.ok(metadata.metadata.managedFields, 'managedFields are part of the metadata');
  assert.equal(await client.delete(path), undefined);
  assert.ok(isNotFound(await failureOf(client.delete(path))));
});

test('an object with a finalizer is returned by delete', async (t) => {
  const { client, path } = await arrange(t);
  await client.apply(path, configMap({}, { finalizers: ['towpath.dev/test'] }), APPLY);
  const held = await client.delete(path);
  assert.ok(held?.metadata.deletionTimestamp);
  await client.mergePatch(path, { metadata: { finalizers: null } });
  assert.ok(isNotFound(await failureOf(client.get(path))));
});

test('delete keeps an object whose uid or resourceVersion is another', async (t) => {
  const { client, path } = await arrange(t);
  const object = await client.apply(path, configMap({ a: '1' }), APPLY);
  const { uid, resourceVersion } = object.metadata;
  assert.ok(isConflict(await failureOf(client.delete(path, { uid: '0000' }))));
  assert.ok(isConflict(await failureOf(client.delete(path, { uid, resourceVersion: '1' }))));
  await client.delete(path, { uid, resourceVersion, dryRun: true });
  await client.get(path);
  await client.delete(path, { uid, resourceVersion });
  assert.ok(isNotFound(await failureOf(client.get(path))));
});

test('apply sends the text byte for byte and tells the fields of a conflict', async (t) => {
  const { client, path } = await arrange(t);
  const text = `{ "kind":"ConfigMap",\n "apiVersion" : "v1","metadata":{"name":"settings"},"data":{"a":"1"} }`;
  proxy.forget();
  const object = await client.apply(path, text, APPLY);
  assert.equal(proxy.find({ verb: 'apply' })[0]?.body, text);
  assert.equal(object.metadata.managedFields?.[0]?.manager, 'towpath-test');
  const error = await failureOf(
    client.apply(path, configMap({ a: '2' }), { fieldManager: 'other', force: false }),
  );
  assert.ok(isFieldConflict(error) && error instanceof ApiError);
  assert.deepEqual(error.causes, [
    { field: '.data.a', reason: 'FieldManagerConflict', message: 'conflict with "towpath-test"' },
  ]);
  const taken = await client.apply(path, configMap({ a: '2' }), { fieldManager: 'other', force: true });
  assert.deepEqual(taken.data, { a: '2' });
});

test('apply with resourceVersion "1" only creates; with a uid it only updates', async (t) => {
  const { client, path } = await arrange(t);
  const create = () => client.apply(path, configMap({ a: '1' }, { resourceVersion: '1' }), APPLY);
  const object = await create();
  assert.ok(isConflict(await failureOf(create())));
  const update = () => client.apply(path, configMap({ a: '2' }, { uid: object.metadata.uid }), APPLY);
  await update();
  await client.delete(path);
  assert.ok(isConflict(await failureOf(update())));
});

test('a dry-run changes nothing', async (t) => {
  const { client, path } = await arrange(t);
  await client.apply(path, configMap({ a: '1' }), { ...APPLY, dryRun: true });
  assert.ok(isNotFound(await failureOf(client.get(path))));
});

test('a list of many pages is complete, and survives a continue token that runs out', async (t) => {
  const { client, namespace } = await arrange(t);
  const collection = { resource: CONFIG_MAPS, namespace };
  const names = Array.from({ length: 25 }, (_, index) => `map-${String(index).padStart(2, '0')}`);
  await Promise.all(
    names.map((name) => client.create(collection, { metadata: { name, labels: { of: 'test' } } })),
  );
  const list = { labelSelector: 'of=test', limit: 10 };
  const listed = async () =>
    (await client.list(collection, list)).items.map(({ metadata }) => metadata.name).sort();
  assert.deepEqual(await listed(), names);
  proxy.fail({ verb: 'list', path: /continue=/, fault: { status: 410 }, times: 1 });
  assert.deepEqual(await listed(), names);
  const { items, resourceVersion } = await client.list(collection, { ...list, metadataOnly: true });
  assert.equal(items.length, 25);
  assert.equal(items[0]?.data, undefined);
  assert.match(resourceVersion, /^\d+$/);
});

test('S1: a call made as a ServiceAccount has that account’s rights and no others', async (t) => {
  const { client, namespace, path } = await arrange(t);
  const as = { namespace, name: 'deployer' };
  const error = await failureOf(client.apply(path, configMap({}), APPLY, { as }));
  assert.ok(isForbidden(error) && error instanceof Error);
  assert.match(error.message, new RegExp(`system:serviceaccount:${namespace}:deployer`));
  const rbac = (plural: string) => ({ group: 'rbac.authorization.k8s.io', version: 'v1', plural });
  await client.create(
    { resource: rbac('rolebindings'), namespace },
    {
      metadata: { name: 'all-accounts' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [
        { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: `system:serviceaccounts:${namespace}` },
      ],
    },
  );
  const applied = await eventually(() => client.apply(path, configMap({}), APPLY, { as }));
  assert.equal(applied.metadata.name, 'settings');
});

test('S5: errors about a Secret quote no value', async (t) => {
  const { client, namespace } = await arrange(t);
  const path = { resource: { group: '', version: 'v1', plural: 'secrets' }, namespace, name: 'db' };
  const marked = 'hunter2-marked';
  const secret = (fields: object) =>
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, ...fields });
  const wrong = [
    secret({ stringData: { password: { nested: marked } } }),
    secret({ data: { password: marked } }),
    secret({ type: 'kubernetes.io/tls', stringData: { 'tls.crt': marked } }),
    secret({ data: { password: { nested: marked } } }),
    secret({ stringData: { 'no key': marked } }),
    secret({ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': marked } }),
    `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"},"data":{"a":"${marked}`,
  ];
  for (const text of wrong) {
    for (const send of [
      () => client.apply(path, text, { ...APPLY, fieldValidation: 'Strict' }),
      () => client.create({ resource: path.resource, namespace }, text),
    ]) {
      const error = await failureOf(send());
      assert.ok(isInvalid(error) && error instanceof ApiError, String(error));
      assert.doesNotMatch(JSON.stringify([error.message, error.causes, error.stack]), /hunter2/);
    }
  }
});

test('a field that no schema has is Invalid and named, although the API server answers 500', async (t) => {
  const { client, path } = await arrange(t);
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings' },
    dat: {},
  });
  const error = await failureOf(client.apply(path, text, APPLY));
  assert.ok(isInvalid(error) && !isTransient(error) && error instanceof ApiError, String(error));
  assert.equal(error.reason, 'Invalid');
  assert.deepEqual(error.causes, [{ field: '.dat', message: 'field not declared in schema' }]);
});

test('D8: without leadership no write is sent, also when it is lost while the write waits', async (t) => {
  let leads = true;
  let asked = 0;
  const mayWrite = () => {
    asked += 1;
    return leads;
  };
  const { client, path } = await arrange(t, { gate: new WriteGate(mayWrite) });
  await client.apply(path, configMap({ a: '1' }), APPLY);
  leads = false;
  proxy.forget();
  for (const write of [
    () => client.apply(path, configMap({ a: '2' }), APPLY),
    () => client.mergePatch(path, { data: {} }),
    () => client.delete(path),
    () => client.replace(path, {}),
    () => client.create({ resource: CONFIG_MAPS, namespace: path.namespace ?? '' }, {}),
  ]) {
    assert.ok((await failureOf(write())) instanceof NotLeaderError);
  }
  assert.equal(proxy.requests.length, 0);
  assert.deepEqual((await client.get(path)).data, { a: '1' }, 'reads go on');

  // All 64 connections are taken by slow reads, so that the write waits for one.
  leads = true;
  proxy.fail({ verb: 'get', fault: { latencyMs: 3_000 } });
  const reads = Array.from({ length: 64 }, () => client.get(path));
  await eventually(() => proxy.find({ verb: 'get' }).length >= 64);
  asked = 0;
  const write = failureOf(client.apply(path, configMap({ a: '3' }), APPLY));
  await eventually(() => asked === 1, { every: 1 });
  leads = false;
  await Promise.all(reads);
  assert.ok((await write) instanceof NotLeaderError);
  assert.equal(asked, 2, 'asked again when a connection was free');
  assert.equal(proxy.find({ verb: 'apply' }).length, 0);
});

test("A1: Applications' requests that take all connections hold up neither the Lease nor our own bookkeeping", async (t) => {
  const { client, path } = await arrange(t, { gate: new WriteGate(() => true) });
  await client.apply(path, configMap({ a: '1' }), APPLY);
  proxy.forget();
  proxy.fail({ verb: 'get', fault: { latencyMs: 3_000 } });
  assert.equal(client.saturated, false);
  const accounts = ['one', 'two', 'three', 'four'].map((namespace) => ({ namespace, name: 'towpath' }));
  const reads = accounts.flatMap((as) =>
    Array.from({ length: 20 }, () => failureOf(client.get(path, { as }))),
  );
  await eventually(() => client.saturated, { every: 5, describe: 'all places to be taken' });
  await client.mergePatch(path, { data: { a: '2' } }, {}, { ungated: true });
  await client.mergePatch(path, { data: { a: '3' } });
  // What takes long lends its place on.
  await eventually(() => proxy.find({ verb: 'get' }).length === 80, { describe: 'all reads to be sent' });
  await Promise.all(reads);
  assert.equal(client.saturated, false);
});

test("A7: a write that is given up goes on, and its end is waited for, but not others'", async (t) => {
  const { client, path } = await arrange(t, { gate: new WriteGate(() => true) });
  await client.apply(path, configMap({ a: '1' }), APPLY);
  const as = { namespace: path.namespace ?? '', name: 'default' };
  const others = proxy.hold({ verb: 'patch', where: ({ impersonate }) => impersonate !== '' });
  void failureOf(client.mergePatch(path, { data: { a: '2' } }, {}, { as }));
  await others.seen;
  const held = proxy.hold({ verb: 'patch', where: ({ impersonate }) => impersonate === '' });
  const stop = new AbortController();
  const given = failureOf(client.mergePatch(path, { data: { a: '3' } }, {}, { signal: stop.signal }));
  await held.seen;
  stop.abort(new Error('superseded'));
  assert.match(String(await given), /superseded/);
  // Nothing of this account is under way, and whoever waits can give up.
  await client.writesEnded({ as: { ...as, name: 'another' } });
  const tired = AbortSignal.timeout(50);
  assert.equal(await failureOf(client.writesEnded({ signal: tired })), tired.reason);
  const ended = client.writesEnded();
  held.release();
  others.release();
  await ended;
  assert.deepEqual((await client.get(path))['data'], { a: '3' }, 'it was carried out');
});

test('a call ends at its time-out and at its signal, and says which', async (t) => {
  const { client, path } = await arrange(t);
  proxy.fail({ verb: 'get', fault: 'hang' });
  const late = await failureOf(client.get(path, { timeoutMs: 100 }));
  assert.ok(late instanceof UnreachableError && late.code === 'Timeout' && isUnreachable(late));
  const stop = new AbortController();
  const stopped = failureOf(client.get(path, { signal: stop.signal }));
  const reason = new Error('superseded');
  stop.abort(reason);
  assert.equal(await stopped, reason);
  assert.equal(await failureOf(client.get(path, { signal: stop.signal })), reason, 'aborted before it began');
});

test('A1: what an ill API server does is told as transient', async (t) => {
  const { client, path } = await arrange(t);
  await client.apply(path, configMap({}), APPLY);
  const faults = [
    'reset',
    'malformed',
    { status: 429, retryAfter: 3 },
    { status: 500 },
    { status: 503 },
    { status: 504 },
  ] as const;
  for (const fault of faults) {
    const rule = proxy.fail({ verb: 'get', fault });
    const error = await failureOf(client.get(path));
    rule.remove();
    assert.ok(isUnreachable(error), `${JSON.stringify(fault)}: ${error}`);
    if (typeof fault === 'object' && 'retryAfter' in fault) {
      assert.ok(error instanceof ApiError && error.retryAfterMs === 3000);
    }
  }
  await client.get(path);
  await proxy.refuseConnections();
  const refused = await failureOf(client.get(path));
  await proxy.acceptConnections();
  assert.ok(refused instanceof UnreachableError && isUnreachable(refused), String(refused));
  await client.get(path);
  const nowhere = KubeClient.fromKubeConfig(proxy.kubeConfigText.replace('127.0.0.1', 'nowhere.invalid'));
  const unknown = await failureOf(nowhere.version());
  assert.ok(unknown instanceof UnreachableError, String(unknown));
  await nowhere.close();
});

test('A1: a token file that was rotated is read again as soon as the old token is refused', async (t) => {
  const directory = temporaryDirectory(t);
  const tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, 'expired\n');
  const config = JSON.parse(proxy.kubeConfigText);
  config.users[0].user = { tokenFile: 'token' };
  const file = join(directory, 'kubeconfig');
  writeFileSync(file, JSON.stringify(config));
  const client = KubeClient.fromKubeConfig(file);
  t.after(() => client.close());
  const resource = { group: '', version: 'v1', plural: 'namespaces' };
  const read = () => client.get({ resource, name: 'default' });
  const error = await failureOf(read());
  assert.ok(isUnauthorized(error) && isTransient(error), String(error));
  writeFileSync(tokenFile, `${JSON.parse(proxy.kubeConfigText).users[0].user.token}\n`);
  await read();
});

test('A1: credentials of an exec plugin are asked for again when they are refused', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'credential.json');
  const issue = (token: string) =>
    writeFileSync(file, JSON.stringify({ kind: 'ExecCredential', status: { token } }));
  issue('expired');
  const config = JSON.parse(proxy.kubeConfigText);
  const { token } = config.users[0].user;
  config.users[0].user = {
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'cat', args: [file] },
  };
  const client = KubeClient.fromKubeConfig(JSON.stringify(config));
  t.after(() => client.close());
  const path = { resource: { group: '', version: 'v1', plural: 'namespaces' }, name: 'default' };
  assert.ok(isUnauthorized(await failureOf(client.get(path))));
  issue(token);
  assert.equal((await client.get(path)).metadata.name, 'default');
});

test('a kubeconfig with a socks proxy or without a cluster is refused in words', async () => {
  const config = JSON.parse(proxy.kubeConfigText);
  config.clusters[0].cluster['proxy-url'] = 'socks5://127.0.0.1:1';
  const client = KubeClient.fromKubeConfig(JSON.stringify(config));
  assert.match(String(await failureOf(client.version())), /proxy that is neither http nor https/);
  await client.close();
  config['current-context'] = 'other';
  assert.throws(() => KubeClient.fromKubeConfig(JSON.stringify(config)), /names no current cluster/);
});

test('A1: a rotated CA is followed', async (t) => {
  const own = await startFaultProxy(await useControlPlane());
  t.after(() => own.stop());
  const client = KubeClient.fromKubeConfig(own.kubeconfigPath);
  const stale = KubeClient.fromKubeConfig(own.kubeConfigText);
  t.after(() => Promise.all([client.close(), stale.close()]));
  await Promise.all([client.version(), stale.version()]);
  await own.rotateCertificate();
  assert.ok(await eventually(() => client.version()));
  const error = await failureOf(stale.version());
  assert.ok(error instanceof UnreachableError, 'a CA that was given as text cannot follow');
});

test('A13: the time is the API server’s, also when our own clock is an hour off', async (t) => {
  const { client } = await arrange(t);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
  const wrong = Date.now();
  await client.version();
  const ahead = client.now().getTime() - wrong - 3_600_000;
  assert.ok(Math.abs(ahead) < 1500, `off by ${ahead} ms`);
});

test('requests are counted by verb and resource', async (t) => {
  const records: RequestRecord[] = [];
  const { client, path } = await arrange(t, { onRequest: (record) => records.push(record) });
  await client.apply(path, configMap({}), { ...APPLY, dryRun: true });
  await failureOf(client.get(path));
  const told = records.map(({ verb, plural, dryRun, code }) => ({ verb, plural, dryRun, code }));
  assert.deepEqual(told, [
    { verb: 'apply', plural: 'configmaps', dryRun: true, code: 201 },
    { verb: 'get', plural: 'configmaps', dryRun: false, code: 404 },
  ]);
});

test('a watch is counted when it begins, and a request without an answer as one', async (t) => {
  const records: RequestRecord[] = [];
  const { client, path } = await arrange(t, { onRequest: (record) => records.push(record) });
  const stop = new AbortController();
  const { name: _, ...collection } = path;
  const watching = failureOf(
    client.watch(
      collection,
      { resourceVersion: '0', timeoutSeconds: 60, silenceMs: 60_000 },
      { onHead: () => undefined, onLine: () => undefined },
      { signal: stop.signal },
    ),
  );
  await eventually(() => records.length === 1, { describe: 'the watch to be counted' });
  stop.abort();
  await watching;
  await failureOf(client.get(path, { signal: AbortSignal.abort() }));
  const told = records.map(({ verb, method, code, host }) => ({ verb, method, code, host: host !== '' }));
  assert.deepEqual(told, [
    { verb: 'watch', method: 'GET', code: 200, host: true },
    { verb: 'get', method: 'GET', code: 0, host: true },
  ]);
});
