import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { Quarantine } from './quarantine.ts';
import { RenderFailures } from './render-failures.ts';

const quarantine = (reason: string) =>
  new Quarantine({ revision: 'a' }, new TowpathError('Person', reason, `It is ${reason}.`));
const at = (minutes: number) => new Date(Date.UTC(2026, 10, 23, 0, minutes));

test('a render that failed by itself is not tried again before an input changes', () => {
  const failures = new RenderFailures(() => 1);
  const error = failures.add('shop/web', 'one', quarantine('RenderFailed'), at(0));
  assert.equal(error.retry, undefined);
  assert.equal(failures.find('shop/web', 'one', at(10_000)), error);
  assert.equal(failures.find('shop/web', 'two', at(0)), undefined);
  assert.equal(failures.find('shop/other', 'one', at(0)), undefined);
});

test('a render that a limit ended is tried again three times, later each time', () => {
  for (const reason of ['RenderTimeout', 'RenderOutOfMemory', 'EngineEnded', 'WorkFailed']) {
    const failures = new RenderFailures(() => 1);
    let now = at(0);
    const pauses: number[] = [];
    for (let attempts = 1; ; attempts++) {
      const { retry, rejected } = failures.add('shop/web', 'one', quarantine(reason), now);
      assert.equal(rejected.revision, 'a');
      if (retry === undefined) break;
      assert.equal(retry.attempts, attempts);
      const justBefore = new Date(retry.nextAt.getTime() - 1);
      assert.deepEqual(failures.find('shop/web', 'one', justBefore)?.retry, retry);
      assert.equal(failures.find('shop/web', 'one', retry.nextAt), undefined);
      pauses.push((retry.nextAt.getTime() - now.getTime()) / 1000);
      now = retry.nextAt;
    }
    assert.deepEqual(pauses, [30, 120, 600], reason);
    assert.ok(failures.find('shop/web', 'one', at(10_000)));
    assert.ok(failures.add('shop/web', 'two', quarantine(reason), now).retry, 'other inputs start over');
  }
});

test('what is forgotten may be tried at once', () => {
  const failures = new RenderFailures(() => 1);
  failures.add('shop/web', 'one', quarantine('RenderTimeout'), at(0));
  failures.forget('shop/web');
  assert.equal(failures.find('shop/web', 'one', at(0)), undefined);
  assert.equal(failures.add('shop/web', 'one', quarantine('RenderTimeout'), at(0)).retry?.attempts, 1);
  assert.deepEqual(failures.clear(), ['shop/web']);
  assert.equal(failures.find('shop/web', 'one', at(0)), undefined);
});
