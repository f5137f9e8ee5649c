import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newCertificates } from '../harness/certificates.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf, newStage } from '../harness/operator.ts';

const configMap = (text: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {text: ${text}}\n`;

test('a credential that could not be used is taken back, and what was pushed meanwhile is deployed', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('one') } });
  const { ca } = await newCertificates(['127.0.0.1']);
  const secret = (data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'git', namespace: stage.namespace },
    stringData: data,
  });
  // As `kubectl replace` does: no key of the one before stays.
  const replace = async (data: Record<string, string>) => {
    await stage.kubectl('delete', 'secret', 'git', '--ignore-not-found');
    await stage.apply(secret(data));
  };
  await replace({ 'ca.crt': ca });
  await stage.deployed('web', { source: { secretRef: { name: 'git' } } });
  await replace({ bearerToken: 'two\nlines' });
  const refused = await stage.until(
    'web',
    (one) => conditionOf(one, 'Ready')?.reason === 'CredentialInvalid',
    'the refusal of a token of two lines',
  );
  assert.equal(refused.status?.health, 'Healthy', 'what was deployed runs on');
  const next = await stage.repository.commit({ 'web.yaml': configMap('two') });
  await replace({ 'ca.crt': ca });
  await stage.untilReadyAt('web', next);
});

test('of a Secret that has keys for SSH and for HTTP those are used that the URL needs', async (t) => {
  const stage = await newStage(t, {
    files: { 'web.yaml': configMap('one') },
  });
  const basic = { username: 'reader', password: 'correct horse' };
  const guarded = await startGitHttp({ root: stage.repository.root, basic });
  t.after(() => guarded.stop());
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'git', namespace: stage.namespace },
    stringData: { ...basic, identity: 'key', known_hosts: 'host' },
  });
  await stage.deployed('web', {
    source: { repoURL: guarded.url(stage.repository.name), secretRef: { name: 'git' } },
  });
});
