/** What waits for another program or thread: no processor time, so that operator/observe/turns.ts does not see it. */
const BLOCKING = /\b(?:execFileSync|execSync|spawnSync|Atomics\.wait)\(/;

/** The sentences to print for calls in a source of the operator for whose end the event loop would stand still. */
export function blockingCalls(file: string, source: string): string[] {
  if (!file.startsWith('operator/') || file.endsWith('.test.ts')) return [];
  return source.split('\n').flatMap((line, index) => {
    const found = BLOCKING.exec(line);
    return found === null
      ? []
      : [`${file}:${index + 1}: ${found[0]}) holds the event loop until it ends; take what has a callback.`];
  });
}
