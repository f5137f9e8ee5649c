import { condition, seen, table } from './testing/table.ts';

table('v1', 'PersistentVolumeClaim', [
  { name: 'a bound one', status: { phase: 'Bound' }, state: 'Healthy' },
  { name: 'one that waits', status: { phase: 'Pending' }, state: 'Progressing', message: /not bound yet/ },
  { name: 'one that lost its volume', status: { phase: 'Lost' }, state: 'Degraded' },
]);

table('v1', 'PersistentVolume', [
  { name: 'a new one', state: 'Healthy' },
  { name: 'one that waits for a claim', status: { phase: 'Available' }, state: 'Healthy' },
  { name: 'one whose claim is gone', status: { phase: 'Released' }, state: 'Healthy' },
  {
    name: 'one that could not be deleted',
    status: { phase: 'Failed', message: 'the disk is in use' },
    state: 'Degraded',
    message: /reclaimed: the disk is in use/,
  },
]);

table('admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy', [
  { name: 'one not looked at', state: 'Healthy' },
  { name: 'one without mistakes', status: { ...seen, typeChecking: {} }, state: 'Healthy' },
  {
    name: 'one with a field that its kind does not have',
    status: {
      typeChecking: {
        expressionWarnings: [
          {
            fieldRef: 'spec.validations[0]',
            warning: "apps/v1, Kind=Deployment: undefined field 'x'\n | object.x",
          },
        ],
      },
    },
    state: 'Healthy',
    message: /never hold: apps\/v1, Kind=Deployment: undefined field 'x'$/,
  },
]);

table('v1', 'Service', [
  { name: 'one inside the cluster', spec: { type: 'ClusterIP' }, state: 'Healthy' },
  {
    name: 'a load balancer with an address',
    spec: { type: 'LoadBalancer' },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
    state: 'Healthy',
  },
  {
    name: 'a load balancer without',
    spec: { type: 'LoadBalancer' },
    status: { loadBalancer: {} },
    state: 'Progressing',
    message: /no address yet: a controller for load balancers in the cluster is to give it one$/,
  },
  {
    name: 'a load balancer of a class without an address',
    spec: { type: 'LoadBalancer', loadBalancerClass: 'example.com/inner' },
    state: 'Progressing',
    message: /a controller for load balancers of class example\.com\/inner in the cluster/,
  },
  {
    name: 'a load balancer whose addresses Git names itself',
    spec: { type: 'LoadBalancer', externalIPs: ['192.0.2.1'] },
    status: { loadBalancer: {} },
    state: 'Healthy',
  },
]);

const scaling = (able: string, active: string, reason: string) => ({
  conditions: [
    { type: 'AbleToScale', status: able, reason, message: 'told' },
    { type: 'ScalingActive', status: active, reason, message: 'told' },
  ],
});
table('autoscaling/v2', 'HorizontalPodAutoscaler', [
  { name: 'one that scales', status: scaling('True', 'True', 'ValidMetricFound'), state: 'Healthy' },
  {
    name: 'one whose target was scaled to none',
    status: scaling('True', 'False', 'ScalingDisabled'),
    state: 'Healthy',
  },
  {
    name: 'one without metrics',
    status: scaling('True', 'False', 'FailedGetResourceMetric'),
    state: 'Healthy',
    message: /told/,
  },
  {
    name: 'one with a wrong selector',
    status: scaling('True', 'False', 'InvalidSelector'),
    state: 'Degraded',
    message: /told/,
  },
  {
    name: 'one without a target',
    status: scaling('False', 'False', 'FailedGetScale'),
    state: 'Progressing',
    message: /told/,
  },
  { name: 'one not looked at', state: 'Progressing' },
]);

table('policy/v1', 'PodDisruptionBudget', [
  {
    name: 'one of Pods that nothing can scale',
    status: condition('DisruptionAllowed', 'False', 'SyncFailed', 'told'),
    state: 'Healthy',
    message: /told/,
  },
  { name: 'one that was computed', status: seen, state: 'Healthy' },
  { name: 'one not looked at', state: 'Progressing' },
]);

table('apiextensions.k8s.io/v1', 'CustomResourceDefinition', [
  { name: 'an established one', status: condition('Established', 'True'), state: 'Healthy' },
  { name: 'a new one', state: 'Progressing', message: /not established/ },
  {
    name: 'one whose names are taken',
    status: condition('NamesAccepted', 'False', 'ListKindConflict', 'taken by x'),
    state: 'Degraded',
    message: /taken by x/,
  },
]);

table('apiregistration.k8s.io/v1', 'APIService', [
  { name: 'an available one', status: condition('Available', 'True'), state: 'Healthy' },
  {
    name: 'one without endpoints',
    status: condition('Available', 'False', 'MissingEndpoints', 'no endpoints'),
    state: 'Progressing',
    message: /no endpoints/,
  },
]);

table('example.com/v1', 'Widget', [
  { name: 'a custom resource without status', state: 'Healthy' },
  { name: 'a custom resource without conditions', status: seen, state: 'Healthy' },
  {
    name: 'a custom resource whose status is about an older spec',
    status: { observedGeneration: 1, ...condition('Ready', 'True') },
    state: 'Progressing',
    message: /has not seen/,
  },
  { name: 'a Ready custom resource', status: { ...seen, ...condition('Ready', 'True') }, state: 'Healthy' },
  {
    name: 'a custom resource that is not Ready',
    status: condition('Ready', 'False', 'Waiting', 'waits for a disk'),
    state: 'Progressing',
    message: /waits for a disk/,
  },
  {
    name: 'a custom resource of which nobody knows',
    status: condition('Ready', 'Unknown', 'Checking'),
    state: 'Progressing',
    message: /Checking/,
  },
  {
    name: 'a custom resource Ready for an older generation',
    status: { conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1 }] },
    state: 'Progressing',
  },
  {
    name: 'a reconciling custom resource',
    status: condition('Reconciling', 'True', 'Working', 'working'),
    state: 'Progressing',
  },
  {
    name: 'a stalled custom resource',
    status: condition('Stalled', 'True', 'Bad', 'wrong size'),
    state: 'Degraded',
    message: /wrong size/,
  },
]);

table('towpath.dev/v1alpha1', 'Application', [
  { name: 'one not looked at', state: 'Progressing' },
  { name: 'a suspended one', spec: { suspend: true }, state: 'Suspended' },
  { name: 'a Ready one', status: { ...seen, ...condition('Ready', 'True') }, state: 'Healthy' },
]);
