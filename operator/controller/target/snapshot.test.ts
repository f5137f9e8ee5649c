import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from './run.ts';
import { othersOf } from './snapshot.ts';
import type { TargetState } from './state.ts';
import { NO_OTHERS, Verdicts } from './verdicts.ts';

const place = (environment: string) => ({
  name: `shop/web/${environment}`,
  application: 'shop/web',
  environment,
  overlay: { ref: { branch: 'main' } },
  refusal: undefined,
  settings: { suspended: undefined },
});
const [staging, prod] = [place('staging'), place('prod')];
const candidate = { id: 'sha256:a', digest: 'sha256:b' };

/** What of a look decides whether others are asked. */
function lookAt(target: typeof staging, runs: typeof candidate | undefined, more: object = {}) {
  const woken: string[] = [];
  const verdicts = new Verdicts((name) => woken.push(name));
  const run = {
    parts: { verdicts, specifiedTargets: () => [staging, prod] },
    target,
    isOneOfSeveral: true,
    underWay: { asked: 'one', resolved: undefined },
    application: { metadata: { generation: 1 }, status: {} },
  } as unknown as Run;
  const state = {
    found: { wanted: { candidate }, ...more },
    deployment: runs && { candidate: runs, generation: 1, outcome: 'Succeeded' },
    application: run.application,
    memory: { renderAnew: false },
  } as unknown as TargetState;
  const others = othersOf(run, state);
  verdicts.note({ ...prod } as unknown as Parameters<Verdicts['note']>[0], 'one', 'Fine');
  return { others, woken };
}

test('who is to begin something is told whom it waits for, and woken by what that says', () => {
  for (const runs of [undefined, { ...candidate, digest: 'sha256:c' }])
    assert.deepEqual(lookAt(staging, runs), {
      others: { awaited: ['prod'], refused: [] },
      woken: [staging.name],
    });
});

test('who runs what is wanted already, or does not know that yet, is woken by nothing that others say of it', () => {
  assert.deepEqual(lookAt(staging, candidate), { others: NO_OTHERS, woken: [] });
  assert.deepEqual(lookAt(staging, undefined, { wanted: undefined }), { others: NO_OTHERS, woken: [] });
  assert.deepEqual(lookAt(staging, undefined, { chosen: 'a' }), { others: NO_OTHERS, woken: [] });
});
