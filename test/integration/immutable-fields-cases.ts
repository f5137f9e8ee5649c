import type { TestObject } from './steps.ts';

export interface Row {
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
export function rowsFor(suffix: string, group: string): Row[] {
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

/** What is taken out of an object, and how that is told: the API server says `Invalid value: null` of most. */
export function takenOutRows(name: string, group: string): Row[] {
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
