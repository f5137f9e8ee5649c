import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OngoingFault } from './ongoing-fault.ts';

describe('an ongoing fault', () => {
  it('is told once, however often it is tried', () => {
    const fault = new OngoingFault();
    assert.deepEqual(
      ['refused', 'refused', 'refused'].map((message) => fault.note(message)),
      [true, false, false],
    );
    assert.equal(fault.message, 'refused');
  });

  it('is told when it becomes another one, and when it becomes what it was', () => {
    const fault = new OngoingFault();
    const tries = ['refused', 'timed out', 'timed out', 'refused'];
    assert.deepEqual(
      tries.map((message) => fault.note(message)),
      [true, true, false, true],
    );
    assert.equal(fault.message, 'refused');
  });

  it('is told again when it comes back after it was over', () => {
    const fault = new OngoingFault();
    fault.note('refused');
    fault.end();
    assert.equal(fault.message, undefined);
    assert.equal(fault.note('refused'), true);
  });

  it('is no news where it is known from the beginning', () => {
    const fault = new OngoingFault('not tried yet');
    assert.equal(fault.message, 'not tried yet');
    assert.equal(fault.note('not tried yet'), false);
    assert.equal(fault.note('refused'), true);
  });
});
