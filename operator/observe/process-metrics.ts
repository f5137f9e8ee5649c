import { readdirSync, readFileSync } from 'node:fs';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const STARTED_AT = Date.now() / 1_000 - process.uptime();
/** V8's collections by kind; what a version to come may add is `other`. */
const COLLECTIONS = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);

/**
 * Of this process, by the names that Prometheus' own clients give them, read when they are asked for. Not
 * prom-client's own collection: its histogram of the event loop's delay wakes an idle process a hundred times a second.
 */
export function collectProcess(registry: Registry): void {
  const registers = [registry];
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time that the process used, without that of the engines.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  gauge(
    registry,
    'process_resident_memory_bytes',
    'Memory of the process, without that of the engines.',
    () => process.memoryUsage.rss(),
  );
  gauge(
    registry,
    'process_start_time_seconds',
    'When the process started, in seconds since 1970.',
    () => STARTED_AT,
  );
  if (process.platform === 'linux') {
    // The directory is a descriptor itself while it is read.
    gauge(
      registry,
      'process_open_fds',
      'File descriptors that are open.',
      () => readdirSync('/proc/self/fd').length - 1,
    );
    gauge(registry, 'process_max_fds', 'How many file descriptors may be open.', maxDescriptors);
  }
  gauge(
    registry,
    'nodejs_heap_size_used_bytes',
    'Memory of JavaScript objects.',
    () => process.memoryUsage().heapUsed,
  );
  gauge(
    registry,
    'nodejs_heap_size_total_bytes',
    'Memory that is kept for JavaScript objects.',
    () => process.memoryUsage().heapTotal,
  );
  gauge(
    registry,
    'nodejs_external_memory_bytes',
    'Memory outside of the heap that JavaScript objects hold.',
    () => process.memoryUsage().external,
  );
  collectCollections(registry);
}

function collectCollections(registry: Registry): void {
  const duration = new Histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'Collections of garbage by their kind: major, minor, incremental or weakcb.',
    labelNames: ['kind'],
    buckets: [0.001, 0.01, 0.05, 0.1, 1],
    registers: [registry],
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as typeof entry & { detail: { kind: number } }).detail;
      duration.observe({ kind: COLLECTIONS.get(kind) ?? 'other' }, entry.duration / 1_000);
    }
  }).observe({ type: 'gc' });
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function maxDescriptors(): number {
  const [, limit = ''] =
    /^Max open files {1,80}(\d{1,20}|unlimited) /m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}
