import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '../../test/harness/process.ts';

const prefix = 'towpath-demo-';

/** All that a demo writes; it goes with this process, at the latest when the next demo starts. */
export interface DemoDirectory {
  readonly path: string;
  /** Makes a directory below it. */
  make(name: string): string;
  remove(): void;
}

export function makeDirectory(): DemoDirectory {
  removeLeftovers();
  const path = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  // A process that was just killed may still be writing: removal is tried again for a second.
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.on('exit', remove);
  return {
    path,
    make: (name) => {
      const directory = join(path, name);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return directory;
    },
    remove: () => {
      process.off('exit', remove);
      remove();
    },
  };
}

/** What a demo that was killed left behind. */
function removeLeftovers(): void {
  for (const entry of readdirSync(tmpdir())) {
    if (!entry.startsWith(prefix)) continue;
    const owner = Number(entry.slice(prefix.length).split('-')[0]);
    if (Number.isInteger(owner) && !isRunning(owner)) {
      rmSync(join(tmpdir(), entry), { recursive: true, force: true });
    }
  }
}
