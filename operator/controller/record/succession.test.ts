import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newRecord, type TargetRecord } from './record.ts';
import { lastOf, takingFrom, tookFrom } from './succession.ts';

const recordOf = (environment: string, took?: TargetRecord['took']): TargetRecord => ({
  ...newRecord({
    id: environment,
    name: `shop/web/${environment}`,
    application: 'shop/web',
    environment,
  }),
  ...(took === undefined ? {} : { took }),
});

test('of two records at one place the one that took it last is known, however often names went to and fro', () => {
  const records = [recordOf('blue'), recordOf('green')];
  for (const [one, other] of [
    [1, 0],
    [0, 1],
    [1, 0],
    [0, 1],
  ] as const) {
    const [taker, former] = [records[one], records[other]];
    assert.ok(taker !== undefined && former !== undefined);
    taker.took = takingFrom(taker, [former], records);
    assert.deepEqual([tookFrom(taker, former), tookFrom(former, taker)], [true, false]);
    assert.deepEqual(lastOf(records), [taker]);
  }
});

test('nothing is known of records that met nowhere, whatever they are called, and nothing is kept of ones that are gone', () => {
  const [blue, named] = [recordOf('blue', { gone: 3, red: 2 }), recordOf('constructor')];
  assert.deepEqual([tookFrom(blue, named), tookFrom(named, blue)], [false, false]);
  assert.deepEqual(lastOf([blue, named]), [blue, named]);
  assert.deepEqual(takingFrom(blue, [named], [blue, named, recordOf('red')]), { red: 2, constructor: 1 });
});
