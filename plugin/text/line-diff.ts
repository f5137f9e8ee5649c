/** A line of a comparison: in both, only before, or only after. */
export interface DiffLine {
  sign: ' ' | '-' | '+';
  text: string;
}

/** Past so many differences lines are no longer matched: all that is between the first and the last was replaced. */
const MOST_EDITS = 400;

/** The shortest way from one list of lines to another (E. Myers, "An O(ND) Difference Algorithm", 1986). */
export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const between = [before.slice(start, before.length - end), after.slice(start, after.length - end)] as const;
  return [
    ...signed(' ', before.slice(0, start)),
    ...shortest(...between),
    ...signed(' ', before.slice(before.length - end)),
  ];
}

function shortest(before: readonly string[], after: readonly string[]): DiffLine[] {
  const trace = farthest(before, after);
  if (trace === undefined) return [...signed('-', before), ...signed('+', after)];
  const lines: DiffLine[] = [];
  let [x, y] = [before.length, after.length];
  for (let edits = trace.length - 1; edits >= 0; edits -= 1) {
    const reached = trace[edits] ?? new Map<number, number>();
    const k = x - y;
    const isDown = comesDown(reached, k, edits);
    const from = reached.get(isDown ? k + 1 : k - 1) ?? 0;
    const [fromX, fromY] = edits === 0 ? [0, 0] : [from, from - (isDown ? k + 1 : k - 1)];
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      lines.push({ sign: ' ', text: before[x] ?? '' });
    }
    if (edits === 0) break;
    if (isDown) lines.push({ sign: '+', text: after[fromY] ?? '' });
    else lines.push({ sign: '-', text: before[fromX] ?? '' });
    [x, y] = [fromX, fromY];
  }
  return lines.reverse();
}

/** For each number of edits how far each diagonal was reached with one edit less; undefined: too many. */
function farthest(
  before: readonly string[],
  after: readonly string[],
): ReadonlyMap<number, number>[] | undefined {
  const trace: ReadonlyMap<number, number>[] = [];
  const reached = new Map<number, number>([[1, 0]]);
  for (let edits = 0; edits <= MOST_EDITS; edits += 1) {
    trace.push(new Map(reached));
    for (let k = -edits; k <= edits; k += 2) {
      const isDown = comesDown(reached, k, edits);
      let x = isDown ? (reached.get(k + 1) ?? 0) : (reached.get(k - 1) ?? 0) + 1;
      while (x < before.length && x - k < after.length && before[x] === after[x - k]) x += 1;
      reached.set(k, x);
      if (x >= before.length && x - k >= after.length) return trace;
    }
  }
  return undefined;
}

/** Whether a diagonal is reached by a line that was added, and not by one that was taken away. */
function comesDown(reached: ReadonlyMap<number, number>, k: number, edits: number): boolean {
  if (k === -edits) return true;
  return k !== edits && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1);
}

function signed(sign: DiffLine['sign'], lines: readonly string[]): DiffLine[] {
  return lines.map((text) => ({ sign, text }));
}

/** Parts of a comparison with a few lines around each difference. */
export function hunksOf(lines: readonly DiffLine[], around: number): DiffLine[][] {
  const hunks: DiffLine[][] = [];
  let hunk: DiffLine[] | undefined;
  let until = -1;
  for (const [index, line] of lines.entries()) {
    if (line.sign !== ' ') {
      const first = Math.max(0, index - around);
      hunk ??= lines.slice(first, index);
      if (!hunks.includes(hunk)) hunks.push(hunk);
      until = index + around;
    }
    if (hunk === undefined) continue;
    hunk.push(line);
    const isNear = lines.slice(index + 1, index + 2 + 2 * around).some(({ sign }) => sign !== ' ');
    if (index >= until && !isNear) hunk = undefined;
  }
  return hunks;
}
