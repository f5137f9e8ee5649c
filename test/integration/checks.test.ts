import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { parsePromotion } from '../../operator/api/v1alpha1/promotion.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { fastLease, newStage, type Stage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { eventually } from '../harness/wait.ts';
import { toldOf } from './steps.ts';

/** One Application with a policy of its own, of which a check is run in staging before prod. */
interface Checked {
  readonly stage: Stage;
  readonly staging: StagedEnvironment;
  readonly prod: StagedEnvironment;
}

interface Job {
  metadata: {
    name: string;
    uid: string;
    deletionTimestamp?: string;
    managedFields: { manager: string }[];
  };
  spec: {
    template: {
      spec: {
        automountServiceAccountToken: boolean;
        containers: { env: { name: string; value: string }[] }[];
      };
    };
  };
}

/** What the simulated nodes make of the Pod of a check. */
type Pod = 'completes' | 'fails' | 'runs' | 'waits';

function template(pod: Pod): object {
  return {
    metadata: { annotations: pod === 'completes' ? {} : { [podAnnotation]: pod } },
    spec: { containers: [{ name: 'smoke', image: 'example.com/smoke:1' }] },
  };
}

function files(name: string, version: string) {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { version } };
  return { [`${name}/all.yaml`]: JSON.stringify(object) };
}

async function check(
  { stage, staging, prod }: Checked,
  name: string,
  podTemplate: object,
  more: object = {},
): Promise<void> {
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      stages: [
        { name: 'staging', environments: [staging.name] },
        {
          name: 'prod',
          after: ['staging'],
          environments: [prod.name],
          gates: { checks: [{ name: 'smoke', job: { spec: { template: podTemplate } }, ...more }] },
        },
      ],
    },
  });
}

/** A policy of which a check verifies what entered staging. */
async function verifying(
  { stage, staging, prod }: Checked,
  name: string,
  podTemplate: object,
  more: object = {},
): Promise<void> {
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      stages: [
        {
          name: 'staging',
          environments: [staging.name],
          verify: { checks: [{ name: 'smoke', job: { spec: { template: podTemplate } } }], ...more },
        },
        { name: 'prod', after: ['staging'], environments: [prod.name] },
      ],
    },
  });
}

async function application({ stage, staging, prod }: Checked, name: string): Promise<void> {
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, labels: { app: name } },
    spec: {
      source: { repoURL: stage.repoURL, interval: '1s', path: name },
      environments: [{ name: staging.name }, { name: prod.name }],
    },
  });
}

function runs(
  { stage }: Checked,
  { namespace, name: environment }: StagedEnvironment,
  name: string,
  version: string,
): Promise<unknown> {
  return eventually(
    async () => {
      const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
      const { status, body } = await stage.cluster.request('GET', path);
      return status === 200 && JSON.parse(body).data.version === version;
    },
    { describe: `${environment} to have ${version} of ${name}` },
  );
}

/** Waits until prod of an Application is kept out so. */
function blocked({ stage, prod }: Checked, name: string, message: RegExp) {
  return stage.until(
    name,
    ({ status }) => {
      const [first] = environmentOf(status, prod.name)?.blockedBy ?? [];
      return first?.reason === 'Checks' && message.test(first.message);
    },
    `prod of ${name} to wait: ${message}`,
  );
}

async function jobsOf({ stage, staging }: Checked, name: string): Promise<Job[]> {
  const { body } = await stage.cluster.request('GET', `/apis/batch/v1/namespaces/${staging.namespace}/jobs`);
  const { items } = JSON.parse(body) as { items: Job[] };
  return items.filter(
    ({ metadata }) => metadata.name.startsWith(`${name}-`) && metadata.deletionTimestamp === undefined,
  );
}

/** The only Job of an Application's check, waited for; another one than `before`. */
function jobOf(checked: Checked, name: string, before?: Job): Promise<Job> {
  return eventually(
    async () => {
      const all = await jobsOf(checked, name);
      return all.find(({ metadata }) => metadata.uid !== before?.metadata.uid);
    },
    { describe: `the Job of ${name}` },
  );
}

async function endPod({ stage, staging }: Checked, job: Job, phase: 'Succeeded' | 'Failed'): Promise<void> {
  const selector = `batch.kubernetes.io/job-name=${job.metadata.name}`;
  const where = ['-n', staging.namespace];
  const names = ['get', 'pods', '-l', selector, '-o', 'jsonpath={.items[*].metadata.name}'];
  const pod = await eventually(() => stage.kubectl(...where, ...names), { describe: 'the Pod' });
  const exitCode = phase === 'Failed' ? 3 : 0;
  const terminated = { exitCode, reason: phase === 'Failed' ? 'Error' : 'Completed' };
  const [container] = [
    { name: 'smoke', state: { terminated }, ready: false, restartCount: 0, image: 'x', imageID: '' },
  ];
  const status = JSON.stringify({ status: { phase, containerStatuses: [container] } });
  await stage.kubectl(...where, 'patch', 'pod', pod, '--subresource=status', '-p', status);
}

test('checks of a PromotionPolicy, run in the stage before', async (t) => {
  const names = ['good', 'bad', 'kept', 'odd', 'back', 'stuck', 'busy', 'lost'];
  const stage = await newStage(t, {
    flags: fastLease,
    files: Object.assign({}, ...names.map((name) => files(name, '1'))),
  });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  const checked = { stage, staging, prod };
  const run = (name: string, what: (checked: Checked, t: TestContext) => Promise<void>) =>
    t.test(name, (of) => what(checked, of));

  await run('A18: one that passes at once lets in what it ran for, and leaves nothing', passes);
  await run(
    'A7: one that failed keeps it out, and runs again when a person asks, or with another template',
    fails,
  );
  await run('D7, A18: the operator is killed while one runs, which is made once and counts', killed);
  await run('A6: one that could not be made is no failure, and is told with why', couldNotRun);
  await run(
    'D12: one that verifies what entered rolls back where it fails, and later stages do not get that',
    verifies,
  );
  await run(
    'A15: what is verified says in its record what it waits for, also where a check could not run',
    saysWhy,
  );
  await run(
    'A2: one that verifies what entered goes on, and counts, where its policy is lost, also one that the Environment requires',
    goesOn,
  );
  await run(
    'A17: staging stays on what is checked; what is newer follows, and then the check of that',
    stays,
  );
});

async function passes(checked: Checked): Promise<void> {
  const { stage, staging, prod } = checked;
  await check(checked, 'good', template('completes'));
  await application(checked, 'good');
  await runs(checked, prod, 'good', '1');
  const ready = await stage.untilReadyAt('good', await stage.repository.revParse('main'));
  await eventually(async () => (await jobsOf(checked, 'good')).length === 0, {
    describe: 'the Job to be gone',
  });
  const next = await stage.repository.commit(files('good', '2'));
  await runs(checked, prod, 'good', '2');
  const later = await stage.untilReadyAt('good', next);
  const entry = (of: typeof ready) => environmentOf(of.status, staging.name);
  assert.equal(entry(later)?.history?.length, 2, 'no deployment but those of the two commits');
  assert.equal(entry(later)?.objects, 1, 'a Job of a check is no object of the Application');
}

async function fails(checked: Checked): Promise<void> {
  const { stage, staging, prod } = checked;
  await check(checked, 'bad', template('runs'));
  await application(checked, 'bad');
  const first = await jobOf(checked, 'bad');
  await blocked(checked, 'bad', /^Check smoke runs in environment/);
  assert.equal(first.spec.template.spec.automountServiceAccountToken, false);
  assert.match(
    await stage.operator.metrics(),
    new RegExp(`^towpath_checks_running\\{environment="${staging.name}"\\} 1$`, 'm'),
  );
  await endPod(checked, first, 'Failed');
  const waiting = await blocked(checked, 'bad', /^Check smoke failed in environment .* exit code 3\./);
  assert.equal(environmentOf(waiting.status, prod.name)?.sync, 'Waiting');
  assert.deepEqual(
    (await jobsOf(checked, 'bad')).map(({ metadata }) => metadata.uid),
    [first.metadata.uid],
    'it stays for who wants to read its logs',
  );
  const told = await toldOf(stage, 'bad', 'Checks');
  assert.ok(
    told.some((message) => message.includes(`logs job/${first.metadata.name}`)),
    told.join('\n'),
  );
  await stage.requestSync('bad', `${staging.name}=again`);
  const second = await jobOf(checked, 'bad', first);
  await endPod(checked, second, 'Failed');
  await blocked(checked, 'bad', /^Check smoke failed/);
  await check(checked, 'bad', template('completes'));
  await runs(checked, prod, 'bad', '1');
}

async function killed(checked: Checked): Promise<void> {
  const { stage, prod } = checked;
  await check(checked, 'kept', template('runs'));
  await application(checked, 'kept');
  const before = await jobOf(checked, 'kept');
  await stage.restart('SIGKILL');
  await blocked(checked, 'kept', /^Check smoke runs/);
  await endPod(checked, before, 'Succeeded');
  await runs(checked, prod, 'kept', '1');
  await eventually(async () => (await jobsOf(checked, 'kept')).length === 0, {
    describe: 'the Job to be gone, and no other one to be made',
  });
}

async function couldNotRun(checked: Checked, t: TestContext): Promise<void> {
  const { stage, prod } = checked;
  await check(checked, 'odd', { spec: { containers: [] } });
  await application(checked, 'odd');
  const waiting = await blocked(checked, 'odd', /^Check smoke could not run in environment/);
  const [gate] = environmentOf(waiting.status, prod.name)?.blockedBy ?? [];
  assert.match(gate?.message ?? '', /containers/);
  const metrics = await stage.operator.metrics();
  assert.match(metrics, /^towpath_checks_total\{outcome="CouldNotRun"\} [1-9]/m);
  assert.match(metrics, /^towpath_checks_total\{outcome="Failed"\} 0$/m);
  const { towpath } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
  const why = (await towpath('why', 'odd', prod.name)).stdout.replaceAll(/\s+/g, ' ');
  assert.match(why, /Checks.* Check smoke could not run in environment .*containers/);
  assert.ok(gate?.clearsAt !== undefined, 'it is tried again');
  await check(checked, 'odd', template('completes'));
  await runs(checked, prod, 'odd', '1');
}

async function verifies(checked: Checked): Promise<void> {
  const { stage, staging, prod } = checked;
  await verifying(checked, 'back', template('runs'));
  await application(checked, 'back');
  const first = await jobOf(checked, 'back');
  await stage.until(
    'back',
    ({ status }) => {
      const [gate] = environmentOf(status, prod.name)?.blockedBy ?? [];
      return gate?.reason === 'Order' && /verifies it: Check smoke runs/.test(gate.message);
    },
    'prod to wait for what is verified',
  );
  await endPod(checked, first, 'Succeeded');
  await runs(checked, prod, 'back', '1');
  const next = await stage.repository.commit(files('back', '2'));
  await runs(checked, staging, 'back', '2');
  const second = await jobOf(checked, 'back', first);
  await endPod(checked, second, 'Failed');
  await runs(checked, staging, 'back', '1');
  const after = await stage.until(
    'back',
    ({ status }) =>
      environmentOf(status, staging.name)?.history?.[0]?.trigger === 'Rollback' &&
      environmentOf(status, staging.name)?.blockedBy?.[0]?.reason === 'Rejected',
    'staging to be gone back, and to say that it rejects the second',
  );
  const failed = environmentOf(after.status, staging.name)?.history?.[1];
  assert.deepEqual([failed?.revision, failed?.outcome], [next, 'RolledBack']);
  assert.match(failed?.message ?? '', /Check smoke failed: .*exit code 3/);
  await runs(checked, prod, 'back', '1');
}

/** @param why undefined: it waits for nothing */
async function recordSays(
  { stage }: Checked,
  promotion: string,
  phase: string,
  why: RegExp | undefined,
): Promise<void> {
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${stage.namespace}/promotions/${promotion}`;
  await eventually(
    async () => {
      const { status, body } = await stage.cluster.request('GET', path);
      const told = parsePromotion(status === 200 ? JSON.parse(body) : undefined)?.status;
      const [first] = told?.blockedBy ?? [];
      return (
        told?.phase === phase && (why === undefined ? first === undefined : why.test(first?.message ?? ''))
      );
    },
    { describe: `the record to say ${phase}: ${why}` },
  );
}

async function saysWhy(checked: Checked): Promise<void> {
  const { staging, prod } = checked;
  const says = (phase: string, why: RegExp | undefined) =>
    recordSays(checked, `stuck-${staging.name}-1`, phase, why);
  await verifying(checked, 'stuck', { spec: { containers: [] } });
  await application(checked, 'stuck');
  await says('Verifying', /^Check smoke could not run in environment .*containers/);
  await verifying(checked, 'stuck', template('runs'));
  await says('Verifying', /^Check smoke runs in environment/);
  await endPod(checked, await jobOf(checked, 'stuck'), 'Succeeded');
  await says('Succeeded', undefined);
  await runs(checked, prod, 'stuck', '1');
}

async function goesOn({ stage, prod }: Checked, t: TestContext): Promise<void> {
  const guarded = await newEnvironment(t, stage, 'guarded', { requirePolicy: true });
  const checked = { stage, staging: guarded, prod };
  const policy = (name: string) => verifying(checked, name, template('runs'), { onFailure: 'Rollback' });
  await policy('lost');
  await application(checked, 'lost');
  const first = await jobOf(checked, 'lost');
  await endPod(checked, first, 'Succeeded');
  await eventually(async () => (await jobsOf(checked, 'lost')).length === 0, {
    describe: 'the first to have passed',
  });
  await stage.repository.commit(files('lost', '2'));
  const second = await jobOf(checked, 'lost', first);
  await stage.kubectl('delete', 'promotionpolicies.towpath.dev', 'lost');
  const newest = await stage.repository.commit(files('lost', '3'));
  await stage.until(
    'lost',
    ({ status }) => {
      const entry = environmentOf(status, guarded.name);
      return entry?.desiredRevision === newest && entry.blockedBy?.[0]?.reason === 'NoPolicy';
    },
    'what is newer to be kept out',
  );
  assert.deepEqual(
    (await jobsOf(checked, 'lost')).map(({ metadata }) => metadata.uid),
    [second.metadata.uid],
  );
  await recordSays(checked, `lost-${guarded.name}-2`, 'Verifying', /smoke .*begun of that ends, and counts/);
  await endPod(checked, second, 'Failed');
  await runs(checked, guarded, 'lost', '1');
  const back = await stage.until(
    'lost',
    ({ status }) => environmentOf(status, guarded.name)?.history?.[0]?.trigger === 'Rollback',
    'what failed to be gone back from',
  );
  const [, failed] = environmentOf(back.status, guarded.name)?.history ?? [];
  assert.match(failed?.message ?? '', /Check smoke failed: .*exit code 3/);
}

async function stays(checked: Checked): Promise<void> {
  const { stage, staging, prod } = checked;
  await check(checked, 'busy', template('runs'));
  await application(checked, 'busy');
  const first = await jobOf(checked, 'busy');
  const next = await stage.repository.commit(files('busy', '2'));
  await stage.until(
    'busy',
    ({ status }) => {
      const entry = environmentOf(status, staging.name);
      return entry?.desiredRevision === next && entry.blockedBy?.[0]?.reason === 'Checks';
    },
    'staging to stay on what is checked',
  );
  await runs(checked, staging, 'busy', '1');
  await endPod(checked, first, 'Succeeded');
  await runs(checked, prod, 'busy', '1');
  await runs(checked, staging, 'busy', '2');
  const second = await jobOf(checked, 'busy', first);
  await endPod(checked, second, 'Succeeded');
  await runs(checked, prod, 'busy', '2');
  await check(checked, 'busy', template('waits'));
  const third = await stage.repository.commit(files('busy', '3'));
  const { spec } = await jobOf(checked, 'busy', second);
  const { env } = spec.template.spec.containers[0] ?? { env: [] };
  assert.ok(
    env.some(({ name, value }) => name === 'TOWPATH_REVISION' && value === third),
    'for what had entered before the policy was edited none is run',
  );
  await stage.kubectl('delete', 'application', 'busy', '--wait=true');
  await eventually(async () => (await jobsOf(checked, 'busy')).length === 0, {
    describe: 'its Jobs to go with it',
  });
}
