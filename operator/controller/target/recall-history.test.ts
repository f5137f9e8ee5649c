import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application, HistoryEntry } from '../../api/v1alpha1/application.ts';
import { type Deployment, newRecord, type TargetRecord } from '../record/record.ts';
import { lastId, replaceDeployment } from './actions/write-ahead.ts';
import { recallHistory } from './recall-history.ts';

const TARGET = { id: 'a', name: 'shop/web/prod', application: 'shop/web', environment: 'prod' };
const minute = (count: number) => new Date(Date.parse('2026-11-30T12:00:00.250Z') + count * 60_000);

function deployment(id: number, outcome?: Deployment['outcome']): Deployment {
  const digest = `sha256:${String(id).padStart(64, '0')}`;
  return {
    id,
    candidate: { id: digest, digest, request: '', revision: `r${id}`, ref: 'refs/heads/main' },
    trigger: 'Commit',
    generation: 1,
    startedAt: minute(id).toISOString(),
    clusterStartedAt: minute(id).toISOString(),
    install: false,
    hooks: [],
    deferred: [],
    applied: outcome !== undefined,
    ...(outcome === undefined ? {} : { outcome, finishedAt: minute(id).toISOString() }),
  };
}

/** As a status tells of a deployment: without milliseconds. */
function entry(id: number, startedAt = minute(id)): HistoryEntry {
  const at = `${startedAt.toISOString().slice(0, 19)}Z`;
  return { id, revision: `r${id}`, outcome: 'Succeeded', trigger: 'Commit', startedAt: at, finishedAt: at };
}

/** The last one is under way. */
function recordOf(...deployments: Deployment[]): TargetRecord {
  const record = newRecord(TARGET);
  for (const one of deployments) replaceDeployment(record, one, undefined);
  return record;
}

const idsOf = ({ ended }: TargetRecord) => ended.map(({ id }) => id);

test('D7: what ended is in the record until both tell of it, the status and the ledger', () => {
  const record = recordOf(deployment(1, 'Succeeded'), deployment(2, 'Succeeded'), deployment(3));
  const recorded = new Set<number>();
  const recall = (...history: HistoryEntry[]) => {
    recallHistory(record, history, ({ id }) => recorded.has(id));
    return idsOf(record);
  };
  assert.deepEqual(recall(entry(2), entry(1)), [1, 2], 'the ledger has none of them');
  recorded.add(1);
  assert.deepEqual(recall(entry(2), entry(1)), [2]);
  recorded.add(2);
  assert.deepEqual(recall(entry(1)), [2], 'the status does not tell of it');
  assert.deepEqual(recall(entry(2)), []);
});

test('S14: who writes a status neither ends what is under way, nor has forgotten what ended, nor moves a number', () => {
  const record = recordOf(deployment(1, 'Succeeded'), deployment(2));
  const feigned = [entry(99), entry(2, minute(30)), entry(1, minute(30))];
  recallHistory(record, feigned, () => true);
  assert.deepEqual(idsOf(record), [1]);
  recallHistory(record, [entry(2), entry(1, minute(30))], () => true);
  assert.equal(record.deployment?.outcome, undefined, 'it goes on');
  assert.equal(record.deployment?.applied, false);
  const status = { environments: [{ name: 'prod', history: feigned }] } as unknown as NonNullable<
    Application['status']
  >;
  assert.equal(lastId({ status }, TARGET, record), 2);
  const { lastId: _, ...older } = record;
  assert.equal(lastId({ status }, TARGET, older), 2, 'what an older version wrote knows the last one, too');
});

test('D7: where the record is lost, the status says how far the numbers were, but none that nothing can follow', () => {
  const history = [{ id: Number.MAX_SAFE_INTEGER }, { id: 7 }, { id: 6 }];
  const status = { environments: [{ name: 'prod', history }] } as unknown as NonNullable<
    Application['status']
  >;
  assert.equal(lastId({ status }, TARGET, newRecord(TARGET)), 7);
  assert.equal(lastId({}, TARGET, newRecord(TARGET)), 0);
});

test('D7: an end that only the status tells of outlives an upgrade from a version that counted no deployments', () => {
  const { lastId: _, ...record } = recordOf(deployment(1, 'Succeeded'), deployment(2));
  recallHistory(record, [entry(2), entry(1)], () => true);
  assert.deepEqual([record.deployment?.outcome, record.deployment?.applied], ['Succeeded', true]);
  assert.match(record.succeeded ?? '', /2 sha256/);
});
