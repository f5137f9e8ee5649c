import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { appliedSets, corpusCharts, skipWithoutCorpus, withoutDependencies } from '../corpus/corpus.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { environmentOf, targetIdOf } from '../harness/target.ts';

const hasApplied = ({ status }: Application, revision: string) =>
  environmentOf(status)?.revision === revision && ['Synced', 'Syncing'].includes(status?.sync ?? '');

test('every chart of the corpus is applied to the API server, with other values too, and pruned again', {
  skip: skipWithoutCorpus,
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
  const before = new Set(await definitions(stage));
  t.after(async () => {
    const made = (await definitions(stage)).filter((name) => !before.has(name));
    if (made.length > 0) await stage.cluster.kubectl(['delete', ...made]);
  });
  const files: Record<string, Buffer> = {};
  for (const { name, directory } of corpusCharts()) {
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files[`${name}/${relative(directory, path)}`] = readFileSync(path);
    }
  }
  const revision = await stage.repository.commit(files);
  for (const { name, sets } of corpusCharts()) {
    await t.test(name, async (t) => {
      const valuesFrom = ['set', 'off'].map((key) => ({
        kind: 'ConfigMap',
        name: `values-${name}`,
        key,
        optional: true,
      }));
      /** Writes the values: a set of the chart's own, and those that switch dependencies off. */
      const values = (set: string) =>
        stage.apply({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: `values-${name}` },
          data: { off: withoutDependencies[name] ?? '{}', set },
        });
      await values('{}');
      await stage.application(name, {
        source: { path: name, interval: '1m' },
        helm: { valuesFrom },
        sync: { pruneBudget: '100%' },
      });
      const applied = async (what: string, before?: string) => {
        const started = performance.now();
        const { status } = await stage.until(
          name,
          (one) => hasApplied(one, revision) && environmentOf(one.status)?.digest !== before,
          `${name} to be applied with ${what}`,
        );
        assert.equal(status?.quarantine, undefined);
        const environment = environmentOf(status);
        t.diagnostic(
          `${what}: ${environment?.objects} objects in ${Math.round(performance.now() - started)} ms`,
        );
        return environment?.digest;
      };
      const digest = await applied('its defaults');
      const set = sets.find((each) => each.name === appliedSets[name]);
      assert.ok(set, `a value set of ${name} that is applied; name one in corpus.ts`);
      await values(set.text);
      await applied(set.name, digest);
      const target = targetIdOf(stage, name);
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
});

/** The CustomResourceDefinitions in the cluster that charts of the corpus bring. */
async function definitions(stage: Stage): Promise<string[]> {
  const { stdout } = await stage.cluster.kubectl(['get', 'crds', '-o', 'name']);
  return stdout.split('\n').filter((name) => /\.(argoproj\.io|monitoring\.coreos\.com)$/.test(name));
}

/** Names of the objects, without those of Helm's hooks, which stay as their delete policies say. */
function leftOf(list: string): string[] {
  const { items } = JSON.parse(list) as {
    items: { kind: string; metadata: { name: string; annotations?: Record<string, string> } }[];
  };
  return items
    .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined)
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
}
