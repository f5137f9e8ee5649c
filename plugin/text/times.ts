const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** How long something took or is ago, as kubectl says it: `5m`, `2d`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const [unit, length] = UNITS.find(([, one]) => seconds >= 2 * one) ?? ['s', 1];
  return `${Math.floor(seconds / length)}${unit}`;
}

/** `5m ago`, and in the future `in 5m`; what is no time, as it is. */
export function relative(time: string, now: Date): string {
  const at = Date.parse(time);
  if (Number.isNaN(at)) return time;
  const ms = now.getTime() - at;
  return ms >= 0 ? `${span(ms)} ago` : `in ${span(-ms)}`;
}

/** A time by the user's clock, with how far that is from UTC then: `2026-12-03 09:00 UTC+1`; what is no time, as it is. */
export function local(time: string, timeZone?: string): string {
  const at = Date.parse(time);
  if (Number.isNaN(at)) return time;
  const format = new Intl.DateTimeFormat('en-US', {
    ...(timeZone === undefined ? {} : { timeZone }),
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'shortOffset',
  });
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? '';
  // Versions of ICU differ in whether they write the 0.
  const zone = part('timeZoneName').replace(/^GMT(?:\+0$)?/, 'UTC');
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')} ${zone}`;
}

/** When something ends by itself: how long that is, and when by the user's clock. */
export function clears(time: string, now: Date): string {
  return `clears ${relative(time, now)}, at ${local(time)}`;
}
