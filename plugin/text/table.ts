import { columnsOf, shorten, type Terminal } from './terminal.ts';

const GAP = 2;

/** Columns as wide as their widest cell; the last one ends at the terminal's width. */
export function tableLines(
  rows: readonly (readonly string[])[],
  { width }: Pick<Terminal, 'width'>,
): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, columnsOf(cell));
  return rows.map((row) => {
    const line = row
      .map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - columnsOf(cell) + GAP))
      .join('')
      .trimEnd();
    return width === undefined ? line : shorten(line, width);
  });
}
