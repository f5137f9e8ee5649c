import { CommandError, EXIT } from '../exit-codes.ts';

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

export interface Range {
  from: Date;
  until: Date;
}

/**
 * A moment, `2026-11-29T14:00:00Z` or `2h` for two hours ago, or two of them with `..` between them.
 *
 * @throws CommandError for what is neither
 */
export function readTimes(text: string, now: Date): Date | Range {
  const [first = '', second, ...more] = text.split('..');
  if (second === undefined) return momentOf(first, now);
  const [from, until] = [momentOf(first, now), second === '' ? now : momentOf(second, now)];
  if (more.length > 0 || from > until) throw notATime(text);
  return { from, until };
}

function momentOf(text: string, now: Date): Date {
  const ago = /^(\d{1,6})([smhd])$/.exec(text);
  const unit = ago?.[2];
  if (unit === 's' || unit === 'm' || unit === 'h' || unit === 'd')
    return new Date(now.getTime() - Number(ago?.[1]) * UNITS[unit] * 1_000);
  // Without a zone it would be another moment for each reader.
  const hasZone = /(Z|[+-]\d\d:\d\d)$/i.test(text.slice(-6)) && text.includes('T');
  const at = new Date(text);
  if (!hasZone || text.length > 40 || Number.isNaN(at.getTime())) throw notATime(text);
  return at;
}

function notATime(text: string): CommandError {
  return new CommandError(
    `--time=${text} is no time: write 2026-11-29T14:00:00Z (with a zone), 2h for two hours ago, or two of them as FROM..UNTIL.`,
    EXIT.Usage,
  );
}
