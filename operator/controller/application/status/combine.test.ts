import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApplicationStatus } from '../../../api/v1alpha1/application.ts';
import { combine, type Part, partOf } from './combine.ts';

const at = '2026-01-01T00:00:00Z';

function condition(type: string, status: 'True' | 'False', reason: string) {
  return { type, status, reason, message: `${reason}.`, lastTransitionTime: at };
}

const combineAt = (
  parts: readonly Part[],
  latest: string | undefined,
  previous: ApplicationStatus | undefined,
  syncRequest: string | undefined,
) => combine(parts, latest, previous, syncRequest, at);

/** Without Promoted, which has tests of its own. */
const others = ({ conditions }: ApplicationStatus) => conditions?.filter(({ type }) => type !== 'Promoted');

function part(environment: string, status: Partial<ApplicationStatus> = {}) {
  const synced: ApplicationStatus = {
    observedGeneration: 2,
    conditions: [condition('Ready', 'True', 'Synced')],
    sync: 'Synced',
    health: 'Healthy',
    summary: { revision: `main@${environment}`, environments: '1/1' },
    environments: [{ name: environment, sync: status.sync ?? 'Synced' }],
  };
  return {
    environment,
    status: { ...synced, ...status },
    isFormer: false,
    hasLeft: false,
    runsNewest: (status.sync ?? 'Synced') === 'Synced',
  };
}

const syncing = {
  conditions: [condition('Ready', 'False', 'Syncing'), condition('Reconciling', 'True', 'Syncing')],
  sync: 'Syncing' as const,
  health: 'Progressing' as const,
  summary: { environments: '0/1' },
};
const held = {
  conditions: [condition('Ready', 'False', 'PruneHeld'), condition('Stalled', 'True', 'PruneHeld')],
  sync: 'Blocked' as const,
  summary: { environments: '0/1' },
};

test('the status of one environment is that of the Application', () => {
  const one = part('default', { retry: { attempts: 1 }, source: { revision: 'r' } });
  const status = combineAt([one], 'default', undefined, undefined);
  assert.deepEqual({ ...status, conditions: others(status) }, one.status);
  assert.equal(partOf(one.status, 'default', ['default']), one.status);
});

test('of several the columns are the worst, and conditions those of what needs a person first', () => {
  const all = [part('staging', syncing), part('prod', held), part('test')];
  const status = combineAt(all, 'test', undefined, undefined);
  assert.deepEqual(
    [status.sync, status.health, status.summary?.environments, status.summary?.revision],
    ['Blocked', 'Progressing', '1/3', 'main@test'],
  );
  assert.deepEqual(others(status), held.conditions);
  assert.deepEqual(
    status.environments?.map(({ name }) => name),
    ['staging', 'prod', 'test'],
  );
});

test('A14: of two candidates of one commit that stays which was told, whoever told last; of another commit the latest', () => {
  const [one, other] = ['a', 'b'].map((candidate) => ({ source: { revision: 'first', candidate } }));
  const all = [part('staging', one), part('prod', other)];
  const told = (previous: ApplicationStatus | undefined) =>
    combineAt(all, 'prod', previous, undefined).source;
  assert.deepEqual(told(undefined), other?.source);
  assert.deepEqual(told(one), one?.source);
  assert.deepEqual(told({ source: { revision: 'first', candidate: 'gone' } }), other?.source);
  assert.deepEqual(told({ source: { revision: 'before', candidate: 'a' } }), other?.source);
});

test('a generation is told of when all have it, a request when all that it was asked of have handled it', () => {
  const handled = (value: string, generation: number) => ({
    handledSyncRequest: value,
    observedGeneration: generation,
    conditions: [{ ...condition('Ready', 'True', 'Synced'), observedGeneration: generation }],
  });
  const before = { handledSyncRequest: 'one' };
  const apart = [part('staging', handled('two', 2)), part('prod', handled('one', 1))];
  const some = combineAt(apart, 'prod', before, 'two');
  assert.deepEqual([some.handledSyncRequest, some.observedGeneration], ['one', 1]);
  // kubectl wait goes by the condition's own.
  for (const { observedGeneration } of some.conditions ?? []) assert.equal(observedGeneration, 1);
  assert.equal(some.summary?.environments, '1/2');
  const all = combineAt(
    [part('staging', handled('two', 2)), part('prod', handled('two', 2))],
    'prod',
    some,
    'two',
  );
  assert.deepEqual([all.handledSyncRequest, all.observedGeneration], ['two', 2]);
  const ofOne = 'staging=two';
  const one = combineAt(
    [part('staging', handled(ofOne, 2)), part('prod', handled('one', 2))],
    'prod',
    all,
    ofOne,
  );
  assert.equal(one.handledSyncRequest, ofOne, 'nothing was asked of prod');
  const nobody = combineAt(apart, 'prod', before, 'prdo=two');
  assert.equal(nobody.handledSyncRequest, 'one', 'there is no such environment');
});

test('what names its environment is kept apart, and put together again', () => {
  const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };
  const of = (environment: string): Partial<ApplicationStatus> => ({
    kept: [{ environment, object, reason: 'wanted' }],
    keptTotal: 1,
    quarantine: { revision: 'r', errors: [{ environment, message: 'bad' }], total: 1 },
  });
  const status = combineAt(
    [
      part('staging', { ...of('staging'), retry: { attempts: 2, nextAt: at, environment: 'staging' } }),
      part('prod', of('prod')),
    ],
    'staging',
    undefined,
    undefined,
  );
  assert.equal(status.keptTotal, 2);
  assert.equal(status.quarantine?.total, 2);
  const prod = partOf(status, 'prod', ['staging', 'prod']);
  assert.deepEqual(
    { kept: prod?.kept, quarantine: prod?.quarantine, retry: prod?.retry },
    {
      kept: of('prod').kept,
      quarantine: of('prod').quarantine,
      retry: undefined,
    },
  );
  assert.deepEqual(prod?.environments, [{ name: 'prod', sync: 'Synced' }]);
});

test('totals stay what they were while environments have told nothing since a start', () => {
  const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };
  const of = (environment: string, count: number): Partial<ApplicationStatus> => ({
    kept: Array.from({ length: count }, () => ({ environment, object, reason: 'wanted' })),
    keptTotal: count,
    quarantine: {
      revision: 'r',
      errors: Array.from({ length: count }, () => ({ environment, message: 'bad' })),
      total: count,
    },
  });
  const names = ['staging', 'prod', 'test'];
  const told = [part('staging', of('staging', 500)), part('prod', of('prod', 2)), part('test')];
  const status = combineAt(told, 'prod', undefined, undefined);
  assert.deepEqual([status.keptTotal, status.quarantine?.total], [502, 502]);
  assert.ok((status.kept?.length ?? 0) < 502, 'the list has no room for all');
  const former = (name: string, of = status) => ({
    environment: name,
    status: partOf(of, name, names) ?? {},
    isFormer: true,
    hasLeft: false,
    runsNewest: undefined,
  });
  let anew = status;
  // However often it is written meanwhile.
  for (let writes = 0; writes < 3; writes += 1)
    anew = combineAt(
      names.map((name) => former(name, anew)),
      undefined,
      anew,
      undefined,
    );
  assert.deepEqual([anew.keptTotal, anew.quarantine?.total], [502, 502]);
  for (let writes = 0; writes < 3; writes += 1)
    anew = combineAt(
      [former('staging', anew), part('prod', of('prod', 30)), part('test')],
      'prod',
      anew,
      undefined,
    );
  assert.deepEqual([anew.keptTotal, anew.quarantine?.total], [502, 502]);
  const other = { quarantine: { revision: 'other', errors: [{ message: 'bad' }], total: 1 } };
  const next = combineAt([former('staging', status), part('prod', other)], 'prod', anew, undefined);
  const listed = status.quarantine?.errors?.filter(({ environment }) => environment === 'staging').length;
  assert.deepEqual([next.quarantine?.revision, next.quarantine?.total], ['other', (listed ?? 0) + 1]);
  const all = [part('staging', of('staging', 7)), part('prod', of('prod', 30)), part('test')];
  const sure = combineAt(all, 'staging', anew, undefined);
  assert.deepEqual([sure.keptTotal, sure.quarantine?.total], [37, 37]);
});

test('what is asked of all is handled without those that the Application names no more', () => {
  const handled = part('staging', { handledSyncRequest: 'now' });
  const left = { ...part('prod', held), hasLeft: true };
  assert.equal(combineAt([handled, left], 'staging', undefined, 'now').handledSyncRequest, 'now');
  const waiting = { ...left, hasLeft: false };
  assert.equal(combineAt([handled, waiting], 'staging', undefined, 'now').handledSyncRequest, undefined);
});
