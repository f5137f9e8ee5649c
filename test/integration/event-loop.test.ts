import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { assertTurns, TURN_LIMIT_MS } from '../harness/event-loop.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

/** On SIGUSR2 it works for a fifth of a second of processor time. */
const BLOCK_MS = 200;
const blocking = `data:text/javascript,${encodeURIComponent(`
  const used = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1_000; };
  process.on('SIGUSR2', () => { const until = used() + ${BLOCK_MS}; while (used() < until); });
`)}`;

async function newBlockableStage(
  t: TestContext,
  judgeTurns: (logPath: string, limitMs: number) => void,
): Promise<Stage> {
  const files = { 'config.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n' };
  const stage = await newStage(t, { files, preload: blocking, judgeTurns });
  await stage.deployed('shop');
  return stage;
}

async function longestTurn(stage: Stage): Promise<number> {
  const text = await stage.operator.metrics();
  return 1_000 * Number(/^towpath_event_loop_longest_turn_seconds (\S+)/m.exec(text)?.[1]);
}

test('A15: an operator whose event loop was held fails the test, and its metric tells for how long', async (t) => {
  const limits: number[] = [];
  await t.test('held', async (held) => {
    const stage = await newBlockableStage(held, (logPath, limit) => {
      limits.push(limit);
      // A machine so slow that as much is allowed has no limit for this test to show.
      assert.throws(
        () => assertTurns(logPath, Math.min(limit, BLOCK_MS - 20)),
        /took \d+ ms of processor time/,
      );
    });
    assert.ok((await longestTurn(stage)) < BLOCK_MS - 20, 'it was held before');
    process.kill(stage.operator.process.pid, 'SIGUSR2');
    await eventually(async () => (await longestTurn(stage)) >= BLOCK_MS - 20, { describe: 'the metric' });
  });
  assert.equal(limits.length, 1, 'the turns were judged at the end of the test');
  assert.ok((limits[0] ?? 0) >= TURN_LIMIT_MS);
});

test('A15: an operator that gets no processor for a while was not held', async (t) => {
  const stage = await newBlockableStage(t, assertTurns);
  const url = `${await stage.operator.url('probe')}/livez`;
  stage.operator.process.pause();
  await assert.rejects(fetch(url, { signal: AbortSignal.timeout(300) }), 'it answers');
  stage.operator.process.resume();
  assert.ok((await longestTurn(stage)) > 0, 'it goes on');
});
