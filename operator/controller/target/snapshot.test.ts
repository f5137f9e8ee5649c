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

const REVISION = 'a'.repeat(40);

/** What of a look decides whether others are asked. @param status of the Application, as an earlier process left it */
function lookAt(
  target: typeof staging,
  runs: typeof candidate | undefined,
  more: object = {},
  status: object = {},
) {
  const woken: string[] = [];
  const verdicts = new Verdicts((name) => woken.push(name));
  const run = {
    parts: { verdicts, specifiedTargets: () => [staging, prod] },
    target,
    isOneOfSeveral: true,
    underWay: { asked: 'one', resolved: { revision: REVISION } },
    application: { metadata: { generation: 1 }, status: { observedGeneration: 1, ...status } },
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

/** What an earlier process told of a refusal in prod, and, at first, of the commit that prod is to run. */
function toldBefore(more: { alone?: true } = {}, desiredRevision = REVISION) {
  const quarantine = {
    revision: 'b'.repeat(40),
    errors: [{ environment: 'prod', message: 'No.', ...more }],
    total: 1,
  };
  const { others } = lookAt(
    staging,
    undefined,
    {},
    { quarantine, environments: [{ name: 'prod', sync: 'Quarantined', desiredRevision }] },
  );
  return {
    awaited: others.awaited,
    refused: others.refused.map(({ environment, quarantine: { error } }) => [environment, error.reason]),
  };
}

test('D6: after a restart what another refused counts until it says otherwise, also where environments follow several refs', () => {
  assert.deepEqual(toldBefore(), { awaited: [], refused: [['prod', 'ManifestInvalid']] });
  assert.deepEqual(toldBefore({}, 'c'.repeat(40)), { awaited: ['prod'], refused: [] });
});

test('D6: after a restart what another refuses for itself alone holds nobody up but by what it says anew', () => {
  assert.deepEqual(toldBefore({ alone: true }), { awaited: ['prod'], refused: [] });
});
