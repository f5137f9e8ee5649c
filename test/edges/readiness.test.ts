import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { newStage, type Stage, startOperator, timesLogged } from '../harness/operator.ts';
import { freePort } from '../harness/process.ts';
import { useControlPlane } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;

/** Short, and longer than what a busy machine takes for a renewal: who loses it must have given it up. */
const LEASE = ['--lease-duration=4s', '--renew-deadline=3s', '--retry-period=300ms'];

interface Unable {
  name: string;
  /** What the API server refuses. */
  path: RegExp;
  /** What /readyz and the log say. */
  says: RegExp;
}

/** The records are the only Secrets that are listed by label. */
const RECORDS: Unable = {
  name: 'read the target records',
  path: /\/secrets\?.*labelSelector/,
  says: /The target records cannot be read, so nothing is deployed; /,
};
const APPLICATIONS: Unable = {
  name: 'watch the Applications',
  path: /\/applications\?/,
  says: /Applications cannot be watched/,
};

const AT_THE_START: Unable[] = [
  RECORDS,
  APPLICATIONS,
  {
    name: 'see whether another installation looks after the same Applications',
    path: /\/clusterroles\?/,
    says: /Whether another installation looks after the same Applications (is not known yet; |cannot be seen)/,
  },
  { name: 'read the Lease', path: /\/leases/, says: /The Lease cannot be read or renewed; / },
  {
    name: 'ask what is served',
    path: /^\/apis?(\?|$)/,
    says: /(What the API server serves is not known yet; |The API server cannot be asked what it serves)/,
  },
];

/** A replica behind a proxy of its own. */
async function replica(t: TestContext, stage: Stage, proxy?: FaultProxy) {
  const behind = proxy ?? (await startFaultProxy(stage.cluster));
  t.after(() => behind.stop());
  const port = await freePort();
  const operator = await startOperator(t, stage.cluster, stage.namespace, {
    proxy: behind,
    flags: [...LEASE, `--probe-address=127.0.0.1:${port}`],
  });
  const readyz = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    return { status: response?.status, text: (await response?.text()) ?? '' };
  };
  return {
    proxy: behind,
    operator,
    leads: async () => /leader_election_master_status\{.*\} 1/.test(await operator.metrics()),
    untilReady: () =>
      eventually(async () => (await readyz()).status === 200, { describe: 'the replica to be ready' }),
    untilNotReady: (says: RegExp) =>
      eventually(
        async () => {
          const { status, text } = await readyz();
          return status === 503 && says.test(text) && text.includes('a fault made by the test') && text;
        },
        { describe: `the replica not to be ready, for ${says}; ${operator.process.logTail(5)}` },
      ),
  };
}

for (const { name, path, says } of AT_THE_START) {
  test(`A9: a replica that cannot ${name} is not ready, says why there and once in the log, and is ready when it can`, async (t) => {
    const cluster = await useControlPlane();
    const stage = await newStage(t, {
      cluster,
      files: { 'web.yaml': configMap('one') },
      startOperator: false,
    });
    const proxy = await startFaultProxy(cluster);
    const refused = proxy.fail({ path, fault: { status: 403 } });
    const alone = await replica(t, stage, proxy);
    await alone.untilNotReady(says);
    await eventually(() => refused.met >= 4, { describe: 'it to be tried again' });
    await alone.untilNotReady(says);
    assert.equal(timesLogged(alone.operator, says), 1, 'it is logged once');
    if (name !== 'read the Lease')
      assert.deepEqual(
        proxy.find({ path: /\/leases/ }),
        [],
        'it does not ask for the Lease, which it could not use',
      );
    proxy.clear();
    await alone.untilReady();
    await stage.deployed('web');
  });
}

for (const { name, path, says } of [RECORDS, APPLICATIONS]) {
  test(`A9: a leader that cannot ${name} is not ready, and leaves the Lease to a healthy replica`, async (t) => {
    const cluster = await useControlPlane();
    const stage = await newStage(t, {
      cluster,
      files: { 'web.yaml': configMap('one') },
      startOperator: false,
    });
    const former = await replica(t, stage);
    await stage.deployed('web');
    const unable = await replica(t, stage);
    await unable.untilReady();
    unable.proxy.fail({ path, fault: { status: 403 } });
    unable.proxy.expireWatches({ path });
    await former.operator.stop();
    await eventually(unable.leads, { describe: 'the replica that cannot work to lead' });
    await unable.untilNotReady(says);
    const healthy = await replica(t, stage);
    await healthy.untilReady();

    await eventually(healthy.leads, { describe: 'the healthy replica to lead' });
    assert.ok(!(await unable.leads()));
    await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': configMap('two') }));
    await unable.untilNotReady(says);
    unable.proxy.clear();
    await unable.untilReady();
    assert.ok(await healthy.leads(), 'who can work again does not take the Lease away');
    // And it takes over where it is needed.
    await healthy.operator.stop();
    await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': configMap('three') }));
  });
}
