import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Candidate, type Deployment, newRecord, type TargetRecord } from '../record/record.ts';
import type { SpecifiedTarget } from '../record/target.ts';
import { Evidence } from './evidence.ts';
import { Openings } from './openings.ts';
import { promotionOf } from './promotion.ts';
import type { Run } from './run.ts';
import type { Findings } from './state.ts';

const NOW = new Date('2026-11-30T10:00:00Z');
const HOUR = 3_600_000;
/** Environments of each stage but the first, which has one. */
const WIDTH = 6;
const STAGES = 4;
const digestOf = (version: number) => `sha256:${version}`;
const askedOf = (version: number) => String(version).repeat(64);

/** In each stage runs, and has soaked, what the next one waits for: the version with the number of the stage, from the end. */
function line() {
  const evidence = new Evidence(() => undefined);
  const namesOf = (stage: number) =>
    Array.from({ length: stage === 0 ? 1 : WIDTH }, (_, index) => `s${stage}-${index}`);
  const all = Array.from({ length: STAGES }, (_, stage) =>
    namesOf(stage).map((environment) => {
      const version = STAGES - stage;
      const digest = digestOf(version);
      const identity = {
        id: environment,
        name: `shop/web/${environment}`,
        application: 'shop/web',
        environment,
      };
      const after = { stage: `s${stage - 1}`, environments: namesOf(stage - 1), soakMs: HOUR };
      const governance = {
        is: 'InStage',
        policy: 'line',
        stage: `s${stage}`,
        isFollowed: stage < STAGES - 1,
        ...(stage === 0 ? {} : { after }),
        ...(stage < STAGES - 1 ? { soakedMs: HOUR } : {}),
      };
      const record: TargetRecord = {
        ...newRecord(identity),
        asks: [version, version + 1].map((one) => ({ asked: askedOf(one), digest: digestOf(one) })),
        deployment: {
          id: 1,
          candidate: { id: digest, digest },
          outcome: 'Succeeded',
          applied: true,
        } as unknown as Deployment,
        soak: { digest, ms: HOUR, since: new Date(NOW.getTime() - 120_000).toISOString() },
        ...(stage === 0
          ? {}
          : {
              waiting: [
                { id: digestOf(version + 1), digest: digestOf(version + 1), asked: askedOf(version + 1) },
              ],
            }),
      };
      evidence.note(identity, { asked: askedOf(version), digest, health: 'Healthy' });
      const settings = { mode: 'Automatic', timeoutMs: HOUR / 12 };
      return { record, place: { ...identity, governance, settings } as unknown as SpecifiedTarget };
    }),
  ).flat();
  return { evidence, records: all.map(({ record }) => record), places: all.map(({ place }) => place) };
}

test('A15: what an environment stays on costs as much as there are environments that wait for one another, not their product', () => {
  const { evidence, records, places } = line();
  const run = {
    parts: {
      commands: { given: () => [] },
      store: { recordsOf: () => records, candidatesOf: () => [] },
      evidence,
      openings: new Openings(),
      specifiedTargets: () => places,
    },
    application: { metadata: { name: 'web' } },
    target: places[0],
    context: { record: records[0], now: () => NOW, store: { candidatesOf: () => [] } },
    underWay: { asked: askedOf(STAGES + 1) },
  } as unknown as Run;
  const candidate = { id: 'sha256:newer', digest: 'sha256:newer' } as unknown as Candidate;
  const found = { sight: { unseen: new Error('away') }, wanted: { candidate } } as unknown as Findings;
  const asked = new Map<string, number>();
  const { blockedBy } = promotionOf(run, found, (_, { target: { environment } } = run) => {
    const [stage = ''] = environment.split('-');
    asked.set(stage, (asked.get(stage) ?? 0) + 1);
    return [];
  });
  assert.deepEqual(
    blockedBy.map(({ reason }) => reason),
    ['Soak'],
    'the line is as the test means it',
  );
  // Each is asked for each that it waits for: as it is, and as it was.
  for (let stage = 1; stage < STAGES; stage += 1) {
    const pairs = (stage === 1 ? 1 : WIDTH) * WIDTH;
    assert.ok((asked.get(`s${stage}`) ?? 0) <= 2 * pairs, `${asked.get(`s${stage}`)} times s${stage}`);
    assert.ok((asked.get(`s${stage}`) ?? 0) > 0);
  }
});
