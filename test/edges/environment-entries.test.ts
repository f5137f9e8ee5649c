import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { hookJob, podOf, toldOf } from '../integration/steps.ts';

const config = (name: string, more = '') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {version: {{ .Values.version | quote }}${more}}\n`;

/** Two ConfigMaps, of which one may be left out, and a Deployment. */
const CHART = {
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'values.yaml': 'version: one\nextra: true\n',
  'templates/web.yaml': config('web', ', random: {{ randAlphaNum 20 | quote }}'),
  'templates/extra.yaml': `{{- if .Values.extra }}\n${config('extra')}{{- end }}\n`,
  'templates/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web:1}]}
`,
};

/** By kind and name the uids of the chart's objects in a namespace, its Pods' too; none of what is not there. */
async function uidsIn({ cluster }: Stage, namespace: string): Promise<Record<string, string>> {
  const get = async (...what: string[]) => {
    const { code, stdout, stderr } = await cluster.kubectl([
      ...['-n', namespace, 'get', ...what, '--ignore-not-found', '-o'],
      'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{"\\n"}{end}',
    ]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const lines = [await get('configmaps,deployments', '--field-selector=metadata.name!=kube-root-ca.crt')];
  lines.push(await get('pods', '-l', 'app=web'));
  const uids = lines
    .join('')
    .split('\n')
    .filter(Boolean)
    // The archive of Promotions is in the operator's namespace.
    .filter((line) => !line.startsWith('ConfigMap/towpath-ledger.'))
    .map((line) => line.split(' '));
  return Object.fromEntries(uids.map(([object = '', uid = '']) => [object, uid]));
}

const named = (...environments: readonly (StagedEnvironment | { name: string; values?: object })[]) =>
  environments.map(({ name, ...rest }) => ('values' in rest ? { name, values: rest.values } : { name }));

const pendingOf = ({ status }: Application, { name }: { name: string }) =>
  environmentOf(status, name)?.pendingPrune;

const namesOf = ({ status }: Application) => status?.environments?.map(({ name }) => name);

/** Has the Application name these environments; undefined: none at all. */
async function setEnvironments(stage: Stage, environments: readonly object[] | undefined, more = {}) {
  const patch = JSON.stringify({ spec: { environments: environments ?? null, ...more } });
  await stage.kubectl('patch', 'tapp', 'web', '--type=merge', '-p', patch);
}

function consentTo(stage: Stage, { name }: { name: string }, digest = ''): Promise<string> {
  const consent = `towpath.dev/prune-consent=${name}=${digest}`;
  return stage.kubectl('annotate', '--overwrite', 'tapp', 'web', consent);
}

const isReadyIn =
  (...names: string[]) =>
  (application: Application) =>
    conditionOf(application, 'Ready')?.status === 'True' && namesOf(application)?.join() === names.join();

/** The environments whose targets' records are there. */
async function recordedIn(stage: Stage): Promise<string[]> {
  const { items } = JSON.parse(await stage.kubectl('get', 'secrets', '-o', 'json')) as {
    items: { metadata: { name: string }; data?: Record<string, string> }[];
  };
  return items
    .filter(({ metadata }) => metadata.name.startsWith('towpath-application-'))
    .flatMap(({ data = {} }) => Object.keys(data))
    .flatMap((member) => (member.startsWith('target.') ? [member.slice('target.'.length)] : []));
}

async function inTwo(t: TestContext, files: Record<string, string> = CHART) {
  const stage = await newStage(t, { files });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  await stage.deployed('web', { environments: named(staging, prod) });
  return { stage, staging, prod };
}

test('D2, D3: an environment that an Application no longer names waits for consent to its plan, also after a restart', async (t) => {
  const { stage, staging, prod } = await inTwo(t);
  const before = await uidsIn(stage, prod.namespace);
  assert.deepEqual(Object.keys(before).length, 4, 'three objects and a Pod');
  await setEnvironments(stage, named(staging));
  const held = await stage.until('web', (one) => pendingOf(one, prod), 'the plan');
  const { digest = '', count, objects = [] } = pendingOf(held, prod) ?? {};
  assert.equal(count, 3);
  assert.deepEqual(objects.map(({ kind, name }) => `${kind} ${name}`).sort(), [
    'ConfigMap extra',
    'ConfigMap web',
    'Deployment web',
  ]);
  const message = conditionOf(held, 'Stalled')?.message ?? '';
  assert.equal(conditionOf(held, 'Stalled')?.reason, 'PruneHeld');
  assert.match(
    message,
    /^It left spec\.environments: deleting \S+ \S+ and 2 more needs consent\. Put it back, or annotate: /,
  );
  assert.ok(message.endsWith(`towpath.dev/prune-consent=${prod.name}=${digest}`), message);

  assert.deepEqual(await toldOf(stage, 'web', 'PruneHeld'), [message]);

  await stage.restart('SIGKILL');
  const second = await stage.repository.commit({ 'values.yaml': 'version: two\nextra: true\n' });
  const still = await stage.until(
    'web',
    ({ status }) => environmentOf(status, staging.name)?.revision === second,
    'the environment that stays to follow',
  );
  assert.equal(pendingOf(still, prod)?.digest, digest, 'the same plan');
  assert.deepEqual(await uidsIn(stage, prod.namespace), before);

  await consentTo(stage, prod, digest.slice(0, -1));
  const request = await stage.requestSync('web');
  await stage.until('web', ({ status }) => status?.handledSyncRequest === request, 'a look');
  assert.deepEqual(await uidsIn(stage, prod.namespace), before);
  await consentTo(stage, prod, digest);
  const done = await stage.until('web', isReadyIn(staging.name), 'the end of it');
  assert.equal(done.status?.summary?.environments, '1/1');
  await eventually(async () => Object.keys(await uidsIn(stage, prod.namespace)).length === 0, {
    describe: 'all of it to be gone',
  });
  assert.equal(Object.keys(await uidsIn(stage, staging.namespace)).length, 4);
  assert.deepEqual(await recordedIn(stage), [staging.name], 'its record is gone, too');
  const [gone] = await toldOf(stage, 'web', 'EnvironmentLeft');
  assert.match(gone ?? '', new RegExp(`^Nothing of environment ${prod.name} is left: `));
});

test('an environment that is put back goes on as if nothing was', async (t) => {
  const { stage, staging, prod } = await inTwo(t);
  const before = await uidsIn(stage, prod.namespace);
  const history = environmentOf((await stage.get('web')).status, prod.name)?.history;
  await setEnvironments(stage, named(staging));
  await stage.until('web', (one) => pendingOf(one, prod), 'the plan');
  await stage.cluster.kubectl([
    ...['-n', prod.namespace, 'patch', 'configmap', 'web', '-p'],
    '{"data":{"version":"mine"}}',
  ]);
  await setEnvironments(stage, named(staging, prod));
  const back = await stage.until('web', isReadyIn(staging.name, prod.name), 'both to be Ready');
  assert.equal(pendingOf(back, prod), undefined);
  assert.deepEqual(environmentOf(back.status, prod.name)?.history, history, 'nothing was deployed');
  assert.deepEqual(await uidsIn(stage, prod.namespace), before);
  const { stdout } = await stage.cluster.kubectl([
    ...['-n', prod.namespace, 'get', 'configmap', 'web', '-o', 'jsonpath={.data.version}'],
  ]);
  assert.equal(stdout, 'one', 'it is enforced again');
});

test('with deletionPolicy Orphan the objects of an environment that is removed are let go at once', async (t) => {
  const { stage, staging, prod } = await inTwo(t);
  const before = await uidsIn(stage, prod.namespace);
  await setEnvironments(stage, named(staging), { deletionPolicy: 'Orphan' });
  await stage.until('web', isReadyIn(staging.name), 'the end of it');
  assert.deepEqual(await uidsIn(stage, prod.namespace), before);
  const { stdout } = await stage.cluster.kubectl([
    ...['-n', prod.namespace, 'get', 'configmaps,deployments', '-l', 'towpath.dev/target', '-o', 'name'],
  ]);
  assert.equal(stdout, '');
});

/** An Environment that lands where an Application without environments does. */
function atHome(t: TestContext, stage: Stage, suffix: string): Promise<StagedEnvironment> {
  return newEnvironment(t, stage, suffix, {
    namespace: '{namespace}',
    access: { serviceAccountName: 'towpath' },
  });
}

test('B4: from no environments to some and back the objects stay the same, also where the operator is killed in between', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const home = await atHome(t, stage, 'home');
  const away = await newEnvironment(t, stage, 'away');
  await stage.deployed('web');
  const before = await uidsIn(stage, stage.namespace);
  assert.equal(Object.keys(before).length, 4);

  const random = () => stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.random}');
  const secret = await random();
  await setEnvironments(stage, named(home, away));
  await stage.restart('SIGKILL');
  const moved = await stage.until('web', isReadyIn(home.name, away.name), 'both environments');
  assert.deepEqual(await uidsIn(stage, stage.namespace), before, 'the same objects, and Pods');
  assert.equal(await random(), secret, 'what the chart makes up is not made up anew');
  assert.equal(
    environmentOf(moved.status, home.name)?.history?.[0]?.message,
    'It took over the objects of environment default.',
  );
  assert.equal(environmentOf(moved.status, away.name)?.history?.[0]?.message, undefined);
  const second = await stage.repository.commit({ 'values.yaml': 'version: two\nextra: true\n' });
  await stage.untilReadyAt('web', second);

  await setEnvironments(stage, named(home));
  const held = await stage.until('web', (one) => pendingOf(one, away), 'the plan');
  await consentTo(stage, away, pendingOf(held, away)?.digest);
  await stage.until('web', isReadyIn(home.name), 'the end of the other one');
  await setEnvironments(stage, undefined);
  await stage.restart('SIGKILL');
  await stage.until('web', isReadyIn('default'), 'the way back');
  assert.deepEqual(await uidsIn(stage, stage.namespace), before);
  // What leaves Git now goes: nobody else has it any more.
  await stage.repository.commit({ 'values.yaml': 'version: two\nextra: false\n' });
  await eventually(async () => !('ConfigMap/extra' in (await uidsIn(stage, stage.namespace))), {
    describe: 'it to be pruned',
  });
});

test('B4: what another environment does not take over waits for consent, and only that', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const home = await atHome(t, stage, 'home');
  await stage.deployed('web');
  const { 'ConfigMap/extra': extra, ...others } = await uidsIn(stage, stage.namespace);
  assert.ok(extra);
  await setEnvironments(stage, named({ name: home.name, values: { extra: false } }));
  const held = await stage.until('web', (one) => pendingOf(one, { name: 'default' }), 'the plan');
  assert.deepEqual(
    pendingOf(held, { name: 'default' })?.objects?.map(({ kind, name }) => `${kind} ${name}`),
    ['ConfigMap extra'],
  );
  assert.equal(environmentOf(held.status, home.name)?.sync, 'Synced');
  assert.deepEqual(await uidsIn(stage, stage.namespace), { 'ConfigMap/extra': extra, ...others });
  await consentTo(stage, { name: 'default' }, pendingOf(held, { name: 'default' })?.digest);
  await stage.until('web', isReadyIn(home.name), 'the end of it');
  assert.deepEqual(await uidsIn(stage, stage.namespace), others);
});

test('B4: an entry that is renamed to an Environment at the same place keeps its objects; of two at one place at once the one that runs there has it, also where it stands last', async (t) => {
  const stage = await newStage(t, { files: CHART });
  const blue = await atHome(t, stage, 'blue');
  const green = await atHome(t, stage, 'green');
  await stage.deployed('web', { environments: named(blue) });
  const before = await uidsIn(stage, stage.namespace);
  await setEnvironments(stage, named(blue, green));
  const refused = await stage.until(
    'web',
    ({ status }) => environmentOf(status, green.name)?.blockedBy?.[0]?.reason === 'SamePlace',
    'the refusal',
  );
  assert.match(
    environmentOf(refused.status, green.name)?.message ?? '',
    new RegExp(`lands where environment ${blue.name} does`),
  );
  assert.equal(environmentOf(refused.status, blue.name)?.sync, 'Synced');

  // Who runs there keeps it, in whichever order they stand, and goes on.
  await setEnvironments(stage, named(green, blue));
  await stage.restart('SIGKILL');
  const second = await stage.repository.commit({ 'values.yaml': 'version: two\nextra: true\n' });
  const { status } = await stage.until(
    'web',
    (one) => namesOf(one)?.[0] === green.name && environmentOf(one.status, blue.name)?.revision === second,
    'the one that runs there to follow',
  );
  assert.equal(environmentOf(status, blue.name)?.sync, 'Synced');
  assert.equal(environmentOf(status, green.name)?.blockedBy?.[0]?.reason, 'SamePlace');
  assert.deepEqual(await uidsIn(stage, stage.namespace), before);
  await setEnvironments(stage, named(green));
  const renamed = await stage.until('web', isReadyIn(green.name), 'the rename');
  assert.deepEqual(await uidsIn(stage, stage.namespace), before);
  assert.equal(
    environmentOf(renamed.status, green.name)?.history?.[0]?.message,
    `It took over the objects of environment ${blue.name}.`,
  );
  assert.deepEqual(await recordedIn(stage), [green.name]);
});

test('B4: hooks of installs and deletions are not run when environments change names', async (t) => {
  const hooks = ['pre-install', 'post-install', 'pre-upgrade', 'pre-delete', 'post-delete'].map((event) => [
    `templates/${event}.yaml`,
    JSON.stringify(hookJob(event, event)),
  ]);
  const stage = await newStage(t, { files: { ...CHART, ...Object.fromEntries(hooks) } });
  const blue = await atHome(t, stage, 'blue');
  const green = await atHome(t, stage, 'green');
  await stage.deployed('web', { environments: named(blue) });
  const jobs = () => stage.kubectl('get', 'jobs', '-o', 'jsonpath={.items[*].metadata.uid}');
  const before = await jobs();
  assert.equal(before.split(' ').length, 2, 'both of the install');
  await setEnvironments(stage, named(green));
  await stage.until('web', isReadyIn(green.name), 'the rename');
  assert.equal(await jobs(), before, 'nothing was run');
});

test('an Application that is deleted removes an environment that waits for consent, too, and all of them side by side', async (t) => {
  const slowly = JSON.stringify(hookJob('bye', 'pre-delete', {}, 'runs'));
  const hook = { 'templates/bye.yaml': `{{- if .Values.slow }}\n${slowly}\n{{- end }}\n` };
  const stage = await newStage(t, { files: { ...CHART, ...hook } });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  const left = await newEnvironment(t, stage, 'left');
  const slow = { name: staging.name, values: { slow: true } };
  await stage.deployed('web', { environments: named(slow, prod, left) });
  await setEnvironments(stage, named(slow, prod));
  await stage.until('web', (one) => pendingOf(one, left), 'the plan');
  await stage.kubectl('delete', 'tapp', 'web', '--wait=false');
  for (const { namespace } of [prod, left])
    await eventually(async () => Object.keys(await uidsIn(stage, namespace)).length === 0, {
      describe: `${namespace} to be empty while another one waits for its hook`,
    });
  const waiting = await stage.until(
    'web',
    ({ status }) => environmentOf(status, staging.name)?.message?.includes('bye'),
    'the hook to be told',
  );
  assert.equal(Object.keys(await uidsIn(stage, staging.namespace)).length, 4, 'nothing went before its hook');
  assert.ok(waiting.metadata.deletionTimestamp);
  const there = { ...stage, kubectl: (...args: string[]) => stage.kubectl('-n', staging.namespace, ...args) };
  const pod = await podOf(there, 'bye');
  const status = JSON.stringify({ status: { phase: 'Succeeded' } });
  await there.kubectl('patch', 'pod', pod, '--subresource=status', '-p', status);
  await eventually(async () => (await stage.kubectl('get', 'tapp', '-o', 'name')) === '', {
    describe: 'the Application to be gone',
  });
  assert.deepEqual(await uidsIn(stage, staging.namespace), {});
});

test('B4: replicas that an autoscaler decides stand when environments change names', async (t) => {
  const text = CHART['templates/deployment.yaml'].replace('spec:\n', 'spec:\n  replicas: 1\n');
  const stage = await newStage(t, { files: { ...CHART, 'templates/deployment.yaml': text } });
  const home = await atHome(t, stage, 'home');
  await stage.deployed('web');
  await stage.apply({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 3,
      maxReplicas: 5,
    },
  });
  const pods = async () => {
    const uids = await uidsIn(stage, stage.namespace);
    return Object.entries(uids).filter(([object]) => object.startsWith('Pod/'));
  };
  await eventually(async () => (await pods()).length === 3, { describe: '3 Pods' });
  const before = await pods();
  await setEnvironments(stage, named(home));
  await stage.restart('SIGKILL');
  await stage.until('web', isReadyIn(home.name), 'the hand-over');
  // Whoever sets one replica, if only for a moment, ends two of them.
  assert.deepEqual(await pods(), before);
});
