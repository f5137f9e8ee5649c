import assert from 'node:assert/strict';
import { test } from 'node:test';
import { abortedLater } from './aborted-later.ts';

test('A14: what was sent before an interruption has its time to be answered, and no more', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const newer = new Error('newer input');
  for (const isEarlier of [false, true]) {
    const abort = new AbortController();
    if (isEarlier) abort.abort(newer);
    const later = abortedLater(abort.signal, 1_000);
    if (!isEarlier) {
      t.mock.timers.tick(5_000);
      assert.equal(later.aborted, false, 'nothing interrupted it');
      abort.abort(newer);
    }
    t.mock.timers.tick(999);
    assert.equal(later.aborted, false);
    t.mock.timers.tick(1);
    assert.equal(later.reason, newer);
  }
});
