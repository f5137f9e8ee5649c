import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startChartRepository } from '../harness/chart-repository.ts';
import { conditionOf, fastLease, newStage, type Stage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** A chart with one ConfigMap, called as the release; its text says of which version and with which values. */
function podinfo(version: string, mark = ''): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: podinfo\nversion: ${version}\nappVersion: "1.0"\n`,
    'values.yaml': 'size: small\n',
    'templates/a.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {text: "{{ .Chart.Version }} {{ .Values.size }}${mark}"}\n`,
  };
}

const textOf = (stage: Stage, name: string) =>
  stage.kubectl('get', 'configmap', name, '-o', 'jsonpath={.data.text}');

const untilText = (stage: Stage, name: string, text: string) =>
  eventually(async () => (await textOf(stage, name)) === text, { describe: `${name} to be ${text}` });

test('A4: a chart that somebody published is deployed with own values, and runs on when its repository is gone', async (t) => {
  const published = await startChartRepository();
  t.after(() => published.stop());
  await published.publish(podinfo('1.0.0'));
  const chart = { repoURL: published.url, name: 'podinfo' };
  const stage = await newStage(t, {
    files: { 'values/ours.yaml': 'size: large\n', 'other.txt': 'x' },
    flags: [...fastLease, `--ca-file=${published.caFile}`],
  });

  await t.test('with nothing in Git: ten lines of YAML, and the status says which version runs', async () => {
    await stage.apply({
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Application',
      metadata: { name: 'alone' },
      spec: { helm: { chart: { ...chart, version: '1.0.0' }, values: { size: 'medium' } } },
    });
    const { status } = await stage.untilReadyAt('alone', '1.0.0');
    assert.equal(await textOf(stage, 'alone'), '1.0.0 medium');
    assert.match(await stage.kubectl('get', 'applications', 'alone'), / 1\.0\.0 /);
    const { digest = '', ...source } = status?.source?.chart ?? {};
    assert.deepEqual(source, { ...chart, version: '1.0.0' });
    assert.match(digest, DIGEST);
    const [entry] = environmentOf(status)?.history ?? [];
    assert.equal(entry?.revision, '1.0.0');
    assert.equal(entry.chart, 'podinfo-1.0.0');
    assert.equal(entry.chartDigest, digest);
    const { towpath } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
    const operator = `--operator-namespace=${stage.namespace}`;
    const waited = await towpath('wait', 'alone', '--revision=1.0.0', operator);
    assert.equal(waited.code, 0, waited.stderr);
    assert.match((await towpath('history', 'alone', operator)).stdout, / 1\.0\.0 +podinfo-1\.0\.0 /);
  });

  await t.test('with values files of Git, both are told, and either makes a candidate', async () => {
    const spec = {
      source: {},
      helm: { chart: { ...chart, version: '^1.0.0', interval: '1h' }, valuesFiles: ['values/ours.yaml'] },
    };
    const first = await stage.repository.revParse('main');
    await stage.application('both', spec);
    const { status } = await stage.untilReadyAt('both', `1.0.0@${first}`);
    assert.equal(await textOf(stage, 'both'), '1.0.0 large');
    assert.equal(status?.summary?.revision, `1.0.0 main@${first.slice(0, 7)}`);
    assert.equal(status.source?.ref, 'refs/heads/main');
    assert.equal(published.count('podinfo-1.0.0.tgz'), 1, 'fetched once for both');
    await stage.repository.commit({ 'values/ours.yaml': 'size: huge\n' });
    await untilText(stage, 'both', '1.0.0 huge');
  });

  await t.test('a newer version in the range is deployed as soon as a sync is asked for', async () => {
    await published.publish(podinfo('1.1.0'));
    await stage.requestSync('both');
    await untilText(stage, 'both', '1.1.0 huge');
    const commit = await stage.repository.revParse('main');
    const { status } = await stage.untilReadyAt('both', `1.1.0@${commit}`);
    assert.equal(status?.source?.chart?.version, '1.1.0');
    assert.equal(await textOf(stage, 'alone'), '1.0.0 medium', 'an exact version is never left');
  });

  await t.test('a version that is not there is told with those that are', async () => {
    await stage.application('missing', { helm: { chart: { ...chart, version: '9.0.0' } } });
    const told = await stage.until(
      'missing',
      (application) => conditionOf(application, 'Stalled')?.reason === 'ChartNotFound',
      'the status to tell of the version',
    );
    const { message = '' } = conditionOf(told, 'Stalled') ?? {};
    assert.match(message, /has no version 9\.0\.0 of chart podinfo\. It has 1\.0\.0, 1\.1\.0\./);
    assert.match(message, /correct spec\.helm\.chart\.$/);
  });

  await t.test('with the repository down, after a restart too, what was accepted is enforced', async () => {
    published.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    published.requests.length = 0;
    await stage.restart();
    for (const [name, text] of [
      ['alone', '1.0.0 medium'],
      ['both', '1.1.0 huge'],
    ] as const) {
      await stage.kubectl('patch', 'configmap', name, '-p', '{"data":{"text":"drift"}}');
      await untilText(stage, name, text);
    }
    const told = await stage.until(
      'both',
      (application) => conditionOf(application, 'Reconciling')?.reason === 'ServerError',
      'the status to tell of the repository',
    );
    assert.equal(conditionOf(told, 'Ready')?.status, 'True');
    assert.equal(conditionOf(await stage.get('alone'), 'Ready')?.status, 'True');
    assert.equal(published.count('.tgz'), 0, 'nothing that runs is fetched again');
  });

  await t.test('S9: a version that was replaced is refused with both digests', async () => {
    await published.publish(podinfo('1.0.0', ' replaced'));
    published.intercept = undefined;
    await stage.application('alone', {
      helm: { chart: { ...chart, version: '1.0.0' }, values: { size: 'tiny' } },
    });
    const told = await stage.until(
      'alone',
      (application) => conditionOf(application, 'Stalled')?.reason === 'ChartReplaced',
      'the chart to be refused',
    );
    const { message = '' } = conditionOf(told, 'Stalled') ?? {};
    const digests = [...message.matchAll(/sha256:[0-9a-f]{64}/g)].map(([digest]) => digest);
    assert.equal(new Set(digests).size, 2, message);
    assert.equal(await textOf(stage, 'alone'), '1.0.0 medium');
    await stage.application('alone', {
      helm: { chart: { ...chart, version: '1.1.0' }, values: { size: 'tiny' } },
    });
    await untilText(stage, 'alone', '1.1.0 tiny');
  });
});
