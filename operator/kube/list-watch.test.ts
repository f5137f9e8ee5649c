import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { type FaultProxy, startFaultProxy } from '../../test/harness/fault-proxy.ts';
import type { RecordedRequest } from '../../test/harness/recorded-request.ts';
import { namespaceFor, useControlPlane } from '../../test/harness/use-control-plane.ts';
import { eventually } from '../../test/harness/wait.ts';
import { KubeClient, type KubeObject } from './client.ts';
import { isForbidden, isUnauthorized } from './errors.ts';
import { ListWatch, type ListWatchOptions, type WatchState } from './list-watch.ts';
import { entryOf } from './object-store.ts';

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };
/** Of the whole collection; of one object alone only the version is asked. */
const LIST = {
  verb: 'list',
  path: /configmaps/,
  where: ({ query }: RecordedRequest) => query.get('limit') !== '1',
} as const;
const WATCH = { verb: 'watch', path: /configmaps/ } as const;
const LIST_OR_WATCH = { verb: ['list', 'watch'], path: /configmaps/ } as const;
/** A1: everything in sync again so long after a fault's end. */
const CAUGHT_UP_MS = 40_000;

let direct: KubeClient;
let proxy: FaultProxy;
before(async () => {
  const cluster = await useControlPlane();
  direct = KubeClient.fromKubeConfig(cluster.kubeConfigText);
  proxy = await startFaultProxy(cluster);
});
after(async () => {
  await direct.close();
  await proxy.stop();
});

function valueIn(object: KubeObject): string {
  const { data } = object;
  return typeof data === 'object' && data !== null && 'value' in data ? String(data.value) : '';
}

/** A namespace, a watch of its ConfigMaps through the proxy, and what it told. */
async function arrange(t: TestContext, options: Partial<ListWatchOptions<string>> = {}) {
  const namespace = await namespaceFor(t);
  const client = options.client ?? KubeClient.fromKubeConfig(proxy.kubeConfigText);
  const events: string[] = [];
  const states: WatchState[] = [];
  const faults: Error[] = [];
  const watch = new ListWatch<string>({
    client,
    resource: CONFIG_MAPS,
    namespace,
    labelSelector: 'of=test',
    reduce: valueIn,
    onEvent: ({ type, name, object, previous }) => {
      events.push(`${type} ${name} ${previous === undefined ? '' : `${previous}→`}${object}`);
    },
    onState: (state) => states.push(state),
    onFault: (error) => faults.push(error),
    ...options,
  });
  t.after(async () => {
    proxy.clear();
    await watch.stop();
    await client.close();
  });
  const path = (name: string) => ({ resource: CONFIG_MAPS, namespace, name });
  const put = (name: string, value: string) => {
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, labels: { of: 'test' } },
      data: { value },
    };
    return direct.apply(path(name), JSON.stringify(object), { fieldManager: 'test', force: true });
  };
  const remove = (name: string) => direct.delete(path(name));
  const has = (name: string, value: string | undefined, within = 10_000) =>
    eventually(() => watch.get(namespace, name) === value, { within, describe: `${name} to be ${value}` });
  const watching = () => eventually(() => states.at(-1)?.state === 'Watching', { describe: 'an open watch' });
  return { namespace, watch, events, states, faults, put, remove, has, watching };
}

test('what exists is listed page by page, then followed: added, modified, deleted', async (t) => {
  const { namespace, watch, events, put, remove, has, watching } = await arrange(t);
  await put('a', '1');
  assert.equal(watch.synced, false);
  watch.start();
  await watch.whenSynced();
  assert.deepEqual(events, ['Added a 1']);
  await watching();
  await put('b', '1');
  await has('b', '1');
  await put('b', '2');
  await has('b', '2');
  await remove('b');
  await has('b', undefined);
  assert.deepEqual(events.slice(1), ['Added b 1', 'Modified b 1→2', 'Deleted b 2→2']);
  assert.equal([...watch.values()].length, 1);
  assert.deepEqual([...watch.values()], ['1']);
  assert.equal(watch.get(namespace, 'a'), '1');
  assert.equal(watch.lastError, undefined);
});

test('1,200 objects come in three pages and one event each', async (t) => {
  const { watch, events, put } = await arrange(t, {});
  const names = Array.from({ length: 1200 }, (_, index) => `map-${index}`);
  for (let at = 0; at < names.length; at += 50)
    await Promise.all(names.slice(at, at + 50).map((name) => put(name, '1')));
  proxy.forget();
  watch.start();
  await watch.whenSynced();
  assert.equal([...watch.values()].length, 1200);
  assert.equal(events.length, 1200);
  assert.equal(proxy.find(LIST).length, 3);
});

test('a watch of metadata only has managedFields and no data', async (t) => {
  const seen: KubeObject[] = [];
  const reduce = (object: KubeObject) => {
    seen.push(object);
    return object.metadata.managedFields?.[0]?.manager ?? '';
  };
  const { watch, put, has, watching } = await arrange(t, { metadataOnly: true, reduce });
  await put('a', '1');
  watch.start();
  await watching();
  await put('b', '1');
  await has('b', 'test');
  assert.deepEqual(
    seen.map(({ data }) => data),
    [undefined, undefined],
  );
});

const answered = (object: KubeObject) => entryOf(object, valueIn(object));

test('an answer is told at once, and nothing of what the watch tells later of the time before it', async (t) => {
  const { watch, events, put, remove, has } = await arrange(t);
  const held = proxy.hold(WATCH);
  watch.start();
  await held.seen;
  const first = answered(await put('a', '1'));
  await remove('a');
  assert.equal(watch.takeIn(answered(await put('a', '2'))), true);
  assert.deepEqual(events, ['Added a 2']);
  held.release();
  await put('b', '1');
  await has('b', '1');
  assert.deepEqual(events, ['Added a 2', 'Added b 1']);
  assert.equal(watch.takeIn(first), false, 'the watch has told its end');
});

test('a list takes away what was answered before it and is gone, and nothing that is newer', async (t) => {
  const { watch, events, put, remove, watching } = await arrange(t);
  const gone = answered(await put('gone', '1'));
  await remove('gone');
  const held = proxy.hold({ ...LIST, at: 'response' });
  watch.start();
  await held.seen;
  watch.takeIn(gone);
  watch.takeIn(answered(await put('new', '1')));
  held.release();
  await watching();
  assert.deepEqual(events, ['Added gone 1', 'Added new 1', 'Deleted gone 1→1']);
});

test('a watch that ends is resumed from where it was, without listing again', async (t) => {
  const { watch, states, put, has, watching } = await arrange(t);
  await put('a', '1');
  watch.start();
  await watching();
  await put('a', '2');
  await has('a', '2');
  proxy.forget();
  for (let round = 0; round < 3; round += 1) {
    states.length = 0;
    proxy.resetConnections();
    await put('a', `reset ${round}`);
    await has('a', `reset ${round}`);
    await watching();
  }
  assert.equal(proxy.find(LIST).length, 0);
});

test('A1: 410 Gone, as an event and as an answer: listed again, and only the difference told', async (t) => {
  const { watch, events, put, remove, has, watching } = await arrange(t);
  await put('a', '1');
  await put('b', '1');
  await put('c', '1');
  watch.start();
  await watching();
  for (const gone of ['event', 'answer']) {
    events.length = 0;
    const blocked = proxy.fail({ ...LIST_OR_WATCH, fault: { status: 503 } });
    if (gone === 'event') proxy.expireWatches(WATCH);
    else proxy.resetConnections();
    await eventually(() => blocked.met > 0);
    await remove('a');
    await put('b', `after ${gone}`);
    // The same name, but another object.
    await remove('c');
    await put('c', '1');
    if (gone === 'answer') proxy.fail({ ...WATCH, fault: { status: 410 }, times: 1 });
    proxy.forget();
    blocked.remove();
    await has('b', `after ${gone}`, CAUGHT_UP_MS);
    await has('a', undefined);
    await eventually(() => events.length === 4);
    assert.deepEqual(events.map((event) => event.split(' ').slice(0, 2).join(' ')).sort(), [
      'Added c',
      'Deleted a',
      'Deleted c',
      'Modified b',
    ]);
    assert.equal(proxy.find(LIST).length, 1);
    await put('a', '1');
    await has('a', '1');
  }
});

for (const [name, fault] of [
  ['reset connections', 'reset'],
  ['malformed answers and watch lines', 'malformed'],
  ['429 with Retry-After', { status: 429, retryAfter: 1 }],
  ['500', { status: 500 }],
  ['503', { status: 503 }],
] as const) {
  test(`A1: ${name} are outlived, backing off, and caught up with`, async (t) => {
    const { watch, states, put, remove, has, watching } = await arrange(t);
    await put('a', '1');
    await put('b', '1');
    watch.start();
    await watching();
    const rule = proxy.fail({ ...LIST_OR_WATCH, fault });
    proxy.resetConnections();
    await eventually(() => rule.met >= 3, { within: 40_000 });
    assert.ok(watch.synced, 'what was known stays readable');
    assert.ok(watch.lastError);
    assert.equal(states.at(-1)?.state, 'Failing');
    await put('a', '2');
    await remove('b');
    rule.remove();
    await has('a', '2', CAUGHT_UP_MS);
    await has('b', undefined);
    await watching();
    assert.equal(watch.lastError, undefined);
  });
}

test('A1: refused connections are outlived, from the start on', async (t) => {
  const { watch, put, has, states } = await arrange(t);
  await put('a', '1');
  await proxy.refuseConnections();
  watch.start();
  await eventually(() => states.filter(({ state }) => state === 'Failing').length >= 3);
  assert.equal(watch.synced, false);
  await proxy.acceptConnections();
  await has('a', '1', CAUGHT_UP_MS);
});

test('A1: a server that forbids all while it starts is asked again whether its history went back', async (t) => {
  const { watch, states, watching } = await arrange(t);
  watch.start();
  await watching();
  const asked = { verb: 'list', path: /configmaps.*limit=1(&|$)/ } as const;
  const forbidding = proxy.fail({ ...asked, fault: { status: 403 }, times: 2 });
  const before = states.length;
  proxy.forget();
  proxy.resetConnections();
  await eventually(() => states.length > before && states.at(-1)?.state === 'Watching', {
    describe: 'the watch to be back',
  });
  assert.equal(forbidding.met, 2);
  const [first] = proxy.find(WATCH);
  const last = proxy.find(asked).at(-1);
  assert.equal(last?.status, 200);
  assert.ok((first?.number ?? 0) > (last?.number ?? 0), 'nothing is watched before that is known');
});

test('A1: a request that hangs is given up and tried again', async (t) => {
  const { watch, put, has } = await arrange(t, { listTimeoutMs: 500 });
  await put('a', '1');
  proxy.fail({ ...LIST, fault: 'hang', times: 2 });
  watch.start();
  await has('a', '1', CAUGHT_UP_MS);
});

test('A1: an expired token is outlived and the rotated one used', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'towpath-watch-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const token: string = JSON.parse(proxy.kubeConfigText).users[0].user.token;
  const config = JSON.parse(proxy.kubeConfigText);
  config.users[0].user = { tokenFile: join(directory, 'token') };
  writeFileSync(join(directory, 'token'), token);
  const client = KubeClient.fromKubeConfig(JSON.stringify(config));
  const { watch, put, has, watching } = await arrange(t, { client });
  watch.start();
  await watching();
  writeFileSync(join(directory, 'token'), 'expired');
  // 401 makes the client read the file, and read it again.
  const rule = proxy.fail({ ...LIST_OR_WATCH, fault: { status: 401 }, times: 2 });
  proxy.resetConnections();
  await eventually(() => rule.met === 2 && isUnauthorized(watch.lastError));
  writeFileSync(join(directory, 'token'), token);
  await put('a', '1');
  await has('a', '1', CAUGHT_UP_MS);
});

const bookmark = { type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: '1' } } };
const added = {
  type: 'ADDED',
  object: { kind: 'ConfigMap', metadata: { name: 'a', namespace: 'x', uid: 'u', resourceVersion: '1' } },
};
for (const [name, line] of Object.entries({
  'a bookmark': bookmark,
  'an event': added,
  'the error that history is gone': {
    type: 'ERROR',
    object: { kind: 'Status', code: 410, reason: 'Expired' },
  },
  'any other error': { type: 'ERROR', object: { kind: 'Status', code: 500 } },
})) {
  test(`A1: a server that ends each watch after ${name} is asked ever more rarely, and caught up with`, async (t) => {
    const { watch, states, put, has, watching } = await arrange(t, { random: () => 1 });
    proxy.fail({ ...WATCH, fault: { line: JSON.stringify(line) } });
    proxy.forget();
    watch.start();
    // Without a pause thousands come in that time; the pauses double from a tenth of a second on.
    const pauses = () =>
      states.flatMap((state) => (state.state === 'Failing' ? [Math.round(state.retryInMs)] : []));
    await eventually(() => pauses().length >= 5, { describe: 'five pauses' });
    const first = pauses()[0] ?? 0;
    assert.ok([100, 200].includes(first), 'what the server forgot is listed again at once, the first time');
    assert.deepEqual(
      pauses().slice(0, 5),
      [1, 2, 4, 8, 16].map((factor) => first * factor),
    );
    assert.ok(proxy.find(WATCH).length <= pauses().length + 2, 'a pause after each');
    proxy.clear();
    await put('a', '1');
    await has('a', '1', CAUGHT_UP_MS);
    await watching();
  });
}

test('A1: malformed lines in an open watch are told, and lose nothing', async (t) => {
  const { watch, faults, put, has, watching } = await arrange(t);
  watch.start();
  await watching();
  for (const line of [
    '{"type":"ADDED","obj',
    'null',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":{"metadata":{}}}',
  ]) {
    faults.length = 0;
    await eventually(() => proxy.injectIntoWatches(line, WATCH) > 0);
    await eventually(() => faults.length > 0, { describe: `${line} to be told` });
    await put('a', line);
    await has('a', line);
    await watching();
  }
});

test('A8: a line that never ends is given up, and the watch begins anew', async (t) => {
  const { watch, states, put, has, watching } = await arrange(t);
  watch.start();
  await watching();
  await eventually(() => proxy.injectIntoWatches('x'.repeat(17 * 2 ** 20), WATCH) > 0);
  await eventually(() =>
    states.some((state) => state.state === 'Failing' && /exceeds 16 MiB/.test(state.error.message)),
  );
  await put('a', '1');
  await has('a', '1');
});

test('A2: a half-open watch is noticed by its silence and renewed', async (t) => {
  const { watch, put, has, watching } = await arrange(t, { silenceMs: 500 });
  watch.start();
  await watching();
  const stalled = await eventually(() => proxy.stallWatches(WATCH));
  assert.ok(stalled > 0);
  await put('a', '1');
  await has('a', '1');
});

test('bookmarks move the resourceVersion on, so that a quiet watch is not resumed from the past', async (t) => {
  const { watch, watching } = await arrange(t, { silenceMs: 1000 });
  watch.start();
  await watching();
  const bookmark = { type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: '2' } } };
  await eventually(() => proxy.stallWatches(WATCH) > 0);
  proxy.injectIntoWatches(JSON.stringify(bookmark), WATCH);
  proxy.forget();
  await eventually(() => proxy.find(WATCH).length > 0);
  assert.equal(proxy.find(WATCH)[0]?.query.get('resourceVersion'), '2');
  assert.equal(proxy.find(WATCH)[0]?.query.get('allowWatchBookmarks'), 'true');
});

test('what reduce or a callback throws is told and harms nothing', async (t) => {
  const { watch, namespace, faults, put, has, watching } = await arrange(t, {
    reduce: (object) => {
      if (object.metadata.name === 'bad') throw new Error('no such shape');
      return valueIn(object);
    },
    onEvent: () => {
      throw new Error('callback');
    },
  });
  await put('a', '1');
  await put('bad', '1');
  watch.start();
  await watching();
  await put('a', '2');
  await put('bad', '2');
  await put('b', '1');
  await has('b', '1');
  assert.equal(watch.get(namespace, 'a'), '2');
  assert.equal(watch.get(namespace, 'bad'), undefined);
  const told = new Set(faults.map(({ message }) => message));
  assert.deepEqual([...told].sort(), ['callback', 'no such shape']);
});

test('S1: a watch as a ServiceAccount without rights tells the refusal and begins when they are given', async (t) => {
  const cluster = await useControlPlane();
  const namespace = await namespaceFor(t, cluster);
  const as = { namespace, name: 'reader' };
  const { watch, states } = await arrange(t, { as, namespace });
  watch.start();
  await eventually(() => isForbidden(watch.lastError));
  assert.ok(states.some((state) => state.state === 'Failing' && isForbidden(state.error)));
  const rolebindings = { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'rolebindings' };
  await direct.create(
    { resource: rolebindings, namespace },
    {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace }],
    },
  );
  await watch.whenSynced(AbortSignal.timeout(CAUGHT_UP_MS));
});

test('stop ends the watch at once, and no callback comes any more', async (t) => {
  const { watch, events, put, watching } = await arrange(t);
  watch.start();
  await watching();
  await watch.stop();
  await eventually(() => proxy.openWatches(WATCH) === 0);
  await put('a', '1');
  assert.deepEqual(events, []);
  const idle = new ListWatch({ client: direct, resource: CONFIG_MAPS, reduce: valueIn });
  await idle.stop();
  await assert.rejects(idle.whenSynced(AbortSignal.abort(new Error('gave up'))), /gave up/);
});

test('100 watches share a client and leave its requests room', async (t) => {
  const namespace = await namespaceFor(t);
  const client = KubeClient.fromKubeConfig(proxy.kubeConfigText);
  const watches = Array.from({ length: 100 }, (_, index) => {
    const fieldSelector = `metadata.name=map-${index}`;
    return new ListWatch({ client, resource: CONFIG_MAPS, namespace, fieldSelector, reduce: valueIn });
  });
  t.after(async () => {
    await Promise.all(watches.map((watch) => watch.stop()));
    await client.close();
  });
  for (const watch of watches) watch.start();
  await Promise.all(watches.map((watch) => watch.whenSynced()));
  await eventually(() => proxy.openWatches(WATCH) >= 100);
  const reads = Array.from({ length: 100 }, () => client.list({ resource: CONFIG_MAPS, namespace }));
  assert.equal((await Promise.all(reads)).length, 100);
});
