import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseApplication } from './application.ts';

function object(spec: Record<string, unknown>, rest: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'podinfo', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 3 },
    spec: { source: { repoURL: 'https://git.example.com/shop/podinfo.git' }, ...spec },
    ...rest,
  };
}

test('an Application gets every default that the API server would give it', () => {
  const parsed = parseApplication(object({}));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.application.spec, {
    source: { repoURL: 'https://git.example.com/shop/podinfo.git', path: '.', interval: '1m' },
    sync: {
      mode: 'Automatic',
      prune: true,
      pruneBudget: '50%',
      drift: 'Repair',
      timeout: '5m',
      retries: { limit: 5, backoff: '5s', maxBackoff: '3m' },
    },
    deletionPolicy: 'Prune',
    revisionHistoryLimit: 10,
    suspend: false,
  });
  assert.deepEqual(parsed.application.metadata.annotations, {});
});

test('A6: what cannot be read is told field by field', () => {
  const parsed = parseApplication(
    object({ source: { repoURL: 'ftp://x', ref: { branch: 'a', tag: 'b' } }, sync: { timeout: 'soon' } }),
  );
  assert.ok(!parsed.ok);
  assert.equal(parsed.errors.length, 3);
  assert.match(parsed.errors.join('\n'), /^spec\.source\.repoURL: must be the address of a Git repository/m);
  assert.match(parsed.errors.join('\n'), /^spec\.source\.ref: must name exactly one of/m);
  assert.match(parsed.errors.join('\n'), /^spec\.sync\.timeout: must be a duration/m);
});

test('A6: something that is no object at all is reported, not thrown', () => {
  for (const broken of [null, 7, 'x', [], {}, { spec: null }])
    assert.equal(parseApplication(broken).ok, false);
});

test('a status that cannot be read does not keep the Application from being read', () => {
  const parsed = parseApplication(
    object({}, { status: { observedGeneration: 2, environments: 'many', health: 'Splendid' } }),
  );
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.application.status, { observedGeneration: 2 });
  const without = parseApplication(object({}, { status: 'fine' }));
  assert.ok(without.ok);
  assert.equal(without.application.status, undefined);
});

test('values that are too large are read: what runs is still enforced, and deletion still prunes', () => {
  assert.ok(parseApplication(object({ helm: { values: { text: 'x'.repeat(256 * 1024) } } })).ok);
});

test('repository addresses', () => {
  const accepted = (repoURL: string) => parseApplication(object({ source: { repoURL } })).ok;
  for (const good of [
    'https://git.example.com/a.git',
    'http://127.0.0.1:8080/a',
    'ssh://git@git.example.com:22/a.git',
    'git@github.com:shop/podinfo.git',
    'git@host:/srv/a.git',
  ])
    assert.ok(accepted(good), good);
  for (const bad of [
    'https://user:secret@git.example.com/a.git',
    'https://token@git.example.com/a.git',
    'ssh://git:secret@git.example.com/a',
    'file:///etc',
    '/srv/git/a.git',
    'git://host/a',
    'https:///a',
    'https://host',
    'https://host/a?token=x',
    'https://host/a b',
    'ext::sh -c x',
    '-oProxyCommand=x@host:a',
    '-ox@host:a',
    'git@-ohost:a',
    'ssh://-ohost/a',
  ])
    assert.ok(!accepted(bad), bad);
});

test('paths never leave the repository', () => {
  const accepted = (path: string) =>
    parseApplication(object({ source: { repoURL: 'https://host/a', path } })).ok;
  for (const good of ['', '.', 'charts/podinfo', 'a..b', './x', '...']) assert.ok(accepted(good), good);
  for (const bad of ['..', '../x', 'a/../b', 'a/..', '/etc', 'a\\b', 'a\0b']) assert.ok(!accepted(bad), bad);
});

test('semver ranges', () => {
  const accepted = (semver: string) =>
    parseApplication(object({ source: { repoURL: 'https://host/a', ref: { semver } } })).ok;
  for (const good of [
    '*',
    '1',
    '1.x',
    '^1.2',
    '~1.2.3',
    '>=1.2 <2',
    '>= 1.2, < 2',
    '1.2 - 1.4',
    '1.x || 3.x',
    'v1.2.3',
    '>=1.0.0-0',
    '!=1.2.3',
  ])
    assert.ok(accepted(good), good);
  for (const bad of ['', 'latest', '1.2.3.4', '>', '1 ||', 'main']) assert.ok(!accepted(bad), bad);
});
