import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import type { Cluster } from '../harness/cluster.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { documented, runCommands } from '../harness/documented.ts';
import { helm } from '../harness/helm.ts';
import { fastLease, newStage, type Stage } from '../harness/operator.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import { chartOf, configMap, type LiveObject, reasonOf, type TestObject } from '../integration/steps.ts';

// The kinds of other tools come about here, which other test files would notice: Argo CD has Applications, too.
let cluster: Cluster;
before(async () => {
  cluster = await startControlPlane({ nodes: 1 });
  for (const [plural, group, kind] of [
    ['applications', 'argoproj.io', 'Application'],
    ['kustomizations', 'kustomize.toolkit.fluxcd.io', 'Kustomization'],
    ['helmreleases', 'helm.toolkit.fluxcd.io', 'HelmRelease'],
  ] as const)
    await apply(anythingGoes(plural, group, kind));
});

const PAGE = 'migration.md';
const application = documented(PAGE, 'kind: Application', 'mode: Manual');
const look = documented(PAGE, 'kubectl apply -f web.yaml');
const takeOver = documented(PAGE, '"mode":"Automatic"');

/** What a tool's application deploys: whole, or without what a later commit leaves out. */
function objectsOf({ isWhole }: { isWhole: boolean }): TestObject[] {
  const whole = <T>(...more: T[]): T[] => (isWhole ? more : []);
  const labels = { app: 'web' };
  const main = {
    name: 'main',
    image: 'example.com/main:1',
    env: [{ name: 'KEPT', value: 'one' }, ...whole({ name: 'REMOVED', value: 'one' })],
  };
  const template = {
    metadata: { labels },
    spec: { containers: [main, ...whole({ name: 'side', image: 'example.com/side:1' })] },
  };
  const config = configMap('web', { kept: 'one', ...(isWhole ? { removed: 'one' } : {}) });
  config.metadata.labels = { ...labels, ...(isWhole ? { tier: 'front' } : {}) };
  return [
    config,
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: {
        selector: labels,
        ports: [{ name: 'http', port: 80 }, ...whole({ name: 'admin', port: 81 })],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    },
  ];
}

type Marks = Pick<TestObject['metadata'], 'labels' | 'annotations'>;

interface Tool {
  name: string;
  /** The tool's own object, and words of the commands that make it stop writing, and that remove it. */
  own: { apiVersion: string; kind: string; resource: string; namespace?: string; finalizer: string };
  stop: string[];
  remove: string[];
  isChart?: true;
  /** What Helm's release is called; default: as the application. */
  release?: string;
  /** Deploys as the tool does. */
  deploy(stage: Stage): Promise<void>;
}

const ARGO = {
  own: {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    resource: 'applications.argoproj.io',
    namespace: 'argocd',
    finalizer: 'resources-finalizer.argocd.argoproj.io',
  },
  stop: ['"syncPolicy":null'],
  remove: ['kubectl delete applications.argoproj.io'],
};
const flux = (kind: string, plural: string) => ({
  own: {
    apiVersion: `${plural.slice(plural.indexOf('.') + 1)}/v1`,
    kind,
    resource: plural,
    finalizer: 'finalizers.fluxcd.io',
  },
  stop: [`kubectl patch ${plural}`, '"suspend":true'],
  remove: [`kubectl delete ${plural}`],
});
const HELM_RELEASE = flux('HelmRelease', 'helmreleases.helm.toolkit.fluxcd.io');

const byLabel = (): Marks => ({ labels: { 'app.kubernetes.io/instance': 'web' } });
const byAnnotation = ({ kind, apiVersion }: TestObject, { namespace }: Stage): Marks => ({
  annotations: {
    'argocd.argoproj.io/tracking-id': `web:${apiVersion.includes('/') ? 'apps' : ''}/${kind}:${namespace}/web`,
  },
});
const CLIENT_SIDE = ['--server-side=false', '--field-manager=argocd-controller'];
const SERVER_SIDE = ['--server-side', '--force-conflicts', '--field-manager=argocd-controller'];

const TOOLS: readonly Tool[] = [
  {
    ...ARGO,
    name: 'Argo CD, client-side apply, tracked by label',
    deploy: (stage) => applied(stage, byLabel, CLIENT_SIDE),
  },
  {
    ...ARGO,
    name: 'Argo CD, client-side apply, tracked by annotation',
    deploy: (stage) => applied(stage, byAnnotation, CLIENT_SIDE),
  },
  {
    ...ARGO,
    name: 'Argo CD, server-side apply',
    deploy: (stage) => applied(stage, byAnnotation, SERVER_SIDE),
  },
  {
    ...ARGO,
    name: 'Argo CD, first client-side and then server-side apply',
    deploy: async (stage) => {
      await applied(stage, byLabel, CLIENT_SIDE);
      await applied(stage, byAnnotation, SERVER_SIDE);
    },
  },
  {
    ...flux('Kustomization', 'kustomizations.kustomize.toolkit.fluxcd.io'),
    name: "Flux's Kustomization",
    deploy: (stage) =>
      applied(
        stage,
        (_, { namespace }) => ({
          labels: {
            'kustomize.toolkit.fluxcd.io/name': 'web',
            'kustomize.toolkit.fluxcd.io/namespace': namespace,
          },
        }),
        ['--server-side', '--force-conflicts', '--field-manager=kustomize-controller'],
      ),
  },
  {
    ...HELM_RELEASE,
    name: "Flux's HelmRelease, client-side apply",
    isChart: true,
    deploy: (stage) => installed(stage, '--server-side=false'),
  },
  {
    ...HELM_RELEASE,
    name: "Flux's HelmRelease, server-side apply",
    isChart: true,
    deploy: (stage) => installed(stage, '--server-side=true'),
  },
  {
    ...HELM_RELEASE,
    name: "Flux's HelmRelease whose release is called otherwise",
    isChart: true,
    release: 'target-web',
    deploy: (stage) => installed(stage, '--server-side=true', 'target-web'),
  },
];

for (const tool of TOOLS)
  test(`D13, I3: from ${tool.name}: taken over by the commands of docs/migration.md, nothing made anew, nothing left behind`, async (t) => {
    const stage = await newStage(t, { cluster, startOperator: true, flags: fastLease });
    const shell = newShell(stage);
    const commit = (which: { isWhole: boolean }) => stage.repository.commit(filesOf(tool, objectsOf(which)));
    const whole = await commit({ isWhole: true });
    await tool.deploy(stage);
    await makeOwn(t, stage, tool);
    const before = await untilRunning(stage);

    await shell(documented(PAGE, ...tool.stop));
    await shell(look);
    assert.equal(reasonOf(await stage.get('web')), 'AwaitingSync');
    assert.deepEqual(await stateOf(stage), before, 'to look writes nothing');

    await shell(takeOver);
    await stage.untilReadyAt('web', whole);
    const after = await stateOf(stage);
    assert.deepEqual(identities(after), identities(before), 'the same objects, specs and Pods');
    for (const { kind, metadata } of after.objects) assert.deepEqual(foreign(metadata), [], kind);

    await asTheTool(stage, tool);
    await shell(documented(PAGE, ...tool.remove));
    assert.equal(await stage.kubectl('get', 'secrets', '-l', 'owner=helm', '-o', 'name'), '');
    assert.deepEqual(identities(await stateOf(stage)), identities(before), 'after the tool is gone');

    const later = await commit({ isWhole: false });
    // The page's Application asks every minute.
    await stage.requestSync('web');
    await stage.untilReadyAt('web', later);
    const [config, service, deployment] = (await stateOf(stage)).objects;
    assert.deepEqual(config?.data, { kept: 'one' });
    assert.deepEqual(Object.keys(config?.metadata.labels ?? {}).sort(), ['app', 'towpath.dev/target']);
    assert.doesNotMatch(JSON.stringify(service?.spec), /admin/);
    assert.doesNotMatch(JSON.stringify(deployment?.spec), /REMOVED|side/);
    assert.deepEqual(
      [config, service, deployment].map((object) => object?.metadata.uid),
      before.objects.map(({ metadata }) => metadata.uid),
    );
  });

function filesOf({ isChart }: Tool, objects: readonly TestObject[]): Record<string, string> {
  if (isChart) return chartOf('web', objects);
  return { 'web/all.yaml': objects.map((object) => JSON.stringify(object)).join('\n---\n') };
}

/** Runs commands of the page in this namespace instead of `shop`. */
function newShell(stage: Stage): (text: string) => Promise<void> {
  const directory = temporaryDirectory('migration');
  const here = (text: string) =>
    text
      .replaceAll('-n shop', `-n ${stage.namespace}`)
      .replace('namespace: shop', `namespace: ${stage.namespace}`)
      .replace('https://git.example.com/shop/web.git', stage.repoURL);
  writeFileSync(join(directory, 'web.yaml'), here(application));
  return (text: string) => runCommands(cluster, here(text), directory);
}

async function apply(object: unknown, ...flags: string[]): Promise<void> {
  const { code, stderr } = await cluster.kubectl(['apply', '-f', '-', ...flags], {
    input: JSON.stringify(object),
  });
  assert.equal(code, 0, stderr);
}

/** Applies the objects with a tool's marks as its own apply does. */
async function applied(
  stage: Stage,
  marks: (object: TestObject, stage: Stage) => Marks,
  how: readonly string[],
): Promise<void> {
  const items = objectsOf({ isWhole: true }).map((object) => {
    const { labels = {}, annotations = {} } = marks(object, stage);
    const { metadata } = object;
    return {
      ...object,
      metadata: {
        ...metadata,
        labels: { ...metadata.labels, ...labels },
        annotations: { ...metadata.annotations, ...annotations },
      },
    };
  });
  await apply({ apiVersion: 'v1', kind: 'List', items }, '-n', stage.namespace, ...how);
}

/** A release of the real Helm, with what helm-controller adds to it: its marks, and its name as field manager. */
async function installed(stage: Stage, how: string, release = 'web'): Promise<void> {
  const directory = temporaryDirectory('release');
  const marked = objectsOf({ isWhole: true }).map((object) => ({
    ...object,
    metadata: {
      ...object.metadata,
      labels: {
        ...object.metadata.labels,
        'helm.toolkit.fluxcd.io/name': 'web',
        'helm.toolkit.fluxcd.io/namespace': stage.namespace,
      },
    },
  }));
  for (const [path, text] of Object.entries(chartOf('web', marked))) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const where = [`--namespace=${stage.namespace}`, `--kubeconfig=${cluster.kubeconfigPath}`];
  const { code, stderr } = await helm('install', release, join(directory, 'web'), how, ...where);
  assert.equal(code, 0, stderr);
  for (const kind of KINDS) {
    const entries = (await liveOf(stage, kind)).metadata.managedFields ?? [];
    const index = entries.findIndex(({ manager }) => manager === 'helm');
    assert.ok(index >= 0, `${kind}: ${JSON.stringify(entries)}`);
    const path = `/metadata/managedFields/${index}/manager`;
    const patch = JSON.stringify([{ op: 'replace', path, value: 'helm-controller' }]);
    await stage.kubectl('patch', kind, 'web', '--type=json', '-p', patch);
  }
}

async function makeOwn(t: TestContext, stage: Stage, { own, isChart, release = 'web' }: Tool): Promise<void> {
  const { apiVersion, kind, resource, namespace = stage.namespace, finalizer } = own;
  if (namespace !== stage.namespace) {
    await cluster.kubectl(['create', 'namespace', namespace]);
    const drop = ['patch', resource, 'web', '-n', namespace, '--type=merge', '-p', WITHOUT_FINALIZERS];
    t.after(async () => {
      await cluster.kubectl(drop);
      await cluster.kubectl(['delete', resource, 'web', '-n', namespace, '--ignore-not-found']);
    });
  }
  const spec = { syncPolicy: { automated: {} } };
  const status = { storageNamespace: namespace, history: [{ name: release, namespace }] };
  const metadata = { name: 'web', namespace, finalizers: [finalizer] };
  await apply({ apiVersion, kind, metadata, spec, ...(isChart && { status }) });
}

/** Flux lets an object of its own that is suspended go without deleting anything; Argo CD has no part in it. */
async function asTheTool(stage: Stage, { own }: Tool): Promise<void> {
  if (own.namespace !== undefined) return;
  const found = await stage.kubectl('get', own.resource, 'web', '-o', 'jsonpath={.spec.suspend}');
  assert.equal(found, 'true');
  await stage.kubectl('patch', own.resource, 'web', '--type=merge', '-p', WITHOUT_FINALIZERS);
}

const WITHOUT_FINALIZERS = '{"metadata":{"finalizers":null}}';

const KINDS = ['configmap', 'service', 'deployment'] as const;

interface Found extends LiveObject {
  kind: string;
  metadata: LiveObject['metadata'] & { generation?: number };
}

/** A request costs a fraction of what a kubectl does. */
async function read<T>({ namespace }: Stage, path: string): Promise<T> {
  const api = path.startsWith('deployments') ? '/apis/apps/v1' : '/api/v1';
  const { status, body } = await cluster.request('GET', `${api}/namespaces/${namespace}/${path}`);
  assert.equal(status, 200, body);
  return JSON.parse(body) as T;
}

const liveOf = (stage: Stage, kind: string) => read<Found>(stage, `${kind}s/web`);

async function stateOf(stage: Stage) {
  const objects = await Promise.all(KINDS.map((kind) => liveOf(stage, kind)));
  const { items } = await read<{ items: Found[] }>(stage, 'pods?labelSelector=app%3Dweb');
  return { objects, pods: items.map(({ metadata }) => `${metadata.name}:${metadata.uid}`).sort() };
}

type State = Awaited<ReturnType<typeof stateOf>>;

/** The state when both Pods are ready, and nobody has anything to write any more. */
async function untilRunning(stage: Stage): Promise<State> {
  return eventually(
    async () => {
      const state = await stateOf(stage);
      const { observedGeneration, readyReplicas } = (state.objects[2]?.status ?? {}) as Record<
        string,
        number
      >;
      const isThere = state.pods.length === 2 && readyReplicas === 2;
      return isThere && observedGeneration === state.objects[2]?.metadata.generation ? state : undefined;
    },
    { describe: 'two Pods that are ready' },
  );
}

function identities({ objects, pods }: State) {
  return { objects: objects.map(({ metadata: { uid }, spec, data }) => ({ uid, spec, data })), pods };
}

/** What is left of other tools: their marks, and fields that they own. */
function foreign({ labels = {}, annotations = {}, managedFields = [] }: LiveObject['metadata']): string[] {
  const ours = /^(app|tier|towpath\.dev\/.*|deployment\.kubernetes\.io\/revision)$/;
  const marks = Object.keys({ ...labels, ...annotations }).filter((mark) => !ours.test(mark));
  const managers = managedFields.map(({ manager }) => manager);
  return [...marks, ...managers.filter((manager) => !/^(towpath-|kube-controller-manager$)/.test(manager))];
}

/** A definition of another tool's kind, of which only the name matters here. */
function anythingGoes(plural: string, group: string, kind: string) {
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: anything, status: anything } } };
  const name = group === 'argoproj.io' ? 'v1alpha1' : 'v1';
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, kind },
      versions: [{ name, served: true, storage: true, schema }],
    },
  };
}
