import { z } from 'zod';

/** A structural schema as a CRD carries it: OpenAPI v3 with Kubernetes' extensions. */
export interface StructuralSchema {
  /** Absent for an integer or a string. */
  type?: string;
  description?: string;
  properties?: Record<string, StructuralSchema>;
  required?: string[];
  items?: StructuralSchema;
  'x-kubernetes-validations'?: { rule: string; message: string; fieldPath?: string }[];
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-int-or-string'?: true;
  [keyword: string]: unknown;
}

const jsonSchema = z.looseObject({
  type: z.enum(['object', 'array', 'string', 'integer', 'boolean']),
  description: z.string().exactOptional(),
  default: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).exactOptional(),
  required: z.array(z.string()).exactOptional(),
  additionalProperties: z.unknown().optional(),
  maxProperties: z.int().exactOptional(),
  items: z.unknown().optional(),
  minItems: z.int().exactOptional(),
  maxItems: z.int().exactOptional(),
  minLength: z.int().exactOptional(),
  maxLength: z.int().exactOptional(),
  format: z.string().exactOptional(),
  pattern: z.string().exactOptional(),
  enum: z.array(z.string()).exactOptional(),
  minimum: z.int().exactOptional(),
  maximum: z.int().exactOptional(),
  cel: z
    .array(z.object({ rule: z.string(), message: z.string(), fieldPath: z.string().exactOptional() }))
    .exactOptional(),
  listType: z.string().exactOptional(),
  listMapKeys: z.array(z.string()).exactOptional(),
  preserveUnknownFields: z.literal(true).exactOptional(),
  textMap: z.object({ maxLength: z.int() }).exactOptional(),
});
type JsonSchema = z.output<typeof jsonSchema>;

const intOrStringSchema = z.object({
  intOrString: z.literal(true),
  description: z.string(),
  default: z.unknown().optional(),
  cel: jsonSchema.shape.cel,
});
const KNOWN_KEYWORDS = new Set(Object.keys(jsonSchema.shape));

/**
 * The structural schema of what users may write (`io: input`: fields with a default are optional).
 * Throws, naming the field, on whatever a structural schema cannot say, and on a string, list or map without
 * a maximum: the API server's CEL cost estimates and our bound on a status' size rest on them.
 */
export function structuralSchema(schema: z.ZodType, field: string): StructuralSchema {
  return convert(z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0' }), field);
}

function convert(input: unknown, field: string): StructuralSchema {
  const either = intOrStringSchema.safeParse(input);
  if (either.success) return convertIntOrString(either.data, field);
  const parsed = jsonSchema.safeParse(input);
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new Error(`${field}: a structural schema cannot say it: ${where}`);
  }
  const schema = parsed.data;
  const unknown = Object.keys(schema).filter((keyword) => !KNOWN_KEYWORDS.has(keyword));
  if (unknown.length > 0) throw new Error(`${field}: a structural schema cannot say ${unknown.join(', ')}`);
  // A list's entries are described by the list.
  if (schema.description === undefined && !field.endsWith('[]'))
    throw new Error(`${field}: has no description`);

  const output: StructuralSchema = { type: schema.type };
  const { description, required, enum: values, minItems, maxItems, minLength } = schema;
  const copied = {
    description,
    default: schema.default,
    required,
    enum: values,
    minItems,
    maxItems,
    minLength,
  };
  Object.assign(
    output,
    Object.fromEntries(Object.entries(copied).filter(([, value]) => value !== undefined)),
  );
  if (schema.type === 'string') convertString(schema, output, field);
  if (schema.type === 'integer') convertInteger(schema, output);
  if (schema.type === 'array') convertArray(schema, output, field);
  if (schema.type === 'object') convertObject(schema, output, field);
  if (schema.cel !== undefined && schema.cel.length > 0) output['x-kubernetes-validations'] = schema.cel;
  return output;
}

function convertIntOrString(schema: z.output<typeof intOrStringSchema>, field: string): StructuralSchema {
  if (schema.cel === undefined)
    throw new Error(`${field}: no rule says which integers and strings it may be`);
  return {
    description: schema.description,
    ...(schema.default === undefined ? {} : { default: schema.default }),
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    'x-kubernetes-int-or-string': true,
    'x-kubernetes-validations': schema.cel,
  };
}

function convertString(schema: JsonSchema, output: StructuralSchema, field: string): void {
  if (schema.format !== undefined && schema.format !== 'date-time') {
    throw new Error(`${field}: the format ${schema.format} is not checked by the API server; write a rule`);
  }
  if (schema.format !== undefined) output.format = schema.format;
  // zod gives date-time a pattern too; the format says it.
  else if (schema.pattern !== undefined) {
    throw new Error(`${field}: a pattern is reported without a sentence; write it as a rule with a message`);
  }
  if (schema.maxLength === undefined && schema.enum === undefined)
    throw new Error(`${field}: has no maximum`);
  if (schema.maxLength !== undefined) output.maxLength = schema.maxLength;
}

function convertInteger(schema: JsonSchema, output: StructuralSchema): void {
  output.format = 'int64';
  // zod states the limits of exact numbers where the schema states none.
  if (schema.minimum !== undefined && Number.MIN_SAFE_INTEGER < schema.minimum)
    output.minimum = schema.minimum;
  if (schema.maximum !== undefined && Number.MAX_SAFE_INTEGER > schema.maximum)
    output.maximum = schema.maximum;
}

function convertArray(schema: JsonSchema, output: StructuralSchema, field: string): void {
  if (schema.maxItems === undefined) throw new Error(`${field}: has no maximum`);
  if (schema.listType === undefined) throw new Error(`${field}: says neither map nor atomic`);
  output.items = convert(schema.items, `${field}[]`);
  output['x-kubernetes-list-type'] = schema.listType;
  if (schema.listMapKeys !== undefined) output['x-kubernetes-list-map-keys'] = schema.listMapKeys;
}

function convertObject(schema: JsonSchema, output: StructuralSchema, field: string): void {
  if (schema.preserveUnknownFields) {
    if (schema.maxProperties === undefined) throw new Error(`${field}: has no maximum`);
    output.maxProperties = schema.maxProperties;
    output['x-kubernetes-preserve-unknown-fields'] = true;
    return;
  }
  if (schema.textMap !== undefined) {
    if (schema.maxProperties === undefined) throw new Error(`${field}: has no maximum`);
    output.maxProperties = schema.maxProperties;
    output.additionalProperties = { type: 'string', maxLength: schema.textMap.maxLength };
    return;
  }
  if (schema.additionalProperties !== undefined) {
    throw new Error(`${field}: a map of known values is not supported yet; write a list of named things`);
  }
  output.properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [
      name,
      convert(property, field === '' ? name : `${field}.${name}`),
    ]),
  );
  // A default is validated as it stands, before the defaults inside it are filled in.
  if (output.default !== undefined) output.default = filledDefault(output);
}

function filledDefault(schema: StructuralSchema): unknown {
  if (schema.properties === undefined) return schema.default;
  const inner = Object.entries(schema.properties).map(([name, property]) => [name, property.default]);
  return Object.fromEntries(inner.filter(([, value]) => value !== undefined));
}
