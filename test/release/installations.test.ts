import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { anotherSecond, newReleases, type Releases } from '../harness/chart-releases.ts';
import { documented, runCommands } from '../harness/documented.ts';
import { newEnvironment } from '../harness/environments.ts';
import { newStage, type RunningOperator } from '../harness/operator.ts';
import { freePort } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

let on: Releases;
before(async () => {
  on = await newReleases();
});

const FILES = {
  'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: there}\n',
};
const ENVIRONMENTS = 'environments.towpath.dev';

const untilReady = (operator: RunningOperator) =>
  eventually(async () => (await fetch(`${await operator.url('probe')}/readyz`)).status === 200, {
    describe: 'the operator to be ready',
  });

test('of two releases with one id the younger one does nothing and says so, whatever it watches, until the older goes', async (t) => {
  const namespace = await on.newNamespace(t, 'same-id');
  await on.newNamespace(t, 'nobody');
  const stage = await newStage(t, { cluster: on.cluster, files: FILES, startOperator: false });
  const install = async (name: string, watchNamespace: string, ...flags: string[]) => {
    const values = { watchNamespace, installation: 'same-id/one' };
    await on.release('install', { name, namespace, values });
    // Also where this test fails: those after it would find its installation.
    t.after(() => on.release('uninstall', { name, namespace }, '--ignore-not-found'));
    return on.run(t, { name, namespace }, ...flags);
  };
  const older = await install('towpath', 'nobody');
  await untilReady(older);
  await anotherSecond();
  const probe = `127.0.0.1:${await freePort()}`;
  // Its name sorts first.
  const younger = await install('a', stage.namespace, `--probe-address=${probe}`);
  const told = await eventually(
    async () => {
      const response = await fetch(`http://${probe}/readyz`);
      const text = await response.text();
      return text.includes('has the id of this one (same-id/one)') && { status: response.status, text };
    },
    { describe: 'the younger one to say why it does nothing' },
  );
  assert.equal(told.status, 503);
  await older.stop();
  const again = await on.run(t, { name: 'towpath', namespace });
  await untilReady(again);
  assert.doesNotMatch(readFileSync(younger.logPath, 'utf8'), /This process leads/);

  await on.release('uninstall', { name: 'towpath', namespace });
  await again.stop();
  await untilReady(younger);
  await stage.deployed('web');
  await on.release('uninstall', { name: 'a', namespace });
});

test('an Environment that an installation used which there is no more can be deleted: at once, or once what its status names is taken off', async (t) => {
  const towpath = { name: 'towpath', namespace: await on.newNamespace(t, 'changed-id') };
  const stage = await newStage(t, { cluster: on.cluster, files: FILES, startOperator: false });
  t.after(() => on.release('uninstall', towpath, '--ignore-not-found'));
  const used = async (suffix: string) => {
    const { name } = await newEnvironment(t, stage, suffix);
    await stage.deployed(suffix, { environments: [{ name }] });
    await stage.kubectl('get', ENVIRONMENTS, name);
    return name;
  };
  const upgraded = async (values: object) => {
    await on.release(
      'upgrade',
      { ...towpath, values: { impersonate: ['towpath', 'deployer'], ...values } },
      '--install',
    );
    const operator = await on.run(t, towpath);
    await untilReady(operator);
    return operator;
  };
  const gone = (name: string) =>
    eventually(
      async () => (await on.kubectl('get', ENVIRONMENTS, name, '--ignore-not-found', '-o', 'name')) === '',
      { describe: `Environment ${name} to go` },
    );
  // All of them are used, and nobody takes their finalizers off before the id changes.
  const before = await upgraded({ installation: 'changed-id/before' });
  const [eu, us] = [await used('eu'), await used('us')];
  await before.stop();
  await on.kubectl('delete', 'applications.towpath.dev', '--all', '-n', stage.namespace, '--wait=false');
  const removal = { metadata: { finalizers: null } };
  for (const name of ['eu', 'us'])
    await on.kubectl(
      ...['patch', 'applications.towpath.dev', name, '-n', stage.namespace],
      ...['--type=merge', '-p', JSON.stringify(removal)],
    );

  const all = await upgraded({ installation: 'changed-id/after' });
  await on.kubectl('delete', ENVIRONMENTS, eu, '--wait=false');
  await gone(eu);
  await all.stop();

  // Beside one that looks after a namespace alone, others may be at work of which it does not know.
  await upgraded({ installation: 'changed-id/after', watchNamespace: stage.namespace });
  await on.kubectl('delete', ENVIRONMENTS, us, '--wait=false');
  const message = 'jsonpath={.status.conditions[0].message}';
  const finalizer = await eventually(
    async () => {
      const told = await on.kubectl('get', ENVIRONMENTS, us, '-o', message);
      const [, left] = /is to be deleted, and waits .* Take (\S+) off it: kubectl edit/.exec(told) ?? [];
      assert.ok(left !== undefined, told);
      return left;
    },
    { describe: 'the Environment to say what it waits for' },
  );
  const commands = documented('installation.md', 'used-by-')
    .replace('=eu ', `=${us} `)
    .replace(/=towpath\.dev\/used-by-\S+/, `=${finalizer}`);
  await runCommands(on.cluster, commands);
  await gone(us);
  await on.release('uninstall', towpath);
});
