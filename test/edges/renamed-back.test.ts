import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { targetSecret } from '../../operator/controller/record/secrets.ts';
import { newEnvironment } from '../harness/environments.ts';
import { fastLease, newStage, type Stage } from '../harness/operator.ts';
import { ask, became, installPromotionPolicies, letCommand, OLGA, taken } from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';
import { endPod, eventsOf, hookJob, podOf } from '../integration/steps.ts';

const config = (name: string, version: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {version: ${version}}\n`;

const web = (version: string) => ({ 'templates/web.yaml': config('web', version) });

/** Of its two ConfigMaps one may be left out. */
const CHART = {
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'values.yaml': 'extra: true\n',
  'templates/extra.yaml': `{{- if .Values.extra }}\n${config('extra', 'one')}{{- end }}\n`,
  ...web('one'),
};

/** blue runs, and two Environments land at one place; whose object is left out where the entry is green. */
async function inBlue(t: TestContext, stage: Stage) {
  const here = { namespace: '{namespace}', access: { serviceAccountName: 'towpath' } };
  const { name: blue } = await newEnvironment(t, stage, 'blue', here);
  const { name: green } = await newEnvironment(t, stage, 'green', here);
  const entries = { blue: { name: blue }, green: { name: green, values: { extra: false } } };
  await stage.deployed('web', { environments: [entries.blue] });
  return {
    blue,
    green,
    async become(...names: ('blue' | 'green')[]) {
      const patch = JSON.stringify({ spec: { environments: names.map((name) => entries[name]) } });
      await stage.kubectl('patch', 'tapp', 'web', '--type=merge', '-p', patch);
    },
    /** Until green has all, and what it has not in Git waits as blue's. */
    renamed: () =>
      stage.until(
        'web',
        (one) => entryIn(one, blue)?.pendingPrune !== undefined && entryIn(one, green)?.sync === 'Synced',
        'the rename, and what is left of the former name',
      ),
  };
}

const entryIn = ({ status }: Application, name: string) => environmentOf(status, name);

async function webOf(stage: Stage): Promise<{ uid: string; version: string }> {
  const [uid = '', version = ''] = (
    await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.metadata.uid} {.data.version}')
  ).split(' ');
  return { uid, version };
}

test('D12, B4: what a person held, or let go of, under the other name counts where a rename is taken back while leftovers wait', async (t) => {
  const policy = `promotions-${randomBytes(5).toString('hex')}`;
  const flags = [...fastLease, `--promotion-policy=${policy}`];
  const stage = await newStage(t, { files: CHART, flags });
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const { blue, green, become, renamed } = await inBlue(t, stage);
  await letCommand(cluster, namespace, OLGA, blue, ['rollback']);
  await letCommand(cluster, namespace, OLGA, green, ['rollback', 'retry']);
  const keptOut = (name: string, reason: string) =>
    stage.until(
      'web',
      (one) => entryIn(one, name)?.blockedBy?.[0]?.reason === reason,
      `what is new to be kept out of ${name} by ${reason}`,
    );
  const said = async (spec: { type: string; environment: string } & Record<string, unknown>) => {
    const made = taken(await ask(cluster, namespace, OLGA, { application: 'web', ...spec }));
    await became(cluster, namespace, made, 'Succeeded');
    return made;
  };
  const { uid } = await webOf(stage);
  await stage.untilReadyAt('web', await repository.commit(web('two')));
  const first = await said({ type: 'Rollback', environment: blue, historyID: 1 });
  await become('green');
  await keptOut(green, 'Held');
  await said({ type: 'Resume', environment: green, promotion: first });
  await renamed();
  const three = await repository.commit(web('three'));
  await stage.until('web', (one) => entryIn(one, green)?.revision === three, 'the newest commit');
  const second = await said({ type: 'Rollback', environment: green, historyID: 1 });

  await become('blue');
  await keptOut(blue, 'Held');
  await stage.restart('SIGKILL');
  const request = await stage.requestSync('web');
  await stage.until('web', (one) => one.status?.handledSyncRequest === request, 'a look');
  await keptOut(blue, 'Held');
  assert.deepEqual(await webOf(stage), { uid, version: 'two' });
  await said({ type: 'Resume', environment: blue, promotion: second });
  await stage.untilReadyAt('web', three);
  assert.deepEqual(await webOf(stage), { uid, version: 'three' });
});

test('B4: what runs stays where a rename is taken back while the newest commit cannot run, and who is named beside it takes nothing', async (t) => {
  const stage = await newStage(t, { files: CHART, flags: fastLease });
  const { repository } = stage;
  const { blue, green, become, renamed } = await inBlue(t, stage);
  const { uid } = await webOf(stage);
  await become('green');
  await renamed();

  await become('blue', 'green');
  const two = await repository.commit(web('two'));
  const both = await stage.until(
    'web',
    (one) =>
      entryIn(one, green)?.revision === two && entryIn(one, blue)?.blockedBy?.[0]?.reason === 'SamePlace',
    'the one that runs there to follow, and the other to be kept out',
  );
  assert.equal(entryIn(both, green)?.sync, 'Synced');
  await become('green');
  await renamed();

  const refused = await repository.commit({ 'templates/web.yaml': '{{ fail "no" }}\n' });
  await stage.until('web', (one) => one.status?.quarantine?.revision === refused, 'the refusal');
  await become('blue');
  await stage.restart('SIGKILL');
  const request = await stage.requestSync('web');
  const waits = await stage.until('web', (one) => one.status?.handledSyncRequest === request, 'a look');
  assert.deepEqual(await webOf(stage), { uid, version: 'two' });
  assert.match(entryIn(waits, green)?.message ?? '', new RegExp(`environment ${blue} takes over`));

  const three = await repository.commit(web('three'));
  const done = await stage.until(
    'web',
    (one) => one.status?.environments?.length === 1 && entryIn(one, blue)?.revision === three,
    'the way back',
  );
  assert.equal(entryIn(done, blue)?.objects, 2);
  assert.deepEqual(await webOf(stage), { uid, version: 'three' });
});

test('D11: with the Application the hooks of a deletion are run once, though leftovers of a former name wait', async (t) => {
  const bye = `${JSON.stringify(hookJob('bye', 'pre-delete', {}, 'runs'))}\n`;
  const stage = await newStage(t, { files: { ...CHART, 'templates/bye.yaml': bye } });
  const { green, become, renamed } = await inBlue(t, stage);
  await become('green');
  await renamed();
  await stage.kubectl('delete', 'tapp', 'web', '--wait=false');
  await stage.until('web', (one) => entryIn(one, green)?.message?.includes('bye'), 'its hook to be told');
  await eventually(async () => !(await stage.kubectl('get', 'configmaps', '-o', 'name')).includes('/extra'), {
    describe: 'what was left to be gone',
  });
  await endPod(stage, await podOf(stage, 'bye'));
  await eventually(async () => (await stage.kubectl('get', 'tapp', '-o', 'name')) === '', {
    describe: 'the Application to be gone',
  });
  assert.deepEqual(await eventsOf(stage, 'web', 'DeletionFailed'), []);
});

test('D7, D11: what runs under a new name goes with the Application, also where its record was lost, and begun anew while leftovers of the former name wait', async (t) => {
  const stage = await newStage(t, { files: CHART, flags: fastLease });
  const { namespace, repository } = stage;
  const { green, become, renamed } = await inBlue(t, stage);
  await become('green');
  await renamed();
  await stage.operator.stop('SIGKILL');
  const application = `${namespace}/web`;
  const secret = targetSecret(`${namespace}/towpath`, { application, environment: green });
  await stage.kubectl('delete', 'secret', secret);
  const refused = await repository.commit({ 'templates/web.yaml': '{{ fail "no" }}\n' });
  await stage.restart();
  await stage.until('web', (one) => one.status?.quarantine?.revision === refused, 'the refusal');
  await eventually(async () => (await stage.kubectl('get', 'secrets', '-o', 'name')).includes(secret), {
    describe: 'a record in place of the lost one',
  });
  await stage.operator.stop('SIGKILL');
  await stage.kubectl('delete', 'tapp', 'web', '--wait=false');
  await stage.restart();
  await stage.kubectl('wait', '--for=delete', 'tapp/web', '--timeout=30s');
  const left = (await stage.kubectl('get', 'configmaps', '-o', 'name')).split('\n');
  assert.deepEqual(
    left.filter((name) => /\/(web|extra)$/.test(name)),
    [],
  );
});
