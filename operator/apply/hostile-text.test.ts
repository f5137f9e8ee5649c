import { test } from 'node:test';
import { assertReadsInLinearTime } from '../../test/harness/hostile-text.ts';
import { errorFromStatus } from '../kube/refusal.ts';
import { classify } from './classify.ts';

const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };

for (const code of [400, 403, 404, 409, 422, 500]) {
  test(`A15: a refusal with code ${code} is classified and told in linear time`, () => {
    assertReadsInLinearTime((text) => {
      const causes = [{ field: text, reason: 'FieldValueInvalid', message: text }];
      for (const details of [{}, { causes }])
        for (const head of ['', 'ConfigMap "web" is invalid: ', 'configmaps "web" is forbidden: '])
          classify(
            errorFromStatus({ code, message: head + text, details }, code, { plural: 'configmaps' }),
            'dry-run of',
            object,
          );
    });
  });
}

test('A15: an error that is no answer is told in linear time', () => {
  assertReadsInLinearTime((text) => classify(new Error(text), 'apply', object));
});
