import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import type { FaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, newStage, type Stage, type StageOptions } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { eventually } from '../harness/wait.ts';

/** Objects of Kubernetes, as tests write them. */
export interface TestObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
  };
  [member: string]: unknown;
}

export function configMap(
  name: string,
  data: Record<string, string> = { key: 'value' },
  annotations: Record<string, string> = {},
): TestObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, annotations }, data };
}

const storage = { accessModes: ['ReadWriteOnce'], storageClassName: '' };

export function claim(name: string, annotations: Record<string, string> = {}): TestObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, annotations },
    spec: { ...storage, resources: { requests: { storage: '1Mi' } } },
  };
}

/** A volume for a claim, so that it becomes Bound, which is Healthy. */
export function volumeOf(namespace: string, name: string): TestObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${namespace}-${name}` },
    spec: {
      ...storage,
      claimRef: { name, namespace },
      capacity: { storage: '1Mi' },
      hostPath: { path: '/nowhere' },
    },
  };
}

/** Makes one for a claim in the namespace of the stage. */
export async function volumeFor(t: TestContext, stage: Stage, name: string): Promise<void> {
  const volume = volumeOf(stage.namespace, name);
  await stage.apply(volume);
  t.after(() => stage.kubectl('delete', 'pv', volume.metadata.name, '--wait=false'));
}

/** A Job as a Helm hook; `pod` is how simulated nodes treat its Pod. */
export function hookJob(
  name: string,
  events: string,
  annotations: Record<string, string> = {},
  pod = '',
): TestObject {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, annotations: { 'helm.sh/hook': events, ...annotations } },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { annotations: pod === '' ? {} : { [podAnnotation]: pod } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'run', image: 'hook' }] },
      },
    },
  };
}

/** The name of a Job's Pod, waited for. */
export function podOf(stage: Stage, job: string): Promise<string> {
  const first = 'jsonpath={.items[*].metadata.name}';
  return eventually(
    () => stage.kubectl('get', 'pods', '-l', `batch.kubernetes.io/job-name=${job}`, '-o', first),
    { describe: `the Pod of ${job}` },
  );
}

/** Lets a Pod succeed that runs for ever. */
export async function endPod(stage: Stage, pod: string): Promise<void> {
  const status = JSON.stringify({ status: { phase: 'Succeeded' } });
  await stage.kubectl('patch', 'pod', pod, '--subresource=status', '-p', status);
}

/** Files of a chart in a directory, with the objects as its one template. */
export function chartOf(directory: string, objects: readonly TestObject[]): Record<string, string> {
  return {
    [`${directory}/Chart.yaml`]: `apiVersion: v2\nname: ${directory}\nversion: 1.0.0\n`,
    [`${directory}/templates/all.yaml`]: objects.map((object) => JSON.stringify(object)).join('\n---\n'),
  };
}

/** A live object, as far as tests look at it. */
export interface LiveObject {
  metadata: {
    name: string;
    uid: string;
    resourceVersion: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    creationTimestamp: string;
    deletionTimestamp?: string;
    managedFields?: {
      manager: string;
      operation: string;
      time?: string;
      fieldsV1: Record<string, unknown>;
    }[];
  };
  data?: Record<string, string>;
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

/** The messages of the events with this reason that are about an object of this name, waited for: `count` at least. */
export function toldOf(stage: Stage, name: string, reason: string, count = 1): Promise<string[]> {
  return eventually(
    async () => {
      const messages = await eventsOf(stage, name, reason);
      return messages.length >= count ? messages : undefined;
    },
    { describe: `${count} events ${reason} about ${name}` },
  );
}

/** The messages of the events with this reason that are there now. */
export async function eventsOf(stage: Stage, name: string, reason: string): Promise<string[]> {
  const text = await stage.kubectl(
    ...['get', 'events', '--field-selector', `involvedObject.name=${name},reason=${reason}`],
    ...['-o', 'jsonpath={range .items[*]}{.message}{"\\n"}{end}'],
  );
  return text.split('\n').filter(Boolean);
}

/** What the tests of applying do again and again, on one stage with one operator and many Applications. */
export interface Steps {
  stage: Stage;
  /** Commits the objects as a plain directory named after the Application; returns the commit. */
  push(application: string, objects: readonly TestObject[]): Promise<string>;
  /** `push`, makes the Application, waits until it is Ready. */
  deploy(
    application: string,
    objects: readonly TestObject[],
    spec?: Record<string, unknown>,
    annotations?: Record<string, string>,
  ): Promise<Application>;
  /** `push` to an Application that exists, and waits until it is Ready. */
  change(application: string, objects: readonly TestObject[]): Promise<Application>;
  ready(application: string, commit: string): Promise<Application>;
  /** Waits for a sync state. */
  sync(application: string, state: string): Promise<Application>;
  live(kind: string, name: string): Promise<LiveObject | undefined>;
  /** A ServiceAccount with all rights in the whole cluster; returns its name. */
  admin(t: TestContext): Promise<string>;
}

const files = { README: 'objects of tests' };

export async function newSteps(t: TestContext, options: StageOptions = {}): Promise<Steps> {
  return stepsOn(await newStage(t, { files, ...options }));
}

/** The same with a fault proxy between the operator and the API server. */
export async function newProxiedSteps(
  t: TestContext,
  options: Parameters<typeof newProxiedStage>[1] = {},
): Promise<Steps & { proxy: FaultProxy }> {
  const { proxy, stage } = await newProxiedStage(t, { files, ...options });
  return { proxy, ...stepsOn(stage) };
}

function stepsOn(stage: Stage): Steps {
  const push = (application: string, objects: readonly TestObject[]) =>
    stage.repository.commit({
      [`${application}/objects.yaml`]: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    });
  const ready = (application: string, commit: string) => stage.untilReadyAt(application, commit);
  return {
    stage,
    push,
    ready,
    deploy: async (application, objects, spec = {}, annotations = {}) => {
      const commit = await push(application, objects);
      await stage.application(application, { source: { path: application }, ...spec }, annotations);
      return ready(application, commit);
    },
    change: async (application, objects) => ready(application, await push(application, objects)),
    sync: (application, state) =>
      stage.until(application, ({ status }) => status?.sync === state, `${application} to be ${state}`),
    live: (kind, name) => liveIn(stage, kind, name),
    admin: async (t) => {
      const binding = `towpath-test-${randomBytes(4).toString('hex')}`;
      await stage.kubectl('create', 'serviceaccount', 'admin');
      await stage.kubectl(
        ...['create', 'clusterrolebinding', binding, '--clusterrole=cluster-admin'],
        `--serviceaccount=${stage.namespace}:admin`,
      );
      t.after(() => stage.kubectl('delete', 'clusterrolebinding', binding));
      return 'admin';
    },
  };
}

/** Where objects are that tests look at often: a request costs a fraction of what a kubectl does. */
const COLLECTIONS: Record<string, (namespace: string) => string> = {
  configmap: (namespace) => `/api/v1/namespaces/${namespace}/configmaps`,
  secret: (namespace) => `/api/v1/namespaces/${namespace}/secrets`,
  pvc: (namespace) => `/api/v1/namespaces/${namespace}/persistentvolumeclaims`,
  job: (namespace) => `/apis/batch/v1/namespaces/${namespace}/jobs`,
  deployment: (namespace) => `/apis/apps/v1/namespaces/${namespace}/deployments`,
  namespace: () => '/api/v1/namespaces',
  crd: () => '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
};

async function liveIn(stage: Stage, kind: string, name: string): Promise<LiveObject | undefined> {
  const collection = COLLECTIONS[kind];
  if (collection !== undefined) {
    const { status, body } = await stage.cluster.request('GET', `${collection(stage.namespace)}/${name}`);
    if (status === 404) return undefined;
    assert.equal(status, 200, body);
    return JSON.parse(body) as LiveObject;
  }
  const found = await stage.cluster.kubectl([
    ...['-n', stage.namespace, 'get', kind, name, '-o', 'json'],
    ...['--show-managed-fields', '--ignore-not-found'],
  ]);
  assert.equal(found.code, 0, found.stderr);
  return found.stdout === '' ? undefined : (JSON.parse(found.stdout) as LiveObject);
}

/** The message of the Ready condition. */
export function messageOf(application: Application): string {
  return conditionOf(application, 'Ready')?.message ?? '';
}

export function reasonOf(application: Application): string {
  return conditionOf(application, 'Ready')?.reason ?? '';
}
