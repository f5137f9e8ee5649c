/** What a piece of work takes, in milliseconds, on a machine for which the limits of tests are meant. */
export const PIECE_MS = 1;

const text = JSON.stringify(
  Array.from({ length: 1_800 }, (_, index) => ({ [`key-${index}`]: [index, 'x'] })),
);

export function pieceOfWork(): void {
  JSON.parse(text);
}

const WARM_UPS = 20;
const PIECES = 15;

/** How many times longer than meant the same takes on this machine; measured once for each test file. */
const SLOWNESS = measured();

/** A limit of time so that it also holds on a slow machine, and says the same on every other; whole milliseconds. */
export function scaled(milliseconds: number): number {
  return Math.round(milliseconds * SLOWNESS);
}

function measured(): number {
  for (let count = 0; count < WARM_UPS; count += 1) pieceOfWork();
  const elapsed = Array.from({ length: PIECES }, () => {
    const began = performance.now();
    pieceOfWork();
    return performance.now() - began;
  });
  return Math.max(1, median(elapsed) / PIECE_MS);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
