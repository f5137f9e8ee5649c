import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import definitions from '../../operator/api/v1alpha1/definitions.json' with { type: 'json' };

/** A schema of OpenAPI v3, as definitions have it. */
interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  required?: string[];
  enum?: string[];
  [rule: string]: unknown;
}

/** What a status may have been, or may have to be: of the first it may get more, of the second less. */
const MOST = ['maxLength', 'maxItems', 'maxProperties', 'maximum'];
const LEAST = ['minLength', 'minItems', 'minProperties', 'minimum'];
/** What can only be dropped, or stay as it is. */
const FIXED = ['pattern', 'format', 'exclusiveMinimum', 'exclusiveMaximum', 'uniqueItems', 'multipleOf'];
/** What decides how items are told apart, and what a rule in CEL says. */
const SAME = [
  'type',
  'nullable',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
];
const UNDERSTOOD = [...MOST, ...LEAST, ...FIXED, ...SAME];
const STRUCTURE = [
  'properties',
  'items',
  'additionalProperties',
  'required',
  'enum',
  'description',
  'default',
];

/** Where a status that the schema `before` took would be refused, or lose something, by the schema `after`. */
function tightened(before: Schema, after: Schema, path = 'status'): string[] {
  const rules = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const found = rules.flatMap((rule) => {
    if (STRUCTURE.includes(rule)) return [];
    return isLooser(rule, before[rule], after[rule]) ? [] : [`${path}: ${rule}`];
  });
  const required = (after.required ?? []).filter((name) => !before.required?.includes(name));
  found.push(...required.map((name) => `${path}: ${name} is required`));
  if (after.enum !== undefined && !(before.enum?.every((word) => after.enum?.includes(word)) ?? false))
    found.push(`${path}: enum`);
  for (const [name, schema] of Object.entries(before.properties ?? {})) {
    const next = after.properties?.[name];
    if (next === undefined) found.push(`${path}.${name} is gone`);
    else found.push(...tightened(schema, next, `${path}.${name}`));
  }
  for (const inside of ['items', 'additionalProperties'] as const) {
    const [one, two] = [before[inside], after[inside]];
    if (one !== undefined) found.push(...tightened(one, two ?? {}, `${path}[]`));
    else if (two !== undefined) found.push(`${path}: ${inside}`);
  }
  return found;
}

function isLooser(rule: string, before: unknown, after: unknown): boolean {
  if (JSON.stringify(before) === JSON.stringify(after)) return true;
  if (SAME.includes(rule)) return rule === 'x-kubernetes-validations' && after === undefined;
  if (after === undefined) return UNDERSTOOD.includes(rule);
  if (before === undefined) return false;
  if (MOST.includes(rule)) return Number(after) >= Number(before);
  return LEAST.includes(rule) && Number(after) <= Number(before);
}

type Statuses = Record<string, Schema>;

/** The schemas of all kinds' statuses, by definition and version that is served. */
function statuses(): Statuses {
  const found = definitions.flatMap(({ metadata, spec }) =>
    spec.versions
      .filter(({ served }) => served)
      .map(({ name, schema }) => {
        const { status } = schema.openAPIV3Schema.properties as unknown as { status?: Schema };
        return [`${metadata.name} ${name}`, status ?? {}] as const;
      }),
  );
  return Object.fromEntries(found);
}

// Of the last release, or of the time since which statuses are stored; replaced when a release is made, or a kind comes.
const released = JSON.parse(
  readFileSync(join(import.meta.dirname, 'testdata/released-status.json'), 'utf8'),
) as Statuses;

test('I2, A24: every status that an operator of the last release may have stored is valid for this one', () => {
  const now = statuses();
  assert.deepEqual(Object.keys(released), Object.keys(now), 'of each kind: testdata/released-status.json');
  for (const [name, before] of Object.entries(released)) {
    const after = now[name];
    assert.ok(after !== undefined, `${name} is served no longer: stored objects would be lost`);
    assert.deepEqual(tightened(before, after), [], name);
  }
});

const sample: Schema = {
  type: 'object',
  required: ['a'],
  properties: {
    a: { type: 'string', maxLength: 5, minLength: 1, enum: ['x', 'y'] },
    b: { type: 'array', maxItems: 3, items: { type: 'integer', minimum: 0, format: 'int64' } },
    c: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

type Change = (schema: { properties: Record<string, Schema> } & Schema) => void;
const at =
  (change: (one: Schema) => void, name: string): Change =>
  (schema) => {
    const one = schema.properties[name];
    assert.ok(one !== undefined);
    change(one);
  };
const changed = (change: Change): Schema => {
  const copy = structuredClone(sample) as Parameters<Change>[0];
  change(copy);
  return copy;
};
const TIGHTER: readonly (readonly [string, Change, string])[] = [
  ['a shorter text', at((a) => Object.assign(a, { maxLength: 4 }), 'a'), 'status.a: maxLength'],
  ['a longer least text', at((a) => Object.assign(a, { minLength: 2 }), 'a'), 'status.a: minLength'],
  ['a pattern', at((a) => Object.assign(a, { pattern: 'x' }), 'a'), 'status.a: pattern'],
  ['a word less', at((a) => Object.assign(a, { enum: ['x'] }), 'a'), 'status.a: enum'],
  ['words where any was good', at((b) => Object.assign(b, { enum: ['x'] }), 'b'), 'status.b: enum'],
  ['another type', at((a) => Object.assign(a, { type: 'integer' }), 'a'), 'status.a: type'],
  [
    'a bound where there was none',
    at((c) => Object.assign(c, { maxProperties: 9 }), 'c'),
    'status.c: maxProperties',
  ],
  [
    'a rule',
    at((b) => Object.assign(b, { 'x-kubernetes-validations': [] }), 'b'),
    'status.b: x-kubernetes-validations',
  ],
  [
    'another kind of list',
    at((b) => Object.assign(b, { 'x-kubernetes-list-type': 'set' }), 'b'),
    'status.b: x-kubernetes-list-type',
  ],
  [
    'a higher least item',
    at((b) => Object.assign(b, { items: { type: 'integer', minimum: 1, format: 'int64' } }), 'b'),
    'status.b[]: minimum',
  ],
  [
    'a member that must be',
    (schema) => Object.assign(schema, { required: ['a', 'b'] }),
    'status: b is required',
  ],
  ['a member less', (schema) => delete schema.properties['b'], 'status.b is gone'],
  ['a rule that nobody knows', at((a) => Object.assign(a, { 'x-new': true }), 'a'), 'status.a: x-new'],
];
for (const [what, change, says] of TIGHTER)
  test(`a status with ${what} is told as tightened`, () => {
    assert.deepEqual(tightened(sample, changed(change)), [says]);
  });

test('longer texts, more words, more members, less that must be: none of that is told', () => {
  const looser = changed(({ properties }) => {
    Object.assign(properties, { new: { type: 'string', maxLength: 3 } });
    Object.assign(properties['a'] ?? {}, { maxLength: 9, minLength: 0, enum: ['x', 'y', 'z'] });
    delete properties['b']?.items?.['format'];
  });
  assert.deepEqual(tightened(sample, { ...looser, required: [] }), []);
});
