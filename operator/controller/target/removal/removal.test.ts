import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Remedy, TowpathError } from '../../../api/errors.ts';
import { refusedRemoval } from './removal.ts';

test('a removal that only time holds up calls for nobody, and each one tells how to leave the objects', () => {
  const of = (remedy: Remedy) =>
    refusedRemoval('prod', new TowpathError(remedy, 'EnvironmentsUnknown', 'No.'));
  assert.deepEqual(
    (['Time', 'Resource', 'Person'] as const).map((remedy) => of(remedy).isStalled),
    [false, true, true],
  );
  assert.equal(of('Time').message, 'Deleting: No. To leave the objects: annotate towpath.dev/abandon=prod.');
});
