import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import type { Cluster } from '../../test/harness/control-plane.ts';
import { type FaultProxy, startFaultProxy } from '../../test/harness/fault-proxy.ts';
import { namespaceFor, useControlPlane } from '../../test/harness/use-control-plane.ts';
import { eventually } from '../../test/harness/wait.ts';
import { KubeClient, type KubeObject } from './client.ts';
import { EventRecorder, type EventRecorderOptions, type EventSubject } from './events.ts';
import { WriteGate } from './write-gate.ts';

const EVENTS = { group: 'events.k8s.io', version: 'v1', plural: 'events' };
const WRITES = { verb: ['create', 'patch'], path: /events/ } as const;

let cluster: Cluster;
let proxy: FaultProxy;
before(async () => {
  cluster = await useControlPlane();
  proxy = await startFaultProxy(cluster);
});
after(() => proxy.stop());

/** A recorder through the proxy and a ConfigMap for its events to be about. */
async function arrange(t: TestContext, given: Partial<EventRecorderOptions & { mayWrite(): boolean }> = {}) {
  const { mayWrite = () => true, ...options } = given;
  const client = KubeClient.fromKubeConfig(proxy.kubeConfigText, { gate: new WriteGate(mayWrite) });
  const faults: Error[] = [];
  const recorder = new EventRecorder({
    client,
    component: 'towpath',
    instance: 'towpath-0',
    onFault: (error) => faults.push(error),
    ...options,
  });
  t.after(async () => {
    proxy.clear();
    await recorder.stop();
    await client.close();
  });
  const namespace = await namespaceFor(t);
  const resource = { group: '', version: 'v1', plural: 'configmaps' };
  const settings = { metadata: { name: 'settings' } };
  const { metadata } = await client.create({ resource, namespace }, settings, {}, { ungated: true });
  const regarding: EventSubject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace,
    name: 'settings',
    uid: metadata.uid,
  };
  const written = async (): Promise<KubeObject[]> => {
    const { items } = await client.list({ resource: EVENTS, namespace });
    return items.filter(({ reportingController }) => reportingController === 'towpath');
  };
  proxy.forget();
  return { recorder, regarding, written, faults, namespace };
}

const SYNCED = { type: 'Normal', reason: 'Synced', note: 'Everything runs at v1.' } as const;

test('an event is written, and kubectl describe shows it', async (t) => {
  const { recorder, regarding, written, namespace } = await arrange(t);
  recorder.record({ regarding, ...SYNCED });
  const [event] = await eventually(async () => {
    const events = await written();
    return events.length > 0 && events;
  });
  assert.equal(event?.note, SYNCED.note);
  assert.equal(event?.reportingInstance, 'towpath-0');
  const { stdout } = await cluster.kubectl(['describe', 'configmap', 'settings', '-n', namespace]);
  assert.match(stdout, /Normal\s+Synced\s.*Everything runs at v1\./);
});

test('an event about an object outside namespaces is shown by kubectl describe', async (t) => {
  const { recorder, namespace } = await arrange(t);
  const path = '/apis/apiregistration.k8s.io/v1/apiservices/v1.apps';
  const { metadata }: KubeObject = JSON.parse((await cluster.request('GET', path)).body);
  const apiVersion = 'apiregistration.k8s.io/v1';
  const regarding = { apiVersion, kind: 'APIService', namespace: '', name: 'v1.apps', uid: metadata.uid };
  const note = `Seen from ${namespace}.`;
  recorder.record({ regarding, ...SYNCED, note });
  await eventually(async () =>
    (await cluster.kubectl(['describe', 'apiservice', 'v1.apps'])).stdout.includes(note),
  );
});

test('A14: a thousand equal events are one, counted', async (t) => {
  const { recorder, regarding, written } = await arrange(t, { seriesMs: 100 });
  for (let index = 0; index < 1000; index += 1) recorder.record({ regarding, ...SYNCED });
  const [event] = await eventually(async () => {
    const events = await written();
    return isSeriesOf(events[0], 1000) && events;
  });
  assert.ok(event);
  assert.equal((await written()).length, 1);
  assert.ok(proxy.find(WRITES).length <= 3, `${proxy.find(WRITES).length} writes`);
});

test('A14: what is repeated within a minute writes nothing more', async (t) => {
  const { recorder, regarding, written } = await arrange(t);
  for (let index = 0; index < 30; index += 1) {
    recorder.record({ regarding, ...SYNCED });
    // Time enough for a write.
    await eventually(async () => (await written()).length === 1);
  }
  assert.equal(proxy.find(WRITES).length, 1);
});

test('A14: a flapping object has a budget of its own, others are not touched by it', async (t) => {
  let now = 0;
  const { recorder, regarding, written } = await arrange(t, { monotonic: () => now });
  for (let index = 0; index < 1000; index += 1)
    recorder.record({ regarding, ...SYNCED, note: `Flap ${index}.` });
  recorder.record({ regarding: { ...regarding, name: 'other', uid: 'other' }, ...SYNCED });
  await eventually(async () => (await written()).length === 21);
  assert.equal(recorder.dropped, 980);
  now = 3_600_000;
  for (let index = 0; index < 1000; index += 1)
    recorder.record({ regarding, ...SYNCED, note: `Flop ${index}.` });
  await eventually(async () => (await written()).length === 41);
  assert.equal(proxy.find(WRITES).length, 41, 'an hour later: 20 more');
});

test('a long note is cut to 1,024 bytes, at a character', async (t) => {
  const { recorder, regarding, written } = await arrange(t);
  recorder.record({ regarding, ...SYNCED, note: 'ä'.repeat(2000) });
  const [event] = await eventually(async () => {
    const events = await written();
    return events.length > 0 && events;
  });
  assert.match(String(event?.note), /^ä{510}…$/);
});

test('A1: an ill API server never reaches the caller; the event is written when it is well again', async (t) => {
  const { recorder, regarding, written, faults } = await arrange(t);
  const rule = proxy.fail({ ...WRITES, fault: { status: 503 }, times: 2 });
  recorder.record({ regarding, ...SYNCED });
  await eventually(async () => (await written()).length === 1);
  assert.equal(rule.met, 2);
  assert.deepEqual(faults, []);
});

test('A1: what happened while the API server was away is told when it is back, with its time', async (t) => {
  const { recorder, regarding, written, faults } = await arrange(t);
  await written();
  const rule = proxy.fail({ ...WRITES, fault: 'reset' });
  const before = Date.now();
  for (let index = 0; index < 5; index += 1)
    recorder.record({ regarding: { ...regarding, name: `n${index}`, uid: `u${index}` }, ...SYNCED });
  const told = Date.now();
  await eventually(() => rule.met > 15, { describe: 'each to fail again and again' });
  rule.remove();
  const events = await eventually(async () => {
    const found = await written();
    return found.length === 5 && found;
  });
  for (const { eventTime } of events) {
    const at = Date.parse(String(eventTime));
    assert.ok(at > before - 2_000 && at < told + 2_000, `${eventTime} is not when it happened`);
  }
  assert.deepEqual(faults, []);
  assert.equal(recorder.dropped, 0);
});

test('A3: what hangs in one namespace holds up the events of no other', async (t) => {
  const { recorder, regarding, written } = await arrange(t);
  proxy.fail({ ...WRITES, path: /namespaces\/hanging\/events/, fault: 'hang' });
  for (let index = 0; index < 5_000; index += 1) {
    const one = { namespace: 'hanging', name: `n${index}`, uid: `u${index}` };
    recorder.record({ regarding: { ...regarding, ...one }, ...SYNCED });
  }
  recorder.record({ regarding, ...SYNCED });
  await eventually(async () => (await written()).length === 1, { within: 5_000 });
});

test('an event whose first answer is lost is written once, and not counted as dropped', async (t) => {
  const { recorder, regarding, written, faults } = await arrange(t);
  const held = proxy.hold({ ...WRITES, at: 'response' });
  recorder.record({ regarding, ...SYNCED });
  await held.seen;
  held.drop();
  recorder.record({ regarding, ...SYNCED, reason: 'Next' });
  await eventually(async () => (await written()).some(({ reason }) => reason === 'Next'));
  assert.equal((await written()).length, 2);
  assert.deepEqual(faults, []);
  assert.equal(recorder.dropped, 0);
});

test('A12: what happened while this process led is told when it leads again', async (t) => {
  let leads = false;
  let refused = 0;
  const mayWrite = () => {
    refused += leads ? 0 : 1;
    return leads;
  };
  const { recorder, regarding, written, faults } = await arrange(t, { mayWrite });
  for (const reason of ['Pruned', 'Synced']) recorder.record({ regarding, ...SYNCED, reason });
  await eventually(() => refused > 0, { describe: 'the write to be refused' });
  leads = true;
  recorder.resume();
  const events = await eventually(async () => {
    const found = await written();
    return found.length === 2 && found;
  });
  assert.deepEqual(events.map(({ reason }) => reason).sort(), ['Pruned', 'Synced']);
  assert.deepEqual(faults, []);
  assert.equal(recorder.dropped, 0);
});

test('a refused event is told and dropped, and the next one is written', async (t) => {
  const { recorder, regarding, written, faults } = await arrange(t);
  recorder.record({ regarding: { ...regarding, namespace: 'does-not-exist' }, ...SYNCED });
  recorder.record({ regarding, ...SYNCED });
  await eventually(async () => (await written()).length === 1);
  await eventually(() => faults.length === 1, { describe: 'the refusal to be told' });
  assert.equal(recorder.dropped, 1);
});

test('A14: the queue is bounded while nothing can be written, and stop does not wait for ever', async (t) => {
  const { recorder, regarding } = await arrange(t);
  proxy.fail({ ...WRITES, fault: 'hang' });
  for (let index = 0; index < 2000; index += 1) {
    recorder.record({ regarding: { ...regarding, name: `n${index}`, uid: `u${index}` }, ...SYNCED });
  }
  assert.ok(recorder.dropped >= 900);
  const begun = performance.now();
  await recorder.stop(200);
  assert.ok(performance.now() - begun < 2000);
});

test('A7: what a fault of the last moment keeps from being written is tried again as long as there is time', async (t) => {
  const { recorder, regarding, written, faults } = await arrange(t);
  const resets = proxy.fail({ ...WRITES, fault: 'reset', times: 4 });
  recorder.record({ regarding, ...SYNCED });
  await recorder.stop(20_000);
  assert.equal(resets.met, 4);
  assert.equal((await written()).length, 1);
  assert.deepEqual(faults, []);
  assert.equal(recorder.dropped, 0);
});

function isSeriesOf(event: KubeObject | undefined, count: number): boolean {
  const series = event?.series;
  return typeof series === 'object' && series !== null && 'count' in series && series.count === count;
}
