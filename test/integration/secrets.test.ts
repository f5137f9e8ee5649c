import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startGitHttp } from '../harness/git-http.ts';
import { startGitSsh, withoutSsh } from '../harness/git-ssh.ts';
import { conditionOf, newStage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';

const chart = 'apiVersion: v2\nname: web\nversion: 1.0.0\n';
const valuesFrom = [{ kind: 'Secret', name: 'values' }];

/** Charts that get a secret value and let it go where somebody may read it; by reason. */
const LEAKS: Record<string, { reason: string; files: Record<string, string> }> = {
  fail: {
    reason: 'RenderFailed',
    files: { 'a.yaml': '{{ fail (printf "the password is %s" .Values.password) }}' },
  },
  required: {
    reason: 'RenderFailed',
    files: { 'a.yaml': '{{ required .Values.password .Values.nothing }}' },
  },
  template: { reason: 'RenderFailed', files: { 'a.yaml': '{{ include .Values.password . }}' } },
  invalid: { reason: 'ManifestInvalid', files: { 'a.yaml': 'kind: {{ .Values.password }}: x\n' } },
  nameless: { reason: 'ManifestInvalid', files: { 'a.yaml': '{{ .Values.password }}\n' } },
  kind: {
    reason: 'KindMissing',
    files: { 'a.yaml': 'apiVersion: example.com/v1\nkind: {{ .Values.password }}\nmetadata: {name: a}\n' },
  },
  label: {
    reason: 'ManifestInvalid',
    files: {
      'a.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {a: {{ printf "%s!" .Values.password | quote }}}}\n',
    },
  },
  type: {
    reason: 'ManifestInvalid',
    files: {
      'a.yaml':
        'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80, targetPort: {{ .Values.password | quote }}}]}\n',
    },
  },
  field: {
    reason: 'ManifestInvalid',
    files: { 'a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n{{ .Values.password }}: {}\n' },
  },
  secret: {
    reason: 'ManifestInvalid',
    files: {
      'a.yaml':
        'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: {{ printf "%s!" .Values.password | quote }}}\nstringData: {b: [{{ .Values.password | quote }}]}\n',
    },
  },
  twice: {
    reason: 'DuplicateObject',
    files: {
      'a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Values.password }}"}\n',
      'b.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Values.password }}"}\n',
    },
  },
};

test('S5: no secret value is in logs, status, events or metrics, however hard the input tries', {
  skip: withoutSsh(),
}, async (t) => {
  // Letters first: it is also rendered as names of kinds and fields.
  const mark = () => `marked${randomBytes(8).toString('hex')}`;
  const [gitPassword, wrongPassword, password, broken, plain] = [mark(), mark(), mark(), mark(), mark()];
  const [token, wrongToken, passphrase, wrongPassphrase, brokenKey] = [
    mark(),
    mark(),
    mark(),
    mark(),
    mark(),
  ];
  const files = Object.fromEntries(
    Object.entries(LEAKS).flatMap(([name, leak]) => [
      [`${name}/Chart.yaml`, chart],
      ...Object.entries(leak.files).map(([path, text]) => [`${name}/templates/${path}`, text]),
    ]),
  );
  const stage = await newStage(t, {
    files: {
      ...files,
      'good/Chart.yaml': chart,
      'good/templates/a.yaml':
        'apiVersion: v1\nkind: Secret\nmetadata: {name: rendered}\ndata: {password: {{ .Values.password | b64enc | quote }}}\n',
      'schema/Chart.yaml': chart,
      'schema/templates/a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: schema}\n',
      'schema/values.schema.json':
        '{"properties":{"password":{"pattern":"^[0-9]$","enum":["a"],"type":["string"]}}}',
      'plain/a.yaml': `apiVersion: v1\nkind: Secret\nmetadata: {name: plain}\ndata: {a: "${plain}!"}\n`,
    },
  });
  const git = await startGitHttp({
    root: stage.repository.root,
    basic: { username: 'reader', password: gitPassword },
  });
  t.after(() => git.stop());
  // A Git server that repeats whatever it is sent.
  const echo = await startGitHttp({
    root: stage.repository.root,
    intercept: (request, response) => {
      const given = request.headers.authorization ?? '';
      const text = Buffer.from(given.replace('Basic ', ''), 'base64').toString();
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`cannot log in ${text} ${given}`);
      return true;
    },
  });
  t.after(() => echo.stop());
  const bearer = await startGitHttp({ root: stage.repository.root, bearerToken: token });
  t.after(() => bearer.stop());
  // One that puts the credential into the address it redirects to.
  const redirecting = await startGitHttp({
    root: stage.repository.root,
    intercept: (request, response) => {
      const given = (request.headers.authorization ?? '').replace('Bearer ', '');
      const host = `127.0.0.1:${bearer.port}`;
      response.writeHead(302, { location: `http://me:${given}@${host}${request.url}?token=${given}` }).end();
      return true;
    },
  });
  t.after(() => redirecting.stop());
  const ssh = await startGitSsh({ root: stage.repository.root, passphrase });
  t.after(() => ssh.stop());
  const secret = (name: string, stringData: Record<string, string>) =>
    stage.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData });
  await secret('git', { username: 'reader', password: gitPassword });
  await secret('git-wrong', { username: 'reader', password: wrongPassword });
  await secret('bearer', { bearerToken: token });
  await secret('bearer-wrong', { bearerToken: wrongToken });
  const known = { known_hosts: ssh.knownHosts };
  await secret('ssh', { identity: ssh.identity, password: passphrase, ...known });
  await secret('ssh-wrong', { identity: ssh.identity, password: wrongPassphrase, ...known });
  const [head_, , foot] = ssh.identity.trim().split(/\n(?:.*\n)*/);
  await secret('ssh-broken', { identity: `${head_}\n${brokenKey}\n${foot ?? ''}\n`, ...known });
  await secret('values', { 'values.yaml': `password: ${password}\n` });
  await secret('broken', { 'values.yaml': `a: [${broken}\nb: ${broken}: c\n` });

  const reasons = new Map<string, string>();
  const make = async (name: string, reason: string, spec: Record<string, unknown>) => {
    reasons.set(name, reason);
    await stage.application(name, spec);
  };
  const head = await stage.repository.revParse('main');
  const private_ = { repoURL: git.url(stage.repository.name), secretRef: { name: 'git' } };
  for (const [name, { reason }] of Object.entries(LEAKS))
    await make(name, reason, { source: { ...private_, path: name }, helm: { valuesFrom } });
  await make('schema', 'ValuesInvalid', { source: { path: 'schema' }, helm: { valuesFrom } });
  await make('broken', 'ValuesInvalid', {
    source: { path: 'schema' },
    helm: { valuesFrom: [{ kind: 'Secret', name: 'broken' }] },
  });
  await make('plain', 'ManifestInvalid', { source: { path: 'plain' } });
  await make('wrong', 'AuthenticationFailed', { source: { ...private_, secretRef: { name: 'git-wrong' } } });
  await make('echo', 'ServerError', { source: { ...private_, repoURL: echo.url(stage.repository.name) } });
  const at = (repoURL: string, name: string) => ({
    source: { repoURL, secretRef: { name }, path: 'good' },
    helm: { valuesFrom },
  });
  await make('bearer-wrong', 'AuthenticationFailed', at(bearer.url(stage.repository.name), 'bearer-wrong'));
  await make('bearer-echo', 'ServerError', at(echo.url(stage.repository.name), 'bearer'));
  await make('redirected', 'RedirectRefused', at(redirecting.url(stage.repository.name), 'bearer'));
  const sshURL = ssh.url(stage.repository.name);
  await make('ssh-wrong', 'CredentialInvalid', at(sshURL, 'ssh-wrong'));
  await make('ssh-broken', 'CredentialInvalid', at(sshURL, 'ssh-broken'));
  await stage.application('good', { source: { ...private_, path: 'good' }, helm: { valuesFrom } });
  await stage.untilReadyAt('good', head);
  // These can read it too, and render the same Secret, which good has: that is what they are told.
  await make('bearer', 'NotOwned', at(bearer.url(stage.repository.name), 'bearer'));
  await make('ssh', 'NotOwned', at(sshURL, 'ssh'));
  await stage.kubectl(
    'patch',
    'secret',
    'rendered',
    '--field-manager=somebody',
    '-p',
    '{"stringData":{"password":"x"}}',
  );
  await stage.until('good', (one) => environmentOf(one.status)?.drift?.lastBy, 'the drift to be repaired');
  for (const [name, reason] of reasons)
    await stage.until(name, (one) => conditionOf(one, 'Ready')?.reason === reason, reason);

  assert.equal(
    await stage.kubectl('get', 'secret', 'rendered', '-o', 'jsonpath={.data.password}'),
    Buffer.from(password).toString('base64'),
    'the value does arrive where it belongs',
  );
  const places = {
    status: await stage.kubectl('get', 'applications.towpath.dev', '-o', 'json'),
    events: await stage.kubectl('get', 'events.events.k8s.io', '-o', 'json'),
    log: readFileSync(stage.operator.logPath, 'utf8'),
    metrics: await stage.operator.metrics(),
  };
  assert.match(places.events, /RenderFailed/);
  const basic = (user: string, value: string) => Buffer.from(`${user}:${value}`).toString('base64');
  const lines = ssh.identity.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
  assert.ok(lines.length > 2);
  const values = [
    ...[gitPassword, wrongPassword, password, broken, plain],
    ...[token, wrongToken, passphrase, wrongPassphrase, brokenKey, ...lines],
  ];
  for (const value of values)
    for (const form of [value, Buffer.from(value).toString('base64'), basic('reader', value)])
      for (const [place, text] of Object.entries(places)) {
        const at = text.indexOf(form);
        assert.equal(at, -1, `in ${place}: ${text.slice(Math.max(0, at - 300), at + 60)}`);
      }
});
