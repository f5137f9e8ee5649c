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
