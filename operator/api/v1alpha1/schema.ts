import { z } from 'zod';

/**
 * The vocabulary that the resources' schemas are written in. What a structural schema (OpenAPI v3 plus CEL)
 * has and zod has not travels in `.meta`, and hack/generate turns it into the CRD; what zod checks beyond
 * the OpenAPI keywords always carries the CEL rule that makes the API server check the same.
 */
export interface Rule<Value = unknown> {
  /** CEL; `self` is the value, `oldSelf` the value before an update. */
  rule: string;
  /** One sentence that says what is expected and what to write instead. */
  message: string;
  /** The field an error is reported at, relative to the value, as `.spec.x`; default: the value itself. */
  fieldPath?: string;
  /** The same check in TypeScript; absent for rules that compare with the value before an update. */
  holds?: (value: Value) => boolean;
}

declare module 'zod' {
  interface GlobalMeta {
    cel?: Omit<Rule, 'holds'>[];
    listType?: 'map' | 'atomic' | 'set';
    listMapKeys?: string[];
    preserveUnknownFields?: boolean;
    /** A map of texts of at most so many characters; `maxProperties` stands beside it. */
    textMap?: { maxLength: number };
    intOrString?: boolean;
  }
}

/** `schema` with rules that hold in the API server and in TypeScript alike. */
export function ruled<Schema extends z.ZodType>(schema: Schema, ...rules: Rule<z.output<Schema>>[]): Schema {
  let checked = schema;
  for (const { holds, message, fieldPath } of rules) {
    const path = fieldPath?.split('.').slice(1) ?? [];
    if (holds !== undefined) checked = checked.refine(holds, { message, path });
  }
  const inherited = z.globalRegistry.get(schema)?.cel ?? [];
  return checked.meta({ cel: [...inherited, ...rules.map(({ holds: _, ...rule }) => rule)] });
}

/** The string matches `pattern`, which must lie in what RE2 and JavaScript both understand. */
export function matches(pattern: string, message: string): Rule<string> {
  // Linear: on a field that is short, by an expression of ours.
  const expression = new RegExp(pattern);
  return { rule: `self.matches(${celText(pattern)})`, message, holds: (text) => expression.test(text) };
}

/** The string does not match `pattern`. */
export function avoids(pattern: string, message: string): Rule<string> {
  // Linear: on a field that is short, by an expression of ours.
  const expression = new RegExp(pattern);
  return { rule: `!self.matches(${celText(pattern)})`, message, holds: (text) => !expression.test(text) };
}

/**
 * Rules about one string of an object, checked at the object: the API server repeats the value that a rule
 * stands at, and this one may hold a secret.
 */
export function withoutEcho<Field extends string>(
  field: Field,
  ...rules: Rule<string>[]
): Rule<Record<Field, string>>[] {
  return rules.map(({ rule, message, holds }) => ({
    rule: rule.replaceAll(/\bself\b/g, `self.${field}`),
    message,
    fieldPath: `.${field}`,
    ...(holds && { holds: (object) => holds(object[field]) }),
  }));
}

/** A raw string literal of CEL. */
function celText(text: string): string {
  if (text.includes("'")) throw new Error(`the pattern ${text} contains a quote`);
  return `r'${text}'`;
}

/** A string of at most `max` characters. */
export function text(max: number, description: string): z.ZodString {
  return z.string().max(max).meta({ description });
}

/** An integer or a string, as IntOrString of Kubernetes; what either may be is for rules to say, in which `type(self)` tells. */
export function intOrString(description: string): z.ZodUnion<readonly [z.ZodInt, z.ZodString]> {
  return z.union([z.int(), z.string()]).meta({ description, intOrString: true });
}

/** A list whose entries have a `name` (or another key) that occurs once: entries merge by it. */
export function namedList<Item extends z.ZodType<object>>(
  item: Item,
  max: number,
  description: string,
  key = 'name',
) {
  // The API server refuses duplicates in a list map without a rule.
  const isUnique = (entries: readonly object[]) =>
    new Set(entries.map((entry) => Reflect.get(entry, key))).size === entries.length;
  return z
    .array(item)
    .max(max)
    .refine(isUnique, { message: `every ${key} may occur once` })
    .meta({ description, listType: 'map', listMapKeys: [key] });
}

/** A list that is replaced as a whole, because its order matters. */
export function orderedList<Item extends z.ZodType>(item: Item, max: number, description: string) {
  return z.array(item).max(max).meta({ description, listType: 'atomic' });
}

const DNS_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

/** The name of a Kubernetes object: an RFC 1123 subdomain. */
export function objectName(description: string, max = 253): z.ZodString {
  return ruled(
    text(max, description).min(1),
    matches(
      `^${DNS_LABEL}(\\.${DNS_LABEL})*$`,
      'must be a Kubernetes name: lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit',
    ),
  );
}

/** The name of an Environment as an Application names it; `default` is reserved for Applications that name none. */
export function environmentName(description: string): z.ZodString {
  return ruled(
    text(63, description).min(1),
    matches(
      `^${DNS_LABEL}$`,
      'must be the name of an Environment: lower-case letters, digits and "-", beginning and ending with a letter or digit',
    ),
    {
      rule: "self != 'default'",
      message: 'default is what an Application without environments has: give the Environment another name',
      holds: (name) => name !== 'default',
    },
  );
}

/** Values of a chart, which may be anything; how large they may be is checked when they are used. */
export function valuesField(description: string) {
  return z
    .record(z.string(), z.unknown())
    .meta({ description, preserveUnknownFields: true, maxProperties: 4096 });
}

/** A path inside the repository. Whether symlinks leave it is checked when it is read. */
export function repositoryPath(description: string, rooted: 'relative' | 'rooted'): z.ZodString {
  const inside = [
    avoids('(^|/)\\.\\.(/|$)', 'must stay inside the repository: ".." is not allowed in a path'),
    avoids(
      '[\\x00-\\x1f\\x7f\\\\]',
      'must be a path with "/" between its parts: backslashes and control characters are not allowed',
    ),
  ];
  if (rooted === 'rooted') return ruled(text(512, description).min(1), ...inside);
  return ruled(
    text(512, description),
    avoids('^/', 'must be relative to the root of the repository: leave out the "/" at its beginning'),
    ...inside,
  );
}
