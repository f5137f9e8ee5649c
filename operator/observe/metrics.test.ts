import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { collectProcess } from './process-metrics.ts';

test('what is measured of the process wakes it never: an operator at rest costs nothing', async () => {
  const registry = new Registry();
  collectProcess(registry);
  const turns = () => performance.nodeTiming.uvMetricsInfo.loopCount;
  const before = turns();
  await delay(500);
  const turned = turns() - before;
  // A timer of 10 ms makes 50.
  assert.ok(turned < 15, `${turned} turns of the event loop in half a second`);
  const text = await registry.metrics();
  const valueIn = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds'])
    assert.ok(valueIn(name) > 0, name);
  assert.ok(valueIn('process_max_fds') >= valueIn('process_open_fds'));
  const startedAt = Date.now() / 1_000 - process.uptime();
  assert.ok(Math.abs(valueIn('process_start_time_seconds') - startedAt) < 2);
});
