import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf, fastLease, isReadyAt, newStage } from '../harness/operator.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const credential = { username: 'reader', password: 'correct' };

test('D14: a repository reaches only those whose own credentials can read it, in one namespace and in another', async (t) => {
  // One of its own: the operator looks after every namespace there is.
  const cluster = await startControlPlane();
  const stage = await newStage(t, {
    cluster,
    files: { 'one/a.yaml': configMap('one'), 'two/a.yaml': configMap('two') },
    flags: [...fastLease, '--watch-namespace='],
  });
  const other = await namespaceFor(t, cluster);
  // After what the stage still asks of it.
  t.after(() => cluster.stop());
  const git = await startGitHttp({ root: stage.repository.root, basic: credential });
  t.after(() => git.stop());
  const head = await stage.repository.revParse('main');

  const kubectl = async (namespace: string, args: readonly string[], input?: string) => {
    const result = await cluster.kubectl(['-n', namespace, ...args], input === undefined ? {} : { input });
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };
  await kubectl(other, ['create', 'serviceaccount', 'towpath']);
  await kubectl(other, [
    ...['create', 'rolebinding', 'towpath', '--clusterrole=edit'],
    `--serviceaccount=${other}:towpath`,
  ]);
  const secret = (namespace: string, name: string, password: string) =>
    kubectl(namespace, [
      ...['create', 'secret', 'generic', name],
      ...[`--from-literal=username=${credential.username}`, `--from-literal=password=${password}`],
    ]);
  const apply = (namespace: string, name: string, source: object) =>
    kubectl(
      namespace,
      ['apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Application',
        metadata: { name, namespace },
        spec: { source: { repoURL: git.url(stage.repository.name), interval: '1s', ...source } },
      }),
    );
  const until = (namespace: string, name: string, what: string, holds: (one: Application) => unknown) => {
    let last: Application | undefined;
    return eventually(
      async () => {
        const text = await kubectl(namespace, ['get', 'applications.towpath.dev', name, '-o', 'json']);
        last = JSON.parse(text) as Application;
        return holds(last) ? last : undefined;
      },
      { describe: `${name} in ${namespace} to be ${what}` },
    );
  };
  const reason = (expected: string) => (one: Application) => conditionOf(one, 'Ready')?.reason === expected;
  const configMaps = async (namespace: string) =>
    (await kubectl(namespace, ['get', 'configmaps', '-l', 'towpath.dev/target', '-o', 'name'])).trim();

  await secret(stage.namespace, 'git', credential.password);
  await apply(stage.namespace, 'web', { path: 'one', secretRef: { name: 'git' } });
  await until(stage.namespace, 'web', 'Ready', (one) => isReadyAt(one, head));

  // It is all there by now: the refs, the packs, the objects.
  await secret(other, 'wrong', 'guess');
  await apply(other, 'without', { path: 'one' });
  await apply(other, 'missing', { path: 'one', secretRef: { name: 'git' } });
  await apply(other, 'wrong', { path: 'one', secretRef: { name: 'wrong' } });
  await until(other, 'without', 'refused', reason('AuthenticationFailed'));
  await until(other, 'missing', 'waiting', reason('SecretMissing'));
  const wrong = await until(other, 'wrong', 'refused', reason('AuthenticationFailed'));
  assert.doesNotMatch(JSON.stringify(wrong.status), new RegExp(head), 'not even its revision is told');
  assert.equal(await configMaps(other), '');

  // With a credential of its own it is served, and then the other one's goes.
  await secret(other, 'git', credential.password);
  await until(other, 'missing', 'Ready', (one) => isReadyAt(one, head));
  await kubectl(stage.namespace, ['delete', 'secret', 'git']);
  await until(stage.namespace, 'web', 'waiting', reason('SecretMissing'));
  await apply(stage.namespace, 'web', { path: 'two', secretRef: { name: 'git' } });
  await until(
    stage.namespace,
    'web',
    'looked at with its new path',
    (one) => one.status?.observedGeneration === one.metadata.generation && reason('SecretMissing')(one),
  );
  assert.equal(
    await configMaps(stage.namespace),
    'configmap/one',
    'what runs is kept, what is new is not read',
  );
  await secret(stage.namespace, 'git', credential.password);
  await until(stage.namespace, 'web', 'Ready', (one) => isReadyAt(one, head));
  assert.equal(await configMaps(stage.namespace), 'configmap/two');
});
