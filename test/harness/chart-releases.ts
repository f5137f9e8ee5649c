import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { CHART, podsOf, type Rendered, valuesFile } from './chart.ts';
import type { Cluster } from './cluster.ts';
import { startControlPlane } from './control-plane.ts';
import { helm } from './helm.ts';
import { objectVersions } from './object-versions.ts';
import { fastLease, looks, type RunningOperator, type Stage, startOperator } from './operator.ts';
import { kubeconfigOf } from './operator-rights.ts';
import { temporaryDirectory } from './process.ts';
import { eventually } from './wait.ts';

/** Values of all releases: no Pods, which simulated nodes would not run, and Git servers on this machine. */
export const LOOPBACK = { git: { allowLoopback: true }, replicaCount: 0 };

export interface Release {
  name: string;
  namespace: string;
  values?: object;
  chart?: string;
  kubeconfig?: string;
}

/** What the tests of the installed chart do again and again, on a control plane of their own. */
export interface Releases {
  readonly cluster: Cluster;
  kubectl(...args: string[]): Promise<string>;
  /** Runs helm for a release, and expects it to succeed. */
  release(
    verb: 'install' | 'upgrade' | 'uninstall' | 'rollback' | 'test',
    what: Release,
    ...more: string[]
  ): Promise<void>;
  /** Starts what a node would run of a release: with its flags, and with the rights of its ServiceAccount. */
  run(t: TestContext, what: Pick<Release, 'name' | 'namespace'>, ...more: string[]): Promise<RunningOperator>;
  newNamespace(t: TestContext, name: string): Promise<string>;
  objectsOf(stage: Stage): Promise<Record<string, string>>;
}

/** Definitions change and installations meet there, which other test files would notice. */
export async function newReleases(): Promise<Releases> {
  const cluster = await startControlPlane({ nodes: 1 });
  const kubectl = async (...args: string[]) => {
    const { code, stdout, stderr } = await cluster.kubectl(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  return {
    cluster,
    kubectl,
    release: async (verb, what, ...more) => {
      const { name, namespace, values = {}, chart = CHART, kubeconfig = cluster.kubeconfigPath } = what;
      const of =
        verb === 'install' || verb === 'upgrade'
          ? [chart, `--values=${valuesFile({ ...LOOPBACK, ...values })}`]
          : [];
      const where = [`--namespace=${namespace}`, `--kubeconfig=${kubeconfig}`];
      const { code, stderr } = await helm(verb, name, ...of, ...more, ...where);
      assert.equal(code, 0, `helm ${verb}: ${stderr}`);
    },
    run: async (t, { name, namespace }, ...more) => {
      const instance = `app.kubernetes.io/instance=${name}`;
      const found = await kubectl('get', 'deployments', '-n', namespace, '-l', instance, '-o', 'json');
      const [pod] = podsOf((JSON.parse(found) as { items: Rendered[] }).items);
      assert.ok(pod !== undefined);
      const ofThePod = /^--([a-z]+-address|cache-directory)=/;
      const flags = (pod.spec.containers[0]?.args ?? []).filter((arg) => !ofThePod.test(arg));
      const watches = flags.some((flag) => flag.startsWith('--watch-namespace='))
        ? []
        : ['--watch-namespace='];
      return startOperator(t, cluster, namespace, {
        kubeconfigPath: await kubeconfigOf(cluster, namespace, String(pod.spec['serviceAccountName'])),
        flags: [...flags, ...watches, ...fastLease, ...more],
      });
    },
    newNamespace: async (t, name) => {
      await kubectl('create', 'namespace', name);
      t.after(() => cluster.kubectl(['delete', 'namespace', name, '--wait=false']));
      return name;
    },
    objectsOf: ({ namespace }) => objectVersions(kubectl, namespace),
  };
}

export const untilItLooked = (operator: RunningOperator) =>
  eventually(async () => (await looks({ operator })) > 0, { describe: 'a look at the Application' });

/** A copy of the chart as a later release would bring it. */
export function laterChart(): string {
  const chart = join(temporaryDirectory('later-chart'), 'towpath');
  cpSync(CHART, chart, { recursive: true });
  const path = join(chart, 'Chart.yaml');
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll('0.1.0', '0.2.0'));
  return chart;
}

/** Which of two objects is older, an API server tells to the second. */
export async function anotherSecond(): Promise<void> {
  const start = Math.floor(Date.now() / 1_000);
  await eventually(() => Math.floor(Date.now() / 1_000) > start + 1, { describe: 'the next second but one' });
}
