import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definition } from '../harness/definition.ts';
import { messageOf, newSteps, reasonOf, type TestObject } from './steps.ts';

interface Row {
  what: string;
  object: TestObject;
  /** Where the change is, as a path of names and indexes, and what it becomes. */
  path: string;
  value: unknown;
  /** How the message begins to say what cannot change. */
  field: string;
}

const RBAC = 'rbac.authorization.k8s.io';
const labels = (name: string) => ({ matchLabels: { app: name } });
const template = (name: string) => ({
  metadata: { labels: { app: name, more: 'b' } },
  spec: { containers: [{ name: 'a', image: 'example.com/a:1' }] },
});

/** Every kind that Kubernetes serves and that has fields which cannot change, and custom ones. */
function rowsFor(suffix: string, group: string): Row[] {
  const row = (
    what: string,
    apiVersion: string,
    kind: string,
    members: Record<string, unknown>,
    path: string,
    value: unknown,
    field: string,
  ): Row => {
    const words = what.replaceAll(/[^a-z0-9]/gi, '-').toLowerCase();
    const name = kind === 'IPAddress' ? '10.0.0.201' : `${words.slice(0, 30)}-${suffix}`;
    return { what, object: { apiVersion, kind, metadata: { name }, ...members }, path, value, field };
  };
  return [
    row(
      'RoleBinding roleRef',
      'rbac.authorization.k8s.io/v1',
      'RoleBinding',
      { roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'view' }, subjects: [] },
      'roleRef.name',
      'edit',
      'roleRef',
    ),
    row(
      'ClusterRoleBinding roleRef',
      'rbac.authorization.k8s.io/v1',
      'ClusterRoleBinding',
      { roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'view' }, subjects: [] },
      'roleRef.name',
      'edit',
      'roleRef',
    ),
    row(
      'StorageClass parameters',
      'storage.k8s.io/v1',
      'StorageClass',
      { provisioner: 'example.com/none', parameters: { kind: 'slow' } },
      'parameters.kind',
      'fast',
      'parameters',
    ),
    row(
      'StorageClass provisioner',
      'storage.k8s.io/v1',
      'StorageClass',
      { provisioner: 'example.com/none' },
      'provisioner',
      'example.com/other',
      'provisioner',
    ),
    row(
      'StorageClass reclaimPolicy',
      'storage.k8s.io/v1',
      'StorageClass',
      { provisioner: 'example.com/none', reclaimPolicy: 'Delete' },
      'reclaimPolicy',
      'Retain',
      'reclaimPolicy',
    ),
    row(
      'StorageClass volumeBindingMode',
      'storage.k8s.io/v1',
      'StorageClass',
      { provisioner: 'example.com/none', volumeBindingMode: 'Immediate' },
      'volumeBindingMode',
      'WaitForFirstConsumer',
      'volumeBindingMode',
    ),
    row('PriorityClass value', 'scheduling.k8s.io/v1', 'PriorityClass', { value: 10 }, 'value', 20, 'value'),
    row(
      'PriorityClass preemptionPolicy',
      'scheduling.k8s.io/v1',
      'PriorityClass',
      { value: 10, preemptionPolicy: 'Never' },
      'preemptionPolicy',
      'PreemptLowerPriority',
      'preemptionPolicy',
    ),
    row('ConfigMap data', 'v1', 'ConfigMap', { immutable: true, data: { a: '1' } }, 'data.a', '2', 'data'),
    row(
      'Secret data',
      'v1',
      'Secret',
      { immutable: true, stringData: { a: '1' } },
      'stringData.a',
      '2',
      'data',
    ),
    row(
      'Secret type',
      'v1',
      'Secret',
      { type: 'example.com/a', stringData: { a: '1' } },
      'type',
      'example.com/b',
      'type',
    ),
    row(
      'StatefulSet volumeClaimTemplates',
      'apps/v1',
      'StatefulSet',
      {
        spec: {
          replicas: 0,
          serviceName: 'a',
          selector: labels('sts'),
          template: template('sts'),
          volumeClaimTemplates: [
            {
              metadata: { name: 'data' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          ],
        },
      },
      'spec.volumeClaimTemplates.0.spec.resources.requests.storage',
      '3Gi',
      'spec.volumeClaimTemplates[0].spec.resources.requests.storage',
    ),
    row(
      'StatefulSet serviceName',
      'apps/v1',
      'StatefulSet',
      { spec: { replicas: 0, serviceName: 'a', selector: labels('sts'), template: template('sts') } },
      'spec.serviceName',
      'b',
      'spec.serviceName',
    ),
    row(
      'StatefulSet podManagementPolicy',
      'apps/v1',
      'StatefulSet',
      { spec: { replicas: 0, serviceName: 'a', selector: labels('sts'), template: template('sts') } },
      'spec.podManagementPolicy',
      'Parallel',
      'spec.podManagementPolicy',
    ),
    row(
      'Job template',
      'batch/v1',
      'Job',
      {
        spec: {
          suspend: false,
          template: {
            spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'example.com/a:1' }] },
          },
        },
      },
      'spec.template.spec.containers.0.image',
      'example.com/a:2',
      'spec.template.spec.containers[0].image',
    ),
    row(
      'Job completionMode',
      'batch/v1',
      'Job',
      {
        spec: {
          completionMode: 'NonIndexed',
          template: {
            spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'example.com/a:1' }] },
          },
        },
      },
      'spec.completionMode',
      'Indexed',
      'spec.completionMode',
    ),
    row(
      'IngressClass controller',
      'networking.k8s.io/v1',
      'IngressClass',
      { spec: { controller: 'example.com/one' } },
      'spec.controller',
      'example.com/two',
      'spec.controller',
    ),
    row(
      'Pod env',
      'v1',
      'Pod',
      { spec: { containers: [{ name: 'a', image: 'example.com/a:1', env: [{ name: 'A', value: '1' }] }] } },
      'spec.containers.0.env.0.value',
      '2',
      'spec.containers[0].env[0].value',
    ),
    row(
      'Deployment selector',
      'apps/v1',
      'Deployment',
      { spec: { replicas: 0, selector: labels('deploy'), template: template('deploy') } },
      'spec.selector.matchLabels.more',
      'b',
      'spec.selector',
    ),
    row(
      'DaemonSet selector',
      'apps/v1',
      'DaemonSet',
      { spec: { selector: labels('ds'), template: template('ds') } },
      'spec.selector.matchLabels.more',
      'b',
      'spec.selector',
    ),
    row(
      'ReplicaSet selector',
      'apps/v1',
      'ReplicaSet',
      { spec: { replicas: 0, selector: labels('rs'), template: template('rs') } },
      'spec.selector.matchLabels.more',
      'b',
      'spec.selector',
    ),
    row(
      'Service clusterIP',
      'v1',
      'Service',
      { spec: { clusterIP: '10.96.200.77', ports: [{ port: 80 }] } },
      'spec.clusterIP',
      '10.96.200.78',
      'spec.clusterIP',
    ),
    row(
      'PersistentVolume source',
      'v1',
      'PersistentVolume',
      {
        spec: {
          accessModes: ['ReadWriteOnce'],
          capacity: { storage: '1Gi' },
          storageClassName: `none-${suffix}`,
          hostPath: { path: '/a' },
        },
      },
      'spec.hostPath.path',
      '/b',
      'spec',
    ),
    row(
      'PersistentVolume volumeMode',
      'v1',
      'PersistentVolume',
      {
        spec: {
          accessModes: ['ReadWriteOnce'],
          capacity: { storage: '1Gi' },
          storageClassName: `none-${suffix}`,
          volumeMode: 'Filesystem',
          hostPath: { path: '/a' },
        },
      },
      'spec.volumeMode',
      'Block',
      'volumeMode',
    ),
    row(
      'CSIDriver attachRequired',
      'storage.k8s.io/v1',
      'CSIDriver',
      { spec: { attachRequired: true } },
      'spec.attachRequired',
      false,
      'spec.attachedRequired',
    ),
    row(
      'RuntimeClass handler',
      'node.k8s.io/v1',
      'RuntimeClass',
      { handler: 'a' },
      'handler',
      'b',
      'handler',
    ),
    row(
      'VolumeAttributesClass parameters',
      'storage.k8s.io/v1',
      'VolumeAttributesClass',
      { driverName: 'example.com', parameters: { iops: '1' } },
      'parameters.iops',
      '2',
      'parameters',
    ),
    row(
      'VolumeAttributesClass driverName',
      'storage.k8s.io/v1',
      'VolumeAttributesClass',
      { driverName: 'example.com', parameters: { iops: '1' } },
      'driverName',
      'example.org',
      'driverName',
    ),
    row(
      'ResourceClaim spec',
      'resource.k8s.io/v1',
      'ResourceClaim',
      { spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'a.example.com' } }] } } },
      'spec.devices.requests.0.exactly.deviceClassName',
      'b.example.com',
      'spec.devices.requests[0].exactly.deviceClassName',
    ),
    row(
      'ResourceClaimTemplate spec',
      'resource.k8s.io/v1',
      'ResourceClaimTemplate',
      {
        spec: {
          spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'a.example.com' } }] } },
        },
      },
      'spec.spec.devices.requests.0.exactly.deviceClassName',
      'b.example.com',
      'spec.spec.devices.requests[0].exactly.deviceClassName',
    ),
    row(
      'ControllerRevision data',
      'apps/v1',
      'ControllerRevision',
      { revision: 1, data: { a: '1' } },
      'data.a',
      '2',
      'data',
    ),
    row(
      'EndpointSlice addressType',
      'discovery.k8s.io/v1',
      'EndpointSlice',
      { addressType: 'IPv4', endpoints: [], ports: [] },
      'addressType',
      'IPv6',
      'addressType',
    ),
    row(
      'IPAddress parentRef',
      'networking.k8s.io/v1',
      'IPAddress',
      { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'a' } } },
      'spec.parentRef.name',
      'b',
      'spec.parentRef',
    ),
    row(
      'custom resource with CEL and a message',
      `${group}/v1`,
      'Fixed',
      { spec: { told: 'a' } },
      'spec.told',
      'b',
      'spec.told: Invalid value: "b": the mooring stays',
    ),
    row(
      'custom resource with CEL and none',
      `${group}/v1`,
      'Fixed',
      { spec: { untold: 'a' } },
      'spec.untold',
      'b',
      'spec.untold',
    ),
  ];
}

const rule = (message: object) => ({
  type: 'string',
  'x-kubernetes-validations': [{ rule: 'self == oldSelf', ...message }],
});

function definitionOf(group: string): TestObject {
  const spec = {
    type: 'object',
    properties: { told: rule({ message: 'the mooring stays' }), untold: rule({}) },
  };
  const root = {
    ...{ type: 'object', properties: { spec, root: { type: 'string' } } },
    'x-kubernetes-validations': [{ rule: 'has(self.root) == has(oldSelf.root)', message: 'it stays' }],
  };
  const schema = { openAPIV3Schema: root };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `fixeds.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'fixeds', kind: 'Fixed' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}

function changed({ object, path, value }: Row, annotations: Record<string, string> = {}): TestObject {
  const copy = structuredClone({ ...object, metadata: { ...object.metadata, annotations } });
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  const parent = steps.reduce<unknown>((inner, step) => Reflect.get(Object(inner), step), copy);
  Reflect.set(Object(parent), last, value);
  return copy;
}

/** As many as a status lists. */
const AT_ONCE = 12;
const REPLACE = { 'towpath.dev/replace': 'true' };

test('what cannot change in a live object is told with the field and the way out, and replaced', async (t) => {
  const { stage, push, deploy, change, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const group = `${stage.namespace}.example.com`;
  await stage.apply(definitionOf(group));
  t.after(() => stage.kubectl('delete', 'crd', `fixeds.${group}`, '--wait=false'));
  const rows = rowsFor(stage.namespace, group);
  for (let from = 0; from < rows.length; from += AT_ONCE) {
    const some = rows.slice(from, from + AT_ONCE);
    const name = `kinds-${from}`;
    await t.test(`${some.map(({ what }) => what).join(', ')}`, async (t) => {
      // No claim wants these volumes, and no node the daemons: nothing is waited for but the refusal.
      await deploy(
        name,
        some.map(({ object }) => object),
        { serviceAccountName },
      );
      t.after(() => stage.kubectl('delete', 'application', name));
      await push(
        name,
        some.map((one) => changed(one)),
      );
      const told = await stage.until(name, ({ status }) => status?.sync === 'Quarantined', 'the refusal');
      const { errors = [], total } = told.status?.quarantine ?? {};
      assert.equal(total, some.length, JSON.stringify(errors, undefined, 1));
      for (const { what, object, field } of some) {
        const error = errors.find((each) => each.object?.name === object.metadata.name);
        assert.ok(error !== undefined, what);
        assert.ok(error.message.includes(field), `${what}: ${error.message}`);
        assert.match(
          error.message,
          /Put the old value back, or annotate it towpath\.dev\/replace: "true"/,
          what,
        );
      }
      assert.equal(told.status?.quarantine?.errors?.length, some.length);
      await change(
        name,
        some.map((one) => changed(one, REPLACE)),
      );
    });
  }
});

/** What is taken out of an object, and how that is told: the API server says `Invalid value: null` of most. */
function takenOutRows(name: string, group: string): Row[] {
  const removed = (apiVersion: string, kind: string, members: object, path: string): Row => ({
    what: `${kind} ${path}`,
    object: { apiVersion, kind, metadata: { name: `${kind.toLowerCase()}-${name}` }, ...members },
    path,
    value: undefined,
    field: `${path} (taken out of Git): `,
  });
  const storage = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const once = { ...template('job'), spec: { ...template('job').spec, restartPolicy: 'Never' } };
  const ports = [{ port: 80 }];
  return [
    removed(
      'batch/v1',
      'Job',
      { spec: { completions: 3, suspend: true, template: once } },
      'spec.completions',
    ),
    removed(
      'storage.k8s.io/v1',
      'StorageClass',
      { provisioner: 'example.com/a', volumeBindingMode: 'WaitForFirstConsumer' },
      'volumeBindingMode',
    ),
    removed(
      'v1',
      'Service',
      { spec: { type: 'LoadBalancer', loadBalancerClass: 'example.com/a', ports } },
      'spec.loadBalancerClass',
    ),
    removed(
      'v1',
      'PersistentVolumeClaim',
      { spec: { storageClassName: 'a', ...storage } },
      'spec.storageClassName',
    ),
    removed(`${group}/v1`, 'Fixed', { root: 'a' }, 'root'),
  ];
}

test('what cannot be taken out of a live object is told as that, and never as null', async (t) => {
  const { stage, push, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const group = `${stage.namespace}.example.com`;
  await stage.apply(definitionOf(group));
  t.after(() => stage.kubectl('delete', 'crd', `fixeds.${group}`, '--wait=false'));
  const rows = takenOutRows(stage.namespace, group);
  const of = (kind: (row: Row) => TestObject) => rows.map(kind);
  // What has no health yet need not get any.
  await push(
    'taken',
    of(({ object }) => object),
  );
  await stage.application('taken', { source: { path: 'taken' }, serviceAccountName });
  await stage.until(
    'taken',
    ({ status }) => status?.environments?.[0]?.objects === rows.length,
    'the objects',
  );
  await push(
    'taken',
    of((row) => changed(row)),
  );
  const told = await stage.until('taken', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
  for (const { what, object, field } of rows) {
    const errors = told.status?.quarantine?.errors ?? [];
    const { message = '' } = errors.find((each) => each.object?.name === object.metadata.name) ?? {};
    assert.ok(message.startsWith(field), `${what}: ${message}`);
    assert.match(message, /Put the old value back, or annotate it towpath\.dev\/replace: "true"/, what);
    assert.doesNotMatch(message, /null|nil/, what);
  }
  await stage.kubectl('delete', 'application', 'taken');
});

test('a definition is told apart: made anew, it would take its objects with it', async (t) => {
  const { stage, push, deploy, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const definition = definitionOf(`${stage.namespace}.example.com`);
  await deploy('fixed', [definition], { serviceAccountName });
  t.after(() => stage.kubectl('delete', 'crd', definition.metadata.name, '--wait=false'));
  for (const [path, value] of [
    ['spec.scope', 'Cluster'],
    ['spec.names.kind', 'Other'],
  ] as const) {
    await push('fixed', [changed({ what: '', object: definition, path, value, field: '' })]);
    const told = await stage.until(
      'fixed',
      ({ status }) => status?.quarantine?.errors?.[0]?.message.startsWith(path) === true,
      'the refusal',
    );
    assert.match(told.status?.quarantine?.errors?.[0]?.message ?? '', /Put the old value back: made anew/);
  }
});

test('Git is right where somebody made an object unchangeable: told so, and made anew when that is gone', async (t) => {
  const { stage, deploy, live } = await newSteps(t);
  await deploy('mine', [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mine' }, data: { a: 'git' } },
  ]);
  await stage.kubectl('patch', 'configmap', 'mine', '-p', '{"immutable":true,"data":{"a":"hand"}}');
  const told = await stage.until('mine', ({ status }) => status?.sync === 'Blocked', 'the refusal');
  assert.equal(reasonOf(told), 'ImmutableField');
  assert.match(
    messageOf(told),
    /ConfigMap \S+mine: data\.a: .*Somebody made it so: delete it, or annotate it/,
  );
  assert.ok(!messageOf(told).includes('Put the old value back'));
  await stage.kubectl('delete', 'configmap', 'mine');
  await stage.until('mine', ({ status }) => status?.sync === 'Synced', 'it to be made anew');
  assert.equal((await live('configmap', 'mine'))?.data?.['a'], 'git');
});

test('a version that is still stored is no mistake of Git alone', async (t) => {
  const { stage, push, deploy, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const old = definition('things', `${stage.namespace}.example.com`, 'Thing', { versions: ['v1', 'v2'] });
  await deploy('things', [old], { serviceAccountName });
  t.after(() => stage.kubectl('delete', 'crd', old.metadata.name, '--wait=false'));
  await push('things', [
    definition('things', `${stage.namespace}.example.com`, 'Thing', { versions: ['v2'] }),
  ]);
  const told = await stage.until('things', ({ status }) => status?.sync === 'Blocked', 'the refusal');
  assert.equal(reasonOf(told), 'VersionStored');
  assert.match(messageOf(told), /Keep the version in Git with served: false until its objects are migrated/);
});
