import { execFile, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from './process.ts';

const run = promisify(execFile);

/**
 * What a commit puts at a path: text or bytes, a symlink's target, a commit of a submodule, an executable,
 * or null to remove what is there (a directory too).
 */
export type FileContent =
  | string
  | Buffer
  | null
  | { symlink: string }
  | { submodule: string }
  | { executable: string };

export interface CommitOptions {
  message?: string;
  /** Default: the branch that HEAD names. */
  branch?: string;
  author?: string;
  /** Seconds since 1970; default: a second after the commit before. */
  time?: number;
}

/** A bare repository on disk, written by the real git. */
export interface GitRepository {
  /** The directory that Git servers serve. */
  readonly root: string;
  /** `shop.git`, the repository's path below the root. */
  readonly name: string;
  readonly path: string;
  /** Commits changes on top of the branch, as a push would; returns the new tip's id. */
  commit(files: Record<string, FileContent>, options?: string | CommitOptions): Promise<string>;
  /** Tags a commit (default: HEAD) and returns the id of what the tag's ref points at. */
  tag(name: string, options?: { annotated?: boolean; commit?: string }): Promise<string>;
  /** Creates or moves a branch (default: to HEAD). */
  branch(name: string, commit?: string): Promise<void>;
  deleteRef(ref: string): Promise<void>;
  /** The object id of a revision expression such as `main:charts/web`. */
  revParse(revision: string): Promise<string>;
  /** Writes an object of any content, also one that git itself would refuse, and returns its id. */
  writeObject(type: 'blob' | 'tree' | 'commit', content: Buffer): Promise<string>;
  git(args: readonly string[], input?: Buffer | string): Promise<string>;
}

export interface RepositoryOptions {
  /** Default: a new temporary directory. */
  root?: string;
  name?: string;
  /** What HEAD names; default `main`. */
  branch?: string;
  /** The first commit; omitted: the repository stays empty. */
  files?: Record<string, FileContent>;
}

const quickly = ['-c', 'gc.auto=0', '-c', 'core.hooksPath=/dev/null', '-c', 'core.fsync=none'];
const environment = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
};

export async function createRepository(options: RepositoryOptions = {}): Promise<GitRepository> {
  const root = options.root ?? temporaryDirectory('git');
  const name = options.name ?? 'repository.git';
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  await runGit(path, ['init', '--quiet', '--bare', `--initial-branch=${options.branch ?? 'main'}`, '.']);
  const repository = repositoryAt(root, name, path);
  if (options.files) await repository.commit(options.files, 'Initial commit');
  return repository;
}

function repositoryAt(root: string, name: string, path: string): GitRepository {
  const git = (args: readonly string[], input?: Buffer | string) => runGit(path, args, input);
  let clock = 1_790_000_000;
  return {
    root,
    name,
    path,
    git,
    async commit(files, given) {
      const settings = typeof given === 'string' ? { message: given } : (given ?? {});
      const branch = settings.branch ?? (await git(['symbolic-ref', '--short', 'HEAD']));
      const parent = await git(['rev-parse', '--quiet', '--verify', `refs/heads/${branch}`]).catch(() => '');
      clock = settings.time ?? clock + 1;
      const stream = fastImport(files, { message: 'Change', ...settings, branch, parent, time: clock });
      return git(['fast-import', '--quiet', '--force'], stream);
    },
    async tag(tag, { annotated = false, commit = 'HEAD' } = {}) {
      await git(['tag', '--force', ...(annotated ? ['-a', '-m', `Release ${tag}`] : []), tag, commit]);
      return git(['rev-parse', `refs/tags/${tag}`]);
    },
    async branch(branch, commit = 'HEAD') {
      await git(['update-ref', `refs/heads/${branch}`, await git(['rev-parse', commit])]);
    },
    async deleteRef(ref) {
      await git(['update-ref', '-d', ref]);
    },
    revParse: (revision) => git(['rev-parse', revision]),
    writeObject: (type, content) => git(['hash-object', '-t', type, '-w', '--literally', '--stdin'], content),
  };
}

interface ImportedCommit extends Required<Pick<CommitOptions, 'message' | 'branch' | 'time'>> {
  author?: string;
  parent: string;
}

/** One commit as `git fast-import` reads it: one process a commit, however many files. */
function fastImport(files: Record<string, FileContent>, commit: ImportedCommit): Buffer {
  const parts: Buffer[] = [];
  const line = (text: string) => parts.push(Buffer.from(`${text}\n`));
  const data = (content: string | Buffer) => {
    const bytes = Buffer.from(content);
    line(`data ${bytes.length}`);
    parts.push(bytes, Buffer.from('\n'));
  };
  line(`commit refs/heads/${commit.branch}`);
  line('mark :1');
  line(`author ${commit.author ?? 'Test <test@example.com>'} ${commit.time} +0000`);
  line(`committer Test <test@example.com> ${commit.time} +0000`);
  data(commit.message);
  if (commit.parent !== '') line(`from ${commit.parent}`);
  for (const [path, content] of Object.entries(files)) {
    if (content === null) line(`D ${quote(path)}`);
    else if (typeof content === 'object' && 'submodule' in content) {
      line(`M 160000 ${content.submodule} ${quote(path)}`);
    } else if (typeof content === 'object' && 'symlink' in content) {
      line(`M 120000 inline ${quote(path)}`);
      data(content.symlink);
    } else if (typeof content === 'object' && 'executable' in content) {
      line(`M 100755 inline ${quote(path)}`);
      data(content.executable);
    } else {
      line(`M 100644 inline ${quote(path)}`);
      data(content);
    }
  }
  line('get-mark :1');
  line('done');
  return Buffer.concat(parts);
}

function quote(path: string): string {
  return `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

async function runGit(path: string, args: readonly string[], input?: Buffer | string): Promise<string> {
  const all = [...quickly, '-C', path, ...args];
  if (input === undefined) {
    const { stdout } = await run('git', all, { env: environment, maxBuffer: 64 << 20 });
    return stdout.trimEnd();
  }
  return new Promise((resolve, reject) => {
    const child = spawn('git', all, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => {
      // It ended without reading all of its input; its exit code tells.
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(stdout).toString().trimEnd());
      else reject(new Error(`git ${args.join(' ')} ended with ${code}: ${Buffer.concat(stderr)}`));
    });
    child.stdin.end(input);
  });
}
