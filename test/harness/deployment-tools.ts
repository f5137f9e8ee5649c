import assert from 'node:assert/strict';
import { parseAllDocuments, stringify } from 'yaml';
import { CHART, type Rendered, valuesFile } from './chart.ts';
import type { Cluster, KubectlResult } from './cluster.ts';
import { helm } from './helm.ts';

/** How a tool installs the chart as towpath, and sees whether the cluster has what it wants. */
export interface Way {
  install(chart: string, values?: object): Promise<void>;
  /** What the tool would change; '' where nothing. */
  difference(chart: string, values?: object): Promise<string>;
  remove(): Promise<void>;
}

/** Where a tool installs, and with which values in any case. */
export interface Where {
  cluster: Cluster;
  namespace: string;
  values: object;
}

/** By what Argo CD knows what is its own. */
type Marks = Pick<Rendered['metadata'], 'labels' | 'annotations'>;

export const LABELLED: Marks = { labels: { 'app.kubernetes.io/instance': 'towpath' } };
export const ANNOTATED: Marks = { annotations: { 'argocd.argoproj.io/tracking-id': 'towpath:a/b:c/d' } };

export const CLIENT_SIDE = ['--server-side=false'];
export const SERVER_SIDE = ['--server-side', '--force-conflicts'];

/** What charts may ask `.Capabilities.APIVersions` for: as Argo CD tells Helm, which has no connection of its own there. */
async function servedAdmission(cluster: Cluster): Promise<string[]> {
  const groupVersion = 'admissionregistration.k8s.io/v1';
  const { body } = await cluster.request('GET', `/apis/${groupVersion}`);
  const { resources } = JSON.parse(body) as { resources: { name: string; kind: string }[] };
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map(({ kind }) => `--api-versions=${groupVersion}/${kind}`);
}

/** Argo CD renders as `helm template --include-crds` does, marks each object, applies it, and compares dry-runs. */
export function argo({ cluster, namespace, values: always }: Where, marks: Marks, how: string[]): Way {
  const wanted = async (chart: string, values: object = {}) => {
    const file = `--values=${valuesFile({ ...always, ...values })}`;
    const flags = ['--include-crds', file, ...(await servedAdmission(cluster))];
    const { stdout } = succeeded(await helm('template', 'towpath', chart, `-n=${namespace}`, ...flags));
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
      succeeded(await cluster.kubectl(['apply', ...flags], { input }));
    },
    difference: async (chart, values) => {
      const input = text(await wanted(chart, values));
      return compared(await cluster.kubectl(['diff', ...flags], { input }));
    },
    // With the Application it deletes what it deployed, but for definitions.
    remove: async () => {
      const input = text((await wanted(CHART)).filter(({ kind }) => kind !== 'CustomResourceDefinition'));
      succeeded(await cluster.kubectl(['delete', '-f', '-'], { input }));
    },
  };
}

/** Flux installs a release, replaces definitions where it is told so (CreateReplace), and compares dry-runs. */
export function flux({ cluster, namespace, values: always }: Where): Way {
  const apply = ['--server-side', '--force-conflicts', '--field-manager=helm-controller'];
  const where = [`--namespace=${namespace}`, `--kubeconfig=${cluster.kubeconfigPath}`];
  let isThere = false;
  return {
    install: async (chart, values = {}) => {
      succeeded(await cluster.kubectl(['apply', ...apply, '-f', `${chart}/crds`]));
      const verb = isThere ? 'upgrade' : 'install';
      const of = [`--values=${valuesFile({ ...always, ...values })}`, '--skip-crds'];
      succeeded(await helm(verb, 'towpath', chart, ...of, ...where));
      isThere = true;
    },
    difference: async (chart) => {
      const { stdout: input } = succeeded(await helm('get', 'manifest', 'towpath', ...where));
      const said = [
        compared(await cluster.kubectl(['diff', ...apply, '-f', '-'], { input })),
        compared(await cluster.kubectl(['diff', ...apply, '-f', `${chart}/crds`])),
      ];
      return said.join('');
    },
    remove: async () => {
      succeeded(await helm('uninstall', 'towpath', ...where));
    },
  };
}

function succeeded(result: KubectlResult): KubectlResult {
  assert.equal(result.code, 0, result.stderr);
  return result;
}

/** What `kubectl diff` shows. It ends with 1 where it shows something. */
function compared({ code, stdout, stderr }: KubectlResult): string {
  assert.ok(code === 0 || code === 1, stderr);
  return stdout;
}
