import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../kube/errors.ts';
import type { KubeObject } from '../kube/objects.ts';
import { classify } from './classify.ts';
import { changedFields, isForTrial, RefusedChange } from './refused-change.ts';

const refusal = (field: string, message: string, reason = 'FieldValueForbidden') =>
  new ApiError(422, 'Invalid', `StatefulSet.apps "barge" is invalid: ${field}: ${message}`, {
    causes: [{ field, reason, message }],
  });
/** A live object with these members, and with these fields of the target's own. */
const alive = (members: object, fieldsV1: Record<string, unknown> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Any',
  metadata: {
    name: 'barge',
    uid: '1',
    resourceVersion: '1',
    managedFields: [{ manager: 'towpath-t', operation: 'Apply', fieldsV1 }],
  },
  ...members,
});
const others =
  "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

test('of a refused spec the fields are told that differ and may not', () => {
  const desired = {
    spec: { replicas: 2, template: { a: 2 }, serviceName: 'b', claims: [{ size: '3Gi' }], same: [1] },
  };
  const live = {
    spec: {
      replicas: 1,
      template: { a: 1 },
      serviceName: 'a',
      claims: [{ size: '1Gi', mode: 'x' }],
      same: [1],
      defaulted: 1,
    },
  };
  assert.deepEqual(changedFields(refusal('spec', others), JSON.stringify(desired), alive(live), 't'), [
    'spec.serviceName',
    'spec.claims[0].size',
  ]);
  const pod = 'Forbidden: pod updates may not change fields other than `spec.containers[*].image`';
  assert.deepEqual(
    changedFields(
      refusal('spec', pod),
      '{"spec":{"containers":[{"image":"b","env":[1,2]}]}}',
      alive({ spec: { containers: [{ image: 'a', env: [1] }] } }),
      't',
    ),
    ['spec.containers[0].env'],
  );
});

test('what was taken out of Git is told as that, where it was refused', () => {
  const own = { 'f:spec': { 'f:selector': { 'f:a': {} }, 'f:size': {}, 'f:template': { 'f:b': {} } } };
  const live = alive({ spec: { selector: { a: 1 }, size: 1, template: { b: 1 }, defaulted: 1 } }, own);
  const desired = JSON.stringify({ spec: { size: 1 } });
  assert.deepEqual(changedFields(refusal('spec', others), desired, live, 't'), [
    'spec.selector.a (taken out of Git)',
  ]);
  assert.deepEqual(changedFields(refusal('spec.selector', 'x'), desired, live, 't'), [
    'spec.selector.a (taken out of Git)',
  ]);
  assert.deepEqual(changedFields(refusal('spec.size', 'x'), desired, live, 't'), []);
  assert.deepEqual(changedFields(refusal('<nil>', 'x'), '{"spec":{"size":2}}', live, 't'), [
    'spec.size',
    'spec.selector.a (taken out of Git)',
    'spec.template.b (taken out of Git)',
  ]);
});

test('what differs is never what is cut off from a long message', () => {
  const object = { group: 'apps', kind: 'StatefulSet', namespace: 'a-long-namespace', name: 'barge' };
  const error = new RefusedChange(refusal('spec', others), ['spec.volumeClaimTemplates[0].spec.resources']);
  const { message } = classify(error, 'dry-run of', object).error;
  assert.match(
    message,
    /barge: spec\.volumeClaimTemplates\[0\]\.spec\.resources: Forbidden: .*… Put the old/,
  );
});

test('a trial as a new object is made only where it tells something', () => {
  assert.equal(isForTrial(refusal('spec', others)), true);
  assert.equal(isForTrial(refusal('spec.ports[0].nodePort', 'x', 'FieldValueInvalid')), false);
  assert.equal(isForTrial(refusal('spec.clusterIPs', 'x', 'FieldValueInvalid')), false);
  assert.equal(isForTrial(refusal('spec.ports[0]', 'x', 'FieldValueDuplicate')), false);
  assert.equal(isForTrial(new ApiError(422, 'Invalid', 'x')), false);
  assert.equal(isForTrial(new ApiError(403, 'Forbidden', 'x')), false);
});
