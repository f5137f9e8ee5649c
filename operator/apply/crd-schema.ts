import { TowpathError } from '../api/errors.ts';
import { isRecord, type Json, parseExact } from '../manifest/exact-json.ts';
import { describeObject, type Manifest } from '../manifest/manifest.ts';
import type { Refusal } from './classify.ts';

type Schema = { [key: string]: Json };

/**
 * Checks a custom resource against the CustomResourceDefinition that comes with it, as strict field
 * validation would: types, required and unknown fields, enumerations. Patterns, limits and CEL rules are
 * left to the dry-run just before the object's wave.
 */
export function validateAgainstCRDs(manifest: Manifest, candidate: readonly Manifest[]): Refusal[] {
  const schema = candidate.map((other) => schemaFor(manifest, other)).find((found) => found !== undefined);
  if (schema === undefined) return [];
  const problems = problemsIn(parseExact(manifest.text), schema, '', true);
  return problems.map((problem) => ({
    verdict: 'Principle' as const,
    error: new TowpathError(
      'Person',
      'ManifestInvalid',
      `${describeObject(manifest)}: ${problem} Correct it in Git.`,
      {
        details: [
          {
            object: manifest,
            message: problem,
            ...(manifest.file === undefined ? {} : { file: manifest.file }),
          },
        ],
      },
    ),
  }));
}

interface Definition {
  spec?: {
    group?: string;
    names?: { kind?: string };
    versions?: { name?: string; schema?: { openAPIV3Schema?: Schema } }[];
  };
}

function schemaFor(manifest: Manifest, definition: Manifest): Schema | undefined {
  if (definition.kind !== 'CustomResourceDefinition' || !definition.name.endsWith(`.${manifest.group}`))
    return undefined;
  const { spec } = JSON.parse(definition.text) as Definition;
  if (spec?.names?.kind !== manifest.kind) return undefined;
  const version = manifest.apiVersion.slice(manifest.apiVersion.indexOf('/') + 1);
  return spec.versions?.find((candidate) => candidate.name === version)?.schema?.openAPIV3Schema;
}

const ROOT_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);

function problemsIn(value: Json | undefined, schema: Schema, path: string, isRoot = false): string[] {
  const at = path === '' ? 'the object' : path;
  if (value === undefined) return [];
  if (value === null) return schema['nullable'] === true ? [] : [`${at}: must not be null.`];
  if (schema['x-kubernetes-int-or-string'] === true) {
    return ['number', 'string'].includes(typeof value) || isNumber(value)
      ? []
      : [`${at}: must be an integer or a string.`];
  }
  const type = typeof schema['type'] === 'string' ? schema['type'] : undefined;
  if (type !== undefined && !hasType(value, type)) return [`${at}: must be of type ${type}.`];
  if (
    Array.isArray(schema['enum']) &&
    !schema['enum'].some((allowed) => JSON.stringify(allowed) === JSON.stringify(value))
  ) {
    return [`${at}: must be one of ${schema['enum'].map((allowed) => JSON.stringify(allowed)).join(', ')}.`];
  }
  if (Array.isArray(value)) {
    const items = schema['items'];
    return isRecord(items)
      ? value.flatMap((item, index) => problemsIn(item, items, `${path}[${index}]`))
      : [];
  }
  return isRecord(value) && !isNumber(value) ? problemsInMembers(value, schema, path, isRoot) : [];
}

function problemsInMembers(
  value: { [key: string]: Json },
  schema: Schema,
  path: string,
  isRoot: boolean,
): string[] {
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  const additional = schema['additionalProperties'];
  const problems: string[] = [];
  for (const name of Array.isArray(schema['required']) ? schema['required'] : []) {
    if (typeof name === 'string' && value[name] === undefined) problems.push(`${path}.${name}: is required.`);
  }
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true || additional === true;
  const skipsRoot = isRoot || schema['x-kubernetes-embedded-resource'] === true;
  for (const [name, member] of Object.entries(value)) {
    if (skipsRoot && ROOT_FIELDS.has(name)) continue;
    const declared = properties[name];
    if (isRecord(declared)) problems.push(...problemsIn(member, declared, `${path}.${name}`));
    else if (isRecord(additional)) problems.push(...problemsIn(member, additional, `${path}.${name}`));
    else if (!isOpen) problems.push(`${path}.${name}: is no field that the CustomResourceDefinition knows.`);
  }
  return problems;
}

function isNumber(value: Json): boolean {
  return typeof value === 'number' || (JSON.isRawJSON?.(value) ?? false);
}

function hasType(value: Json, type: string): boolean {
  switch (type) {
    case 'object':
      return isRecord(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return isNumber(value) && /^-?\d+$/.test(JSON.stringify(value));
    case 'number':
      return isNumber(value);
    default:
      return typeof value === type;
  }
}
