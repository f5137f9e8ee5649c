/** The first of these times; undefined: none is known. Pure. */
export function earliest(...times: readonly (Date | undefined)[]): Date | undefined {
  let first: Date | undefined;
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}
