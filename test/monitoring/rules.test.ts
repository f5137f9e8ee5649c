import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../harness/process.ts';
import { without } from '../harness/programs.ts';
import { installedAlerts, promtool, type Rule, type RuleGroups } from './alerts.ts';

const skip = without('promtool');

/** Values of series, one a minute, as promtool writes them. */
type Series = Readonly<Record<string, string>>;

interface Case {
  /** By all that is right, and when it is asked. */
  fires: Series;
  at: string;
  /** What the alert says besides its own labels. */
  labels?: Record<string, string>;
  /** Cases that are close to it and in which it must not fire, at the same time. */
  quiet: Readonly<Record<string, Series>>;
}

const replica = (name: string) => `namespace="towpath-system",pod="${name}",instance="${name}:8082"`;
const LEADER = replica('towpath-1');
const FOLLOWER = replica('towpath-2');
const status = (of: string, lease = 'towpath') =>
  `leader_election_master_status{name="towpath",lease="${lease}",${of}}`;
/** Two replicas of which one leads: no alert. */
const RIGHT: Series = { [status(LEADER)]: '1x120', [status(FOLLOWER)]: '0x120' };
const NAMESPACE = { namespace: 'towpath-system' };
const POD = { ...NAMESPACE, pod: 'towpath-1' };
const APPLICATION = 'application_namespace="shop",application="web"';

/** An Application with a state from the beginning on; time begins at 0. */
const application = (state: string, since = 0): Series => ({
  ...RIGHT,
  [`towpath_application_info{${APPLICATION},${state},${LEADER}}`]: '1x120',
  [`towpath_application_ready_transition_timestamp_seconds{${APPLICATION},${LEADER}}`]: `${since}x120`,
});

const ours = (name: string) => `${name}="towpath-application"`;
const counted = (name: string, labels: string, aMinute: number): Series => ({
  [`${name}{${labels}${labels === '' ? '' : ','}${LEADER}}`]: `0+${aMinute}x120`,
});
const gauge = (name: string, labels: string, values: string): Series => ({
  [`${name}{${labels}${labels === '' ? '' : ','}${LEADER}}`]: values,
});

const DAY = 86_400;
/** The credential of an Environment that expires so long after 10m, of a lifetime; in seconds. */
const credential = (left: number, lifetime: number): Series => ({
  ...RIGHT,
  ...gauge(
    'towpath_environment_credential_expiry_timestamp_seconds',
    'environment="eu"',
    `${600 + left}x120`,
  ),
  ...gauge('towpath_environment_credential_lifetime_seconds', 'environment="eu"', `${lifetime}x120`),
});

/** Something new before prod, so many days at 10m. */
const waits = (reason: string, days: number): Series => ({
  ...RIGHT,
  ...gauge(
    'towpath_waiting_since_timestamp_seconds',
    `environment="prod",reason="${reason}"`,
    `${600 - days * DAY}x120`,
  ),
});

const CASES: Readonly<Record<string, Case>> = {
  TowpathNobodyLeads: {
    fires: { [status(LEADER)]: '1x5 0x115', [status(FOLLOWER)]: '0x120' },
    at: '10m',
    labels: NAMESPACE,
    quiet: {
      'another one took over': { [status(LEADER)]: '1x5 0x115', [status(FOLLOWER)]: '0x6 1x114' },
      'one replica is gone': { [status(LEADER)]: '1x120', [status(FOLLOWER)]: '0x2 stale' },
    },
  },
  TowpathTwoLead: {
    fires: { [status(LEADER)]: '1x120', [status(FOLLOWER)]: '0x5 1x115' },
    at: '10m',
    labels: NAMESPACE,
    quiet: {
      'one leads': RIGHT,
      'each of two installations leads': { ...RIGHT, [status(FOLLOWER, 'towpath-other')]: '1x120' },
    },
  },
  TowpathApplicationNotReady: {
    fires: application('sync="Failed",health="Degraded",ready="False",reason="ApplyFailed"'),
    at: '17m',
    labels: { application_namespace: 'shop', application: 'web' },
    quiet: {
      'it is ready': application('sync="Synced",health="Healthy",ready="True",reason="Synced"'),
      'it has not been for long': application(
        'sync="Syncing",health="Progressing",ready="False",reason="Syncing"',
        600,
      ),
      'it is suspended': application('sync="Suspended",health="Healthy",ready="False",reason="Suspended"'),
      'it is gone': {
        ...RIGHT,
        [`towpath_application_info{${APPLICATION},ready="False",sync="Failed",${LEADER}}`]: '1x3 stale',
        [`towpath_application_ready_transition_timestamp_seconds{${APPLICATION},${LEADER}}`]: '0x3 stale',
      },
    },
  },
  TowpathChartReplaced: {
    fires: application('sync="Blocked",health="Healthy",ready="False",reason="ChartReplaced"', 600),
    at: '5m',
    labels: { application_namespace: 'shop', application: 'web' },
    quiet: {
      'a chart that is not there': application(
        'sync="Blocked",health="Healthy",ready="False",reason="ChartNotFound"',
        600,
      ),
    },
  },
  TowpathDriftComesBack: {
    fires: { ...RIGHT, ...counted('towpath_drift_repaired_objects_total', '', 2) },
    at: '60m',
    labels: NAMESPACE,
    quiet: { 'now and then': { ...RIGHT, ...counted('towpath_drift_repaired_objects_total', '', 0.5) } },
  },
  TowpathLookHangs: {
    fires: { ...RIGHT, ...gauge('workqueue_longest_running_processor_seconds', ours('name'), '0+60x120') },
    at: '40m',
    labels: POD,
    quiet: {
      'looks that end': {
        ...RIGHT,
        ...gauge('workqueue_longest_running_processor_seconds', ours('name'), '900x120'),
      },
      "another operator's": {
        ...RIGHT,
        ...gauge('workqueue_longest_running_processor_seconds', 'name="other"', '0+60x120'),
      },
    },
  },
  TowpathLookAbandoned: {
    fires: { ...RIGHT, ...gauge('towpath_looks_abandoned_total', '', '0x10 1x110') },
    at: '20m',
    labels: NAMESPACE,
    quiet: { 'one of long ago': { ...RIGHT, ...gauge('towpath_looks_abandoned_total', '', '1x120') } },
  },
  TowpathLooksFail: {
    fires: {
      ...RIGHT,
      ...counted('controller_runtime_reconcile_errors_total', ours('controller'), 5),
      ...counted('controller_runtime_reconcile_total', ours('controller'), 10),
    },
    at: '30m',
    labels: NAMESPACE,
    quiet: {
      'one of ten': {
        ...RIGHT,
        ...counted('controller_runtime_reconcile_errors_total', ours('controller'), 1),
        ...counted('controller_runtime_reconcile_total', ours('controller'), 10),
      },
    },
  },
  TowpathQueueGrows: {
    fires: { ...RIGHT, ...gauge('workqueue_depth', ours('name'), '60+10x120') },
    at: '15m',
    labels: { ...POD, instance: 'towpath-1:8082', name: 'towpath-application' },
    quiet: {
      'a queue that empties': { ...RIGHT, ...gauge('workqueue_depth', ours('name'), '500x6 0x114') },
      "another operator's": { ...RIGHT, ...gauge('workqueue_depth', 'name="other"', '500x120') },
    },
  },
  TowpathGitFails: {
    fires: {
      ...RIGHT,
      ...counted('towpath_git_polls_total', 'outcome="Success"', 4),
      ...counted('towpath_git_polls_total', 'outcome="Unreachable"', 6),
    },
    at: '30m',
    labels: NAMESPACE,
    quiet: {
      'some fail': {
        ...RIGHT,
        ...counted('towpath_git_polls_total', 'outcome="Success"', 6),
        ...counted('towpath_git_polls_total', 'outcome="Unreachable"', 4),
      },
      'they were broken off': {
        ...RIGHT,
        ...counted('towpath_git_polls_total', 'outcome="Success"', 4),
        ...counted('towpath_git_polls_total', 'outcome="Stopping"', 6),
      },
    },
  },
  TowpathApiServerFails: {
    fires: {
      ...RIGHT,
      ...counted('rest_client_requests_total', 'code="200",method="GET"', 8),
      ...counted('rest_client_requests_total', 'code="503",method="GET"', 1),
      ...counted('rest_client_requests_total', 'code="<error>",method="PATCH"', 1),
    },
    at: '30m',
    labels: NAMESPACE,
    quiet: {
      'it refuses what it should': {
        ...RIGHT,
        ...counted('rest_client_requests_total', 'code="200",method="GET"', 8),
        ...counted('rest_client_requests_total', 'code="422",method="PATCH"', 2),
      },
      'of another client': {
        ...RIGHT,
        [`rest_client_requests_total{code="503",${replica('other')}}`]: '0+10x120',
      },
    },
  },
  TowpathCredentialExpires: {
    fires: credential(6 * DAY, 365 * DAY),
    at: '10m',
    labels: { environment: 'eu' },
    quiet: {
      'a certificate that is good for weeks': credential(30 * DAY, 365 * DAY),
      'a token that is renewed every hour': credential(3_600, 7_200),
      'one that does not expire': RIGHT,
    },
  },
  TowpathRolledBack: {
    fires: { ...RIGHT, ...gauge('towpath_deployments_total', 'outcome="RolledBack"', '0x10 1x110') },
    at: '20m',
    labels: NAMESPACE,
    quiet: {
      'one of long ago': { ...RIGHT, ...gauge('towpath_deployments_total', 'outcome="RolledBack"', '1x120') },
      'what succeeded': { ...RIGHT, ...counted('towpath_deployments_total', 'outcome="Succeeded"', 1) },
    },
  },
  TowpathChecksCannotRun: {
    fires: { ...RIGHT, ...gauge('towpath_checks_total', 'outcome="CouldNotRun"', '0x10 4x110') },
    at: '20m',
    labels: NAMESPACE,
    quiet: {
      'one that ran at the next try': {
        ...RIGHT,
        ...gauge('towpath_checks_total', 'outcome="CouldNotRun"', '0x10 1x110'),
      },
      'one that failed': { ...RIGHT, ...gauge('towpath_checks_total', 'outcome="Failed"', '0x10 4x110') },
    },
  },
  TowpathEnvironmentUnreachable: {
    fires: { ...RIGHT, ...gauge('towpath_environment_reachable', 'environment="eu"', '1x3 0x117') },
    at: '10m',
    labels: { environment: 'eu' },
    quiet: {
      'it answers': { ...RIGHT, ...gauge('towpath_environment_reachable', 'environment="eu"', '1x120') },
      'it was lost a moment ago': {
        ...RIGHT,
        ...gauge('towpath_environment_reachable', 'environment="eu"', '1x7 0x113'),
      },
    },
  },
  TowpathWaitsLong: {
    fires: waits('AwaitingApproval', 4),
    at: '10m',
    labels: { environment: 'prod', reason: 'AwaitingApproval' },
    quiet: {
      'a freeze, which has an end': waits('Frozen', 30),
      'since yesterday': waits('AwaitingApproval', 1),
    },
  },
  TowpathDeploymentsUnrecorded: {
    fires: { ...RIGHT, ...gauge('towpath_unrecorded_deployments', '', '3x120') },
    at: '20m',
    labels: NAMESPACE,
    quiet: {
      'all are written': { ...RIGHT, ...gauge('towpath_unrecorded_deployments', '', '0x120') },
      'the API server was away for a moment': {
        ...RIGHT,
        ...gauge('towpath_unrecorded_deployments', '', '0x8 3x5 0x107'),
      },
    },
  },
  TowpathEventLoopHeld: {
    fires: { ...RIGHT, ...gauge('towpath_event_loop_longest_turn_seconds', '', '0.02x10 0.8x110') },
    at: '20m',
    labels: { ...POD, instance: 'towpath-1:8082' },
    quiet: {
      'a short one': { ...RIGHT, ...gauge('towpath_event_loop_longest_turn_seconds', '', '0.02x10 0.2x110') },
      'one of long ago': { ...RIGHT, ...gauge('towpath_event_loop_longest_turn_seconds', '', '0.8x120') },
    },
  },
  TowpathMemory: {
    // Of 3,840 MiB, which the chart's limit is by default.
    fires: { ...RIGHT, ...gauge('towpath_resident_memory_bytes', '', '3.23e9x120') },
    at: '20m',
    labels: { ...POD, instance: 'towpath-1:8082' },
    quiet: {
      'enough is left': { ...RIGHT, ...gauge('towpath_resident_memory_bytes', '', '3.22e9x120') },
      'another process': { ...RIGHT, [`towpath_resident_memory_bytes{${replica('other')}}`]: '4e9x120' },
    },
  },
  TowpathDescriptors: {
    fires: {
      ...RIGHT,
      ...gauge('process_open_fds', '', '830x120'),
      ...gauge('process_max_fds', '', '1024x120'),
    },
    at: '20m',
    labels: { ...POD, instance: 'towpath-1:8082' },
    quiet: {
      'enough are left': {
        ...RIGHT,
        ...gauge('process_open_fds', '', '810x120'),
        ...gauge('process_max_fds', '', '1024x120'),
      },
      'another process': {
        ...RIGHT,
        [`process_open_fds{${replica('other')}}`]: '1000x120',
        [`process_max_fds{${replica('other')}}`]: '1024x120',
      },
    },
  },
};

/** Prometheus puts labels in for the placeholders that we use. */
function filled(annotations: Record<string, string>, labels: Record<string, string>): Record<string, string> {
  const fill = (text: string) =>
    text.replaceAll(/\{\{ \$labels\.([a-z_]{1,80}) \}\}/g, (_, label: string) => labels[label] ?? '');
  return Object.fromEntries(Object.entries(annotations).map(([name, text]) => [name, fill(text)]));
}

/** What promtool is to see: of all alerts at that time this one alone, or none. */
function unitTest(
  rules: readonly Rule[],
  series: Series,
  at: string,
  fires?: Rule & { by: Record<string, string> },
) {
  return {
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: rules.map(({ alert }) => ({
      eval_time: at,
      alertname: alert,
      exp_alerts:
        alert === fires?.alert
          ? [
              {
                exp_labels: { ...fires.labels, ...fires.by },
                exp_annotations: filled(fires.annotations, fires.by),
              },
            ]
          : [],
    })),
  };
}

async function write(
  groups: RuleGroups,
  tests: readonly unknown[],
): Promise<{ rules: string; tests: string }> {
  const directory = temporaryDirectory('alerts');
  const paths = { rules: join(directory, 'rules.json'), tests: join(directory, 'tests.json') };
  // JSON is YAML.
  writeFileSync(paths.rules, JSON.stringify(groups));
  writeFileSync(paths.tests, JSON.stringify({ rule_files: [paths.rules], evaluation_interval: '1m', tests }));
  return paths;
}

test('each alert fires where it should, by itself, and not where it only nearly should', {
  skip,
}, async () => {
  const groups = await installedAlerts();
  const rules = groups.groups.flatMap((group) => group.rules);
  assert.deepEqual(
    rules.map(({ alert }) => alert).sort(),
    Object.keys(CASES).sort(),
    'a case for each alert',
  );
  const tests = rules.flatMap((rule) => {
    const { fires, at, labels = {}, quiet } = CASES[rule.alert] ?? assert.fail(rule.alert);
    return [
      unitTest(rules, fires, at, { ...rule, by: labels }),
      ...Object.values(quiet).map((series) => unitTest(rules, series, at)),
    ];
  });
  const paths = await write(groups, tests);
  assert.match(
    await promtool('check', 'rules', paths.rules),
    new RegExp(`SUCCESS: ${rules.length} rules found`),
  );
  await promtool('test', 'rules', paths.tests);
});

test('a rule test that expects something else fails: what the test above says is looked at', {
  skip,
}, async () => {
  const groups = await installedAlerts();
  const rules = groups.groups.flatMap((group) => group.rules);
  const [rule] = rules;
  assert.ok(rule !== undefined);
  const wrong = unitTest(rules, RIGHT, '10m', { ...rule, by: NAMESPACE });
  const paths = await write(groups, [wrong]);
  await assert.rejects(promtool('test', 'rules', paths.tests), /TowpathNobodyLeads/);
});

for (const [memory, bytes] of [
  ['512Mi', 512 * 1024 ** 2],
  ['1.5Gi', 1.5 * 1024 ** 3],
  ['1500M', 1500e6],
  ['3G', 3e9],
  [4294967296, 2 ** 32],
  ['3e9', 3e9],
  ['900000000000m', 9e8],
] as const)
  test(`with a limit of ${memory} TowpathMemory fires above four fifths of that`, { skip }, async () => {
    const groups = await installedAlerts({ resources: { limits: { memory } } });
    const rules = groups.groups.flatMap((group) => group.rules);
    const rule = rules.find(({ alert }) => alert === 'TowpathMemory') ?? assert.fail();
    const of = (share: number): Series => ({
      ...RIGHT,
      ...gauge('towpath_resident_memory_bytes', '', `${Math.round(share * bytes)}x120`),
    });
    const paths = await write(groups, [
      unitTest(rules, of(0.79), '20m'),
      unitTest(rules, of(0.81), '20m', { ...rule, by: { ...POD, instance: 'towpath-1:8082' } }),
    ]);
    await promtool('test', 'rules', paths.tests);
  });

test('without a limit of memory there is no TowpathMemory, and all other alerts stay', { skip }, async () => {
  const alertsWith = async (memory: string | null) =>
    (await installedAlerts({ resources: { limits: { memory } } })).groups.flatMap(({ rules }) =>
      rules.map(({ alert }) => alert),
    );
  const all = await alertsWith('2Gi');
  assert.deepEqual(
    await alertsWith(null),
    all.filter((alert) => alert !== 'TowpathMemory'),
  );
});

test('where no replica is scraped at all, nobody leads', { skip }, async () => {
  const groups = await installedAlerts();
  const rules = groups.groups.flatMap((group) => group.rules);
  const nobody = rules.find(({ alert }) => alert === 'TowpathNobodyLeads') ?? assert.fail();
  const paths = await write(groups, [
    unitTest(rules, { up: '1x60' }, '10m', { ...nobody, by: { ...NAMESPACE, name: 'towpath' } }),
  ]);
  await promtool('test', 'rules', paths.tests);
});

/** The same series, as scraped from another namespace, or as another job. */
const ofOther = (series: Series, namespace: string, job = '') =>
  Object.fromEntries(
    Object.entries(series).map(([name, values]) => [
      name
        .replaceAll('"towpath-system"', `"${namespace}"${job}`)
        .replace(/"towpath-([12])(:8082)?"/g, '"other-$1$2"'),
      values,
    ]),
  );
const asJob = (series: Series, job: string) =>
  Object.fromEntries(
    Object.entries(series).map(([name, values]) => [name.replace(/\}$/, `,job="${job}"}`), values]),
  );

for (const [where, values, job, other] of [
  ['another namespace', {}, '', (series: Series) => ofOther(series, 'other')],
  [
    'the same namespace, scraped by a ServiceMonitor',
    { serviceMonitor: { enabled: true } },
    'towpath-metrics',
    (series: Series) => ofOther(series, 'towpath-system', ',job="other-metrics"'),
  ],
  [
    'the same namespace, scraped by a PodMonitor',
    { podMonitor: { enabled: true } },
    'towpath-system/towpath',
    (series: Series) => ofOther(series, 'towpath-system', ',job="towpath-system/other"'),
  ],
] as const)
  test(`an installation in ${where} makes no alert of this one, and hides none`, { skip }, async () => {
    const metrics = { prometheusRule: { enabled: true }, ...values };
    const groups = await installedAlerts({ metrics });
    const rules = groups.groups.flatMap((group) => group.rules);
    const own = (series: Series) => (job === '' ? series : asJob(series, job));
    const tests = Object.values(CASES).map(({ fires, at }) =>
      unitTest(rules, { ...own(RIGHT), ...other(fires) }, at),
    );
    const nobody = rules.find(({ alert }) => alert === 'TowpathNobodyLeads') ?? assert.fail();
    const by = { ...NAMESPACE, name: 'towpath', ...(job !== '' && { job }) };
    tests.push(unitTest(rules, other(RIGHT), '10m', { ...nobody, by }));
    const paths = await write(groups, tests);
    await promtool('test', 'rules', paths.tests);
  });
