import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../api/errors.ts';
import { checkOwnAnnotations } from './own-annotations.ts';

const object = (name: string, annotations: Record<string, string>) => ({
  ...{ group: '', kind: 'ConfigMap', namespace: 'shop', name },
  annotations: Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [`towpath.dev/${key}`, value]),
  ),
});

test('every annotation of ours with a value that we do not know is named, with what to write', () => {
  const objects = [
    object('a', { prune: 'disable' }),
    object('b', { wave: '1.5', replace: 'yes' }),
    object('c', { wave: '-1', prune: 'disabled', replace: 'true', adopt: 'false' }),
    object('d', { adopt: 'True' }),
  ];
  assert.throws(
    () => checkOwnAnnotations(objects),
    (error) => {
      assert.ok(error instanceof TowpathError);
      assert.deepEqual([error.reason, error.remedy], ['ManifestInvalid', 'Person']);
      assert.equal(
        error.message,
        'ConfigMap shop/a (and 3 more): the annotation towpath.dev/prune is "disable"; write "enabled" or "disabled".',
      );
      assert.deepEqual(
        error.details.map(({ object, message }) => `${object?.name}: ${message}`),
        [
          'a: the annotation towpath.dev/prune is "disable"; write "enabled" or "disabled"',
          'b: the annotation towpath.dev/wave is "1.5"; write an integer, like "1" or "-1"',
          'b: the annotation towpath.dev/replace is "yes"; write "true" or "false"',
          'd: the annotation towpath.dev/adopt is "True"; write "true" or "false"',
        ],
      );
      return true;
    },
  );
  checkOwnAnnotations(objects.slice(2, 3));
});
