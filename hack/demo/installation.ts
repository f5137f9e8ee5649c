import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Renderer } from '../../operator/render/renderer.ts';
import { DirectoryTree } from '../../test/harness/directory-tree.ts';
import { buildEngine } from '../build-engine.ts';
import { namespace, operatorNamespace } from './names.ts';
import type { Shell } from './shell.ts';

const chart = join(import.meta.dirname, '../../charts/towpath');
/** What the chart has beside an operator in a Pod: its account and rights, those of people, and what the API server proves. */
const KINDS = [
  'ServiceAccount',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
];
const CLUSTER_KINDS = KINDS.filter((kind) => kind.startsWith('Cluster') || kind.startsWith('Validating'));
/** Where it listens and keeps files is of a Pod. */
const OF_THE_POD = /^--([a-z]+-address|cache-directory)=/;

/** The chart as the demo installs it: the operator itself runs from source. */
export interface Installation {
  /** In the shell's directory. */
  readonly file: string;
  /** What the chart has the operator run with. */
  readonly flags: readonly string[];
  readonly account: string;
}

interface ChartObject {
  kind: string;
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: {
    matchConstraints?: object;
    template?: { spec: { serviceAccountName: string; containers: [{ args: string[] }] } };
  };
}

/**
 * Writes what `helm template` would: by the engine that the operator renders charts with, so that nobody needs helm.
 *
 * @param reach whose Approvals and Promotions the API server is to prove: in a cluster of others, those of the demo
 */
export async function writeInstallation(
  shell: Shell,
  reach: 'all namespaces' | "the demo's namespace",
): Promise<Installation> {
  const objects = await renderedChart();
  const pod = objects.find(({ kind }) => kind === 'Deployment')?.spec?.template?.spec;
  if (pod === undefined) throw new Error('The chart in charts/towpath has no Deployment.');
  const wanted = objects
    .filter(({ kind }) => KINDS.includes(kind))
    .map((object) => (reach === 'all namespaces' ? object : narrowed(object)));
  const file = 'towpath.yaml';
  writeFileSync(join(shell.directory, file), wanted.map((object) => stringify(object)).join('---\n'));
  return {
    file,
    flags: pod.containers[0].args.filter((flag) => !OF_THE_POD.test(flag)),
    account: pod.serviceAccountName,
  };
}

async function renderedChart(): Promise<ChartObject[]> {
  const renderer = new Renderer({ enginePath: await buildEngine(), processes: 1 });
  try {
    const { objects } = await renderer.render(new DirectoryTree(chart), {
      path: '',
      namespace: operatorNamespace,
      releaseName: 'towpath',
      helm: { layers: [{ name: 'the demo', values: '{"git":{"allowLoopback":true}}' }] },
      // Without policies that fill in who somebody is: not all clusters know them, and the plugin does it, too.
      capabilities: { kubeVersion: 'v1.37.0', apiVersions: [] },
      scopes: scopes(),
      labels: {},
      owner: '',
    });
    return objects.map(({ text }) => withoutOwner(JSON.parse(text) as ChartObject));
  } finally {
    await renderer.stop();
  }
}

function scopes(): Record<string, boolean> {
  const groupOf = (kind: string) =>
    kind.startsWith('Validating') ? 'admissionregistration.k8s.io' : 'rbac.authorization.k8s.io';
  return Object.fromEntries(CLUSTER_KINDS.map((kind) => [`${groupOf(kind)}/${kind}`, false]));
}

/** No Application owns it. */
function withoutOwner({ metadata, ...object }: ChartObject): ChartObject {
  const { annotations = {}, ...rest } = metadata;
  const own = Object.entries(annotations).filter(([name]) => name !== 'towpath.dev/owner');
  const kept = own.length === 0 ? {} : { annotations: Object.fromEntries(own) };
  return { ...object, metadata: { ...rest, ...kept } };
}

function narrowed(object: ChartObject): ChartObject {
  const { matchConstraints } = object.spec ?? {};
  if (matchConstraints === undefined) return object;
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
  return {
    ...object,
    spec: { ...object.spec, matchConstraints: { ...matchConstraints, namespaceSelector } },
  };
}

/** Path of a kubeconfig with a token of the operator's account, for a day. */
export async function operatorKubeconfig(shell: Shell, path: string, account: string): Promise<string> {
  await shell.ask(
    [
      `umask 077; kubectl config view --raw --minify --flatten > '${path}'`,
      `token=$(kubectl -n ${operatorNamespace} create token ${account} --duration=24h)`,
      `kubectl --kubeconfig '${path}' config set-credentials towpath --token="$token"`,
      `kubectl --kubeconfig '${path}' config set-context --current --user=towpath`,
    ].join(' && '),
  );
  return path;
}
