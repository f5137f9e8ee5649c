import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type Health, healthOf, type LiveObject, reduceForHealth } from '../../operator/health/health.ts';
import { namespaceFor, useControlPlane } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';

const pods = (labels: Record<string, string>, restartPolicy = 'Always') => ({
  metadata: { labels },
  spec: { restartPolicy, containers: [{ name: 'web', image: 'example.com/web:1' }] },
});
const selector = { matchLabels: { app: 'web' } };
const template = pods({ app: 'web' });

/** Creates an object and returns a look at its health now. */
async function created(collection: string, object: Record<string, unknown>): Promise<() => Promise<Health>> {
  const { request } = await useControlPlane();
  const answer = await request('POST', collection, { body: object });
  assert.equal(answer.status, 201, answer.body);
  const { name } = JSON.parse(answer.body).metadata;
  return async () => {
    const live = await request('GET', `${collection}/${name}`);
    if (live.status === 404) return healthOf(undefined);
    return healthOf(reduceForHealth(JSON.parse(live.body) as LiveObject));
  };
}

async function becomes(look: () => Promise<Health>, state: Health['state'], message = /./): Promise<void> {
  await eventually(
    async () => {
      const health = await look();
      if (health.state === state && message.test(health.message ?? 'none')) return true;
      throw new Error(JSON.stringify(health));
    },
    { describe: `health ${state}`, every: 200 },
  );
}

test('workloads become Healthy when their Pods are ready', async (t) => {
  const namespace = await namespaceFor(t);
  const apps = `/apis/apps/v1/namespaces/${namespace}`;
  for (const [plural, kind] of [
    ['deployments', 'Deployment'],
    ['statefulsets', 'StatefulSet'],
    ['daemonsets', 'DaemonSet'],
    ['replicasets', 'ReplicaSet'],
  ] as const) {
    await t.test(kind, async () => {
      const labels = { app: kind.toLowerCase() };
      const spec = { selector: { matchLabels: labels }, template: pods(labels) };
      const counted = kind === 'DaemonSet' ? spec : { ...spec, replicas: 2 };
      await becomes(
        await created(`${apps}/${plural}`, {
          apiVersion: 'apps/v1',
          kind,
          metadata: { name: 'web' },
          spec: counted,
        }),
        'Healthy',
      );
    });
  }
});

test('a Deployment whose Pods may not be made is Progressing and says why', async (t) => {
  const namespace = await namespaceFor(t);
  await created(`/api/v1/namespaces/${namespace}/resourcequotas`, {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'none' },
    spec: { hard: { pods: '0' } },
  });
  const look = await created(`/apis/apps/v1/namespaces/${namespace}/deployments`, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { selector, template },
  });
  await becomes(
    look,
    'Progressing',
    /^0 of 1 replicas are updated: .*exceeded quota|^0 of 1 replicas are available: .*exceeded quota/,
  );
});

test('a Deployment past its deadline is Degraded', async (t) => {
  const namespace = await namespaceFor(t);
  const look = await created(`/apis/apps/v1/namespaces/${namespace}/deployments`, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      progressDeadlineSeconds: 1,
      selector,
      template: { ...template, spec: { ...template.spec, nodeSelector: { no: 'such-node' } } },
    },
  });
  await becomes(look, 'Degraded', /timed out progressing/);
});

test('a Pod that no node takes says so', async (t) => {
  const namespace = await namespaceFor(t);
  const look = await created(`/api/v1/namespaces/${namespace}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web' },
    spec: { ...template.spec, nodeSelector: { no: 'such-node' } },
  });
  await becomes(look, 'Progressing', /^Unschedulable: 0\/\d+ nodes are available/);
});

test('a Job is Progressing, then Healthy; a suspended one is Suspended', async (t) => {
  const namespace = await namespaceFor(t);
  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const job = (name: string, { suspend }: { suspend: boolean }) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { suspend, template: pods({}, 'Never') },
  });
  await becomes(await created(jobs, job('runs', { suspend: false })), 'Healthy');
  await becomes(await created(jobs, job('waits', { suspend: true })), 'Suspended');
});

test('a PodDisruptionBudget and a claim without storage', async (t) => {
  const namespace = await namespaceFor(t);
  const budget = await created(`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web' },
    spec: { minAvailable: 1, selector },
  });
  await becomes(budget, 'Healthy');
  const claim = await created(`/api/v1/namespaces/${namespace}/persistentvolumeclaims`, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'web' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  await becomes(claim, 'Progressing', /not bound yet/);
});

test('a CustomResourceDefinition is Healthy when established, Degraded when its names are taken', async (t) => {
  const { request } = await useControlPlane();
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const group = `g${randomBytes(4).toString('hex')}.example.com`;
  const definition = (plural: string) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, kind: 'Widget' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
  });
  t.after(async () => {
    for (const plural of ['widgets', 'gadgets']) await request('DELETE', `${crds}/${plural}.${group}`);
  });
  await becomes(await created(crds, definition('widgets')), 'Healthy');
  await becomes(await created(crds, definition('gadgets')), 'Degraded', /its names are taken: .*Widget/);
});
