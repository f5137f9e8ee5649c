import { APPLICATION_METRICS, WAIT_METRICS } from '../../operator/observe/application-metrics.ts';
import { Slices } from '../../operator/observe/event-loop-slices.ts';
import { Metrics } from '../../operator/observe/metrics.ts';
import { code, GENERATED, table } from './markdown.ts';

interface Described {
  name: string;
  help: string;
  type: unknown;
  labelNames?: readonly string[];
}

/** The reference page of what /metrics serves, read off the registry itself. */
export function metricsPage(): string {
  const none = () => 0;
  const { registry } = new Metrics({
    observed: {
      applications: () => [],
      unrecordedDeployments: () => 0,
      objects: none,
      credentials: () => [],
      reach: () => [],
      load: () => ({ waiting: 0, running: 0, unfinished: 0, longest: 0 }),
      leader: () => false,
      leaseAge: none,
      engines: () => ({ idle: 0, busy: 0 }),
      engineMemory: none,
      droppedEvents: none,
      longestTurn: none,
    },
    slices: new Slices(),
    lease: '',
    concurrency: 0,
    withApplications: true,
  });
  const described: readonly Described[] = [
    ...(registry.getMetricsAsArray() as unknown as Described[]),
    ...WAIT_METRICS,
    ...APPLICATION_METRICS,
  ];
  const rows = described.map(({ name, help, type, labelNames = [] }) => [
    code(name),
    String(type),
    labelNames.map(code).join(', '),
    help,
  ]);
  return `${GENERATED}
# Metrics
Served at ${code('/metrics')} on ${code('--metrics-address')}, in the format of Prometheus. What is named ${code('workqueue_')}, ${code('controller_runtime_')}, ${code('rest_client_')}, ${code('leader_election_')} and ${code('process_')} is what it is everywhere; these look into Towpath.

${table(['metric', 'is a', 'labels', 'what it says'], rows)}
`;
}
