import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new directory of this process alone for what can be fetched again, with that prefix, in the given one or the
 * system's for temporary files. What an earlier process left in the given one is removed.
 */
export function newCache(given: string | undefined, prefix: `towpath-${string}-`): string {
  if (given !== undefined) {
    mkdirSync(given, { recursive: true });
    for (const name of readdirSync(given)) {
      if (name.startsWith(prefix)) rmSync(join(given, name), { recursive: true, force: true });
    }
  }
  return mkdtempSync(join(given ?? tmpdir(), prefix));
}
