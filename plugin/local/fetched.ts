import { type ChildProcess, spawn } from 'node:child_process';
import { CommandError } from '../exit-codes.ts';
import { inTemporaryDirectory } from '../temporary-directory.ts';
import { type Clone, readClone } from './clone.ts';

/** A commit of a repository, and where it is found where a server gives none by its id. */
export interface Wanted {
  url: string;
  /** Full id. */
  commit: string;
  /** `refs/heads/main`; undefined where it is not known. */
  ref: string | undefined;
}

/** What git may speak: a URL in an Application must run no program (`ext::`), and name no file. */
const PROTOCOLS = 'https:http:ssh';
/** Of a user's settings those that change what a checkout is, or what can be read of it. */
const SETTINGS = {
  'core.autocrlf': 'false',
  'core.fsmonitor': 'false',
  'core.hooksPath': '/dev/null',
  'core.splitIndex': 'false',
  'feature.manyFiles': 'false',
  'index.version': '2',
  'init.defaultObjectFormat': 'sha1',
  'init.defaultRefFormat': 'files',
} as const;
/** Of what git says, in characters. */
const MOST_WORDS = 1_000;

/**
 * Fetches a commit into a directory that goes afterwards, with the user's own git: it knows the keys and passwords.
 *
 * @throws CommandError with git's own words
 */
export async function withFetched<T>(
  wanted: Wanted,
  signal: AbortSignal,
  work: (clone: Clone) => Promise<T>,
): Promise<T> {
  return inTemporaryDirectory(async (directory) => {
    await fetchInto(directory, wanted, signal);
    return work({ ...(await readClone(directory)), fetchedFrom: wanted.url });
  });
}

async function fetchInto(
  directory: string,
  { url, commit, ref }: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const git = (...args: string[]) => run(directory, args, signal);
  const fetched = ['fetch', '--quiet', '--no-tags'];
  await git('init', '--quiet');
  await git('remote', 'add', 'origin', url);
  try {
    await git(...fetched, '--depth=1', 'origin', commit);
  } catch (error) {
    // Not every server gives a commit by its id.
    if (ref === undefined || signal.aborted) throw error;
    await git(...fetched, 'origin', ref);
  }
  await git('checkout', '--quiet', '--detach', commit);
}

async function run(directory: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn('git', [...settings, ...args], {
    cwd: directory,
    // It asks for a password on the terminal itself.
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment(),
    signal,
  });
  // Who asked is ended by a signal, and so is what it started.
  const end = () => child.kill();
  process.once('exit', end);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MOST_WORDS);
  });
  const code = await endOf(child).finally(() => process.removeListener('exit', end));
  signal.throwIfAborted();
  if (code !== 0)
    throw new CommandError(
      `git ${args[0]} ended with ${code === null ? 'a signal' : `code ${code}`}: ${said.trim() || 'it says no more'}. Where git cannot fetch that repository from here, name a clone of yours: --local DIR.`,
    );
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on('error', ({ name, message }) => {
      if (name === 'AbortError') resolve(null);
      else
        reject(
          new CommandError(
            `git could not be run (${message}): put it into the PATH, or name a clone with --local DIR.`,
          ),
        );
    });
    child.on('close', resolve);
  });
}

/** Of who runs inside of a hook of another repository, say, the variables that name that one are left out. */
function environment(): NodeJS.ProcessEnv {
  const { GIT_DIR: _, GIT_WORK_TREE: __, GIT_INDEX_FILE: ___, ...others } = process.env;
  return { ...others, GIT_ALLOW_PROTOCOL: PROTOCOLS, GIT_LFS_SKIP_SMUDGE: '1' };
}
