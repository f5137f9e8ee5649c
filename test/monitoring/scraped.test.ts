import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import { newEnvironment } from '../harness/environments.ts';
import type { Stage } from '../harness/operator.ts';
import { kubeConfigOf, newRemoteEnvironment, storeKubeConfig } from '../harness/other-cluster.ts';
import { without } from '../harness/programs.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { eventually } from '../harness/wait.ts';
import { DASHBOARD, installedAlerts } from './alerts.ts';
import { type Prometheus, startPrometheus } from './prometheus.ts';

const skip = without('prometheus', 'promtool');

/** On SIGUSR2 it holds the event loop for longer than the alert allows. */
const blocking = `data:text/javascript,${encodeURIComponent(`
  const used = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1_000; };
  process.on('SIGUSR2', () => { const until = used() + 700; while (used() < until); });
`)}`;

/** Alerts that this test does not bring about, and why; rules.test.ts has series for them. */
const NOT_HERE: Readonly<Record<string, string>> = {
  TowpathTwoLead: 'an operator never does',
  TowpathRolledBack: 'a policy, and what fails after it was healthy: integration/verify',
  TowpathChecksCannotRun: 'a policy, and a Job that cannot be made: integration/checks',
  TowpathChartReplaced: 'a chart repository: integration/chart-repositories',
  TowpathDriftComesBack: 'more than 50 repairs of one object are put off',
  TowpathLookHangs: 'half an hour',
  TowpathLookAbandoned: 'an operator without a defect never does',
  TowpathQueueGrows: 'ten minutes with 50 Applications that wait',
  TowpathDeploymentsUnrecorded: 'a quarter of an hour of what is refused: integration/ledger',
  TowpathMemory: 'an operator has not as much memory in use',
  TowpathDescriptors: 'an operator has not as many connections open',
};

const configMap = (name: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {is: "1"}\n`;
const FILES = {
  'web/web.yaml': configMap('web'),
  'web/old.yaml': configMap('old'),
  'checked/all.yaml': configMap('checked'),
  'broken/a.yaml': `${configMap('broken')}no: {such: field}\n`,
};

async function untilAnswered(
  prometheus: Prometheus,
  what: string,
  expression: string,
  inSeconds?: number,
): Promise<void> {
  await eventually(async () => (await prometheus.count(expression, inSeconds)) > 0, {
    describe: `${what}: an answer to ${expression}`,
  });
}

/** Of the checks of a policy one that passes, and one that goes on. */
async function checked(t: TestContext, stage: Stage): Promise<void> {
  const [staging, prod] = [await newEnvironment(t, stage, 'staging'), await newEnvironment(t, stage, 'prod')];
  const check = (name: string, annotations: object) => {
    const spec = { containers: [{ name: 'smoke', image: 'example.com/smoke:1' }] };
    return { name, job: { spec: { template: { metadata: { annotations }, spec } } } };
  };
  const checks = [check('passes', {}), check('goes-on', { [podAnnotation]: 'runs' })];
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'checked' },
    spec: {
      selector: { matchLabels: { app: 'checked' } },
      stages: [
        { name: 'staging', environments: [staging.name] },
        { name: 'prod', after: ['staging'], environments: [prod.name], gates: { checks } },
      ],
    },
  });
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'checked', labels: { app: 'checked' } },
    spec: {
      source: { repoURL: stage.repoURL, interval: '1h', path: 'checked' },
      environments: [{ name: staging.name }, { name: prod.name }],
    },
  });
}

/** One that is well, one whose commit cannot run, some whose repositories do not exist; drift, pruning, a delivery. */
async function everythingHappens(t: TestContext) {
  const { stage, proxy } = await newProxiedStage(t, {
    files: FILES,
    preload: blocking,
    judgeTurns: () => undefined,
  });
  // Asked once: most questions are those that fail.
  await stage.deployed('web', { source: { path: 'web', interval: '1h' } });
  await stage.application('broken', { source: { path: 'broken', interval: '1h' } });
  for (const name of ['a', 'b', 'c'])
    await stage.application(name, {
      source: { repoURL: `${stage.repoURL.replace(/\.git$/, '')}-${name}.git` },
    });
  await stage.application('waits', {
    source: { path: 'web', interval: '1h' },
    dependsOn: [{ name: 'nowhere' }],
  });
  await newRemoteEnvironment(t, stage, 'elsewhere');
  await checked(t, stage);
  await stage.until('broken', ({ status }) => status?.sync === 'Quarantined', 'the quarantine');
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"is":"drift"}}');
  await stage.repository.commit({ 'web/old.yaml': null });
  await stage.requestSync('web');
  await fetch(`${await stage.operator.url('webhook')}/github`, { method: 'POST', body: '{}' });
  return { stage, proxy };
}

test('what /metrics says is what promtool takes for good', { skip }, async (t) => {
  const { stage } = await everythingHappens(t);
  const input = await stage.operator.metrics();
  const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  assert.equal(status, 0, `${stderr}${stdout}`);
});

test('a real Prometheus has an answer to every query of the dashboard and every alert', {
  skip,
}, async (t) => {
  const prometheus = await startPrometheus(t);
  const rules = (await installedAlerts()).groups.flatMap((group) => group.rules);
  const made = new Set<string>();
  const untilTrue = async (alert: string, { window = '10m', inSeconds = 0, threeDays = '259200' } = {}) => {
    const { expr } = rules.find((rule) => rule.alert === alert) ?? assert.fail(alert);
    await untilAnswered(
      prometheus,
      alert,
      expr.replaceAll('[10m]', `[${window}]`).replace('259200', threeDays),
      inSeconds,
    );
    made.add(alert);
  };
  await untilTrue('TowpathNobodyLeads');

  const { stage, proxy } = await everythingHappens(t);
  const { host } = new URL(await stage.operator.url('metrics'));
  // As if it ran where the chart's rules were rendered for.
  const namespace = 'towpath-system';
  prometheus.scrape(host, { namespace, pod: 'towpath-1' });
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  for (const { title, targets } of panels)
    for (const { expr } of targets)
      await untilAnswered(prometheus, title, expr.replaceAll('$namespace', namespace));
  for (const { title, targets } of panels)
    for (const { expr } of targets)
      assert.equal(await prometheus.count(expr.replaceAll('$namespace', 'other')), 0, `${title}: of others`);
  assert.equal(await prometheus.count(rules[0]?.expr ?? ''), 0, 'one leads');

  await untilTrue('TowpathEnvironmentUnreachable');
  await untilTrue('TowpathWaitsLong', { threeDays: '1' });
  await untilTrue('TowpathApplicationNotReady', { inSeconds: 1_000 });
  await untilTrue('TowpathGitFails');
  process.kill(stage.operator.process.pid, 'SIGUSR2');
  await untilTrue('TowpathEventLoopHeld');
  // The window is shorter than what is right by now.
  const writes = proxy.fail({ method: 'PATCH', path: /\/status/, fault: { status: 503 } });
  await stage.application('other', { source: { path: 'web', interval: '1h' } });
  await untilTrue('TowpathLooksFail', { window: '20s' });
  writes.remove();
  const all = proxy.fail({ fault: { status: 503 } });
  await untilTrue('TowpathApiServerFails', { window: '20s' });
  all.remove();
  const token = (await stage.kubectl('create', 'token', 'towpath', '--duration=1h')).trim();
  await storeKubeConfig(stage, 'elsewhere', kubeConfigOf(stage.cluster, token));
  await untilTrue('TowpathCredentialExpires', { inSeconds: 3_000 });

  for (const { alert, expr } of rules) {
    if (made.has(alert)) continue;
    assert.ok(alert in NOT_HERE, `${alert} is true at no step`);
    assert.ok((await prometheus.count(expr)) >= 0, 'it parses');
    const selectors =
      expr.match(/(?:workqueue|leader_election|towpath|process)_[a-z_]{1,80}(?:\{[^}]{1,200}\})?/g) ?? [];
    assert.ok(selectors.length > 0, expr);
    // The reason is what is not brought about here.
    for (const selector of selectors.map((each) => each.replace(/,reason="[^"]{1,80}"/, '')))
      assert.ok((await prometheus.count(selector)) > 0, `${alert}: ${selector}`);
  }
});
