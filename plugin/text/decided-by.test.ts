import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namedAs } from './decided-by.ts';

const yes = (names: string, more = ', by sre, dora and 1 more') =>
  `1 of 2 approvals of manifests sha256:0c7a1d000000${names}${more}: kubectl towpath approve web prod -n shop`;
const no = (names: string) =>
  `Environment prod holds back manifests sha256:0c7a1d000000: rejected by ${names}. A newer commit may enter; who rejected it may: kubectl towpath approve web prod -n shop`;

test('S14: whose yes and whose no a gate counts is read off its message: names, not parts of them, nor those of groups', () => {
  assert.equal(namedAs('Approve', yes(' (by anna)'), 'anna'), 'Named');
  assert.equal(namedAs('Approve', yes(' (by ben, anna)', ''), 'anna'), 'Named');
  assert.equal(namedAs('Approve', yes(' (by anna, ben, carl and 2 more)'), 'carl'), 'Named');
  assert.equal(namedAs('Approve', yes(' (by ben, carl, eve and 2 more)'), 'anna'), 'Perhaps');
  assert.equal(namedAs('Approve', yes(' (by anna-maria, joanna)'), 'anna'), 'Not');
  assert.equal(namedAs('Approve', yes(''), 'sre'), 'Not', 'that is a group');
  assert.equal(namedAs('Approve', yes(' (by ben)'), 'dora'), 'Not', 'so is that');
  assert.equal(namedAs('Approve', yes('', ', not by anna, who asks for it'), 'anna'), 'Not');
  assert.equal(namedAs('Approve', yes(' (by Anna (ops), ben)'), 'Anna (ops)'), 'Named');
  assert.equal(namedAs('Approve', yes(' (by Doe, Anna, ben)'), 'Doe, Anna'), 'Named');
  const long = `system:serviceaccount:ci:${'b'.repeat(60)}`;
  assert.equal(namedAs('Approve', yes(` (by ${long.slice(0, 40)})`), long), 'Named');
  assert.equal(namedAs('Approve', yes(' (by an…', ''), 'anna'), 'Perhaps', 'it was cut');

  assert.equal(namedAs('Reject', no('anna'), 'anna'), 'Named');
  assert.equal(namedAs('Reject', no('anna.b@example.com, ben'), 'ben'), 'Named');
  assert.equal(namedAs('Reject', no('anna.b@example.com'), 'anna'), 'Not');
  assert.equal(namedAs('Reject', no('ben, carl, eve and 1 more'), 'anna'), 'Perhaps');
  const failed = 'Environment prod has rejected manifests sha256:0c7a1d000000: web is Degraded.';
  assert.equal(namedAs('Reject', failed, 'anna'), 'Not', 'that was nobody');
  assert.equal(namedAs('Reject', yes(' (by anna)'), 'anna'), 'Not');
});
