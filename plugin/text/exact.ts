import { endOfString, isQuote } from '../../operator/api/json-text.ts';

/** Doubles hold all integers of so many digits. */
const SAFE_DIGITS = 15;
/** Begins the strings that stand in for integers; no text that an API server takes has it. */
const MARK = '\u0001integer ';

/**
 * The value of a JSON text, in which integers that a double cannot hold are bigints. (Node 20 has no reviver that is
 * told how a number was written.)
 */
export function parseJson(text: string): unknown {
  const parts: string[] = [];
  let end = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (isQuote(text.charCodeAt(at))) at = endOfString(text, at);
    else if (isDigit(text[at])) {
      const start = text[at - 1] === '-' ? at - 1 : at;
      while (isInNumber(text[at + 1])) at += 1;
      const number = text.slice(start, at + 1);
      if (number.length <= SAFE_DIGITS || !/^-?\d+$/.test(number)) continue;
      parts.push(text.slice(end, start), JSON.stringify(MARK + number));
      end = at + 1;
    }
  }
  if (end === 0) return JSON.parse(text);
  return JSON.parse(parts.join('') + text.slice(end), (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

/** JSON text in which bigints are integers. */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(
    value,
    (_key, each: unknown) => (typeof each === 'bigint' ? MARK + each : each),
    indent,
  );
  return text.replace(/"\\u0001integer (-?\d{1,1000})"/g, '$1');
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDigit(letter: string | undefined): boolean {
  return letter !== undefined && letter >= '0' && letter <= '9';
}

function isInNumber(letter: string | undefined): boolean {
  return isDigit(letter) || (letter !== undefined && '+-.eE'.includes(letter));
}
