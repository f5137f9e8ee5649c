import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { type FaultProxy, startFaultProxy } from '../../../test/harness/fault-proxy.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import { always, eventually } from '../../../test/harness/wait.ts';
import { membersOf } from '../../api/foreign-object.ts';
import { KubeClient } from '../../kube/client.ts';
import { NotLeaderError } from '../../kube/errors.ts';
import { WriteGate } from '../../kube/write-gate.ts';
import { newLogger } from '../../observe/log.ts';
import { Leadership } from './leadership.ts';

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };
const LEASES = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' };

let home: FaultProxy;
let other: FaultProxy;
before(async () => {
  // What is told of them apart is all that counts here.
  const cluster = await useControlPlane();
  [home, other] = [await startFaultProxy(cluster), await startFaultProxy(cluster)];
});
after(() => Promise.all([home.stop(), other.stop()]));

/** A leader whose Lease is at one API server, and that writes to another one as well. */
async function leading(t: TestContext) {
  const namespace = await namespaceFor(t);
  const gate: WriteGate = new WriteGate(() => leadership.isLeader());
  const [atHome, there] = [home, other].map((proxy) =>
    KubeClient.fromKubeConfig(proxy.kubeConfigText, { gate }),
  ) as [KubeClient, KubeClient];
  const stopping = new AbortController();
  const leadership = new Leadership(
    {
      client: atHome,
      gate,
      log: newLogger('silent', 'json'),
      lease: {
        namespace,
        name: 'towpath',
        identity: 'one',
        leaseDurationMs: 3_000,
        renewDeadlineMs: 2_000,
        retryPeriodMs: 200,
      },
      obstacle: () => undefined,
      tryRecords: async () => undefined,
      prepare: async () => undefined,
      begin: async () => undefined,
      end: async () => undefined,
      random: () => 0.5,
    },
    stopping.signal,
  );
  t.after(async () => {
    home.clear();
    other.clear();
    stopping.abort(new Error('the test is over'));
    await leadership.stop(async () => undefined);
    await Promise.all([atHome.close(), there.close()]);
  });
  await leadership.compete(stopping.signal);
  await eventually(() => leadership.isLeader(), { describe: 'the Lease' });
  const write = (client: KubeClient, value: string) =>
    client.apply(
      { resource: CONFIG_MAPS, namespace, name: 'written' },
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'written' },
        data: { value },
      }),
      { fieldManager: 'towpath-test', force: true },
    );
  const holder = async () => {
    const { spec } = await atHome.get({ resource: LEASES, namespace, name: 'towpath' });
    return membersOf(spec)['holderIdentity'];
  };
  return { leadership, atHome, there, write, holder };
}

test('D8: who lost the Lease starts no write, neither where it is nor in another cluster', async (t) => {
  const { leadership, atHome, there, write } = await leading(t);
  await Promise.all([write(atHome, 'one'), write(there, 'one')]);
  home.fail({ path: /\/leases\//, fault: 'reset' });
  await eventually(() => !leadership.isLeader(), { describe: 'the Lease to be lost' });
  home.forget();
  other.forget();
  for (const client of [atHome, there])
    await assert.rejects(write(client, 'two'), (error) => error instanceof NotLeaderError);
  assert.deepEqual([...home.find({ verb: 'apply' }), ...other.find({ verb: 'apply' })], []);
});

test('A7: the Lease is not released before the writes to every cluster have ended', async (t) => {
  const { leadership, there, write, holder } = await leading(t);
  const held = other.hold({ verb: 'apply' });
  const written = write(there, 'late');
  await held.seen;
  const stopped = leadership.stop(async () => undefined);
  await always(holder, (identity) => assert.equal(identity, 'one'), 1_000);
  held.release();
  await stopped;
  assert.equal((await written).kind, 'ConfigMap');
  assert.notEqual(await holder(), 'one');
});
