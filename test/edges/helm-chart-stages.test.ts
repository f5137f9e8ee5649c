import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { LedgerEntry } from '../../operator/api/v1alpha1/ledger.ts';
import { installPolicies, say } from '../harness/approvals.ts';
import { startChartRepository } from '../harness/chart-repository.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { promotionsOf } from '../harness/ledger.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { installPromotionPolicies, letCommand, OLGA } from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';

const MINUTE = 60_000;
const ANNA = { user: 'anna', groups: ['system:masters', 'release-managers'] };

/** A chart with one ConfigMap, called as the release; its text says of which version and with which values. */
function podinfo(version: string, mark = ''): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: podinfo\nversion: ${version}\n`,
    'values.yaml': 'size: small\n',
    'templates/a.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {text: "{{ .Chart.Version }} {{ .Values.size }}${mark}"}\n`,
  };
}

/** An Application of a published chart in two stages, of which the second wants a person's yes and a short soak. */
async function newGround(t: TestContext) {
  const published = await startChartRepository();
  t.after(() => published.stop());
  await published.publish(podinfo('1.0.0'));
  const policy = `charts-${randomBytes(5).toString('hex')}`;
  const stage = await newStage(t, {
    flags: [
      ...fastLease,
      `--ca-file=${published.caFile}`,
      `--approval-policy=${policy}-approvals`,
      `--promotion-policy=${policy}`,
    ],
  });
  const { cluster, namespace } = stage;
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  await installPolicies(t, cluster, 'Validating', { name: `${policy}-approvals`, namespaces: [namespace] });
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  await letCommand(cluster, namespace, OLGA, prod.name, ['rollback']);
  const gates = { soak: '1s', approvals: { required: 1, groups: ['release-managers'] } };
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'standard', namespace },
    spec: {
      selector: {},
      stages: [
        { name: 'staging', environments: [staging.name] },
        { name: 'prod', after: ['staging'], environments: [prod.name], gates },
      ],
    },
  });
  await stage.application('web', {
    helm: { chart: { repoURL: published.url, name: 'podinfo', version: '1.x', interval: '1s' } },
    environments: [{ name: staging.name }, { name: prod.name, values: { size: 'large' } }],
    // Longer than prod is frozen: staging stays on what has soaked.
    sync: { timeout: '10m' },
  });
  const freeze = (freezes: readonly object[]) =>
    stage.kubectl(
      ...['patch', 'environment', prod.name, '--type=merge', '-p', JSON.stringify({ spec: { freezes } })],
    );
  const says = async ({ namespace: where }: StagedEnvironment) => {
    const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${where}/configmaps/web`);
    return status === 200 ? (JSON.parse(body) as { data: { text: string } }).data.text : undefined;
  };
  const inStaging = ({ status }: Application) => environmentOf(status, staging.name);
  const inProd = ({ status }: Application) => environmentOf(status, prod.name);
  const ranIn = (environment: StagedEnvironment, revision: string) =>
    stage.until(
      'web',
      ({ status }) => {
        const { revision: runs, history = [] } = environmentOf(status, environment.name) ?? {};
        return runs === revision && history[0]?.outcome === 'Succeeded';
      },
      `${environment.name} to run ${revision}`,
    );
  const reasons = (of: Application) => (inProd(of)?.blockedBy ?? []).map(({ reason }) => reason);
  /** Says yes to the manifests of a version that wait; resolves with their digest. */
  const approve = async (version: string): Promise<string> => {
    const told = await stage.until(
      'web',
      (of) => inProd(of)?.desiredRevision === version && reasons(of).includes('AwaitingApproval'),
      `prod to wait for a yes to ${version}`,
    );
    const digest = inProd(told)?.desiredDigest ?? '';
    const said = { application: 'web', environment: prod.name, digest };
    const { status, body } = await say(cluster, namespace, ANNA, said);
    assert.equal(status, 201, body);
    return digest;
  };
  const digestOf = async (version: string) => {
    const packed = await readFile(join(published.directory, `podinfo-${version}.tgz`));
    return `sha256:${createHash('sha256').update(packed).digest('hex')}`;
  };
  return {
    published,
    stage,
    staging,
    prod,
    freeze,
    says,
    inStaging,
    inProd,
    ranIn,
    reasons,
    approve,
    digestOf,
  };
}

test('A4, D7, D12, A26: a version of a published chart that was approved enters prod as exactly its bytes, whatever is published meanwhile, with the repository down and the operator killed, and a rollback goes back without it', async (t) => {
  const ground = await newGround(t);
  const { published, stage, staging, prod, freeze, says, inStaging, inProd, ranIn, reasons } = ground;
  const { cluster, namespace } = stage;
  await ranIn(staging, '1.0.0');
  assert.equal(await says(prod), undefined, 'nothing enters without a yes');
  await ground.approve('1.0.0');
  await ranIn(prod, '1.0.0');
  assert.equal(await says(prod), '1.0.0 large');
  const first = await ground.digestOf('1.0.0');

  await freeze([
    {
      from: '2026-01-01T00:00:00Z',
      until: new Date(Date.now() + 5 * MINUTE).toISOString(),
      reason: 'a test',
    },
  ]);
  await published.publish(podinfo('1.1.0'));
  const second = await ground.digestOf('1.1.0');
  await ranIn(staging, '1.1.0');
  const approved = await ground.approve('1.1.0');
  await stage.until('web', (of) => reasons(of).join() === 'Frozen', 'prod to wait for its freeze alone');
  await published.publish(podinfo('1.2.0'));
  const waiting = await stage.until(
    'web',
    (of) =>
      inStaging(of)?.desiredRevision === '1.2.0' &&
      inStaging(of)?.sync === 'Waiting' &&
      inProd(of)?.desiredRevision === '1.2.0',
    'both to know of what is newer, and staging to stay on what prod may take',
  );
  assert.equal(inStaging(waiting)?.revision, '1.1.0');
  assert.notEqual(inProd(waiting)?.desiredDigest, approved, 'what is newer is not what was approved');

  await t.test('what was approved enters, not what stands under its version by then', async () => {
    await published.publish(podinfo('1.1.0', ' replaced'));
    assert.notEqual(await ground.digestOf('1.1.0'), second);
    published.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    await stage.restart();
    await freeze([]);
    const entered = await ranIn(prod, '1.1.0');
    assert.equal(await says(prod), '1.1.0 large');
    for (const [entry, trigger] of [
      [inStaging(entered), 'Commit'],
      [inProd(entered), 'Promotion'],
    ] as const) {
      const [newest] = (entry?.history ?? []).filter(({ revision }) => revision === '1.1.0');
      assert.equal(newest?.chart, 'podinfo-1.1.0');
      assert.equal(newest.chartDigest, second);
      assert.equal(newest.trigger, trigger);
    }
    assert.equal(inProd(entered)?.digest, approved);
    assert.equal(inProd(entered)?.history?.[0]?.digest, approved);
  });

  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const operator = `--operator-namespace=${namespace}`;
  await t.test('Promotion, at and history say which version with which bytes', async () => {
    const promotion = await eventually(
      async () =>
        (await promotionsOf(stage)).find(
          ({ spec, status }) =>
            spec.environment === prod.name &&
            status?.revision === '1.1.0' &&
            status.approvals !== undefined &&
            status.phase === 'Succeeded',
        ),
      { describe: 'the Promotion to have ended' },
    );
    const { status } = promotion;
    assert.equal(status?.chart, 'podinfo-1.1.0');
    assert.equal(status.chartDigest, second);
    assert.equal(status.digest, approved);
    assert.deepEqual(
      status.approvals?.map(({ by }) => by),
      ['anna'],
    );
    const row = /^\S+ +web +prod-\S+ +1\.1\.0 +podinfo-1\.1\.0 +Succeeded /m;
    assert.match((await towpath('at', 'web', prod.name, operator)).stdout, row);
    const at = await towpath('at', 'web', prod.name, operator, '-o', 'json');
    const [{ record }] = JSON.parse(at.stdout) as [{ record: LedgerEntry }];
    assert.equal(record.chartDigest, second);
    assert.equal(record.digest, approved);
    const listed = await towpath('history', 'web', prod.name, operator);
    assert.match(listed.stdout, /^prod-\S+ +2 +1\.1\.0 +podinfo-1\.1\.0 +Succeeded +Promotion /m);
    const entries = await towpath('history', 'web', prod.name, operator, '-o', 'json');
    assert.deepEqual(
      (JSON.parse(entries.stdout) as { chartDigest: string }[]).map(({ chartDigest }) => chartDigest),
      [second, first],
    );
  });

  await t.test(
    'who goes back comes to the version before, by another process that cannot reach the repository',
    async () => {
      published.requests.length = 0;
      await stage.restart();
      const asked = await towpath('rollback', 'web', prod.name, `--as=${OLGA.user}`, '-o', 'json');
      assert.equal(asked.code, 0, asked.stderr);
      const { promotion } = JSON.parse(asked.stdout) as { promotion: string };
      const done = await towpath('wait', '--promotion', promotion);
      assert.equal(done.code, 0, done.stdout);
      const back = await ranIn(prod, '1.0.0');
      assert.equal(await says(prod), '1.0.0 large');
      const [newest] = inProd(back)?.history ?? [];
      assert.equal(newest?.trigger, 'Rollback');
      assert.equal(newest.chart, 'podinfo-1.0.0');
      assert.equal(newest.chartDigest, first);
      assert.equal(published.count('podinfo-1.0.0.tgz'), 0, 'it was kept');
    },
  );

  await t.test('with the repository back, what is newer goes on to staging, and prod is held', async () => {
    published.intercept = undefined;
    await ranIn(staging, '1.2.0');
    assert.equal(await says(staging), '1.2.0 small');
    await stage.until('web', (of) => inProd(of)?.sync === 'Held', 'prod to be held');
    assert.equal(await says(prod), '1.0.0 large');
  });
});
