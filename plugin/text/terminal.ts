import { stripVTControlCharacters } from 'node:util';

/** Where a command writes, and how wide and colourful that is. */
export interface Terminal {
  /** Columns; undefined: lines are as long as they are, as a pipe wants them. */
  width: number | undefined;
  isColoured: boolean;
  write(text: string): void;
}

export type Colour = 'red' | 'yellow' | 'green' | 'dim' | 'bold';

const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
  dim: [2, 22],
  bold: [1, 22],
};

export function terminalOf(
  stream: { isTTY?: boolean; columns?: number; write(text: string): unknown },
  environment: NodeJS.ProcessEnv,
): Terminal {
  const isTerminal = stream.isTTY === true;
  return {
    width: isTerminal ? Math.max(40, stream.columns || 80) : undefined,
    // https://no-color.org
    isColoured: isTerminal && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb',
    write: (text) => void stream.write(text),
  };
}

export function paint({ isColoured }: Pick<Terminal, 'isColoured'>, colour: Colour, text: string): string {
  const [on, off] = CODES[colour];
  return isColoured ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}

/** What others wrote, on one line, without what would move the cursor or turn colours on. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** Columns that a text without control characters takes, colours not counted. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (let at = 0; at < text.length; ) {
    const code = colourCodeAt(text, at);
    if (code === 0) columns += 1;
    at = code === 0 ? nextLetter(text, at) : at + code;
  }
  return columns;
}

/** Lines of at most `width` columns, broken between words where that can be; the later ones begin with `indent`. */
export function wrap(text: string, width: number | undefined, indent = ''): string[] {
  if (width === undefined || columnsOf(text) <= width) return [text];
  const lines: string[] = [];
  let [line = ''] = /^ */.exec(text) ?? [];
  let columns = line.length;
  let isBlank = true;
  for (const word of text.trimStart().split(' ')) {
    const wordColumns = columnsOf(word);
    if (!isBlank && columns + 1 + wordColumns > width) {
      lines.push(line);
      [line, columns, isBlank] = [indent, indent.length, true];
    }
    line += isBlank ? word : ` ${word}`;
    columns += isBlank ? wordColumns : 1 + wordColumns;
    isBlank &&= word === '';
    // A word that is longer than a line, a digest or a URL, is broken anywhere.
    if (columns > width) {
      const end = endOfColumns(line, 0, width);
      lines.push(line.slice(0, end));
      const parts = inParts(line.slice(end), width - indent.length);
      line = `${indent}${parts.pop() ?? ''}`;
      columns = columnsOf(line);
      for (const part of parts) lines.push(`${indent}${part}`);
    }
  }
  return [...lines, line];
}

/** A line in parts of at most so many columns, broken anywhere. */
export function inParts(text: string, columns: number): string[] {
  const parts: string[] = [];
  let at = 0;
  do {
    const end = endOfColumns(text, at, columns);
    parts.push(text.slice(at, end));
    at = end;
  } while (at < text.length);
  return parts;
}

/** Where so many columns end, at least one; what turns colours on and off takes none. */
function endOfColumns(text: string, from: number, columns: number): number {
  let at = from;
  for (let left = Math.max(1, columns); at < text.length; ) {
    const code = colourCodeAt(text, at);
    if (code === 0 && left === 0) break;
    if (code === 0) left -= 1;
    at = code === 0 ? nextLetter(text, at) : at + code;
  }
  return at;
}

/** Length of what `paint` puts around a text; 0: there is none. */
function colourCodeAt(text: string, at: number): number {
  return text[at] === '\u001b' ? text.slice(at, at + 5).indexOf('m') + 1 : 0;
}

/** A character beyond 16 bits is two. */
function nextLetter(text: string, at: number): number {
  return at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
}

/** The first columns of a text that is too long, with a sign that it goes on. */
export function shorten(text: string, width: number): string {
  if (endOfColumns(text, 0, width) >= text.length) return text;
  return `${text.slice(0, endOfColumns(text, 0, width - 1))}…`;
}
