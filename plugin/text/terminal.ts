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
  return [...stripVTControlCharacters(text)].length;
}

/** Lines of at most `width` columns, broken between words where that can be; the later ones begin with `indent`. */
export function wrap(text: string, width: number | undefined, indent = ''): string[] {
  if (width === undefined || columnsOf(text) <= width) return [text];
  const lines: string[] = [];
  let [line = ''] = /^ */.exec(text) ?? [];
  for (const word of text.trimStart().split(' ')) {
    let rest = line.trim() === '' ? `${line}${word}` : `${line} ${word}`;
    if (columnsOf(rest) > width && line.trim() !== '') {
      lines.push(line);
      rest = `${indent}${word}`;
    }
    // A word that is longer than a line, a digest or a URL, is broken anywhere.
    while (columnsOf(rest) > width) {
      lines.push([...rest].slice(0, width).join(''));
      rest = `${indent}${[...rest].slice(width).join('')}`;
    }
    line = rest;
  }
  return [...lines, line];
}

/** The first columns of a text that is too long, with a sign that it goes on. */
export function shorten(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, Math.max(1, width - 1)).join('')}…`;
}
