import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startGitHttp } from '../harness/git-http.ts';
import { createRepository } from '../harness/git-repository.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { type BadInput, filesOf, judgeAll } from './bad-input.ts';
import { messageOf } from './steps.ts';

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const stalled = { sync: 'Blocked', condition: 'Stalled' } as const;

const CASES: BadInput[] = [
  {
    what: 'a path that is not there',
    spec: { source: { path: 'chart' } },
    sync: 'Quarantined',
    condition: 'Stalled',
    reason: 'PathNotFound',
    message: ['There is no chart in the repository', 'charts', 'Set spec.source.path to one of them'],
  },
  {
    what: 'a branch that is not there',
    spec: { source: { path: '', ref: { branch: 'mian' } } },
    ...stalled,
    reason: 'RefNotFound',
    message: ['has no branch "mian"', 'main'],
  },
  {
    what: 'a path inside a submodule',
    spec: { source: { path: 'vendored/charts/web' } },
    sync: 'Quarantined',
    condition: 'Stalled',
    reason: 'SubmoduleNotSupported',
    message: ['vendored', 'submodule'],
  },
  {
    what: 'a path that is a submodule',
    spec: { source: { path: 'vendored' } },
    sync: 'Quarantined',
    condition: 'Stalled',
    reason: 'SubmoduleNotSupported',
    message: ['vendored', 'submodule'],
  },
  {
    what: 'a symlink that leaves the repository',
    spec: { source: { path: 'outside' } },
    sync: 'Quarantined',
    condition: 'Stalled',
    reason: 'PathEscapes',
    message: ['"outside" leaves the repository through a symlink', 'commit them instead'],
  },
];

test('a source that cannot be read is told with what is there and what to do', async (t) => {
  const stage = await newStage(t, {
    files: {
      ...filesOf(CASES),
      'charts/web.yaml': configMap('web'),
      '.gitmodules': '[submodule "vendored"]\n\tpath = vendored\n\turl = https://git.example.com/vendored\n',
      vendored: { submodule: 'a'.repeat(40) },
      outside: { symlink: '../../etc' },
    },
  });
  await judgeAll(t, stage, CASES);

  await t.test('a repository that is not there: RepositoryNotFound', async () => {
    await stage.application('nowhere', { source: { repoURL: stage.git.url('no-such.git') } });
    const told = await untilReason(stage, 'nowhere', 'RepositoryNotFound');
    assert.match(messageOf(told), /There is no repository at .*no-such\.git.* Check spec\.source\.repoURL/);
    assert.equal(conditionOf(told, 'Stalled')?.status, 'True');
  });

  await t.test('an empty repository: RepositoryEmpty, until something is pushed', async () => {
    const empty = await createRepository({ root: stage.repository.root, name: 'empty.git' });
    await stage.application('empty', { source: { repoURL: stage.git.url('empty.git') } });
    const told = await untilReason(stage, 'empty', 'RepositoryEmpty');
    assert.match(messageOf(told), /The repository .*empty\.git is empty\. Push a commit to it\./);
    assert.equal(conditionOf(told, 'Stalled')?.status, 'True');
    const first = await empty.commit({ 'web.yaml': configMap('first') });
    await stage.untilReadyAt('empty', first);
  });

  await t.test('the API server refuses what no Application may hold, and keeps nothing', async () => {
    for (const [field, value, message] of [
      ['ref', { branch: 'main', tag: 'v1' }, 'exactly one of branch, tag, semver and commit'],
      ['path', 'charts/../../etc', '".." is not allowed'],
      ['repoURL', 'https://me:hunter2@git.example.com/a', 'must not carry credentials'],
      ['branch', 'main', 'unknown field "spec.source.branch"'],
    ] as const) {
      const spec = { source: { repoURL: stage.repoURL, [field]: value } };
      const refused = await stage
        .apply({
          apiVersion: 'towpath.dev/v1alpha1',
          kind: 'Application',
          metadata: { name: 'refused' },
          spec,
        })
        .then(
          () => '',
          (error: Error) => error.message,
        );
      assert.ok(refused.includes(message), `${field}: ${refused}`);
      assert.ok(!refused.includes('hunter2'), 'S5: a credential is not repeated');
    }
    assert.equal(await stage.kubectl('get', 'applications.towpath.dev', 'refused', '--ignore-not-found'), '');
  });
});

const untilReason = (stage: Stage, name: string, reason: string) =>
  stage.until(name, (one) => conditionOf(one, 'Ready')?.reason === reason, reason);

const secret = (name: string, stringData: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData,
});

/** Longer than any test: what is seen was told by a watch, not by a poll. */
const interval = '1h';

test('Secrets and ConfigMaps that are missing, wrong or corrected are noticed at once', async (t) => {
  const stage = await newStage(t, {
    files: {
      'plain/web.yaml': configMap('plain'),
      'chart/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'chart/templates/web.yaml': `${configMap('{{ .Release.Name }}')}data: {message: {{ .Values.message | quote }}}\n`,
    },
  });
  const password = randomBytes(12).toString('hex');
  const git = await startGitHttp({ root: stage.repository.root, basic: { username: 'reader', password } });
  t.after(() => git.stop());
  const repoURL = git.url(stage.repository.name);
  const guarded = (name: string, secretName?: string) =>
    stage.application(name, {
      source: {
        repoURL,
        interval,
        path: 'plain',
        ...(secretName === undefined ? {} : { secretRef: { name: secretName } }),
      },
    });
  const head = await stage.repository.revParse('main');

  await t.test('S2: a Secret of another namespace is not read; one that appears later is used', async () => {
    const other = await namespaceFor(t, stage.cluster);
    const made = await stage.cluster.kubectl(['-n', other, 'apply', '-f', '-'], {
      input: JSON.stringify(secret('reader', { username: 'reader', password })),
    });
    assert.equal(made.code, 0, made.stderr);
    await guarded('late', 'reader');
    const told = await untilReason(stage, 'late', 'SecretMissing');
    assert.equal(conditionOf(told, 'Stalled'), undefined);
    assert.equal(conditionOf(told, 'Reconciling')?.reason, 'SecretMissing');
    assert.equal(
      messageOf(told),
      `Secret ${stage.namespace}/reader, which spec.source.secretRef names, does not exist: create it; it is noticed at once.`,
    );
    const path = await stage
      .application('elsewhere', { source: { secretRef: { name: `${other}/reader` } } })
      .then(
        () => '',
        (error: Error) => error.message,
      );
    assert.match(path, /spec\.source\.secretRef\.name/);
    await stage.apply(secret('reader', { username: 'reader', password }));
    await stage.untilReadyAt('late', head);
  });

  await t.test(
    'D14: an Application without the Secret gets nothing of what another one may read',
    async () => {
      await guarded('without');
      const told = await untilReason(stage, 'without', 'AuthenticationFailed');
      assert.match(
        messageOf(told),
        /answers 401: it wants a credential\. Name a Secret .*spec\.source\.secretRef/,
      );
      assert.equal(conditionOf(told, 'Stalled')?.status, 'True');
      assert.equal(told.status?.source, undefined);
      assert.equal(environmentOf(told.status)?.objects, 0);
    },
  );

  await t.test('wrong credentials: AuthenticationFailed, until the Secret is corrected', async () => {
    await stage.apply(secret('wrong', { username: 'reader', password: 'not-this-one' }));
    await guarded('wrong', 'wrong');
    const told = await untilReason(stage, 'wrong', 'AuthenticationFailed');
    assert.match(
      messageOf(told),
      /does not accept the credential.*Check the Secret that spec\.source\.secretRef names/,
    );
    assert.ok(!JSON.stringify(told.status).includes('not-this-one'), 'S5');
    await stage.kubectl('delete', 'applications.towpath.dev', 'late', '--timeout=20s');
    await stage.apply(secret('wrong', { username: 'reader', password }));
    await stage.untilReadyAt('wrong', head);
  });

  await t.test('a Secret without a key that is needed: CredentialInvalid, until it is there', async () => {
    await stage.kubectl('delete', 'applications.towpath.dev', 'wrong', '--timeout=20s');
    await stage.apply(secret('half', { username: 'reader' }));
    await guarded('half', 'half');
    const told = await untilReason(stage, 'half', 'CredentialInvalid');
    assert.match(
      messageOf(told),
      /username.*password.*It is in Secret \S+half, which spec\.source\.secretRef names/,
    );
    await stage.apply(secret('half', { username: 'reader', password }));
    await stage.untilReadyAt('half', head);
    await stage.kubectl('delete', 'secret', 'half');
    await untilReason(stage, 'half', 'SecretMissing');
    assert.equal(await stage.kubectl('get', 'configmap', 'plain', '-o', 'name'), 'configmap/plain\n');
  });

  await t.test(
    'values from a ConfigMap or Secret: missing, without the key, no map, then right',
    async () => {
      const helm = { valuesFrom: [{ kind: 'ConfigMap', name: 'values', key: 'web.yaml' }] };
      await stage.application('from', { source: { path: 'chart', interval }, helm });
      const missing = await untilReason(stage, 'from', 'ConfigMapMissing');
      assert.match(
        messageOf(missing),
        /ConfigMap .*\/values, which spec\.helm\.valuesFrom names, does not exist: create it/,
      );
      assert.equal(conditionOf(missing, 'Reconciling')?.status, 'True');
      const values = (data: Record<string, string>) =>
        stage.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'values' }, data });
      await values({ other: '' });
      await stage.until('from', (one) => messageOf(one).includes('has no key web.yaml'), 'the missing key');
      await values({ 'web.yaml': '[1]' });
      const invalid = await untilReason(stage, 'from', 'ValuesInvalid');
      assert.match(
        messageOf(invalid),
        /ConfigMap values key web\.yaml: values are a YAML map, and it is a list/,
      );
      assert.equal(invalid.status?.sync, 'Quarantined');
      await values({ 'web.yaml': 'message: right' });
      await stage.untilReadyAt('from', head);
      assert.equal(
        await stage.kubectl('get', 'configmap', 'from', '-o', 'jsonpath={.data.message}'),
        'right',
      );
    },
  );
});
