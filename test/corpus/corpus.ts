import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where the corpus of real charts is: `$TOWPATH_CORPUS`, or beside the repository. */
export const corpusDirectory = resolve(
  process.env.TOWPATH_CORPUS || join(import.meta.dirname, '../../../shared/corpus'),
  'charts',
);

export const WITHOUT_CORPUS = 'the corpus of charts is not here; set TOWPATH_CORPUS to its directory';

/** For `test(name, { skip })`: why the corpus's tests cannot run, or false. */
export const skipWithoutCorpus = existsSync(corpusDirectory) ? false : WITHOUT_CORPUS;

export interface ValueSet {
  name: string;
  /** YAML. */
  text: string;
}

/** Value sets of our own, for charts that bring fewer than two, or none that the tests can apply. */
const ownSets: Record<string, ValueSet[]> = {
  'argocd-apps': [
    {
      name: 'a project',
      text: 'projects:\n  shop:\n    description: the shop\n    sourceRepos: ["*"]\n    destinations: []\n',
    },
  ],
  'prometheus-operator-crds': [
    { name: 'annotated', text: 'crds:\n  annotations:\n    example.com/kept: "yes"\n' },
    { name: 'subchart off', text: 'crds:\n  enabled: false\n' },
    {
      name: 'fewer kinds',
      text: 'crds:\n  probes:\n    enabled: false\n  thanosrulers:\n    enabled: false\n',
    },
  ],
  'prometheus-redis-exporter': [
    {
      name: 'monitored',
      text: 'serviceMonitor:\n  enabled: true\nreplicaCount: 3\nrbac:\n  create: true\n  pspEnabled: false\n',
    },
    { name: 'script', text: 'script:\n  configmap: scripts\n  keyname: script\nauth:\n  enabled: true\n' },
  ],
  'prometheus-adapter': [
    {
      name: 'rules',
      text: 'rules:\n  default: false\n  external: []\nreplicas: 2\npodDisruptionBudget:\n  enabled: true\n',
    },
  ],
};

/** Values that switch off what a chart depends on and does not bring. */
export const withoutDependencies: Record<string, string> = {
  prometheus: ['alertmanager', 'kube-state-metrics', 'prometheus-node-exporter', 'prometheus-pushgateway']
    .map((name) => `${name}:\n  enabled: false\n`)
    .join(''),
};

/**
 * Of each chart the name of a value set that is applied after its defaults: one that a cluster takes which has no
 * other extensions than those of the charts before it.
 */
export const appliedSets: Record<string, string> = {
  alertmanager: 'ci/config-reload-values.yaml',
  'argo-cd': 'ci/with-commit-server-values.yaml',
  'argo-rollouts': 'ci/enable-dashboard-values.yaml',
  'argocd-apps': 'a project',
  'kube-state-metrics': 'ci/02-custom-resource-state-only-values.yaml',
  prometheus: 'ci/18-scrape-configs-values.yaml',
  'prometheus-adapter': 'rules',
  'prometheus-blackbox-exporter': 'ci/networkpolicy-values.yaml',
  'prometheus-node-exporter': 'ci/port-values.yaml',
  'prometheus-operator-crds': 'fewer kinds',
  'prometheus-redis-exporter': 'script',
};

export interface CorpusChart {
  name: string;
  directory: string;
  sets: ValueSet[];
}

export function corpusCharts(): CorpusChart[] {
  return readdirSync(corpusDirectory)
    .sort()
    .map((name) => {
      const directory = join(corpusDirectory, name);
      return {
        name,
        directory,
        sets: [{ name: 'defaults', text: '{}\n' }, ...ciSets(directory), ...(ownSets[name] ?? [])],
      };
    });
}

function ciSets(directory: string): ValueSet[] {
  const ci = join(directory, 'ci');
  if (!existsSync(ci)) return [];
  return readdirSync(ci)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => ({ name: `ci/${name}`, text: readFileSync(join(ci, name), 'utf8') }));
}
