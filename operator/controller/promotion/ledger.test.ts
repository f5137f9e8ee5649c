import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startFaultProxy } from '../../../test/harness/fault-proxy.ts';
import { installCRDs } from '../../../test/harness/operator.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { KubeClient } from '../../kube/client.ts';
import { newLogger } from '../../observe/log.ts';
import { Ledger, PROMOTIONS } from './ledger.ts';
import type { Recorded } from './promotion-of.ts';

async function newLedger(t: TestContext) {
  const cluster = await useControlPlane();
  await installCRDs(cluster);
  const namespace = await namespaceFor(t, cluster);
  const proxy = await startFaultProxy(cluster);
  const client = KubeClient.fromKubeConfig(proxy.kubeconfigPath);
  const lines: string[] = [];
  let writable = 0;
  const ledger = new Ledger({
    client,
    log: newLogger('info', 'json', (line) => void lines.push(line)),
    giverOf: () => undefined,
    onGone: () => Promise.resolve(),
    onEnded: () => undefined,
    onWritable: () => {
      writable += 1;
    },
    now: () => new Date(),
    random: Math.random,
  });
  t.after(async () => {
    ledger.follow();
    await client.close();
    await proxy.stop();
  });
  const idsOf = async () => {
    const { items } = await client.list({ resource: PROMOTIONS, namespace }, {}, {});
    return items.map(({ metadata: { name } }) => Number(name.split('-').at(-1))).sort((a, b) => a - b);
  };
  return { ledger, namespace, proxy, lines, idsOf, writable: () => writable };
}

function recorded(namespace: string, id: number): Recorded {
  const digest = `sha256:${'0'.repeat(64)}`;
  const at = new Date(Date.now() - (100 - id) * 60_000).toISOString();
  return {
    target: `${namespace}/web/prod`,
    applicationUID: 'uid',
    id,
    candidate: { id: digest, digest, revision: 'r', ref: 'refs/heads/main' },
    trigger: 'Commit',
    startedAt: at,
    previous: undefined,
    phase: 'Succeeded',
    finishedAt: at,
  };
}

test('D8: what cannot be written down for long fills up no memory, is told once, and the newest of it is written when it can be', async (t) => {
  const { ledger, namespace, proxy, lines, idsOf, writable } = await newLedger(t);
  const refused = proxy.fail({ method: 'POST', path: /\/promotions$/, fault: { status: 403 } });
  for (let id = 1; id <= 14; id += 1) ledger.record(recorded(namespace, id));
  const areDropped = () => ledger.unrecorded === 10 && !ledger.isUnderWay(`${namespace}/web/prod`, 4);
  await eventually(areDropped, { describe: 'the oldest to be dropped' });
  const told = lines.filter((line) => line.includes('cannot be written down'));
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0] ?? '', /raise the quota/);
  refused.remove();
  await eventually(() => ledger.unrecorded === 0, { describe: 'the others to be written' });
  assert.deepEqual(await idsOf(), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  assert.equal(writable(), 1, 'what was dropped is looked for');
});
