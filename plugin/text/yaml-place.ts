import type { DiffLine } from './line-diff.ts';

/**
 * Where in a YAML document a part of its lines begins: `spec.template.spec.containers[name: web]`; '' at its top.
 *
 * @param part some of the lines.
 */
export function placeIn(lines: readonly DiffLine[], [first]: readonly DiffLine[]): string {
  if (first === undefined) return '';
  let depth = depthOf(first.text);
  let place = '';
  for (let index = lines.indexOf(first) - 1; index >= 0 && depth > 0; index -= 1) {
    const { sign, text } = lines[index] ?? first;
    // As it would be.
    if (sign === '-' || depthOf(text) >= depth) continue;
    depth = depthOf(text);
    const name = text.trim();
    place = name.startsWith('- ') ? `[${name.slice(2)}].${place}` : `${keyIn(name)}.${place}`;
  }
  return place.replaceAll('.[', '[').replace(/\.$/, '');
}

function depthOf(text: string): number {
  return text.length - text.trimStart().length;
}

function keyIn(line: string): string {
  const end = line.indexOf(': ');
  return end < 0 ? line.replace(/:$/, '') : line.slice(0, end);
}
