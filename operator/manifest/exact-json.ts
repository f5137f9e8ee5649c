/**
 * JSON with numbers as they were written: integers beyond 2^53 and `1.0` survive a round trip. Built on
 * JSON.parse's source text access (ECMAScript proposal, in V8 since 11.4), which TypeScript's library does
 * not declare yet.
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

interface SourceTextAccess {
  rawJSON(text: string): number;
  parse(text: string, reviver: (key: string, value: Json, context: { source?: string }) => Json): Json;
}

const exact = JSON as unknown as SourceTextAccess;

export function parseExact(text: string): Json {
  return exact.parse(text, (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined && String(value) !== context.source
      ? exact.rawJSON(context.source)
      : value,
  );
}

export function isRecord(value: unknown): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);
}

/** JSON text with the keys of every object sorted, so that equal values have equal text. */
export function canonicalJson(value: Json): string {
  return JSON.stringify(value, (_key, inner: Json) => {
    if (!isRecord(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** The steps of a JSON pointer (RFC 6901): `/metadata/annotations/a~1b` → metadata, annotations, a/b. */
export function pointerSteps(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** RFC 6901: an index has no sign and no leading zeros; `-`, behind the last item, names nothing. */
const INDEX = /^(0|[1-9][0-9]*)$/;

function childOf(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) return INDEX.test(step) ? value[Number(step)] : undefined;
  return isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined;
}

/** The value at a pointer; undefined where there is none. */
export function valueAt(document: Json, pointer: string): Json | undefined {
  return pointerSteps(pointer).reduce<Json | undefined>(childOf, document);
}

/**
 * Removes what the pointers name in the text as it is; a pointer to nothing is passed over. Text and result
 * are canonical JSON.
 */
export function withoutPaths(text: string, pointers: readonly string[]): string {
  if (pointers.length === 0) return text;
  const document = parseExact(text);
  const items: { list: Json[]; index: number }[] = [];
  for (const pointer of pointers) {
    const steps = pointerSteps(pointer);
    const last = steps.pop();
    if (last === undefined) continue;
    const parent = steps.reduce<Json | undefined>(childOf, document);
    if (Array.isArray(parent) && INDEX.test(last)) items.push({ list: parent, index: Number(last) });
    else if (isRecord(parent)) delete parent[last];
  }
  // From behind, so that an item taken out moves none that is still to go.
  items.sort((a, b) => b.index - a.index);
  for (const { list, index } of items) list.splice(index, 1);
  return canonicalJson(document);
}

/**
 * Puts values at pointers in the text, where their parents are; undefined takes a member away, and lists keep
 * their length. Text and result are canonical JSON.
 */
export function withValues(text: string, values: ReadonlyMap<string, Json | undefined>): string {
  if (values.size === 0) return text;
  const document = parseExact(text);
  for (const [pointer, value] of values) {
    const steps = pointerSteps(pointer);
    const last = steps.pop();
    const parent = steps.reduce<Json | undefined>(childOf, document);
    if (last === undefined) continue;
    if (Array.isArray(parent)) {
      if (value !== undefined && childOf(parent, last) !== undefined) parent[Number(last)] = value;
    } else if (isRecord(parent) && value !== undefined) parent[last] = value;
    else if (isRecord(parent)) delete parent[last];
  }
  return canonicalJson(document);
}

declare global {
  interface JSON {
    isRawJSON?(value: unknown): boolean;
  }
}
