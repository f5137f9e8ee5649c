import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startControlPlane } from '../harness/control-plane.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { createRepository } from '../harness/git-repository.ts';
import { startProcess } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

const root = join(import.meta.dirname, '../..');

test('make run runs the operator from source, against the cluster that KUBECONFIG names', async (t) => {
  const cluster = await startControlPlane();
  t.after(() => cluster.stop());
  const repository = await createRepository({
    files: { 'a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {text: run}\n' },
  });
  const git = await startGitHttp({ root: repository.root });
  t.after(() => git.stop());
  const flags = ['probe', 'metrics', 'webhook'].map((one) => `--${one}-address=127.0.0.1:0`);
  const operator = startProcess({
    name: 'make run',
    command: 'make',
    args: ['--directory', root, 'run', `KUBECONFIG=${cluster.kubeconfigPath}`, `ARGS=${flags.join(' ')}`],
    logPath: join(cluster.directory, 'make-run.log'),
  });
  t.after(() => operator.stop());
  const apply = async (object: object) => {
    const applied = await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });
    return applied.code === 0;
  };
  const application = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'default' },
    spec: { source: { repoURL: git.url(repository.name) } },
  };
  await eventually(() => apply(application), { describe: 'the definitions' });
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'towpath', namespace: 'default' },
  };
  assert.ok(await apply(account));
  const admin = ['--clusterrole=edit', '--serviceaccount=default:towpath', '-n', 'default'];
  assert.equal((await cluster.kubectl(['create', 'rolebinding', 'towpath', ...admin])).code, 0);
  const get = ['get', 'configmap', 'a', '-n', 'default', '-o', 'jsonpath={.data.text}'];
  await eventually(async () => (await cluster.kubectl(get)).stdout === 'run', {
    describe: 'what the Application has in Git',
  });
});
