import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { GitRepository } from './git-repository.ts';
import { temporaryDirectory } from './process.ts';

/** A user's clone of a repository, with files on disk. */
export interface UserClone {
  directory: string;
  /** Writes a file, and tells Git nothing of it. */
  write(path: string, text: string): void;
  /** Runs git there; what it printed. */
  git(...args: string[]): Promise<string>;
}

const settings = [
  '-c',
  'user.name=Test',
  '-c',
  'user.email=test@example.com',
  '-c',
  'protocol.file.allow=always',
];

export async function cloneOf({ path }: GitRepository): Promise<UserClone> {
  const directory = temporaryDirectory('clone');
  const git = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)('git', [...settings, ...args], { cwd: directory });
    return stdout.trim();
  };
  await git('clone', '--quiet', path, '.');
  return {
    directory,
    git,
    write: (file, text) => {
      const full = join(directory, file);
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, text);
    },
  };
}
