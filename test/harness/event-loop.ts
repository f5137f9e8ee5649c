import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { Turns } from '../../operator/observe/turns.ts';
import { median, PIECE_MS, pieceOfWork } from './slowness.ts';

/** How long a turn of the operator's event loop may take, in milliseconds of processor time (A15). */
export const TURN_LIMIT_MS = 50;
const EVERY_MS = 100;

/** A loop in the test's own process that does the same small piece of work again and again. */
export interface LoopControl {
  /** The limit of a turn on this machine, as it was while the control ran. */
  limit(): number;
  stop(): void;
}

/**
 * Tells the machine's share in what a turn of the operator takes: how much longer than meant the same piece of work
 * takes here (a slower processor, one shared with others), and how much longer it took at the worst of times.
 */
export function startLoopControl(): LoopControl {
  const elapsed: number[] = [];
  let worst = 0;
  const piece = () => {
    const before = process.threadCpuUsage();
    const began = performance.now();
    pieceOfWork();
    elapsed.push(performance.now() - began);
    const { user, system } = process.threadCpuUsage(before);
    worst = Math.max(worst, (user + system) / 1_000);
  };
  piece();
  const timer = setInterval(piece, EVERY_MS).unref();
  return {
    limit: () => {
      // So short a piece is rarely interrupted. The processor's time is exact to some milliseconds only.
      const usual = median(elapsed);
      return TURN_LIMIT_MS * Math.max(1, usual / PIECE_MS) + Math.max(0, worst - usual);
    },
    stop: () => clearInterval(timer),
  };
}

/** Fails where a turn of an operator's event loop took longer than its limit, as its log tells. */
export function assertTurns(logPath: string, limit: number): void {
  const told = [
    ...readFileSync(logPath, 'utf8').matchAll(/"milliseconds":(\d+),"msg":"The event loop was held/g),
  ];
  const longest = Math.max(0, ...told.map((match) => Number(match[1])));
  assert.ok(
    longest <= limit,
    `a turn of the operator's event loop took ${longest} ms of processor time, and at most ${Math.round(limit)} ms are allowed here (A15)`,
  );
}

/** What the longest turn of this process was in which that was done, in milliseconds of processor time. */
export async function longestTurn(
  t: { after(end: () => void): void },
  work: () => Promise<unknown>,
): Promise<number> {
  const turns = new Turns(() => undefined);
  t.after(() => turns.stop());
  turns.start();
  await turn();
  await work();
  await turn();
  await turn();
  return turns.longest;
}
