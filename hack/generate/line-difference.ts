const CONTEXT = 2;
const SHOWN = 60;

/**
 * The lines of `file` from its first to its last difference: "-" stands in the file, "+" belongs there.
 * Long ones are cut; the file's first difference is always shown.
 */
export function lineDifference(file: string, found: string, wanted: string): string {
  const before = found.split('\n');
  const after = wanted.split('\n');
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  )
    end += 1;
  const lines = [
    ...before.slice(Math.max(0, start - CONTEXT), start).map((line) => `  ${line}`),
    ...cut(before.slice(start, before.length - end).map((line) => `- ${line}`)),
    ...cut(after.slice(start, after.length - end).map((line) => `+ ${line}`)),
    ...after.slice(after.length - end, after.length - end + CONTEXT).map((line) => `  ${line}`),
  ];
  return `${file} differs from line ${start + 1} on:\n${lines.join('\n')}`;
}

function cut(lines: string[]): string[] {
  return lines.length <= SHOWN ? lines : [...lines.slice(0, SHOWN), `  … ${lines.length - SHOWN} more lines`];
}
