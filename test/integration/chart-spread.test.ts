import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { simulatedNode } from '../../hack/nodes/node.ts';
import { CHART, only, rendered } from '../harness/chart.ts';
import type { Cluster } from '../harness/cluster.ts';
import { namespaceFor, useControlPlane } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';

interface Pod {
  metadata: { annotations?: Record<string, string>; deletionTimestamp?: string };
  spec: { nodeName?: string };
}

interface Node {
  status?: { allocatable?: object };
}

/** Most of what a simulated node has: by itself the scheduler then takes another one. */
const MOST = { cpu: '900', memory: '900Gi' };

/** Nodes of this test alone, by their zone or without one; the last of them is nearly full. Returns their pool. */
async function poolOf(
  t: TestContext,
  cluster: Cluster,
  zones: readonly (string | undefined)[],
): Promise<string> {
  const pool = `pool-${randomBytes(4).toString('hex')}`;
  const names = zones.map((_, index) => `${pool}-${index}`);
  t.after(() => Promise.all(names.map((name) => cluster.request('DELETE', `/api/v1/nodes/${name}`))));
  for (const [index, name] of names.entries()) {
    const zone = zones[index];
    const labels = {
      'kubernetes.io/hostname': name,
      'example.com/pool': pool,
      ...(zone !== undefined && { 'topology.kubernetes.io/zone': zone }),
    };
    const annotations = { [simulatedNode.annotation]: simulatedNode.value };
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name, labels, annotations } };
    assert.equal((await cluster.request('POST', '/api/v1/nodes', { body })).status, 201);
    // Others stay away, and the taint that admission gives a new Node goes.
    const spec = { taints: [{ key: 'example.com/pool', value: pool, effect: 'NoSchedule' }] };
    const contentType = 'application/merge-patch+json';
    await cluster.request('PATCH', `/api/v1/nodes/${name}`, { contentType, body: { spec } });
  }
  // As soon as one of them is, all replicas would go there.
  await eventually(
    async () => {
      const answers = await Promise.all(names.map((name) => cluster.request('GET', `/api/v1/nodes/${name}`)));
      return answers.every(({ body }) => (JSON.parse(body) as Node).status?.allocatable !== undefined);
    },
    { describe: 'the nodes to have room' },
  );
  const last = names.at(-1) ?? '';
  const container = { name: 'main', image: 'example.invalid/main', resources: { requests: MOST } };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'load' },
    spec: { nodeName: last, containers: [container] },
  };
  const namespace = await namespaceFor(t, cluster);
  const path = `/api/v1/namespaces/${namespace}/pods`;
  assert.equal((await cluster.request('POST', path, { body: pod })).status, 201);
  return pool;
}

/** The chart's Deployment on the nodes of a pool. `apply` returns the nodes of its replicas, once it is rolled out. */
async function replicasOn(t: TestContext, cluster: Cluster, pool: string) {
  const namespace = await namespaceFor(t, cluster);
  const apply = async (build: string): Promise<number[]> => {
    const values = {
      serviceAccount: { create: false, name: 'default' },
      nodeSelector: { 'example.com/pool': pool },
      tolerations: [{ key: 'example.com/pool', operator: 'Exists' }],
      podAnnotations: { build },
    };
    const deployment = only(await rendered(values, 'towpath', CHART, namespace), 'Deployment');
    const input = JSON.stringify(deployment);
    const applied = await cluster.kubectl(['apply', '--server-side', '-f', '-'], { input });
    assert.equal(applied.code, 0, applied.stderr);
    const pods = await eventually(async () => {
      const { body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/pods`);
      const { items } = JSON.parse(body) as { items: Pod[] };
      const isNew = ({ metadata, spec }: Pod) =>
        metadata.annotations?.['build'] === build && spec.nodeName !== undefined;
      return items.length === 2 && items.every(isNew) && items;
    });
    return pods.map(({ spec }) => Number(spec.nodeName?.replace(`${pool}-`, ''))).sort();
  };
  return { apply };
}

test('I1: replicas are on two nodes where nodes have no zone, also after an upgrade, however full one of them is', async (t) => {
  const cluster = await useControlPlane();
  const { apply } = await replicasOn(t, cluster, await poolOf(t, cluster, [undefined, undefined]));
  assert.deepEqual(await apply('one'), [0, 1]);
  assert.deepEqual(await apply('two'), [0, 1]);
});

test('I1: replicas are in two zones where nodes have one, also after an upgrade', async (t) => {
  const cluster = await useControlPlane();
  const { apply } = await replicasOn(t, cluster, await poolOf(t, cluster, ['a', 'a', 'b']));
  for (const build of ['one', 'two']) {
    const nodes = await apply(build);
    assert.ok(nodes.includes(2), `${build}: ${nodes.join(' and ')}, where 2 alone is in the other zone`);
  }
});
