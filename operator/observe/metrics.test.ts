import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parseExposition, sumOf } from '../../test/harness/exposition.ts';
import type { ApplicationState } from './application-metrics.ts';
import { Slices } from './event-loop-slices.ts';
import { Metrics } from './metrics.ts';

function newMetrics(applications: readonly ApplicationState[] = []): Metrics {
  const none = () => 0;
  return new Metrics({
    observed: {
      applications: () => applications,
      unrecordedDeployments: () => 0,
      objects: none,
      credentials: () => [],
      reach: () => [],
      load: () => ({ waiting: 0, running: 0, unfinished: 0, longest: 0 }),
      leader: () => true,
      leaseAge: none,
      engines: () => ({ idle: 0, busy: 0 }),
      engineMemory: none,
      droppedEvents: none,
      longestTurn: none,
    },
    slices: new Slices(),
    lease: 'towpath',
    concurrency: 1,
    withApplications: true,
  });
}

test('metrics wake the process never: an operator at rest costs nothing', async () => {
  const metrics = newMetrics();
  const turns = () => performance.nodeTiming.uvMetricsInfo.loopCount;
  const before = turns();
  await delay(500);
  const turned = turns() - before;
  // A timer of 10 ms makes 50.
  assert.ok(turned < 15, `${turned} turns of the event loop in half a second`);
  const families = parseExposition(await metrics.text());
  const valueIn = (name: string) => sumOf(families, name);
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds'])
    assert.ok(valueIn(name) > 0, name);
  assert.ok(valueIn('process_max_fds') >= valueIn('process_open_fds'));
  const startedAt = Date.now() / 1_000 - process.uptime();
  assert.ok(Math.abs(valueIn('process_start_time_seconds') - startedAt) < 2);
});

test('what is waited for is told by environment and reason, with the oldest of each', async () => {
  const state = (name: string, waits: ApplicationState['waits']): ApplicationState => ({
    namespace: 'shop',
    name,
    sync: 'Waiting',
    health: 'Healthy',
    ready: 'True',
    reason: 'Waiting',
    since: 1,
    waits,
    checking: waits.map(({ environment }) => environment),
  });
  const metrics = newMetrics([
    state('a', [{ environment: 'prod', reason: 'Soak', since: 30 }]),
    state('b', [
      { environment: 'prod', reason: 'Soak', since: 20 },
      { environment: 'prod', reason: 'Frozen', since: 10 },
    ]),
    state('c', []),
  ]);
  const families = parseExposition(await metrics.text());
  const of = (name: string, reason: string) => sumOf(families, name, { environment: 'prod', reason });
  assert.equal(of('towpath_waiting_applications', 'Soak'), 2);
  assert.equal(of('towpath_waiting_since_timestamp_seconds', 'Soak'), 20);
  assert.equal(of('towpath_waiting_applications', 'Frozen'), 1);
  assert.equal(sumOf(families, 'towpath_checks_running', { environment: 'prod' }), 3);
});

test('A6: a check that could not run is counted apart from one that failed, and each from before the first of its kind', async () => {
  const metrics = newMetrics();
  metrics.checked('CouldNotRun');
  const families = parseExposition(await metrics.text());
  const of = (outcome: string) => sumOf(families, 'towpath_checks_total', { outcome });
  assert.deepEqual([of('CouldNotRun'), of('Failed'), of('Passed')], [1, 0, 0]);
  assert.equal(families.get('towpath_checks_total')?.samples.length, 3);
});

test('A6: what failed its verification and was kept is counted apart from what was rolled back, and each from before the first of its kind', async () => {
  const metrics = newMetrics();
  metrics.verified({ outcome: 'Failed', onFailure: 'Keep' });
  const families = parseExposition(await metrics.text());
  const of = (outcome: string, on_failure: string) =>
    sumOf(families, 'towpath_verifications_total', { outcome, on_failure });
  assert.deepEqual([of('Failed', 'Keep'), of('Failed', 'Rollback'), of('Passed', 'Keep')], [1, 0, 0]);
  assert.equal(families.get('towpath_verifications_total')?.samples.length, 4);
});

test('the format holds whatever a label says, and however many Applications there are', async () => {
  const hostile = 'a"} 1\nb{c="\\';
  const states = Array.from({ length: 5_000 }, (_, index) => ({
    namespace: 'shop',
    name: `app-${index}`,
    sync: 'Synced',
    health: index % 2 === 0 ? 'Healthy' : 'Degraded',
    ready: 'True',
    reason: hostile,
    since: 1_700_000_000.5,
    waits: [],
    checking: [],
  }));
  const metrics = newMetrics(states);
  metrics.polled({ milliseconds: 1, reason: hostile });
  metrics.delivered(hostile, hostile);
  const families = parseExposition(await metrics.text());
  const infos = families.get('towpath_application_info')?.samples ?? [];
  assert.equal(infos.length, 5_000);
  assert.equal(infos[0]?.labels['reason'], hostile);
  assert.equal(sumOf(families, 'towpath_applications', { sync: 'Synced', health: 'Degraded' }), 2_500);
  const since = sumOf(families, 'towpath_application_ready_transition_timestamp_seconds', {
    application: 'app-7',
  });
  assert.equal(since, 1_700_000_000.5);
});

test('a request without an answer is counted as client-go counts it, and a read is no write', async () => {
  const metrics = newMetrics();
  const request = { host: 'api:6443', plural: 'configmaps', dryRun: false };
  metrics.requested({ ...request, verb: 'watch', method: 'GET', code: 0 });
  metrics.requested({ ...request, verb: 'apply', method: 'PATCH', code: 409 });
  const families = parseExposition(await metrics.text());
  const counted = families.get('rest_client_requests_total')?.samples.map(({ labels }) => labels);
  assert.deepEqual(counted, [
    { code: '<error>', method: 'GET', host: 'api:6443' },
    { code: '409', method: 'PATCH', host: 'api:6443' },
  ]);
  const writes = families.get('towpath_writes_total')?.samples.map(({ labels }) => labels);
  assert.deepEqual(writes, [{ verb: 'apply', resource: 'configmaps', dry_run: 'false', code: '409' }]);
});
