import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { ruled, text } from '../../operator/api/v1alpha1/schema.ts';
import { generatedFiles } from './files.ts';
import { lineDifference } from './line-difference.ts';
import { structuralSchema } from './structural-schema.ts';

test('generated files are what their sources say (else: make generate)', async () => {
  for (const [file, wanted] of generatedFiles()) {
    const found = await readFile(join(import.meta.dirname, '../..', file), 'utf8');
    assert.ok(found === wanted, lineDifference(file, found, wanted));
  }
});

test('what a structural schema cannot say is refused with the name of the field', () => {
  const described = { description: 'd' };
  const refused: [z.ZodType, RegExp][] = [
    [z.object({ a: z.string().meta(described) }).meta(described), /^a: has no maximum$|x\.a: has no maximum/],
    [
      z.object({ a: text(5, '').meta({ description: undefined }) }).meta(described),
      /x\.a: has no description/,
    ],
    [
      z.object({ a: text(5, 'd').regex(/x/) }).meta(described),
      /x\.a: a pattern is reported without a sentence/,
    ],
    [
      z.object({ a: z.array(text(5, 'd')).max(2).meta(described) }).meta(described),
      /x\.a: says neither map nor atomic/,
    ],
    [
      z.object({ a: z.union([z.int(), text(5, 'd')]).meta(described) }).meta(described),
      /x\.a: a structural schema cannot say/,
    ],
    [
      z.object({ a: z.record(z.string(), text(5, 'd')).meta(described) }).meta(described),
      /x\.a: a map of known values/,
    ],
    [z.object({ a: z.number().meta(described) }).meta(described), /x\.a: a structural schema cannot say/],
    [z.strictObject({ a: text(5, 'd') }).meta(described), /x: a structural schema cannot say|x: a map/],
    [z.object({ a: z.email().max(9).meta(described) }).meta(described), /x\.a: the format email/],
  ];
  for (const [schema, message] of refused) assert.throws(() => structuralSchema(schema, 'x'), message);
});

test('rules are carried to the schema, and defaults are filled in as far as they go', () => {
  const inner = z
    .object({ b: text(5, 'b').default('x'), c: text(5, 'c').exactOptional() })
    .meta({ description: 'i' });
  const schema = z
    .object({ a: ruled(text(5, 'a'), { rule: 'self != "q"', message: 'no q' }), inner: inner.prefault({}) })
    .meta({ description: 's' });
  assert.deepEqual(structuralSchema(schema, 'x'), {
    type: 'object',
    description: 's',
    required: ['a'],
    properties: {
      a: {
        type: 'string',
        description: 'a',
        maxLength: 5,
        'x-kubernetes-validations': [{ rule: 'self != "q"', message: 'no q' }],
      },
      inner: {
        type: 'object',
        description: 'i',
        default: { b: 'x' },
        properties: {
          b: { type: 'string', description: 'b', default: 'x', maxLength: 5 },
          c: { type: 'string', description: 'c', maxLength: 5 },
        },
      },
    },
  });
});

test('a difference is shown with the lines around it', () => {
  assert.equal(
    lineDifference('f', 'a\nb\nc\nd\n', 'a\nb\nx\nd\n'),
    'f differs from line 3 on:\n  a\n  b\n- c\n+ x\n  d\n  ',
  );
});
