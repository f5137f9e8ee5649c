import { CONTROLLER } from '../../operator/observe/work-metrics.ts';

type Query = readonly [expression: string, legend: string];

interface Panel {
  title: string;
  /** What it answers. */
  says: string;
  kind: keyof typeof SIZES;
  unit: string;
  queries: readonly Query[];
}

/** Columns and rows. */
const SIZES = { stat: [4, 4], table: [24, 8], timeseries: [12, 8] } as const;

const LEADS = 'leader_election_master_status{name="towpath"}';
const OURS = `{name="${CONTROLLER}"}`;
const OUR_LOOKS = `{controller="${CONTROLLER}"}`;
const APPLICATION = 'application_namespace, application';

/** A rate by one label, each under a word of its own where there are several. */
function rates(metric: string, label: string, before = ''): Query {
  return [`sum by (${label}) (rate(${metric}[5m]))`, `${before}{{${label}}}`];
}

function quantiles(metric: string, selector = ''): Query[] {
  const quantile = (part: number) =>
    `histogram_quantile(${part}, sum by (le) (rate(${metric}_bucket${selector}[5m])))`;
  return [
    [quantile(0.5), 'half'],
    [quantile(0.99), '99 %'],
  ];
}

const stat = (title: string, says: string, expression: string, unit = 'none'): Panel => ({
  title,
  says,
  kind: 'stat',
  unit,
  queries: [[expression, title]],
});

const series = (title: string, says: string, unit: string, queries: readonly Query[]): Panel => ({
  title,
  says,
  kind: 'timeseries',
  unit,
  queries,
});

/** What an on-call person asks first, in this order. */
export const PANELS: readonly Panel[] = [
  stat('Lead', 'How many replicas lead; one of each installation is right.', `sum(${LEADS})`),
  stat('Replicas', 'How many answer.', `count(${LEADS})`),
  stat(
    'Not in order',
    'Applications that are not both Synced and Healthy.',
    'sum(towpath_applications) - sum(towpath_applications{sync="Synced",health="Healthy"})',
  ),
  stat('Applications', 'How many are looked after.', 'sum(towpath_applications)'),
  stat(
    'Oldest look',
    'How long the oldest look at an Application has not ended.',
    `max(workqueue_longest_running_processor_seconds${OURS})`,
    's',
  ),
  stat('Lease', 'Since the leader renewed it; 10 s are its end.', 'max(towpath_lease_age_seconds)', 's'),
  {
    title: 'Not ready',
    says: 'Which Applications, for how long, and why: the reason is explained in docs/reference/reasons.md, the message stands in the status.',
    kind: 'table',
    unit: 's',
    queries: [
      [
        `sort_desc((time() - max by (${APPLICATION}) (towpath_application_ready_transition_timestamp_seconds)) * on (${APPLICATION}) group_right () max by (${APPLICATION}, sync, health, reason) (towpath_application_info{ready!="True"}))`,
        '',
      ],
    ],
  },
  series(
    'Waiting at gates',
    'Applications of which something new is kept out of an environment, and why.',
    'none',
    [['sum by (environment, reason) (towpath_waiting_applications)', '{{environment}}: {{reason}}']],
  ),
  series('Oldest wait', 'By environment and gate.', 's', [
    [
      'time() - min by (environment, reason) (towpath_waiting_since_timestamp_seconds)',
      '{{environment}}: {{reason}}',
    ],
  ]),
  series(
    'Checks',
    'That run now, by environment; and that ended in five minutes, by what they came to.',
    'none',
    [
      ['sum by (environment) (towpath_checks_running)', 'running: {{environment}}'],
      ['sum by (outcome) (increase(towpath_checks_total[5m]))', '{{outcome}}'],
    ],
  ),
  series(
    'Verifications',
    'What entered and was verified in five minutes: whether it passed, and what becomes of what failed.',
    'none',
    [
      [
        'sum by (outcome, on_failure) (increase(towpath_verifications_total[5m]))',
        '{{outcome}} (on failure: {{on_failure}})',
      ],
    ],
  ),
  series('Environments out of reach', '0: their cluster does not answer; nothing is done there.', 'none', [
    ['min by (environment) (towpath_environment_reachable)', '{{environment}}'],
  ]),
  series('States', 'Applications by sync and health.', 'none', [
    ['sum by (sync, health) (towpath_applications)', '{{sync}}, {{health}}'],
  ]),
  series(
    'What happens',
    'In five minutes: deployments by outcome, commits refused, objects repaired and pruned.',
    'none',
    [
      ['sum by (outcome) (increase(towpath_deployments_total[5m]))', 'deployments: {{outcome}}'],
      ['sum(increase(towpath_quarantines_total[5m]))', 'quarantined'],
      ['sum(increase(towpath_drift_repaired_objects_total[5m]))', 'repaired'],
      ['sum(increase(towpath_pruned_objects_total[5m]))', 'pruned'],
    ],
  ),
  series(
    'Waiting for a look',
    'For how long Applications wait.',
    's',
    quantiles('workqueue_queue_duration_seconds', OURS),
  ),
  series('Queue', 'How many Applications wait, and how many are looked at.', 'none', [
    [`sum(workqueue_depth${OURS})`, 'waiting'],
    [`sum(controller_runtime_active_workers${OUR_LOOKS})`, 'looked at'],
  ]),
  series('Looks', 'A second, by how they end.', 'short', [
    rates(`controller_runtime_reconcile_total${OUR_LOOKS}`, 'result'),
  ]),
  series('Duration of a look', 'Half, and all but a hundredth, take less than this.', 's', [
    ...quantiles('controller_runtime_reconcile_time_seconds', OUR_LOOKS),
  ]),
  series('Git', 'Questions to Git servers and fetches, a second, by how they end.', 'reqps', [
    rates('towpath_git_polls_total', 'outcome', 'asked: '),
    rates('towpath_git_fetches_total', 'outcome', 'fetched: '),
    rates('towpath_webhook_deliveries_total', 'outcome', 'told by webhooks: '),
  ]),
  series(
    'Answers of Git servers',
    'How long a question takes.',
    's',
    quantiles('towpath_git_poll_duration_seconds'),
  ),
  series(
    'API server',
    'Requests by their answer; 429 and 5xx are the API server in need, <error> is none.',
    'reqps',
    [[`sum by (code) (rate(rest_client_requests_total[5m]) and on (instance) ${LEADS})`, '{{code}}']],
  ),
  series('Writes', 'By verb; dry-runs are not among them.', 'reqps', [
    rates('towpath_writes_total{dry_run="false"}', 'verb'),
  ]),
  series('Renders', 'A second, by how they end, and the processes.', 'short', [
    rates('towpath_renders_total', 'outcome'),
    ['sum by (state) (towpath_engine_processes)', 'processes: {{state}}'],
  ]),
  series(
    'Duration of a render',
    'Half, and all but a hundredth, take less than this.',
    's',
    quantiles('towpath_render_duration_seconds'),
  ),
  series('Memory', 'Of each replica with its engines, which the limit counts, and without them.', 'bytes', [
    [`towpath_resident_memory_bytes`, '{{pod}}'],
    [`process_resident_memory_bytes and on (instance) ${LEADS}`, '{{pod}}: without engines'],
  ]),
  series(
    'Processor',
    'Cores that each replica uses, and the longest turn of its event loop in seconds.',
    'short',
    [
      [`rate(process_cpu_seconds_total[5m]) and on (instance) ${LEADS}`, '{{instance}}'],
      ['towpath_event_loop_longest_turn_seconds', '{{instance}}: longest turn'],
    ],
  ),
];

const COLUMNS = 24;
/** Metrics that the operator serves, with the labels that are asked for. */
const SELECTOR =
  /\b((?:towpath|workqueue|controller_runtime|rest_client|leader_election|process)_[a-z_]{1,80})(?:\{([^}]{0,200})\})?/g;
/** Of those installations that are chosen in the dashboard. */
const CHOSEN = 'namespace=~"$namespace"';

/** An expression of which every metric is asked for in the chosen namespaces alone. */
function ofChosen(expression: string): string {
  return expression.replaceAll(SELECTOR, (_, metric: string, labels = '') => {
    const asked = [CHOSEN, labels].filter((part) => part !== '').join(',');
    return `${metric}{${asked}}`;
  });
}

/** The namespaces that there are; all at first, those that are scraped without such a label among them. */
const NAMESPACES = {
  name: 'namespace',
  label: 'Namespace',
  type: 'query',
  query: `label_values(${LEADS}, namespace)`,
  refresh: 2,
  includeAll: true,
  allValue: '.*',
  multi: true,
  current: { text: 'All', value: '$__all' },
};

/** Which Prometheus, as chosen in the dashboard. */
const DATASOURCE = `$\{datasource}`;

/** charts/towpath/files/dashboard.json: a dashboard for Grafana 10 and newer. */
export function chartDashboard(): string {
  let x = 0;
  let y = 0;
  const panels = PANELS.map((panel, index) => {
    const [w, h] = SIZES[panel.kind];
    if (x + w > COLUMNS) {
      x = 0;
      y += h;
    }
    const gridPos = { x, y, w, h };
    x += w;
    if (x === COLUMNS) {
      x = 0;
      y += h;
    }
    return panelOf(panel, index + 1, gridPos);
  });
  const dashboard = {
    uid: 'towpath',
    title: 'Towpath',
    tags: ['towpath', 'gitops'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' },
        { ...NAMESPACES, datasource: { type: 'prometheus', uid: DATASOURCE } },
      ],
    },
    panels,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function panelOf(panel: Panel, id: number, gridPos: object): object {
  return {
    id,
    title: panel.title,
    description: panel.says,
    type: panel.kind,
    gridPos,
    datasource: { type: 'prometheus', uid: DATASOURCE },
    fieldConfig: { defaults: { unit: panel.unit }, overrides: [] },
    targets: panel.queries.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + index),
      expr: ofChosen(expr),
      ...(panel.kind === 'table' ? { format: 'table', instant: true } : { legendFormat }),
    })),
  };
}
