import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { ANNOTATION_VERSION } from '../../operator/api/v1alpha1/names.ts';
import { CHART } from '../harness/chart.ts';
import {
  LOOPBACK,
  laterChart,
  newReleases,
  type Releases,
  untilItLooked,
} from '../harness/chart-releases.ts';
import {
  ANNOTATED,
  argo,
  CLIENT_SIDE,
  flux,
  LABELLED,
  SERVER_SIDE,
  type Where,
} from '../harness/deployment-tools.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

let on: Releases;
before(async () => {
  on = await newReleases();
});

const WEB = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: there}\n';
const CRD = 'applications.towpath.dev';

for (const [what, namespace, way] of [
  ['Argo CD, client-side', 'as-argo', (where: Where) => argo(where, LABELLED, CLIENT_SIDE)],
  ['Argo CD, server-side', 'as-argo-too', (where: Where) => argo(where, ANNOTATED, SERVER_SIDE)],
  ['Flux', 'as-flux', flux],
] as const)
  test(`I3: installed, upgraded and removed as ${what} does, it settles at once, and no object of users changes`, async (t) => {
    await on.newNamespace(t, namespace);
    const { install, difference, remove } = way({ cluster: on.cluster, namespace, values: LOOPBACK });
    const stage = await newStage(t, {
      cluster: on.cluster,
      files: { 'web.yaml': WEB },
      startOperator: false,
    });
    await install(CHART);
    t.after(() => on.cluster.kubectl(['delete', OUTSIDE, '-l', OURS]));
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
const POLICIES = 'validatingadmissionpolicies';
const WITHOUT_STATUS = 'clusterroles,clusterrolebindings,validatingadmissionpolicybindings';
const OUTSIDE = `${WITHOUT_STATUS},${POLICIES}`;

/** resourceVersions of what the chart brings. */
async function versionsOf(namespace: string): Promise<string[]> {
  const version =
    'jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
  const kinds = `serviceaccounts,services,roles,rolebindings,poddisruptionbudgets,${WITHOUT_STATUS}`;
  const found = await on.kubectl('get', kinds, '-n', namespace, '-l', OURS, '-o', version);
  // Their status is the cluster's own, and has part in their version.
  const spec = 'jsonpath={.items[*].metadata.generation} {.items[*].metadata.labels}';
  const deployment = await on.kubectl(
    'get',
    `deployments,${POLICIES}`,
    '-n',
    namespace,
    '-l',
    OURS,
    '-o',
    spec,
  );
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
