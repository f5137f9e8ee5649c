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

/** The largest value that the schema allows, with `character` in its texts. */
function largest(schema: Schema, character: string): unknown {
  if (schema.enum) return schema.enum.toSorted((a, b) => b.length - a.length)[0];
  if (schema.format === 'date-time') return '2026-11-23T23:59:59Z';
  if (schema.type === 'string') return character.repeat(schema.maxLength ?? Number.NaN);
  if (schema.type === 'integer') return schema.maximum;
  if (schema.type === 'array') {
    assert.ok(schema.items && schema.maxItems);
    const item = largest(schema.items, character);
    return Array.from({ length: schema.maxItems }, () => item);
  }
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, largest(property, character)]),
  );
}

/** A status in which every text, list and number is as large as the schema allows. */
export function largestStatus(): ApplicationStatus {
  const schema = z.toJSONSchema(applicationStatusSchema, { io: 'input', target: 'openapi-3.0' });
  return largest(schema as unknown as Schema, 'x') as ApplicationStatus;
}
