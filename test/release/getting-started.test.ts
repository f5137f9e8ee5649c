import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildHelm } from '../../hack/build-helm.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { documented, runCommands } from '../harness/documented.ts';
import { temporaryDirectory } from '../harness/process.ts';

const PAGE = 'getting-started.md';

// Images are built and pushed, and `helm test` is run, where there are Docker and a node: test/e2e.
const ofANode = /^(make|docker|helm [^\n]{0,80} test) /;

test('I2: what getting started says installs the operator and takes it away again', async () => {
  const cluster = await startControlPlane({ nodes: 1 });
  const homes = ['CACHE', 'CONFIG', 'DATA'].map(
    (name) => `export HELM_${name}_HOME=${temporaryDirectory('helm')}`,
  );
  const helm = `helm() { "${await buildHelm()}" --kubeconfig "${cluster.kubeconfigPath}" "$@"; }`;
  const run = (block: string) => {
    const commands = block.split('\n').filter((line) => !ofANode.test(line));
    return runCommands(cluster, [...homes, helm, ...commands].join('\n'), join(import.meta.dirname, '../..'));
  };
  const found = async () => {
    const kinds = 'deployments,crds,clusterroles,clusterrolebindings,namespaces';
    const { stdout } = await cluster.kubectl(['get', kinds, '-A', '-o', 'name']);
    return stdout.split('\n').filter((name) => name.includes('towpath'));
  };
  assert.deepEqual(await found(), []);
  await run(documented(PAGE, 'helm install', 'make image'));
  assert.ok((await found()).includes('deployment.apps/towpath'));
  await run(documented(PAGE, 'uninstall towpath'));
  assert.deepEqual(await found(), []);
});
