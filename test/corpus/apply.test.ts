import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { targetId } from '../../operator/controller/record.ts';
import { newStage } from '../harness/operator.ts';
import { corpusCharts, skipWithoutCorpus, withoutDependencies } from './corpus.ts';

const hasApplied = ({ status }: Application, revision: string) =>
  status?.environments?.[0]?.revision === revision && ['Synced', 'Syncing'].includes(status.sync ?? '');

test('every chart of the corpus is applied to the API server and pruned again', {
  skip: skipWithoutCorpus,
  timeout: 600_000,
}, async (t) => {
  const stage = await newStage(t);
  // These charts bring ClusterRoles and CRDs: their ServiceAccount may do what a platform's would.
  const binding = `corpus-${stage.namespace}`;
  await stage.kubectl(
    'create',
    'clusterrolebinding',
    binding,
    '--clusterrole=cluster-admin',
    `--serviceaccount=${stage.namespace}:towpath`,
  );
  t.after(() => stage.cluster.kubectl(['delete', 'clusterrolebinding', binding]));
  const files: Record<string, Buffer> = {};
  for (const { name, directory } of corpusCharts()) {
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files[`${name}/${relative(directory, path)}`] = readFileSync(path);
    }
  }
  const revision = await stage.repository.commit(files);
  for (const { name } of corpusCharts()) {
    await t.test(name, async (t) => {
      const values = withoutDependencies[name];
      if (values !== undefined) {
        await stage.kubectl('create', 'configmap', `values-${name}`, `--from-literal=values.yaml=${values}`);
      }
      const helm =
        values === undefined ? {} : { helm: { valuesFrom: [{ kind: 'ConfigMap', name: `values-${name}` }] } };
      const started = performance.now();
      await stage.application(name, { source: { path: name, interval: '1m' }, ...helm });
      const applied = await stage.until(
        name,
        (application) => hasApplied(application, revision),
        `${name} to be applied`,
        90_000,
      );
      t.diagnostic(
        `${applied.status?.environments?.[0]?.objects} objects in ${Math.round(performance.now() - started)} ms`,
      );
      assert.equal(applied.status?.quarantine, undefined);
      const target = targetId(`${stage.namespace}/towpath`, {
        namespace: stage.namespace,
        application: name,
        environment: 'default',
      });
      await stage.kubectl('delete', 'applications.towpath.dev', name, '--timeout=60s');
      const kinds = 'all,configmaps,secrets,serviceaccounts,roles,rolebindings';
      const left = leftOf(
        await stage.kubectl('get', kinds, '-l', `towpath.dev/target=${target}`, '-o', 'json'),
      );
      assert.deepEqual(left, []);
      const { stdout } = await stage.cluster.kubectl([
        'get',
        'clusterroles,clusterrolebindings',
        '-l',
        `towpath.dev/target=${target}`,
        '-o',
        'json',
      ]);
      assert.deepEqual(leftOf(stdout), []);
      // CRDs are never pruned without consent; they are released, and this test's own to remove.
    });
  }
  await stage.cluster.kubectl(['delete', 'crds', '-l', 'app.kubernetes.io/part-of=argocd']);
});

/** Names of the objects, without those of Helm's hooks, which stay as their delete policies say. */
function leftOf(list: string): string[] {
  const { items } = JSON.parse(list) as {
    items: { kind: string; metadata: { name: string; annotations?: Record<string, string> } }[];
  };
  return items
    .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined)
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
}
