import { membersOf } from '../foreign-object.ts';

/** What a reviver is told since "JSON.parse source text access"; TypeScript's own types lack it yet. */
interface SourceContext {
  /** The text of a primitive value as it was written. */
  source?: string;
}
interface ExactJSON {
  parse(text: string, reviver: (key: string, value: unknown, context: SourceContext) => unknown): unknown;
  rawJSON(text: string): unknown;
}
const exactJSON = JSON as unknown as ExactJSON;

/**
 * Parses JSON so that JSON.stringify writes every number with the digits it was written with: integers beyond 2^53
 * reach the templates as they are. Where only parsed objects are at hand, `hasInexactNumber` tells whether it is worth
 * asking the API server for the text.
 *
 * Throws SyntaxError when `text` is not JSON.
 */
export function exactJson(text: string): unknown {
  return exactJSON.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? exactJSON.rawJSON(source)
      : value,
  );
}

/** The exact JSON text of `spec.helm.values` in the raw JSON text of an Application; undefined where it has none. */
export function valuesText(applicationText: string): string | undefined {
  const { helm } = membersOf(membersOf(exactJson(applicationText))['spec']);
  const { values } = membersOf(helm);
  return values === undefined || values === null ? undefined : JSON.stringify(values);
}

/**
 * Whether parsed values hold a number whose exact digits JSON.parse may have lost: an integer beyond 2^53.
 * Fractions are float64 to Helm and the API server too.
 */
export function hasInexactNumber(values: unknown): boolean {
  if (typeof values === 'number') return Number.isInteger(values) && !Number.isSafeInteger(values);
  if (typeof values !== 'object' || values === null) return false;
  return Object.values(values).some(hasInexactNumber);
}

/** How deep values may be nested; the engine bounds what it reads alike (render/engine/depth.go). */
export const VALUES_DEPTH = 200;

/** Whether maps and lists in parsed values are nested deeper than that. Looks no deeper, and never recurses. */
export function isTooDeep(values: unknown): boolean {
  let nested = [values].filter(isNested);
  for (let depth = 0; depth < VALUES_DEPTH; depth += 1) {
    nested = nested.flatMap((value) => Object.values(value)).filter(isNested);
    if (nested.length === 0) return false;
  }
  return true;
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
