/** Limit of each wait of kubectl. */
export const limit = '--timeout=60s';

/** @param expected what has to be so, and whether it is */
export function check(expected: Record<string, boolean>): void {
  for (const [what, holds] of Object.entries(expected))
    if (!holds) throw new Error(`The demo expected that ${what}, and it is not so.`);
}
