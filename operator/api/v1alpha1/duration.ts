import type { z } from 'zod';
import { ruled, text } from './schema.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION_PATTERN = '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$';
// Linear: a unit ends each part.
const DURATION = new RegExp(DURATION_PATTERN);

/**
 * Milliseconds of a Go-style duration: "30s", "1h30m", "1.5s", "250ms". Signs, and units below a millisecond,
 * are not accepted. Throws RangeError on anything else; a field that went through the schema never does.
 */
export function parseDuration(text: string): number {
  if (!DURATION.test(text)) {
    throw new RangeError(`"${text}" is not a duration; write for example 30s, 5m or 1h30m`);
  }
  let milliseconds = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]{1,32})(ms|s|m|h)/g)) {
    milliseconds += Number(amount) * (UNITS[unit ?? ''] ?? 0);
  }
  return milliseconds;
}

/** A field that holds a duration from `least` to `most`, both inclusive. */
export function durationField(description: string, least: string, most: string): z.ZodString {
  return ruled(text(32, description), {
    // The guard keeps duration() from failing, which would be reported without our message.
    rule: `self.matches(r'${DURATION_PATTERN}') && duration(self) >= duration('${least}') && duration(self) <= duration('${most}')`,
    message: `must be a duration from ${least} to ${most}, written like 30s, 5m or 1h30m`,
    holds: (value) =>
      DURATION.test(value) &&
      parseDuration(value) >= parseDuration(least) &&
      parseDuration(value) <= parseDuration(most),
  });
}
