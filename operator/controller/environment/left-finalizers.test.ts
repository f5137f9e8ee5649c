import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { jsonBytes } from '../../api/v1alpha1/bound-status.ts';
import {
  environmentFinalizer,
  heldUp,
  isLeftHeld,
  leftFinalizers,
  oursToTakeOff,
} from './left-finalizers.ts';

const US = environmentFinalizer('sys/towpath');
const ALIVE = environmentFinalizer('apps/towpath');
const GONE = environmentFinalizer('sys/before');
const OTHERS = 'example.com/audit';
const known = { ids: new Set(['sys/towpath', 'apps/towpath']), isOnly: false };

test('of the finalizers of an Environment those are left behind whose installation there is no more, and none where that is not known', () => {
  assert.deepEqual(leftFinalizers([OTHERS, GONE, US, ALIVE], known), [GONE]);
  assert.deepEqual(leftFinalizers([OTHERS, GONE, US, ALIVE], undefined), []);
  // Beside one that is not the only one, somebody may have it of whom it does not know.
  assert.deepEqual(oursToTakeOff([GONE, ALIVE], known), []);
  assert.deepEqual(oursToTakeOff([GONE, ALIVE], { ...known, isOnly: true }), [GONE]);
});

test('an Environment is told of by any installation where nobody who is there holds it', () => {
  assert.ok(isLeftHeld([GONE, OTHERS], known));
  for (const finalizers of [[], [OTHERS], [US], [GONE, ALIVE]]) assert.ok(!isLeftHeld(finalizers, known));
});

test('an Environment that is being deleted says for whose finalizer it waits, and what takes that away', () => {
  const told = (...finalizers: string[]) => heldUp('eu', finalizers, US, known);
  // Its own goes by itself, as Kubernetes' own do.
  assert.equal(told(US, 'foregroundDeletion'), undefined);
  const left = told(OTHERS, GONE);
  assert.equal(left?.remedy, 'Person');
  assert.equal(
    left.message,
    `Environment eu is to be deleted, and waits for an installation that is gone, unless it runs from source. Take ${GONE} off it: kubectl edit environments.towpath.dev eu`,
  );
  assert.ok(jsonBytes(left.message) <= STATUS_LIMITS.message, 'a status has room for it');
  const waits = told(ALIVE, OTHERS);
  assert.equal(waits?.remedy, 'Resource');
  assert.match(waits.message, new RegExp(`whoever set its finalizers ${ALIVE}, ${OTHERS} takes them away`));
});
