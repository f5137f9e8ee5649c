import { API_VERSION } from '../../operator/api/v1alpha1/names.ts';
import { resourceSchema } from './crd.ts';
import { code, GENERATED, table } from './markdown.ts';
import type { Resource } from './resources.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** The reference page of a resource: every field of spec and status. */
export function resourcePage(resource: Resource): string {
  const { names, scope, columns, description } = resource;
  const schema = resourceSchema(resource);
  const { spec, status } = schema.properties;
  if (spec === undefined || status === undefined) throw new Error(`${names.kind} has no spec or no status`);
  const rules = schema['x-kubernetes-validations'] ?? [];
  return `${GENERATED}
# ${names.kind}
${description}

${table(
  ['', ''],
  [
    ['apiVersion', code(API_VERSION)],
    ['scope', scope],
    ['kubectl', [names.plural, names.singular, ...names.shortNames].map(code).join(', ')],
    ['categories', names.categories.map(code).join(', ')],
  ],
)}

Beside other tools with a resource of that name, write ${code(`${names.plural}.${API_VERSION.split('/')[0]}`)}.

## spec
${fieldTable(spec, 'spec')}

${rulesOf(rules.map(({ message }) => message))}## status
${fieldTable(status, 'status')}

## Columns of kubectl get
${table(
  ['column', 'shows', 'where'],
  columns.map(({ name, description: shows, priority }) => [
    name.toUpperCase(),
    shows,
    priority === undefined ? 'always' : 'with `-o wide`',
  ]),
)}
`;
}

function rulesOf(messages: readonly string[]): string {
  if (messages.length === 0) return '';
  const list = messages.map((message) => `- ${message}`).join('\n');
  return `Rules about the whole resource, which the API server checks:\n\n${list}\n\n`;
}

function fieldTable(schema: StructuralSchema, path: string): string {
  return table(['field', 'type', 'default', 'what it says'], rowsOf(schema, path));
}

function rowsOf(schema: StructuralSchema, path: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const here = `${path}.${name}`;
    const required = schema.required?.includes(name) ? 'required' : '';
    const row = [
      code(here),
      typeOf(field),
      defaultOf(field) || required,
      textOf(field, rulesAt(schema, name)),
    ];
    return [row, ...rowsOf(field, here), ...(field.items ? rowsOf(field.items, `${here}[]`) : [])];
  });
}

function typeOf(schema: StructuralSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => code(String(value))).join(', ');
  if (schema.items) return `list of ${schema.items.properties ? 'objects' : `${schema.items.type}s`}`;
  if (schema['x-kubernetes-int-or-string']) return 'integer or string';
  return schema.format === 'date-time' ? 'time' : (schema.type ?? '');
}

/** Defaults of an object stand at its fields. */
function defaultOf(schema: StructuralSchema): string {
  if (schema.default === undefined || schema.properties) return '';
  return code(JSON.stringify(schema.default).replace(/^"(.+)"$/, '$1'));
}

/** Rules of an object about one of its fields. */
function rulesAt(schema: StructuralSchema, name: string): readonly { message: string }[] {
  return (schema['x-kubernetes-validations'] ?? []).filter(({ fieldPath }) => fieldPath === `.${name}`);
}

function textOf(schema: StructuralSchema, fromParent: readonly { message: string }[]): string {
  const own = (schema['x-kubernetes-validations'] ?? []).filter(({ fieldPath }) => fieldPath === undefined);
  const rules = [...fromParent, ...own, ...(schema.items?.['x-kubernetes-validations'] ?? [])];
  const limits = [
    limit('length', schema.minLength, schema.maxLength),
    limit('entries', schema.minItems, schema.maxItems),
    limit('range', schema.minimum, schema.maximum),
  ].filter((text) => text !== '');
  const sentences = [schema.description ?? '', ...rules.map(({ message }) => `${capital(message)}.`)];
  return [...sentences, ...limits].filter((text) => text !== '').join(' ');
}

function limit(what: string, least: unknown, most: unknown): string {
  if (most === undefined) return '';
  const range = least === undefined || least === 0 ? `at most ${most}` : `${least} to ${most}`;
  return what === 'range' ? `(${range})` : `(${what === 'length' ? 'characters' : what}: ${range})`;
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
