import { test } from 'node:test';
import { assertReadsFramedInLinearTime, assertReadsInLinearTime } from '../../test/harness/hostile-text.ts';
import { errorFromAnswer, errorFromStatus } from './refusal.ts';

const contexts = [{ plural: 'configmaps' }, { plural: 'secrets' }];

for (const [what, status] of [
  ['a message', (text: string) => ({ code: 422, reason: 'Invalid', message: text })],
  [
    'a value that an invalid object is refused for',
    (text: string) => ({
      code: 422,
      reason: 'Invalid',
      message: `ConfigMap "web" is invalid: metadata.labels: Invalid value: ${JSON.stringify(text)}: must be no more than 63 bytes`,
      details: {
        causes: [
          {
            field: 'metadata.labels',
            reason: 'FieldValueInvalid',
            message: `Invalid value: ${JSON.stringify(text)}: must be no more than 63 bytes`,
          },
        ],
      },
    }),
  ],
  [
    'a value of a wrong type',
    (text: string) => ({
      code: 500,
      message: `failed to create typed patch object (/web; v1, Kind=ConfigMap): .data: expected map, got &{${text}}`,
    }),
  ],
  ['a name', (text: string) => ({ code: 403, message: `configmaps "${text}" is forbidden: no` })],
  [
    'a webhook',
    (text: string) => ({ code: 400, message: `admission webhook "w" denied the request: ${text}` }),
  ],
  [
    'every member',
    (text: string) => ({
      code: 500,
      reason: text,
      message: text,
      details: {
        name: text,
        kind: text,
        group: text,
        causes: [{ field: text, reason: text, message: text }],
      },
    }),
  ],
] as const) {
  test(`A15: what an API server answers is read in linear time: ${what}`, () => {
    assertReadsFramedInLinearTime(
      (framed) => {
        for (const context of contexts) errorFromStatus(framed, 422, context);
      },
      status as (text: string) => object,
    );
  });
}

test('A15: a page of something before the API server is read in linear time', () => {
  assertReadsInLinearTime((text) => {
    for (const context of contexts) errorFromAnswer(502, text, context);
  });
});
