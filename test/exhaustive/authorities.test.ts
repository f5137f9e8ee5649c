import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newCertificates } from '../harness/certificates.ts';
import { kubeConfigText } from '../harness/cluster.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf, newStage, startOperator } from '../harness/operator.ts';
import { operatorToken } from '../harness/operator-rights.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

test('with --ca-file the operator trusts private authorities beside those it trusted before, and reads it again', async (t) => {
  const files = {
    'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: one}\n',
    'more/more.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n',
    'late/late.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n',
  };
  const stage = await newStage(t, { files, startOperator: false });
  const servers = await Promise.all(
    ['private', 'public', 'late'].map(async () => {
      const { ca, serverCert: cert, serverKey: key } = await newCertificates(['127.0.0.1']);
      const server = await startGitHttp({ root: stage.repository.root, tls: { cert, key } });
      t.after(() => server.stop());
      return { ca, repoURL: server.url(stage.repository.name) };
    }),
  );
  const [ours, known, late] = servers;
  assert.ok(ours !== undefined && known !== undefined && late !== undefined);
  const directory = temporaryDirectory('ca');
  const path = join(directory, 'ca.crt');
  const write = (text: string) => {
    writeFileSync(join(directory, 'next'), text);
    renameSync(join(directory, 'next'), path);
  };
  // What the process trusts anyhow stands for the public ones: of those no test has a certificate.
  write(known.ca);
  const standard = join(directory, 'standard.crt');
  renameSync(path, standard);
  write(ours.ca);
  const operator = await startOperator(t, stage.cluster, stage.namespace, {
    flags: [`--ca-file=${path}`],
    environment: { NODE_EXTRA_CA_CERTS: standard },
  });
  await stage.deployed('web', { source: { repoURL: ours.repoURL, path: 'web.yaml' } });
  await stage.deployed('more', { source: { repoURL: known.repoURL, path: 'more' } });
  await stage.application('late', { source: { repoURL: late.repoURL, path: 'late' } });
  const refused = await stage.until(
    'late',
    (one) => conditionOf(one, 'Ready')?.reason === 'CertificateUnknown',
    'a certificate that nobody vouches for to be refused',
  );
  assert.match(conditionOf(refused, 'Ready')?.message ?? '', /--ca-file/);

  write(`${ours.ca}${late.ca}`);
  await stage.untilReadyAt('late', await stage.repository.revParse('main'));
  write('broken');
  await eventually(
    () => /holds no certificate.*What it had before goes on/.test(readFileSync(operator.logPath, 'utf8')),
    {
      describe: 'the broken file to be told',
    },
  );
  const changed = await stage.repository.commit({ 'web.yaml': files['web.yaml'].replace('one', 'two') });
  await stage.untilReadyAt('web', changed);
});

test('with --ca-file the operator trusts an API server, too, whose kubeconfig names no authority', async (t) => {
  const files = { 'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n' };
  const stage = await newStage(t, { files, startOperator: false });
  const directory = temporaryDirectory('ca');
  const path = join(directory, 'ca.crt');
  writeFileSync(path, stage.cluster.ca);
  const token = await operatorToken(t, stage.cluster, stage.namespace, stage.namespace);
  const kubeconfigPath = join(directory, 'kubeconfig');
  writeFileSync(kubeconfigPath, kubeConfigText({ serverUrl: stage.cluster.serverUrl, token }));

  const without = await startOperator(t, stage.cluster, stage.namespace, { kubeconfigPath });
  await eventually(() => /unable to (get|verify)|self-signed/.test(readFileSync(without.logPath, 'utf8')), {
    describe: 'a certificate that nobody vouches for to be told',
  });
  await without.stop();
  const flags = [`--ca-file=${path}`];
  await startOperator(t, stage.cluster, stage.namespace, { kubeconfigPath, flags });
  await stage.deployed('web');
});

test('with a --ca-file that holds no certificate the operator does not start, and says why', async (t) => {
  const stage = await newStage(t, { startOperator: false });
  const path = join(temporaryDirectory('ca'), 'ca.crt');
  writeFileSync(path, 'nothing');
  const operator = await startOperator(t, stage.cluster, stage.namespace, { flags: [`--ca-file=${path}`] });
  const log = await eventually(
    () => {
      const text = readFileSync(operator.logPath, 'utf8');
      return text.includes('Towpath cannot start') ? text : undefined;
    },
    { describe: 'the operator to say why' },
  );
  assert.ok(log.includes(`--ca-file is ${path}, and it cannot be used: it holds no certificate.`), log);
});
