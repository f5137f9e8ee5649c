import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { parseAllDocuments, stringify } from 'yaml';
import { ANNOTATION_VERSION } from '../../operator/api/v1alpha1/names.ts';
import { CHART, type Rendered, valuesFile } from '../harness/chart.ts';
import { helm } from '../harness/helm.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { LOOPBACK, laterChart, newReleases, type Releases, untilItLooked } from './chart-releases.ts';

let on: Releases;
before(async () => {
  on = await newReleases();
});

const WEB = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: there}\n';
const CRD = 'applications.towpath.dev';

/** How a tool installs the chart, and sees whether the cluster has what it wants. */
interface Way {
  install(chart: string, values?: object): Promise<void>;
  /** What the tool would change; '' where nothing. */
  difference(chart: string, values?: object): Promise<string>;
  remove(): Promise<void>;
}

/** Argo CD renders as `helm template --include-crds` does, marks each object, applies it, and compares dry-runs. */
function argo(
  namespace: string,
  marks: Pick<Rendered['metadata'], 'labels' | 'annotations'>,
  how: string[],
): Way {
  const wanted = async (chart: string, values: object = {}) => {
    const flags = ['--include-crds', `--values=${valuesFile({ ...LOOPBACK, ...values })}`];
    const { code, stdout, stderr } = await helm('template', 'towpath', chart, `-n=${namespace}`, ...flags);
    assert.equal(code, 0, stderr);
    return (
      parseAllDocuments(stdout)
        .map((document) => document.toJS() as Rendered)
        // Helm's hook for tests means nothing to it: it leaves it out.
        .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== 'test')
        .map((object) => ({
          ...object,
          metadata: {
            ...object.metadata,
            labels: { ...object.metadata.labels, ...marks.labels },
            annotations: { ...object.metadata.annotations, ...marks.annotations },
          },
        }))
    );
  };
  const text = (objects: readonly Rendered[]) => objects.map((object) => stringify(object)).join('---\n');
  const flags = ['-f', '-', '--field-manager=argocd-controller', ...how];
  return {
    install: async (chart, values) => {
      const input = text(await wanted(chart, values));
      const { code, stderr } = await on.cluster.kubectl(['apply', ...flags], { input });
      assert.equal(code, 0, stderr);
    },
    difference: async (chart, values) => {
      const input = text(await wanted(chart, values));
      const { code, stdout, stderr } = await on.cluster.kubectl(['diff', ...flags], { input });
      assert.ok(code === 0 || code === 1, stderr);
      return stdout;
    },
    // With the Application it deletes what it deployed, but for definitions.
    remove: async () => {
      const input = text((await wanted(CHART)).filter(({ kind }) => kind !== 'CustomResourceDefinition'));
      const { code, stderr } = await on.cluster.kubectl(['delete', '-f', '-'], { input });
      assert.equal(code, 0, stderr);
    },
  };
}

/** Flux installs a release, replaces definitions where it is told so (CreateReplace), and compares dry-runs. */
function flux(namespace: string): Way {
  const released = { name: 'towpath', namespace };
  const apply = ['--server-side', '--force-conflicts', '--field-manager=helm-controller'];
  let isThere = false;
  return {
    install: async (chart, values = {}) => {
      await on.kubectl('apply', ...apply, '-f', `${chart}/crds`);
      const verb = isThere ? 'upgrade' : 'install';
      await on.release(verb, { ...released, chart, values }, '--skip-crds');
      isThere = true;
    },
    difference: async (chart) => {
      const where = [`--namespace=${namespace}`, `--kubeconfig=${on.cluster.kubeconfigPath}`];
      const { stdout: input } = await helm('get', 'manifest', 'towpath', ...where);
      const said = await Promise.all([
        on.cluster.kubectl(['diff', ...apply, '-f', '-'], { input }),
        on.cluster.kubectl(['diff', ...apply, '-f', `${chart}/crds`]),
      ]);
      for (const { code, stderr } of said) assert.ok(code === 0 || code === 1, stderr);
      return said.map(({ stdout }) => stdout).join('');
    },
    remove: () => on.release('uninstall', released),
  };
}

const labelled = { labels: { 'app.kubernetes.io/instance': 'towpath' } };
const annotated = { annotations: { 'argocd.argoproj.io/tracking-id': 'towpath:a/b:c/d' } };
const SERVER_SIDE = ['--server-side', '--force-conflicts'];

for (const [what, namespace, way] of [
  ['Argo CD, client-side', 'as-argo', (space: string) => argo(space, labelled, ['--server-side=false'])],
  ['Argo CD, server-side', 'as-argo-too', (space: string) => argo(space, annotated, SERVER_SIDE)],
  ['Flux', 'as-flux', flux],
] as const)
  test(`I3: installed, upgraded and removed as ${what} does, it settles at once, and no object of users changes`, async (t) => {
    await on.newNamespace(t, namespace);
    const { install, difference, remove } = way(namespace);
    const stage = await newStage(t, {
      cluster: on.cluster,
      files: { 'web.yaml': WEB },
      startOperator: false,
    });
    await install(CHART);
    t.after(() => on.cluster.kubectl(['delete', 'clusterroles,clusterrolebindings', '-l', OURS]));
    assert.equal(await difference(CHART), '', 'after the first apply');
    const first = await versionsOf(namespace);
    const operator = await on.run(t, { name: 'towpath', namespace });
    await stage.deployed('web');
    assert.equal(await difference(CHART), '', 'while the operator leads');
    await install(CHART);
    assert.deepEqual(await versionsOf(namespace), first, 'a second apply writes nothing');
    const before = await on.objectsOf(stage);

    const later = laterChart();
    const values = { log: { level: 'debug' } };
    await operator.stop();
    await install(later, values);
    assert.equal(await difference(later, values), '', 'after the upgrade');
    assert.notDeepEqual(await versionsOf(namespace), first);
    await lookedAt(t, namespace, stage, before, 'after the upgrade');

    await bringUpDefinition(t, namespace, stage, before);
    assert.equal(await difference(later, values), '', 'after the operator brought its definition up');

    await remove();
    assert.deepEqual(await on.objectsOf(stage), before, 'after it was removed');
    assert.match(await on.kubectl('get', 'crd', CRD, '-o', 'name'), /applications/);
  });

const OURS = 'app.kubernetes.io/name=towpath';

/** resourceVersions of what the chart brings. */
async function versionsOf(namespace: string): Promise<string[]> {
  const version =
    'jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
  const kinds =
    'serviceaccounts,services,roles,rolebindings,poddisruptionbudgets,clusterroles,clusterrolebindings';
  const found = await on.kubectl('get', kinds, '-n', namespace, '-l', OURS, '-o', version);
  // A Deployment's status is the cluster's own, and has part in its version.
  const spec = 'jsonpath={.items[*].metadata.generation} {.items[*].metadata.labels}';
  const deployment = await on.kubectl('get', 'deployments', '-n', namespace, '-l', OURS, '-o', spec);
  const crd = await on.kubectl('get', 'crd', CRD, '-o', 'jsonpath={.metadata.resourceVersion}');
  return [...found.trim().split('\n').sort(), deployment, crd];
}

async function lookedAt(
  t: TestContext,
  namespace: string,
  stage: Stage,
  before: Record<string, string>,
  what: string,
): Promise<void> {
  const operator = await on.run(t, { name: 'towpath', namespace });
  await untilItLooked(operator);
  assert.deepEqual(await on.objectsOf(stage), before, what);
  await operator.stop();
}

/** The definition as an older release left it, where the tool does not look after it: the operator does. */
async function bringUpDefinition(
  t: TestContext,
  namespace: string,
  stage: Stage,
  before: Record<string, string>,
): Promise<void> {
  const version = `jsonpath={.metadata.annotations.${ANNOTATION_VERSION.replaceAll('.', '\\.')}}`;
  const wanted = await on.kubectl('get', 'crd', CRD, '-o', version);
  await on.kubectl('annotate', '--overwrite', 'crd', CRD, `${ANNOTATION_VERSION}=0.0.1`);
  await lookedAt(t, namespace, stage, before, 'with the definition of an older version');
  const now = () => on.kubectl('get', 'crd', CRD, '-o', version);
  await eventually(async () => (await now()) === wanted, { describe: 'the definition to be brought up' });
}
