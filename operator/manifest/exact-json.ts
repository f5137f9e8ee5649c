import { randomBytes } from 'node:crypto';
import { endOfString, isQuote } from '../api/json-text.ts';

/**
 * JSON with numbers as they were written: integers beyond 2^53 and `1.0` survive a round trip, as raw JSON
 * (ECMAScript proposal, in V8 since 11.4, which TypeScript's library does not declare yet). A MiB takes some 10 ms:
 * a reviver that is told each number's source took twenty times as long (A15).
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const { rawJSON } = JSON as unknown as { rawJSON(text: string): number };

export function parseExact(text: string): Json {
  const inexact = inexactNumbers(text);
  if (inexact.length === 0) return JSON.parse(text);
  // Strings that no string of the text begins with stand in for them.
  const mark = randomBytes(9).toString('base64');
  const parts: string[] = [];
  let end = 0;
  for (const number of inexact) {
    parts.push(text.slice(end, number.at), '"', mark, text.slice(number.at, number.end), '"');
    end = number.end;
  }
  parts.push(text.slice(end));
  return withNumbers(JSON.parse(parts.join('')), mark, new Map());
}

/** Where in the text numbers stand that are written otherwise once they were read. */
function inexactNumbers(text: string): { at: number; end: number }[] {
  const found: { at: number; end: number }[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isQuote(code)) at = endOfString(text, at);
    else if (code === MINUS || isDigit(code)) {
      const end = endOfNumber(text, at);
      if (!isExact(text, at, end)) found.push({ at, end });
      at = end - 1;
    }
  }
  return found;
}

const MINUS = 0x2d;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (isInNumber(text.charCodeAt(end))) end += 1;
  return end;
}

/** Digits, and `+ - . E e`. */
function isInNumber(code: number): boolean {
  return isDigit(code) || code === MINUS || code === 0x2b || code === 0x2e || code === 0x45 || code === 0x65;
}

/** Doubles hold all integers of so many digits. */
const SAFE_DIGITS = 15;

function isExact(text: string, at: number, end: number): boolean {
  let digits = at;
  while (digits < end && isDigit(text.charCodeAt(digits))) digits += 1;
  if (digits === end && end - at <= SAFE_DIGITS) return true;
  const source = text.slice(at, end);
  return String(Number(source)) === source;
}

/** Puts the numbers in the place of the strings that stand for them. */
function withNumbers(value: Json, mark: string, numbers: Map<string, number>): Json {
  if (typeof value === 'string') {
    if (!value.startsWith(mark)) return value;
    const number = numbers.get(value) ?? rawJSON(value.slice(mark.length));
    numbers.set(value, number);
    return number;
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) value[index] = withNumbers(item, mark, numbers);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      const exact = withNumbers(member, mark, numbers);
      // Not by assignment: a member may be called __proto__.
      if (exact !== member) Object.defineProperty(value, key, { value: exact });
    }
  }
  return value;
}

export function isRecord(value: unknown): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);
}

/** JSON text with the keys of every object sorted, so that equal values have equal text. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`);
  return `{${members.join(',')}}`;
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
