import { TowpathError } from '../api/errors.ts';
import { isRecord, type Json, parseExact } from '../manifest/exact-json.ts';
import { describeObject, groupKind, idOf, type Manifest, objectKey } from '../manifest/manifest.ts';
import type { Refusal } from './classify.ts';

type Schema = { [key: string]: Json };

/** A CustomResourceDefinition of a candidate, as far as its custom resources are checked against it. */
export interface Definition {
  group: string;
  kind: string;
  /** Of the definition itself. */
  key: string;
  /** Of the versions that are served. */
  schemas: ReadonlyMap<string, Schema>;
}

interface DefinitionText {
  spec?: {
    group?: string;
    names?: { kind?: string };
    versions?: { name?: string; served?: boolean; schema?: { openAPIV3Schema?: Schema } }[];
  };
}

const ANYTHING: Schema = { 'x-kubernetes-preserve-unknown-fields': true };

/** Undefined where the manifest defines no kind. */
export function definitionOf(manifest: Manifest): Definition | undefined {
  if (groupKind(manifest) !== 'apiextensions.k8s.io/CustomResourceDefinition') return undefined;
  const { spec } = JSON.parse(manifest.text) as DefinitionText;
  const { group, names, versions = [] } = spec ?? {};
  if (group === undefined || names?.kind === undefined) return undefined;
  const schemas = new Map<string, Schema>();
  for (const { name = '', served, schema } of versions)
    if (served !== false) schemas.set(name, schema?.openAPIV3Schema ?? ANYTHING);
  return { group, kind: names.kind, key: objectKey(manifest), schemas };
}

/**
 * Checks a custom resource against the CustomResourceDefinition that comes with it, as strict field
 * validation would: types, required and unknown fields, enumerations. Patterns, limits and CEL rules are
 * left to the dry-run just before the object's wave.
 */
export function schemaRefusals(manifest: Manifest, definition: Definition): Refusal[] {
  const version = manifest.apiVersion.slice(manifest.apiVersion.indexOf('/') + 1);
  const schema = definition.schemas.get(version);
  const file = manifest.file === undefined ? {} : { file: manifest.file };
  const problems =
    schema === undefined
      ? [`apiVersion: ${version} is not served by the CustomResourceDefinition of the same commit.`]
      : problemsIn(parseExact(manifest.text), schema, '');
  return problems.map((problem) => ({
    verdict: 'Principle' as const,
    error: new TowpathError(
      'Person',
      'ManifestInvalid',
      `${describeObject(manifest)}: ${problem} Correct it in Git.`,
      { details: [{ object: idOf(manifest), message: problem, ...file }] },
    ),
  }));
}

const ROOT_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);

function problemsIn(value: Json | undefined, schema: Schema, path: string): string[] {
  const at = path === '' ? 'the object' : path;
  if (value === undefined) return [];
  // The API server drops a null where there is a default to put in its place.
  if (value === null)
    return schema.nullable === true || schema.default !== undefined ? [] : [`${at}: must not be null.`];
  if (schema['x-kubernetes-int-or-string'] === true) {
    return ['number', 'string'].includes(typeof value) || isNumber(value)
      ? []
      : [`${at}: must be an integer or a string.`];
  }
  const type = typeof schema.type === 'string' ? schema.type : undefined;
  if (type !== undefined && !hasType(value, type)) return [`${at}: must be of type ${type}.`];
  if (
    Array.isArray(schema.enum) &&
    !schema.enum.some((allowed) => JSON.stringify(allowed) === JSON.stringify(value))
  ) {
    return [`${at}: must be one of ${schema.enum.map((allowed) => JSON.stringify(allowed)).join(', ')}.`];
  }
  if (Array.isArray(value)) {
    const items = schema.items;
    return isRecord(items)
      ? value.flatMap((item, index) => problemsIn(item, items, `${path}[${index}]`))
      : [];
  }
  return isRecord(value) && !isNumber(value) ? problemsInMembers(value, schema, path) : [];
}

function problemsInMembers(value: { [key: string]: Json }, schema: Schema, path: string): string[] {
  const isRoot = path === '';
  const properties = isRecord(schema.properties) ? schema.properties : {};
  const additional = schema.additionalProperties;
  const problems: string[] = [];
  for (const name of Array.isArray(schema.required) ? schema.required : []) {
    if (typeof name !== 'string' || value[name] !== undefined) continue;
    // Defaults are filled in before required fields are asked for.
    const declared = properties[name];
    if (isRecord(declared) && declared.default !== undefined) continue;
    if (isRoot && ROOT_FIELDS.has(name)) continue;
    problems.push(`${path}.${name}: is required.`);
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
      return isNumber(value) && Number.isInteger(Number(JSON.stringify(value)));
    case 'number':
      return isNumber(value);
    default:
      return typeof value === type;
  }
}
