import assert from 'node:assert/strict';
import { z } from 'zod';
import type { ApplicationStatus } from '../application.ts';
import { applicationStatusSchema } from '../application-status.ts';

interface Schema {
  type: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  maxItems?: number;
  maxLength?: number;
  maximum?: number;
  enum?: string[];
  format?: string;
}

/** The largest value that the schema allows; `text` makes its texts, of the length that the schema allows. */
function largest(schema: Schema, text: (length: number) => string): unknown {
  if (schema.enum) return schema.enum.toSorted((a, b) => b.length - a.length)[0];
  if (schema.format === 'date-time') return '2026-11-23T23:59:59Z';
  if (schema.type === 'string') return text(schema.maxLength ?? Number.NaN);
  if (schema.type === 'integer') return schema.maximum;
  if (schema.type === 'boolean') return false;
  if (schema.type === 'array') {
    assert.ok(schema.items && schema.maxItems);
    const { items } = schema;
    return Array.from({ length: schema.maxItems }, () => largest(items, text));
  }
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, largest(property, text)]),
  );
}

/** A status in which every text, list and number is as large as the schema allows. */
export function largestStatus(text = (length: number) => 'x'.repeat(length)): ApplicationStatus {
  const schema = z.toJSONSchema(applicationStatusSchema, { io: 'input', target: 'openapi-3.0' });
  return largest(schema as unknown as Schema, text) as ApplicationStatus;
}
