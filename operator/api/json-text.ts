/** Places in JSON text, for what is too long to be parsed at once. Linear, whatever stands there. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export function isQuote(code: number): boolean {
  return code === QUOTE;
}

/** Index of the quote that closes the string which begins at `start`; the text's length where none does. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

/** Index behind the value that begins at `start`. */
export function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isQuote(code)) at = endOfString(text, at);
    else if (isOpening(code)) depth += 1;
    else if (isClosing(code)) depth -= 1;
    const isScalarOver = depth < 0 || (depth === 0 && code === COMMA);
    if (isScalarOver) return at;
    if (depth === 0 && (isClosing(code) || isQuote(code))) return at + 1;
  }
  return text.length;
}

const COMMA = 0x2c;

/** `{` and `[` */
function isOpening(code: number): boolean {
  return code === 0x7b || code === 0x5b;
}

/** `}` and `]` */
function isClosing(code: number): boolean {
  return code === 0x7d || code === 0x5d;
}

/** Index of the first character from `at` on that is neither white space nor one of those given. */
export function skip(text: string, at: number, others = ''): number {
  while (at < text.length && (text.charCodeAt(at) <= 0x20 || others.includes(text[at] ?? ''))) at += 1;
  return at;
}
