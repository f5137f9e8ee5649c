import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { SKIPPABLE_GATES } from '../../operator/api/v1alpha1/promotion.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import {
  ask,
  BEN,
  became,
  installPromotionPolicies,
  letCommand,
  OLGA,
  taken,
} from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';

const MERGE = { contentType: 'application/merge-patch+json' };

/** Three waves, each of which says which version it is of; the one in the middle waits for a node for its namespace. */
const chart = (version: string) => ({
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'templates/all.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {says: "${version}"}
---
apiVersion: v1
kind: Pod
metadata: {name: "web-${version}", annotations: {towpath.dev/wave: "1"}}
spec:
  terminationGracePeriodSeconds: 0
  nodeSelector: {"{{ .Release.Namespace }}": "yes"}
  containers: [{name: main, image: example.invalid/main}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: last, annotations: {towpath.dev/wave: "2"}}
data: {says: "${version}"}
`,
});

/** Prod requires a policy, and verifies for an hour what has entered. */
async function newGuarded(t: TestContext) {
  const admission = `promotions-${randomBytes(5).toString('hex')}`;
  const stage = await newStage(t, {
    flags: [...fastLease, `--promotion-policy=${admission}`],
    files: chart('1'),
  });
  const { cluster, namespace, repository } = stage;
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod', { requirePolicy: true });
  const inProd = ({ status }: Application) => environmentOf(status, prod.name);
  const policy = (name: string, verify: object = {}) =>
    stage.apply({
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'PromotionPolicy',
      metadata: { name },
      spec: {
        selector: { matchLabels: { tier: 'web' } },
        stages: [
          { name: 'staging', environments: [staging.name] },
          { name: 'prod', after: ['staging'], environments: [prod.name], ...verify },
        ],
      },
    });
  const application = (metadata: object, spec: object = {}) =>
    stage.apply({
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Application',
      metadata: { name: 'web', labels: { tier: 'web' }, ...metadata },
      spec: {
        source: { repoURL: stage.repoURL, interval: '1s' },
        environments: [{ name: staging.name }, { name: prod.name }],
        ...spec,
      },
    });
  const said = async (name: string) => {
    const path = `/api/v1/namespaces/${prod.namespace}/configmaps/${name}`;
    const { status, body } = await cluster.request('GET', path);
    return status === 200 ? (JSON.parse(body) as { data: { says: string } }).data.says : undefined;
  };
  const says = (name: string, version: string) =>
    eventually(
      async () => {
        const now = await said(name);
        if (now === version) return true;
        const { status } = await stage.get('web');
        throw new Error(
          `${now}: ${JSON.stringify(status?.environments?.map(({ history: _, ...of }) => of))}`,
        );
      },
      { describe: `prod to have ${version} in ${name}` },
    );
  /** What is newer is kept out of prod, and what there is goes on. */
  const keptOut = async (version: string, reason: string, words: RegExp) => {
    const revision = await repository.commit(chart(version));
    const told = await stage.until(
      'web',
      (of) =>
        inProd(of)?.desiredRevision === revision &&
        inProd(of)?.blockedBy?.[0]?.reason === reason &&
        of.status?.source?.revision === revision,
      `prod to say ${reason}`,
    );
    const message = inProd(told)?.message ?? '';
    assert.match(message, words);
    assert.match(message, /nothing new enters, and what has its first write goes on/);
    return told;
  };
  const outcomes = (of: Application) =>
    inProd(of)?.history?.map(({ outcome, trigger }) => `${trigger} ${outcome}`);
  const pod = (version: string) => `/api/v1/namespaces/${prod.namespace}/pods/web-${version}`;
  /** There is a node for what waits for one, or none any more. */
  const nodeIs = async (environment: StagedEnvironment, is: 'yes' | null) => {
    const { body } = await cluster.request('GET', '/api/v1/nodes');
    const [node] = (JSON.parse(body) as { items: { metadata: { name: string } }[] }).items;
    const labels = { metadata: { labels: { [environment.namespace]: is } } };
    await cluster.request('PATCH', `/api/v1/nodes/${node?.metadata.name}`, { body: labels, ...MERGE });
  };
  await letCommand(cluster, namespace, BEN, prod.name, ['promote', 'override']);
  await letCommand(cluster, namespace, OLGA, prod.name, ['rollback', 'retry']);
  await installPromotionPolicies(t, cluster, 'Validating', { name: admission, namespace });
  const asked = (as: typeof BEN, spec: { type: string } & Record<string, unknown>) =>
    ask(cluster, namespace, as, { application: 'web', environment: prod.name, ...spec });
  const until = (name: string, phase: string) => became(cluster, namespace, name, phase);
  const verbs = { policy, application, said, says, keptOut, outcomes, pod, nodeIs, asked, until };
  return { stage, staging, prod, inProd, ...verbs };
}

test('S14, A2: where an Environment requires a policy, and loses it, what has its first write goes on, through waves, verify and going back; nothing new enters', async (t) => {
  const guarded = await newGuarded(t);
  const { stage, staging, prod, inProd, policy, application, said, says, keptOut, outcomes, pod } = guarded;
  const { nodeIs, asked, until } = guarded;
  const { cluster, repository } = stage;
  await policy('standard');
  for (const environment of [staging, prod]) {
    await nodeIs(environment, 'yes');
    t.after(() => nodeIs(environment, null));
  }
  await application({});
  await stage.untilReadyAt('web', await repository.revParse('main'));
  assert.equal(await said('last'), '1');

  // Between two waves, the Application comes under no policy.
  await policy('standard', { verify: { for: '1h' } });
  await nodeIs(prod, null);
  const second = await repository.commit(chart('2'));
  await eventually(async () => (await cluster.request('GET', pod('2'))).status === 200, {
    describe: 'the second wave to wait',
  });
  await stage.kubectl('label', '--overwrite', 'applications.towpath.dev', 'web', 'tier=other');
  await keptOut('3', 'NoPolicy', /none of its namespace selects this Application/);
  assert.equal(await said('last'), '1');
  await nodeIs(prod, 'yes');
  await says('last', '2');

  // While it is verified drift is repaired, and what fails is gone back from, as the policy said then.
  await stage.until(
    'web',
    (of) => inProd(of)?.history?.[0]?.revision === second && outcomes(of)?.[0] === 'Promotion Succeeded',
    'the second to be deployed to the end',
  );
  await cluster.request('DELETE', `/api/v1/namespaces/${prod.namespace}/configmaps/last`);
  await says('last', '2');
  const failed = { status: { phase: 'Failed', message: 'no such table' } };
  await cluster.request('PATCH', `${pod('2')}/status`, { body: failed, ...MERGE });
  const back = await stage.until(
    'web',
    (of) => outcomes(of)?.[0] === 'Rollback Succeeded',
    'prod to go back from what failed',
  );
  assert.deepEqual(outcomes(back), ['Rollback Succeeded', 'Promotion RolledBack', 'Promotion Succeeded']);
  assert.deepEqual([await said('web'), await said('last')], ['1', '1']);

  // What came meanwhile enters when a policy has it again.
  await stage.kubectl('label', '--overwrite', 'applications.towpath.dev', 'web', 'tier=web');
  await says('last', '3');

  // Two policies are one too many; neither keeps on-call from going back, nor can anybody promote past that.
  await policy('another');
  const contested = await keptOut('4', 'PolicyContested', /another and standard all select this Application/);
  const newest = { type: 'Promote', candidate: contested.status?.source?.candidate };
  const past = taken(await asked(BEN, { ...newest, skipGates: SKIPPABLE_GATES, reason: 'now' }));
  const gated = await until(past, 'Gated');
  assert.deepEqual(
    gated.status?.blockedBy?.map(({ reason }) => reason),
    ['PolicyContested'],
  );
  const first = inProd(contested)?.history?.at(-1);
  await until(taken(await asked(OLGA, { type: 'Rollback', historyID: first?.id })), 'Succeeded');
  assert.deepEqual([await said('web'), await said('last')], ['1', '1']);

  // Deleted and made again under the same name it may take over what is there, and brings nothing.
  for (const name of ['another', 'standard'])
    await stage.kubectl('delete', 'promotionpolicies.towpath.dev', name);
  await application({}, { deletionPolicy: 'Orphan' });
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=60s');
  const fifth = await repository.commit(chart('5'));
  await application({ annotations: { 'towpath.dev/adopt': 'true' } });
  await stage.until(
    'web',
    (of) =>
      inProd(of)?.blockedBy?.[0]?.reason === 'NoPolicy' &&
      environmentOf(of.status, staging.name)?.revision === fifth,
    'staging to have the newest, and prod to ask for a policy',
  );
  assert.deepEqual([await said('web'), await said('last')], ['1', '1']);
});
