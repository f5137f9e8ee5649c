/** An event loop that does not come round for this long is stuck (A9). */
export const STUCK_MS = 30_000;

/**
 * Why the process is not live; undefined while it is.
 *
 * @param tickedAt when the event loop last came round, in milliseconds of a monotonic clock
 * @param now the same clock
 */
export function notLive(tickedAt: number, now: number): string | undefined {
  const silence = now - tickedAt;
  if (silence < STUCK_MS) return undefined;
  return `The event loop has not come round for ${Math.floor(silence / 1_000)} s: restart the process.`;
}
