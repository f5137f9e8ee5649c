import { describeObject } from '../../operator/manifest/manifest.ts';
import type { Difference } from '../local/compare.ts';
import { shownSides } from '../local/shown.ts';
import { type DiffLine, diffLines, hunksOf } from '../text/line-diff.ts';
import { type Colour, inParts, paint, plain, type Terminal, wrap } from '../text/terminal.ts';
import { yamlOf } from '../text/yaml.ts';
import { placesIn } from '../text/yaml-place.ts';

export const SIGNS: Readonly<
  Record<Difference['change'], readonly [sign: string, colour: Colour, words: string]>
> = {
  Created: ['+', 'green', 'would be created'],
  Changed: ['~', 'yellow', 'would change'],
  Replaced: ['±', 'yellow', 'would be replaced'],
  Deleted: ['-', 'red', 'would be deleted'],
  Kept: ['=', 'dim', 'would stay, though it left Git'],
  Refused: ['!', 'red', 'would be refused'],
};

/** Lines around each difference. */
const AROUND = 2;

/** One difference as a terminal shows it: what becomes of the object, and line by line what is otherwise. */
export function differenceLines(
  { change, object, message, live, wanted }: Difference,
  { out, hide }: { out: Pick<Terminal, 'width' | 'isColoured'>; hide(line: string): string },
): string[] {
  const [sign, colour, words] = SIGNS[change];
  const title = `${sign} ${plain(describeObject(object))} ${words}`;
  const lines = wrap(paint(out, colour, title), out.width, '  ');
  if (message !== undefined) lines.push(...wrap(`    ${plain(message)}`, out.width, '    '));
  const sides = shownSides({ ...(live && { live }), ...(wanted && { wanted }) }, hide);
  const all = diffLines(linesOf(sides.live), linesOf(sides.wanted));
  const hunks = live === undefined && all.length > 0 ? [all] : hunksOf(all, AROUND);
  const places = placesIn(all, hunks);
  for (const [index, hunk] of hunks.entries()) {
    const place = wrap(`    … ${plain(places[index] ?? '')}`.trimEnd(), out.width, '      ');
    if (all[0] !== hunk[0]) lines.push(...place.map((line) => paint(out, 'dim', line)));
    // One by one: they may be more than a call takes arguments.
    for (const line of hunk) for (const part of partsOf(line, out)) lines.push(part);
  }
  if (change === 'Changed' && hunks.length === 0)
    lines.push('    Values of Secrets in it would change, which are not shown.');
  return lines;
}

function linesOf(side: unknown): string[] {
  return side === undefined ? [] : yamlOf(side).trimEnd().split('\n');
}

const COLOURS = { ' ': undefined, '-': 'red', '+': 'green' } as const;

/** Broken where it is longer than the terminal is wide; each part with its sign. */
function partsOf({ sign, text }: DiffLine, out: Pick<Terminal, 'width' | 'isColoured'>): string[] {
  const colour = COLOURS[sign];
  const shown = plain(text);
  const parts = out.width === undefined ? [shown] : inParts(shown, out.width - 4);
  return parts.map((part) => {
    const line = `  ${sign} ${part}`;
    return colour === undefined ? line : paint(out, colour, line);
  });
}
