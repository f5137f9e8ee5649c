/** A schema of OpenAPI v3, as far as it decides which fields the API server keeps. */
interface Schema {
  properties?: Readonly<Record<string, object>>;
  items?: object;
  additionalProperties?: object | boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
}

/** One of a definition's `spec.versions`. */
export interface Versioned {
  name: string;
  schema?: { openAPIV3Schema?: object };
}

/**
 * The fields that one definition's versions keep and another's do not, as `v1alpha1.spec.source`, at most `most`: the
 * API server drops them from each object that is read and written by the other.
 */
export function fieldsBeyond(
  one: readonly Versioned[],
  other: readonly Versioned[],
  most: number,
): readonly string[] {
  const found: string[] = [];
  const compare = (path: string, before: Schema, after: Schema | undefined): void => {
    if (found.length >= most || after?.['x-kubernetes-preserve-unknown-fields'] === true) return;
    if (after === undefined || before['x-kubernetes-preserve-unknown-fields'] === true) {
      found.push(path);
      return;
    }
    for (const [name, schema] of Object.entries(before.properties ?? {}))
      compare(`${path}.${name}`, schema, after.properties?.[name] ?? insideOf(after.additionalProperties));
    if (before.items !== undefined) compare(`${path}[]`, before.items, after.items);
    const values = insideOf(before.additionalProperties);
    if (values !== undefined) compare(`${path}.*`, values, insideOf(after.additionalProperties));
  };
  for (const { name, schema } of one) {
    const same = other.find((version) => version.name === name);
    compare(name, schema?.openAPIV3Schema ?? {}, same && (same.schema?.openAPIV3Schema ?? {}));
  }
  return found;
}

function insideOf(additional: Schema | boolean | undefined): Schema | undefined {
  return typeof additional === 'object' ? additional : undefined;
}
