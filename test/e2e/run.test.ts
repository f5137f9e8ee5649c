import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kubeConfigText, runProgram } from '../harness/cluster.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { createRepository } from '../harness/git-repository.ts';
import { freePort, startProcess } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

const root = join(import.meta.dirname, '../..');

/** What is told where make run cannot begin. */
async function refused(kubeconfig: string): Promise<string> {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const { code, stderr } = await runProgram(process.execPath, [join(root, 'hack/run.ts')], '', env);
  assert.equal(code, 1, stderr);
  return stderr;
}

test('make run runs the operator from source, against the cluster that KUBECONFIG names', async (t) => {
  const cluster = await startControlPlane();
  t.after(() => cluster.stop());
  const repository = await createRepository({
    files: { 'a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {text: run}\n' },
  });
  const git = await startGitHttp({ root: repository.root });
  t.after(() => git.stop());
  // A build before this one, as its chart has it: under another manager.
  const older = readFileSync(join(root, 'crds/towpath.dev_applications.yaml'), 'utf8').replace(
    /(towpath\.dev\/schema:) .+/,
    '$1 of-another-build',
  );
  const byHelm = ['apply', '--server-side', '--field-manager=helm', '-f', '-'];
  assert.equal((await cluster.kubectl(byHelm, { input: older })).code, 0);
  const nobody = join(cluster.directory, 'nobody');
  const access = { serverUrl: cluster.serverUrl, ca: cluster.ca, token: 'of-nobody' };
  writeFileSync(nobody, kubeConfigText(access));
  assert.doesNotMatch(await refused(nobody), /Is the cluster/, 'it answered');
  writeFileSync(nobody, kubeConfigText({ ...access, serverUrl: `https://127.0.0.1:${await freePort()}` }));
  assert.match(await refused(nobody), /Is the cluster of .+ there\? "make cluster" starts one\./);
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
  const schema = ['get', 'crd', 'applications.towpath.dev', '-o', 'jsonpath={.metadata.annotations}'];
  await eventually(async () => !(await cluster.kubectl(schema)).stdout.includes('of-another-build'), {
    describe: 'the definition to be that of this checkout',
  });
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
