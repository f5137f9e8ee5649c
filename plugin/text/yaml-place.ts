import type { DiffLine } from './line-diff.ts';
import { shorten } from './terminal.ts';

/** Of one name in a place, in characters. */
const MOST_OF_NAME = 80;

/**
 * Where in a YAML document each part of its lines begins: `spec.template.spec.containers[name: web]`; '' at its top.
 *
 * @param parts some of the lines each, in their order.
 */
export function placesIn(lines: readonly DiffLine[], parts: readonly (readonly DiffLine[])[]): string[] {
  const places: string[] = [];
  /** What the line at hand stands in. */
  const open: { depth: number; name: string }[] = [];
  const close = (depth: number) => {
    while ((open.at(-1)?.depth ?? -1) >= depth) open.pop();
  };
  for (const line of lines) {
    const { sign, text } = line;
    const depth = depthOf(text);
    if (line === parts[places.length]?.[0]) {
      const above = open.filter((one) => one.depth < depth).map(({ name }) => name);
      places.push(above.join('.').replaceAll('.[', '['));
    }
    // As it would be; an empty line in a text stands nowhere.
    if (sign === '-' || depth === text.length) continue;
    close(depth);
    open.push({ depth, name: nameIn(text.slice(depth)) });
  }
  return places;
}

function depthOf(text: string): number {
  return text.length - text.trimStart().length;
}

function nameIn(line: string): string {
  // Twice as many 16 bits hold as many characters.
  const begin = line.slice(0, 2 * MOST_OF_NAME + 2);
  if (begin.startsWith('- ')) return `[${shorten(begin.slice(2).trimEnd(), MOST_OF_NAME)}]`;
  const end = begin.indexOf(': ');
  return shorten(end < 0 ? begin.trimEnd().replace(/:$/, '') : begin.slice(0, end), MOST_OF_NAME);
}
