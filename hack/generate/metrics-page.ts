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
    applications: none,
    objects: none,
    queue: none,
    leader: () => false,
    droppedEvents: none,
    longestTurn: none,
    oldestLook: none,
  });
  const rows = (registry.getMetricsAsArray() as unknown as Described[]).map(
    ({ name, help, type, labelNames = [] }) => [
      code(name),
      String(type),
      labelNames.map(code).join(', '),
      help,
    ],
  );
  return `${GENERATED}
# Metrics
Served at ${code('/metrics')} on ${code('--metrics-address')}, in the format of Prometheus.

${table(['metric', 'is a', 'labels', 'what it says'], rows)}
`;
}
