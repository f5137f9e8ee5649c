import type { Stage } from './operator.ts';
import { eventually } from './wait.ts';

/** How often Git was asked for its refs: the ls-remotes among the requests that the stage's Git server saw. */
export function polls(stage: Stage): number {
  return stage.git.requests.filter(({ url }) => url.includes('info/refs')).length;
}

/**
 * Waits for so many further polls, and returns how long they took in seconds. With two of them, what the first brought
 * of a repository that only one asks for has been looked at.
 */
export async function untilPolled(stage: Stage, times: number): Promise<number> {
  const before = polls(stage);
  const began = performance.now();
  await eventually(() => polls(stage) >= before + times, { describe: `${times} polls` });
  return (performance.now() - began) / 1_000;
}
