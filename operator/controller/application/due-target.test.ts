import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dueIn } from './due-target.ts';

/** Where a target is → what a look at it is for. `-` says that the other answers make no difference. */
const TABLE = [
  ['gone', '-', '-', '-', '-', '-', 'Nothing'],
  ['there', 'kept', 'named', 'with finalizer', 'readable', 'placed', 'Sync'],
  ['there', 'kept', 'named', 'with finalizer', 'readable', 'nowhere', 'Refusal'],
  ['there', 'kept', 'left', 'with finalizer', 'readable', 'placed', 'Leaving'],
  ['there', 'kept', 'left', 'with finalizer', 'readable', 'nowhere', 'RemovalRefusal'],
  ['there', 'deleted', '-', 'with finalizer', 'readable', 'placed', 'Removal'],
  ['there', 'deleted', '-', 'with finalizer', 'readable', 'nowhere', 'RemovalRefusal'],
  ['there', 'kept', '-', 'without finalizer', 'readable', '-', 'Later'],
  ['there', 'deleted', '-', 'without finalizer', 'readable', '-', 'Nothing'],
  ['there', 'kept', '-', '-', 'unreadable', '-', 'Nothing'],
  ['there', 'deleted', '-', 'with finalizer', 'unreadable', '-', 'Release'],
  ['there', 'deleted', '-', 'without finalizer', 'unreadable', '-', 'Nothing'],
] as const;

const both = [true, false];
const answers = (said: string, yes: string) => (said === '-' ? both : [said === yes]);

test('what a look at a target is for follows from where it and its Application are, and every case is named once', () => {
  const seen = new Set<string>();
  for (const [gone, deleted, left, finalizer, readable, placed, expected] of TABLE)
    for (const isGone of answers(gone, 'gone'))
      for (const isDeleted of answers(deleted, 'deleted'))
        for (const hasLeft of answers(left, 'left'))
          for (const hasFinalizer of answers(finalizer, 'with finalizer'))
            for (const isReadable of answers(readable, 'readable'))
              for (const isPlaced of answers(placed, 'placed')) {
                const where = { isGone, hasLeft, isDeleted, hasFinalizer, isReadable, isPlaced };
                assert.equal(dueIn(where), expected, JSON.stringify(where));
                assert.ok(!seen.has(JSON.stringify(where)), JSON.stringify(where));
                seen.add(JSON.stringify(where));
              }
  assert.equal(seen.size, 64);
});
