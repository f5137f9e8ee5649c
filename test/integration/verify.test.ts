import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type Application,
  type EnvironmentStatus,
  environmentOf,
} from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf, fastLease, newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

/** A Pod and a hook for each event, all of which say which version they are of. */
function chart(name: string, version: string) {
  const hook = (event: string) =>
    `---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}-${event}\n  annotations: {helm.sh/hook: ${event}}\ndata: {says: "${version}"}\n`;
  return {
    [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 1.0.${version}\n`,
    [`${name}/templates/all.yaml`]: `apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: {says: "${version}"}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}-${version}}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: example.invalid/main}]}
${['pre-upgrade', 'post-upgrade', 'pre-rollback', 'post-rollback'].map(hook).join('')}`,
  };
}

interface Verified {
  readonly stage: Stage;
  readonly staging: StagedEnvironment;
  readonly prod: StagedEnvironment;
}

const entryIn = ({ status }: Application, { name }: StagedEnvironment): EnvironmentStatus =>
  environmentOf(status, name) ?? { name };

const outcomesIn = (of: Application, environment: StagedEnvironment) =>
  entryIn(of, environment).history?.map(({ outcome, trigger }) => `${trigger} ${outcome}`);

/** Its name is the tier of its Applications, too; `verify` is of its stages by name. */
async function policy({ stage, staging, prod }: Verified, name: string, verify: Record<string, object>) {
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name },
    spec: {
      selector: { matchLabels: { tier: name } },
      stages: [
        { name: 'staging', environments: [staging.name] },
        { name: 'prod', after: ['staging'], environments: [prod.name] },
      ].map((one) => ({ ...one, ...(verify[one.name] && { verify: verify[one.name] }) })),
    },
  });
}

async function application({ stage, staging, prod }: Verified, name: string, values: object = {}) {
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, labels: { tier: name } },
    spec: {
      source: { repoURL: stage.repoURL, interval: '1s', path: name },
      helm: { values },
      environments: [{ name: staging.name }, { name: prod.name }],
    },
  });
}

/** What a ConfigMap says there; undefined where there is none. */
async function saidBy({ cluster }: Stage, { namespace }: StagedEnvironment, name: string) {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/${name}`);
  return status === 200 ? (JSON.parse(body) as { data: { says: string } }).data.says : undefined;
}

function says({ stage }: Verified, environment: StagedEnvironment, name: string, version: string) {
  return eventually(async () => (await saidBy(stage, environment, name)) === version, {
    describe: `${environment.name} to have version ${version} of ${name}`,
  });
}

/** As a node does whose container ended. */
async function breakPod({ stage: { cluster } }: Verified, { namespace }: StagedEnvironment, name: string) {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
  const { status, body } = await cluster.request('PATCH', path, {
    body: { status: { phase: 'Failed', message: 'no such table' } },
    contentType: 'application/merge-patch+json',
  });
  assert.equal(status, 200, body);
}

/** Until it is deployed there to the end, and is being verified. */
function isVerified({ stage }: Verified, environment: StagedEnvironment, name: string, revision: string) {
  return stage.until(
    name,
    (of) =>
      entryIn(of, environment).revision === revision &&
      /being verified/.test(entryIn(of, environment).message ?? ''),
    `${environment.name} to verify ${revision.slice(0, 7)}`,
  );
}

test('verify: what has to become of what entered an environment', async (t) => {
  const names = ['keep', 'back', 'first', 'quota'];
  const stage = await newStage(t, {
    flags: fastLease,
    files: Object.assign({}, ...names.map((name) => chart(name, '1'))),
  });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  const verified = { stage, staging, prod };
  const run = (name: string, what: (verified: Verified, t: TestContext) => Promise<void>) =>
    t.test(name, (of) => what(verified, of));

  await run(
    'Keep: what fails stays, the next stage never gets it, and its fix enters by itself',
    keepsWhatFailed,
  );
  await run(
    'A27: with nothing to go back to, or as long as that is refused, it stays where it is, and says so',
    staysWhereItIs,
  );
  await run(
    'D12, A28: Rollback: what fails is gone back from, once, with Git down; its bytes are rejected under any name',
    goesBack,
  );
});

const VERIFY_MS = 3_000;
const LONG = '1h';

async function keepsWhatFailed(verified: Verified): Promise<void> {
  const { stage, staging, prod } = verified;
  await policy(verified, 'keep', { staging: { for: `${VERIFY_MS}ms`, onFailure: 'Keep' } });
  await application(verified, 'keep');
  const waiting = await stage.until(
    'keep',
    (of) => entryIn(of, prod).blockedBy?.[0]?.clearsAt !== undefined,
    'prod to say until when staging verifies',
  );
  assert.match(entryIn(waiting, prod).message ?? '', /verifies it: it has to stay healthy/);
  assert.equal(conditionOf(waiting, 'Stalled'), undefined);
  await says(verified, prod, 'keep', '1');
  const ready = await stage.untilReadyAt('keep', await stage.repository.revParse('main'));
  const [through] = entryIn(ready, staging).history ?? [];
  const [begun] = entryIn(ready, prod).history ?? [];
  // Times in a history have whole seconds.
  const tookMs = Date.parse(begun?.startedAt ?? '') - Date.parse(through?.finishedAt ?? '');
  assert.ok(tookMs >= VERIFY_MS - 1_000, `prod got it after ${tookMs} ms`);

  // What has its first write is verified as was said then.
  await policy(verified, 'keep', { staging: { for: LONG, onFailure: 'Keep' } });
  const broken = await stage.repository.commit(chart('keep', '2'));
  await isVerified(verified, staging, 'keep', broken);
  await policy(verified, 'keep', {});
  await breakPod(verified, staging, 'keep-2');
  const failed = await stage.until(
    'keep',
    (of) =>
      entryIn(of, staging).sync === 'Failed' &&
      /failed in environment .* rejected it/.test(entryIn(of, prod).message ?? ''),
    'staging to fail, and prod to know',
  );
  assert.equal(conditionOf(failed, 'Stalled')?.reason, 'VerifyFailed');
  assert.match(entryIn(failed, staging).message ?? '', /no such table/);
  assert.deepEqual(outcomesIn(failed, staging), ['Commit Failed', 'Commit Succeeded']);
  const metrics = await stage.operator.metrics();
  assert.match(metrics, /^towpath_verifications_total\{outcome="Failed",on_failure="Keep"\} 1$/m);
  assert.match(metrics, /^towpath_verifications_total\{outcome="Passed",on_failure="Keep"\} [1-9]/m);
  assert.match(metrics, /^towpath_verifications_total\{outcome="Failed",on_failure="Rollback"\} 0$/m);
  const request = await stage.requestSync('keep');
  const asked = await stage.until('keep', ({ status }) => status?.handledSyncRequest === request, 'a look');
  assert.equal(entryIn(asked, staging).history?.length, 2, 'nobody who asks for a sync begins it anew');
  assert.equal(await saidBy(stage, prod, 'keep'), '1');

  const fixed = await stage.repository.commit(chart('keep', '3'));
  await says(verified, prod, 'keep', '3');
  await stage.untilReadyAt('keep', fixed);
}

async function staysWhereItIs(verified: Verified): Promise<void> {
  const { stage, staging } = verified;
  const verify = { staging: { for: LONG } };
  await policy(verified, 'first', verify);
  await application(verified, 'first');
  const first = await stage.repository.revParse('main');
  await isVerified(verified, staging, 'first', first);
  await breakPod(verified, staging, 'first-1');
  const failed = await stage.until('first', (of) => entryIn(of, staging).sync === 'Failed', 'it to fail');
  assert.match(entryIn(failed, staging).history?.[0]?.message ?? '', /no such table/);
  assert.deepEqual(outcomesIn(failed, staging), ['Commit Failed']);
  assert.equal(conditionOf(failed, 'Stalled')?.status, 'True');

  await policy(verified, 'quota', {});
  await application(verified, 'quota');
  await stage.untilReadyAt('quota', first);
  await policy(verified, 'quota', verify);
  const second = await stage.repository.commit(chart('quota', '2'));
  await isVerified(verified, staging, 'quota', second);
  const quota = `/api/v1/namespaces/${staging.namespace}/resourcequotas`;
  const made = await stage.cluster.request('POST', quota, {
    body: { metadata: { name: 'no-pods' }, spec: { hard: { pods: '0' } } },
  });
  assert.equal(made.status, 201, made.body);
  await eventually(
    async () =>
      /"pods":"0"/.test(
        (await stage.cluster.request('GET', `${quota}/no-pods`)).body.split('"status"')[1] ?? '',
      ),
    { describe: 'the quota to hold' },
  );
  await breakPod(verified, staging, 'quota-2');
  const refused = await stage.until(
    'quota',
    (of) => /quota/.test(entryIn(of, staging).message ?? '') && entryIn(of, staging).sync === 'Blocked',
    'going back to be refused',
  );
  assert.equal(await saidBy(stage, staging, 'quota'), '2');
  assert.match(entryIn(refused, staging).history?.[0]?.message ?? '', /no such table/);
  assert.equal(outcomesIn(refused, staging)?.[0], 'Commit Failed');
  await stage.cluster.request('DELETE', `${quota}/no-pods`);
  // Once that clears, it goes back after all.
  await says(verified, staging, 'quota', '1');
}

async function goesBack(verified: Verified, t: TestContext): Promise<void> {
  const { stage, prod } = verified;
  await policy(verified, 'back', { prod: { for: '1s' } });
  await application(verified, 'back');
  await says(verified, prod, 'back', '1');
  const first = await stage.repository.revParse('main');
  await stage.until(
    'back',
    (of) => entryIn(of, prod).sync === 'Synced' && !/verified/.test(entryIn(of, prod).message ?? ''),
    'the first to pass',
  );
  await policy(verified, 'back', { prod: { for: LONG } });
  const second = await stage.repository.commit(chart('back', '2'));
  await isVerified(verified, prod, 'back', second);
  assert.equal(await saidBy(stage, prod, 'back-pre-rollback'), undefined);
  await stage.git.stop();
  await breakPod(verified, prod, 'back-2');
  const back = await stage.until(
    'back',
    (of) => outcomesIn(of, prod)?.[0] === 'Rollback Succeeded',
    'prod to go back',
  );
  assert.equal(await saidBy(stage, prod, 'back'), '1');
  assert.equal(entryIn(back, prod).revision, first);
  assert.deepEqual(outcomesIn(back, prod), [
    'Rollback Succeeded',
    'Promotion RolledBack',
    'Promotion Succeeded',
  ]);
  assert.match(entryIn(back, prod).history?.[1]?.message ?? '', /no such table/);
  const hooks = ['pre-upgrade', 'post-upgrade', 'pre-rollback', 'post-rollback'];
  const said = await Promise.all(hooks.map((event) => saidBy(stage, prod, `back-${event}`)));
  assert.deepEqual(said, ['2', '2', '1', '1'], 'those of the candidate gone back to, and of that event');

  await stage.operator.stop('SIGKILL');
  const again = await startGitHttp({ root: stage.repository.root, port: stage.git.port });
  t.after(() => again.stop());
  await stage.restart();
  const isRejected = (of: Application) =>
    entryIn(of, prod).blockedBy?.[0]?.reason === 'Rejected' && entryIn(of, prod).sync === 'Waiting';
  const rejected = await stage.until('back', isRejected, 'prod to reject it');
  assert.match(entryIn(rejected, prod).message ?? '', /no such table/);
  // The same bytes of another spec.
  await application(verified, 'back', { unused: true });
  const { metadata } = await stage.get('back');
  const renamed = await stage.until(
    'back',
    (of) => of.status?.observedGeneration === metadata.generation && isRejected(of),
    'the same bytes to be rejected',
  );
  assert.equal(await saidBy(stage, prod, 'back'), '1');
  assert.equal(entryIn(renamed, prod).history?.length, 3);
  const third = await stage.repository.commit(chart('back', '3'));
  await says(verified, prod, 'back', '3');
  await isVerified(verified, prod, 'back', third);
}
