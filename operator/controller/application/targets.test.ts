import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_ENVIRONMENTS, onlyTarget } from '../../../test/harness/target.ts';
import { parseApplication } from '../../api/v1alpha1/application.ts';
import { HOME } from '../record/target.ts';
import { Targets } from './targets.ts';

function application(spec: object = {}, annotations: Record<string, string> = {}) {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', annotations },
    spec: { source: { repoURL: 'https://git.example.com/shop.git' }, ...spec },
  });
  assert.ok(parsed.ok);
  return parsed.application;
}

const environments = NO_ENVIRONMENTS;
const targets = new Targets({ installation: 'towpath-system/towpath', impersonate: true, environments });

test('an Application that names no environment has one target: this cluster, its own namespace, its own account', () => {
  const target = onlyTarget(targets.of(application()));
  assert.equal(target.name, 'shop/web/default');
  assert.equal(target.application, 'shop/web');
  assert.equal(target.environment, 'default');
  assert.equal(target.namespace, 'shop');
  assert.deepEqual(target.account, { namespace: 'shop', name: 'towpath' });
  assert.deepEqual([target.overlay.path, target.overlay.ref], ['.', {}]);
  const named = onlyTarget(targets.of(application({ serviceAccountName: 'deployer' })));
  assert.deepEqual(named.account, { namespace: 'shop', name: 'deployer' });
});

test('objects of earlier versions stay owned: the id of a target never changes', () => {
  assert.equal(onlyTarget(targets.of(application())).id, 'faa5a81b2439ecaa6b3b');
});

test('a target is the same one whether its Application can be read or not', () => {
  const { id, name, application: key, environment, cluster } = onlyTarget(targets.of(application()));
  assert.deepEqual(targets.named('shop/web'), { id, name, application: key, environment });
  assert.equal(cluster, HOME);
});

test('another installation, namespace or name has other ids', () => {
  const other = new Targets({ installation: 'elsewhere/towpath', impersonate: true, environments });
  const ids = [
    targets.named('shop/web'),
    other.named('shop/web'),
    targets.named('stock/web'),
    targets.named('shop/web-2'),
  ];
  assert.equal(new Set(ids.map(({ id }) => id)).size, ids.length);
});

test('without impersonation a target has no account', () => {
  const asItself = new Targets({
    installation: 'towpath-system/towpath',
    impersonate: false,
    environments,
  });
  assert.equal(onlyTarget(asItself.of(application())).account, undefined);
});

test('what annotations ask for is read for the environment of the target', () => {
  const asked = {
    'towpath.dev/sync-requested': 'staging=1,default=2',
    'towpath.dev/prune-consent': 'default=sha256:a,staging=sha256:b',
    'towpath.dev/abandon': 'staging,default',
    'towpath.dev/adopt': 'true',
  };
  const { settings } = onlyTarget(targets.of(application({}, asked)));
  const { request, consent, abandoned, adopt } = settings;
  assert.deepEqual(
    { request, consent, abandoned, adopt },
    { request: '2', consent: 'sha256:a', abandoned: true, adopt: true },
  );
  const others = { 'towpath.dev/sync-requested': 'staging=1', 'towpath.dev/abandon': 'staging' };
  const { settings: without } = onlyTarget(targets.of(application({}, others)));
  assert.equal(without.request, undefined);
  assert.equal(without.abandoned, false);
});

test('a target is frozen', () => {
  const target = onlyTarget(targets.of(application({ helm: { valuesFiles: ['values.yaml'] } })));
  for (const part of [target, target.overlay, target.settings]) assert.ok(Object.isFrozen(part));
});
