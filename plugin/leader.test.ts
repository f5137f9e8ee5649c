import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaderWatch, nobodyLeadsSince } from './leader.ts';

const RENEWED = '2026-11-23T10:00:00.000000Z';

/** A cluster that answers who leads, and by its clock when it was asked. */
function clusterAt(time: string | undefined) {
  return {
    jsonIfAny: (args: readonly string[]) =>
      Promise.resolve(
        args[0] === 'get'
          ? {
              items: [
                {
                  metadata: { name: 'towpath' },
                  spec: { renewTime: RENEWED, leaseDurationSeconds: 15 },
                },
              ],
            }
          : time && { metadata: { creationTimestamp: time } },
      ),
  };
}

function sinceWhen(user: string, cluster: string | undefined): Promise<string | undefined> {
  const { signal } = new AbortController();
  return nobodyLeadsSince(clusterAt(cluster), 'towpath-system', new Date(user), signal);
}

test("B2, A13: whether an operator leads goes by the cluster's clock, however wrong the user's is", async () => {
  const ahead = '2026-11-23T10:20:00Z';
  assert.equal(await sinceWhen(ahead, '2026-11-23T10:00:05Z'), undefined);
  assert.equal(await sinceWhen(ahead, '2026-11-23T10:02:00Z'), RENEWED);
  assert.equal(await sinceWhen(ahead, undefined), RENEWED, 'an API server that does not say');
  assert.equal(await sinceWhen('2026-11-23T10:00:30Z', undefined), undefined);
});

test('B2, A13: who waits hears of a leader by its renewals, whatever clocks say', () => {
  const at = (second: number) => ({ at: `2026-11-23T10:00:${second}Z`, durationMs: 15_000 });
  const renewed = new LeaderWatch();
  for (const second of [10, 20, 30, 40])
    assert.equal(renewed.note(at(second), 'Old', second * 1_000), undefined);
  assert.equal(renewed.note(at(40), 'Old', 54_000), undefined);
  assert.equal(renewed.note(at(40), 'Old', 55_000), '2026-11-23T10:00:40Z');
  const silent = new LeaderWatch();
  assert.equal(silent.note(at(10), 'New', 0), undefined);
  assert.equal(silent.note(at(10), 'New', 59_000), undefined);
  assert.equal(silent.note(at(10), 'New', 60_000), '2026-11-23T10:00:10Z');
});
