/** Kustomizations with helmCharts: our objects are those of `kubectl kustomize --enable-helm` with the helm command. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { buildHelm } from '../../hack/build-helm.ts';
import { clusterBinary } from '../../hack/programs.ts';
import { type Manifest, objectKey } from '../../operator/manifest/manifest.ts';
import {
  MissingCharts,
  type Rendered,
  type RenderRequest,
  TreeWithFiles,
} from '../../operator/render/renderer.ts';
import { type ChartRepository, startChartRepository, writeFiles } from '../harness/chart-repository.ts';
import { MemoryTree } from '../harness/memory-tree.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { request, TestRenderer } from '../harness/render.ts';

const run = promisify(execFile);
const engine = new TestRenderer();

const scopes = {
  ...{ '/ConfigMap': true, '/Service': true, 'apps/Deployment': true, 'batch/Job': true },
  'apiextensions.k8s.io/CustomResourceDefinition': false,
};
const cluster = {
  scopes,
  capabilities: { kubeVersion: 'v1.37.2', apiVersions: ['v1', 'apps/v1'] },
} satisfies Partial<RenderRequest>;

function web(version: string): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: web\nversion: ${version}\n`,
    'values.yaml':
      'replicas: 1\nlabels: {a: one, b: two}\nports: [{name: http, port: 80}, {name: tls, port: 443}]\n',
    'templates/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-web
  namespace: {{ .Release.Namespace }}
  labels: {{- toYaml .Values.labels | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
      - name: web
        image: web:{{ .Chart.Version }}
        ports:
        {{- range .Values.ports }}
        - {name: {{ .name }}, containerPort: {{ .port }}}
        {{- end }}
`,
    'templates/values.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}-values", namespace: {{ .Release.Namespace }}}\ndata: {values: {{ toJson .Values | quote }}, kube: {{ .Capabilities.KubeVersion.Version }}}\n',
    'templates/hook.yaml':
      'apiVersion: batch/v1\nkind: Job\nmetadata: {name: "{{ .Release.Name }}-migrate", namespace: {{ .Release.Namespace }}, annotations: {helm.sh/hook: pre-install}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n',
    'templates/test.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}-test", namespace: {{ .Release.Namespace }}, annotations: {helm.sh/hook: test}}\n',
    'crds/c.yaml':
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: cs.x.dev}\nspec: {group: x.dev, scope: Cluster, names: {kind: C, plural: cs}, versions: []}\n',
  };
}

const inWeb = (files: Readonly<Record<string, string>>, folder = 'web/charts/web') =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));

/** Of each an entry of helmCharts, and what else is in the kustomization; `%` is a Helm repository. */
const CASES: Readonly<Record<string, [entry: string, more?: string]>> = {
  'values of the chart': ['skipTests: true'],
  'values inline': ['valuesInline: {replicas: 3, labels: {b: three, c: null}}'],
  'values inline with null': ['valuesInline: {replicas: null, labels: null}'],
  'a list inline': ['valuesInline: {ports: [{name: tls, port: 8443}]}'],
  'values merged': ['valuesInline: {replicas: 3, labels: {c: three}, ports: []}, valuesMerge: merge'],
  'values replaced': ['valuesInline: {replicas: 3}, valuesMerge: replace'],
  'a values file': ['valuesFile: own.yaml'],
  'more values files': ['valuesFile: own.yaml, additionalValuesFiles: [more.yaml, sub/other.yaml]'],
  'values inline over a file': [
    'valuesFile: own.yaml, additionalValuesFiles: [more.yaml], valuesInline: {labels: {a: inline}}',
  ],
  'CRDs, and no hooks': ['includeCRDs: true, skipHooks: true'],
  'the version of Kubernetes': ['kubeVersion: "1.31"'],
  transformed: [
    'namespace: elsewhere',
    'namePrefix: x-\nlabels: [{pairs: {by: kustomize}, includeSelectors: true}]\nimages: [{name: web, newTag: "9"}]\npatches: [{target: {kind: Deployment}, patch: \'[{"op": "replace", "path": "/spec/replicas", "value": 7}]\'}]\n',
  ],
  'where all is from': [
    'skipTests: true',
    'namespace: shop\nbuildMetadata: [originAnnotations]\nconfigMapGenerator: [{name: own, literals: [a=b]}]\n',
  ],
  'a chart of a repository': ['repo: "%", version: 1.0.0'],
  'the newest of a range': ['repo: "%", version: ^1.0.0'],
};

function output(program: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  return run(program, args, { env: { ...env, HOME: temporaryDirectory('home') } }).then(
    ({ stdout }) => stdout,
  );
}

describe('kustomizations with helmCharts build as kubectl kustomize --enable-helm does', () => {
  let published: ChartRepository;
  before(async () => {
    published = await startChartRepository();
    for (const version of ['1.0.0', '1.2.0', '2.0.0']) await published.publish(web(version));
  });
  after(() => published.stop());

  async function ours(files: Readonly<Record<string, string>>): Promise<Rendered> {
    const tree = new MemoryTree(files);
    try {
      return await engine.renderer.render(tree, request('web', cluster));
    } catch (error) {
      if (!(error instanceof MissingCharts)) throw error;
      const [{ file, name, version, isRange } = assert.fail('nothing lacks')] = error.charts;
      const exact = isRange === true ? '1.2.0' : version;
      const data = await readFile(join(published.directory, `${name}-${exact}.tgz`));
      const digest = createHash('sha256').update(data).digest('hex');
      const archives = new Map([[file ?? '', { digest, data }]]);
      return engine.renderer.render(new TreeWithFiles(tree, archives), request('web', cluster));
    }
  }

  for (const [name, [entry, more = 'namespace: shop\n']] of Object.entries(CASES))
    test(name, async () => {
      const kubeVersion = entry.includes('kubeVersion') ? '' : ', kubeVersion: "1.37.2"';
      const text = `${more}helmCharts:\n- {name: web, releaseName: web, ${entry.replace('%', published.url)}${kubeVersion}}\n`;
      const files = {
        ...(entry.includes('repo:') ? {} : inWeb(web('1.0.0'))),
        'web/kustomization.yaml': text,
        'web/own.yaml': 'replicas: 5\nlabels: {a: file}\n',
        'web/more.yaml': 'labels: {b: more}\n',
        'web/sub/other.yaml': 'ports: []\n',
      };
      const directory = temporaryDirectory('helm-charts');
      await writeFiles(directory, files);
      const theirs = await output(
        await clusterBinary(),
        [
          'kubectl',
          'kustomize',
          '--enable-helm',
          '--helm-command',
          await buildHelm(),
          join(directory, 'web'),
        ],
        { SSL_CERT_FILE: published.caFile },
      );
      const expected = await engine.render({ 'all.yaml': theirs }, cluster, 'all.yaml');
      const rendered = await ours(files);
      const byKey = (all: readonly Manifest[]) => new Map(all.map((each) => [objectKey(each), each.text]));
      const own = byKey([...rendered.objects, ...rendered.hooks]);
      const other = byKey(expected.objects);
      // Helm's tests run at nobody's request here.
      for (const [key, manifest] of other) if (manifest.includes('"helm.sh/hook":"test"')) other.delete(key);
      assert.deepEqual([...own.keys()].sort(), [...other.keys()].sort());
      for (const [key, manifest] of own)
        assert.deepEqual(JSON.parse(manifest), JSON.parse(other.get(key) ?? 'null'), key);
    });
});
