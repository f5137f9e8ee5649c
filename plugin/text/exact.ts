import { endOfString, isQuote, skip } from '../../operator/api/json-text.ts';

/** Doubles hold all integers of so many digits. */
const SAFE_DIGITS = 15;
/** Longer ones no API server takes, and reading them takes long. */
const MOST_DIGITS = 1_000;
const SIGN = '\u0001';
/** Begins the strings that stand in for integers; of others that begin with its sign, the sign is doubled meanwhile. */
const MARK = `${SIGN}integer `;
/** How JSON has a string that begins with the sign. */
const WITH_SIGN = '"\\u0001';

/**
 * The value of a JSON text, in which integers that a double cannot hold are bigints. (Node 20 has no reviver that is
 * told how a number was written.)
 */
export function parseJson(text: string): unknown {
  const parts: string[] = [];
  let end = 0;
  for (let at = 0; at < text.length; at += 1) {
    const start = at;
    if (isQuote(text.charCodeAt(at))) {
      at = endOfString(text, at);
      if (!isSigned(text, start, at)) continue;
      parts.push(text.slice(end, start), WITH_SIGN);
      end = start + 1;
    } else if (isDigit(text[at])) {
      while (isInNumber(text[at + 1])) at += 1;
      const first = text[start - 1] === '-' ? start - 1 : start;
      const number = text.slice(first, at + 1);
      if (number.length <= SAFE_DIGITS || number.length > MOST_DIGITS || !/^-?\d+$/.test(number)) continue;
      parts.push(text.slice(end, first), JSON.stringify(MARK + number));
      end = at + 1;
    }
  }
  if (end === 0) return JSON.parse(text);
  return JSON.parse(parts.join('') + text.slice(end), (_key, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(SIGN)) return value;
    return value.startsWith(SIGN, 1) ? value.slice(1) : BigInt(value.slice(MARK.length));
  });
}

/** JSON text in which bigints are integers. */
export function jsonText(value: unknown, indent?: number): string {
  const marked = (each: unknown) => {
    if (typeof each === 'bigint') return MARK + each;
    return typeof each === 'string' && each.startsWith(SIGN) ? SIGN + each : each;
  };
  const text = JSON.stringify(value, (_key, each: unknown) => marked(each), indent);
  const parts: string[] = [];
  let end = 0;
  for (let start = text.indexOf('"'); start >= 0; start = text.indexOf('"', start + 1)) {
    const close = endOfString(text, start);
    if (isSigned(text, start, close)) {
      const content = start + WITH_SIGN.length;
      const string = `"${text.slice(content, close + 1)}`;
      const integer = text.slice(content + MARK.length - 1, close);
      parts.push(text.slice(end, start), isSigned(string, 0, string.length) ? string : integer);
      end = close + 1;
    }
    start = close;
  }
  return parts.join('') + text.slice(end);
}

/** Whether the string of a JSON text begins with the sign, and is no name of a member. */
function isSigned(text: string, start: number, close: number): boolean {
  return text.startsWith(WITH_SIGN, start) && text[skip(text, close + 1)] !== ':';
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
