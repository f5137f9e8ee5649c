interface Panel {
  title: string;
  /** What it answers. */
  says: string;
  kind: 'stat' | 'timeseries';
  unit: string;
  queries: readonly (readonly [expression: string, legend: string])[];
}

/** What an on-call person asks first, in this order. */
const PANELS: readonly Panel[] = [
  {
    title: 'Leads',
    says: 'How many replicas lead; one is right.',
    kind: 'stat',
    unit: 'none',
    queries: [['sum(towpath_leader)', 'leading']],
  },
  {
    title: 'Applications',
    says: 'How many are looked after.',
    kind: 'stat',
    unit: 'none',
    queries: [['max(towpath_applications)', 'Applications']],
  },
  {
    title: 'Objects',
    says: 'How many objects they have.',
    kind: 'stat',
    unit: 'none',
    queries: [['max(towpath_objects)', 'objects']],
  },
  {
    title: 'Oldest look',
    says: 'How long the oldest look at an Application has not ended.',
    kind: 'stat',
    unit: 's',
    queries: [['max(towpath_oldest_look_seconds)', 'oldest']],
  },
  {
    title: 'Looks',
    says: 'Looks at Applications a second, and how many wait.',
    kind: 'timeseries',
    unit: 'short',
    queries: [
      ['sum(rate(towpath_reconcile_seconds_count[5m]))', 'a second'],
      ['max(towpath_queue_depth)', 'waiting'],
    ],
  },
  {
    title: 'Duration of a look',
    says: 'Half, and all but a hundredth, take less than this.',
    kind: 'timeseries',
    unit: 's',
    queries: [
      ['histogram_quantile(0.5, sum by (le) (rate(towpath_reconcile_seconds_bucket[5m])))', 'half'],
      ['histogram_quantile(0.99, sum by (le) (rate(towpath_reconcile_seconds_bucket[5m])))', '99 %'],
    ],
  },
  {
    title: 'Git',
    says: 'Questions to Git servers and fetches, by how they end.',
    kind: 'timeseries',
    unit: 'reqps',
    queries: [
      ['sum by (outcome) (rate(towpath_git_polls_total[5m]))', 'asked: {{outcome}}'],
      ['sum by (outcome) (rate(towpath_git_fetches_total[5m]))', 'fetched: {{outcome}}'],
    ],
  },
  {
    title: 'API server',
    says: 'Requests by their answer; 429 and 5xx are the API server in need.',
    kind: 'timeseries',
    unit: 'reqps',
    queries: [['sum by (code) (rate(towpath_api_requests_total[5m]))', '{{code}}']],
  },
  {
    title: 'Memory',
    says: 'Of each replica; the engines that render are beside it.',
    kind: 'timeseries',
    unit: 'bytes',
    queries: [['process_resident_memory_bytes and on (instance) towpath_leader', '{{instance}}']],
  },
  {
    title: 'Processor',
    says: 'Cores that each replica uses.',
    kind: 'timeseries',
    unit: 'short',
    queries: [['rate(process_cpu_seconds_total[5m]) and on (instance) towpath_leader', '{{instance}}']],
  },
];

const COLUMNS = 24;
/** Which Prometheus, as chosen in the dashboard. */
const DATASOURCE = `$\{datasource}`;

/** charts/towpath/files/dashboard.json: a dashboard for Grafana 10 and newer. */
export function chartDashboard(): string {
  let x = 0;
  let y = 0;
  const panels = PANELS.map((panel, index) => {
    const [w, h] = panel.kind === 'stat' ? [6, 4] : [12, 8];
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
      list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' }],
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
      expr,
      legendFormat,
    })),
  };
}
