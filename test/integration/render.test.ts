import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, isReadyAt, newStage, type Stage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { toldOf } from './steps.ts';

const chart = {
  'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'web/values.yaml': 'color: red\n',
  'web/templates/a.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {color: "{{ .Values.color }}"}\n',
};

const colorOf = (stage: Stage) => stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.color}');

/** Waits until the ConfigMap says so. */
const colored = (stage: Stage, color: string) =>
  eventually(async () => (await colorOf(stage)) === color, {
    describe: `the color ${color}`,
  });

test('values over 256 KiB are told; what ran before stays enforced, and deletion prunes it', async (t) => {
  const stage = await newStage(t, { files: chart });
  const head = await stage.repository.revParse('main');
  /** Not as kubectl applies: it would keep the values in an annotation, which is smaller. */
  const write = async (values: Record<string, unknown>) => {
    const application = {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Application',
      metadata: { name: 'web' },
      spec: {
        source: { repoURL: stage.repoURL, path: 'web', interval: '1s' },
        helm: { values },
      },
    };
    const applied = await stage.cluster.kubectl(
      ['-n', stage.namespace, 'apply', '--server-side', '--force-conflicts', '-f', '-'],
      { input: JSON.stringify(application) },
    );
    assert.equal(applied.code, 0, applied.stderr);
  };
  await write({ color: 'blue' });
  await stage.untilReadyAt('web', head);
  await write({ color: 'green', text: 'x'.repeat(300_000) });
  const told = await stage.until('web', ({ status }) => status?.sync === 'Quarantined', 'Quarantined');
  assert.equal(conditionOf(told, 'Stalled')?.reason, 'ValuesTooLarge');
  assert.match(
    conditionOf(told, 'Ready')?.message ?? '',
    /^spec\.helm\.values has 3000\d\d bytes as JSON; at most 256 KiB .* Move a part/,
  );
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"color":"mine"}}');
  await colored(stage, 'blue');
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=30s');
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'name', '--ignore-not-found'), '');
});

test('a null in the values removes a default; one that kubectl apply left out is told', async (t) => {
  const stage = await newStage(t, { files: chart });
  const head = await stage.repository.revParse('main');
  const apply = async (...flags: string[]) => {
    const application = {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Application',
      metadata: { name: 'web' },
      spec: { source: { repoURL: stage.repoURL, path: 'web' }, helm: { values: { color: null } } },
    };
    const applied = await stage.cluster.kubectl(['-n', stage.namespace, 'apply', ...flags, '-f', '-'], {
      input: JSON.stringify(application),
    });
    assert.equal(applied.code, 0, applied.stderr);
  };
  await apply();
  await stage.untilReadyAt('web', head);
  assert.equal(await colorOf(stage), 'red');
  const [told] = await toldOf(stage, 'web', 'ValuesNullDropped');
  assert.match(
    told ?? '',
    /left out the null of spec\.helm\.values\.color, .* Use kubectl apply --server-side/,
  );
  await apply('--server-side', '--force-conflicts');
  await colored(stage, '');
});

test('a sync that is asked for renders again what failed', async (t) => {
  const stage = await newStage(t, {
    files: {
      ...chart,
      'web/templates/luck.yaml': '{{ if lt (randInt 0 10) 7 }}{{ fail "no luck" }}{{ end }}',
    },
  });
  const head = await stage.repository.revParse('main');
  await stage.application('web', { source: { path: 'web', interval: '1h' } });
  let asked = '';
  const tried = () =>
    stage.until(
      'web',
      ({ status }) => status?.sync !== undefined && (status.handledSyncRequest ?? '') === asked,
      'the try',
    );
  for (let tries = 0; tries < 40 && !isReadyAt(await tried(), head); tries++) {
    asked = await stage.requestSync('web');
  }
  await stage.untilReadyAt('web', head);
});

test('optional values that are not there are gone without, and taken up when they appear', async (t) => {
  const stage = await newStage(t, { files: chart });
  const head = await stage.repository.revParse('main');
  const valuesFrom = [
    { kind: 'ConfigMap', name: 'shared', optional: true },
    { kind: 'Secret', name: 'own', key: 'web.yaml', optional: true },
  ];
  await stage.application('web', { source: { path: 'web', interval: '1h' }, helm: { valuesFrom } });
  await stage.untilReadyAt('web', head);
  assert.equal(await colorOf(stage), 'red');
  await stage.kubectl('create', 'configmap', 'shared', '--from-literal=other=x');
  await stage.kubectl('create', 'secret', 'generic', 'own', '--from-literal=web.yaml=color: green');
  await colored(stage, 'green');
  await stage.kubectl('delete', 'secret', 'own');
  await colored(stage, 'red');
  await stage.kubectl('patch', 'configmap', 'shared', '-p', '{"data":{"values.yaml":"color: blue"}}');
  await colored(stage, 'blue');
});

test('a kustomization with an overlay, a component and patches is deployed, and again when its base changes', async (t) => {
  const deployment = (image: string) =>
    `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "${image}"}]
`;
  const stage = await newStage(t, {
    files: {
      'base/kustomization.yaml': 'resources: [web.yaml]\n',
      'base/web.yaml': deployment('example.com/web:1'),
      'components/named/kustomization.yaml':
        'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels:\n- pairs: {tier: front}\nconfigMapGenerator:\n- {name: settings, literals: [level=high]}\n',
      'overlays/v1.2/prod/kustomization.yaml':
        'resources: [../../../base]\ncomponents: [../../../components/named]\nnameSuffix: -prod\npatches:\n- path: replicas.yaml\n- target: {kind: Deployment}\n  patch: |\n    - {op: add, path: /metadata/annotations, value: {patched: "yes"}}\n',
      'overlays/v1.2/prod/replicas.yaml':
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n',
    },
  });
  const head = await stage.repository.revParse('main');
  await stage.application('web', { source: { path: 'overlays/v1.2/prod' } });
  const ready = await stage.untilReadyAt('web', head);
  assert.equal(environmentOf(ready.status)?.objects, 2);
  const live = JSON.parse(await stage.kubectl('get', 'deployment', 'web-prod', '-o', 'json'));
  assert.deepEqual(
    [
      live.spec.replicas,
      live.metadata.annotations.patched,
      live.metadata.labels.tier,
      live.status.readyReplicas,
    ],
    [2, 'yes', 'front', 2],
  );
  assert.match(
    await stage.kubectl('get', 'configmaps', '-l', 'towpath.dev/target', '-o', 'name'),
    /settings-prod-[a-z0-9]{10}/,
  );
  const second = await stage.repository.commit({ 'base/web.yaml': deployment('example.com/web:2') });
  await stage.untilReadyAt('web', second);
  const image = '-o=jsonpath={.spec.template.spec.containers[0].image}';
  assert.equal(await stage.kubectl('get', 'deployment', 'web-prod', image), 'example.com/web:2');
});
