import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startControlPlane } from '../harness/control-plane.ts';
import { newEnvironment } from '../harness/environments.ts';
import { archiveOf } from '../harness/ledger.ts';
import { conditionOf, fastLease, installCRDs, newStage } from '../harness/operator.ts';
import { environmentOf, recordSecretOf } from '../harness/target.ts';

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const CRD = 'crd/applications.towpath.dev';

/** What a laxer CRD let in. */
const UNREADABLE: Record<string, unknown> = {
  'no-spec': undefined,
  'no-map': 'text',
  types: { source: { repoURL: 5, path: ['a'] }, helm: 'text', sync: [] },
  credentials: { source: { repoURL: 'https://me:hunter2@git.example.com/a' } },
  loop: { source: { repoURL: 'https://git.example.com/a', interval: 'soon' } },
};

test('A6: an Application that is stored and cannot be read is told so on itself, and others go on', async (t) => {
  // Its own: while the CRD is lax, the tests of others would not find what they expect.
  const cluster = await startControlPlane();
  const stage = await newStage(t, {
    cluster,
    files: {
      'good/a.yaml': configMap('good'),
      'once/a.yaml': configMap('once'),
      'corrected/a.yaml': configMap('corrected'),
    },
    flags: fastLease,
  });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  // After what the stage still asks of it.
  t.after(() => cluster.stop());
  const head = await stage.deployed('once', { source: { path: 'once' } });

  const environments = [staging, prod].map(({ name }) => ({ name }));
  await stage.deployed('spread', { source: { path: 'once' }, environments });
  const recordsOf = async (name: string) => {
    const names = await stage.kubectl('get', 'secrets', '-o', 'jsonpath={.items[*].metadata.name}');
    return names.split(' ').filter((one) => one.startsWith(recordSecretOf(stage, name)));
  };
  assert.equal((await recordsOf('spread')).length, 2, 'a record for each environment');

  const lax = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await stage.kubectl(
    ...['patch', CRD, '--type=json', '-p'],
    JSON.stringify([
      { op: 'replace', path: '/spec/versions/0/schema/openAPIV3Schema', value: lax },
      { op: 'remove', path: '/spec/versions/0/additionalPrinterColumns' },
    ]),
  );
  const write = (name: string, spec: unknown) =>
    stage.apply({ apiVersion: 'towpath.dev/v1alpha1', kind: 'Application', metadata: { name }, spec });
  // The API server takes a moment to go by the new definition.
  await stage.until(
    'once',
    () =>
      write('no-spec', undefined).then(
        () => true,
        () => false,
      ),
    'the lax CRD',
  );
  for (const [name, spec] of Object.entries(UNREADABLE)) await write(name, spec);
  const broken = {
    source: { repoURL: stage.repoURL, path: 'once', interval: 'soon' },
    deletionPolicy: 'Prune',
    serviceAccountName: 'towpath',
  };
  await write('once', broken);
  await write('spread', { ...broken, environments });
  await installCRDs(cluster);
  await stage.until(
    'once',
    () =>
      write('probe', 'text').then(
        () => false,
        () => true,
      ),
    'the strict CRD',
  );
  await stage.restart();

  await stage.application('good', { source: { path: 'good' } });
  await stage.untilReadyAt('good', head);
  for (const [name, field] of [
    ['no-spec', 'spec'],
    ['no-map', 'spec'],
    ['types', 'spec.source.repoURL'],
    ['credentials', 'must not carry credentials'],
    ['loop', 'spec.source.interval'],
    ['once', 'spec.source.interval'],
    ['spread', 'spec.source.interval'],
  ] as const) {
    const told = await stage.until(
      name,
      (one) => conditionOf(one, 'Stalled')?.reason === 'InvalidSpec',
      `${name} to be told InvalidSpec`,
    );
    const message = conditionOf(told, 'Ready')?.message ?? '';
    assert.match(message, /^The Application cannot be read; correct it: /);
    assert.ok(message.includes(field), message);
    assert.ok(!JSON.stringify(told.status).includes('hunter2'), 'S5: a credential is not repeated');
  }
  const { status } = await stage.get('once');
  assert.equal(status?.sync, 'Blocked', 'it is not told as what it was before');
  const environment = environmentOf(status);
  assert.equal(environment?.sync, 'Blocked', 'nor is its environment');
  assert.equal(environment.blockedBy?.[0]?.reason, 'InvalidSpec');
  assert.equal(status?.summary?.environments, '0/1');
  const told = {
    events: await stage.kubectl('get', 'events.events.k8s.io', '-o', 'json'),
    log: readFileSync(stage.operator.logPath, 'utf8'),
    metrics: await stage.operator.metrics(),
  };
  for (const [place, text] of Object.entries(told))
    assert.ok(!text.includes('hunter2'), `S5: a credential in a URL is not in ${place}`);
  assert.equal(await stage.kubectl('get', 'configmap', 'once', '-o', 'name'), 'configmap/once\n');

  // A6: corrected, it is taken up like any other.
  await stage.application('loop', { source: { path: 'corrected' } });
  const recovered = await stage.untilReadyAt('loop', head);
  assert.equal(conditionOf(recovered, 'Stalled'), undefined);

  // What it wants done with its objects is unknown: it is let go, and they are left; what is recorded of them is not.
  await stage.kubectl('delete', 'applications.towpath.dev', 'once', '--timeout=20s');
  assert.equal(await stage.kubectl('get', 'configmap', 'once', '-o', 'name'), 'configmap/once\n');
  await stage.kubectl('delete', 'applications.towpath.dev', 'spread', '--timeout=20s');
  for (const { namespace } of [staging, prod]) {
    const { stdout } = await cluster.kubectl(['-n', namespace, 'get', 'configmap', 'once', '-o', 'name']);
    assert.equal(stdout, 'configmap/once\n');
  }
  for (const name of ['once', 'spread']) assert.deepEqual(await recordsOf(name), [], name);
  const removed = (await archiveOf(stage)).filter(({ type }) => type === 'Remove');
  assert.deepEqual(
    removed.map(({ application, environment }) => `${application} ${environment}`).sort(),
    ['once default', `spread ${prod.name}`, `spread ${staging.name}`],
    'the ledger says that they are none of its any more',
  );
});
