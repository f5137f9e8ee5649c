import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGitSsh, withoutSsh } from '../harness/git-ssh.ts';
import { newStage } from '../harness/operator.ts';

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;

// That its key, which takes half a second to read, held up nobody, the stage's end judges.
test('A15: an Application from a repository over SSH is deployed, and follows a push', {
  skip: withoutSsh(),
}, async (t) => {
  const stage = await newStage(t, {
    files: { 'web.yaml': configMap('one') },
  });
  const server = await startGitSsh({ root: stage.repository.root, passphrase: 'open sesame', rounds: 100 });
  t.after(() => server.stop());
  const stringData = {
    identity: server.identity,
    password: 'open sesame',
    known_hosts: server.knownHosts,
  };
  await stage.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'git' }, stringData });
  const repoURL = server.url(stage.repository.name);
  await stage.deployed('web', { source: { repoURL, secretRef: { name: 'git' } } });
  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  await stage.untilReadyAt('web', second);
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}'), 'two');
});
