import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** A program built from a Go module of this repository. */
export interface GoProgram {
  /** Name of the binary and first part of its cache directory's name. */
  name: string;
  /** Directory of the module's go.mod; relative paths start at the repository's root. */
  moduleDir: string;
  /** Package to build, as `go build` takes it; default `.`. */
  package?: string;
  /** Path of what stands in for the module's go.mod, with a .sum beside it: the same sources with other versions. */
  modFile?: string;
  /** Linker flags, as in `go build -ldflags`; `-s -w` is always among them. */
  ldflags?: readonly string[];
  /** Added to the environment of `go build` (GOOS, GOARCH, GOTOOLCHAIN, …); part of the cache key. */
  env?: Readonly<Record<string, string>>;
  /** What a first build costs, told with the progress: `the first build takes 6 minutes on 2 cores`. */
  cost?: string;
}

const repositoryRoot = resolve(import.meta.dirname, '..');
/** How often progress is told: on a terminal in place, elsewhere a line each time. */
const PROGRESS_MS = { terminal: 500, file: 30_000 } as const;

/** Where built programs are kept: `$XDG_CACHE_HOME/towpath`, or `~/.cache/towpath`. */
export function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'towpath');
}

/**
 * Path of the program, built first if the cache lacks it. The cache key is the digest of the module's
 * sources (all files but tests), the flags and the platform. Safe in several processes at once: each builds
 * to a name of its own and renames. Progress goes to stderr.
 *
 * @throws Error with the compiler's output when the build fails or Go is missing.
 */
export async function goBinary(program: GoProgram): Promise<string> {
  const moduleDir = resolve(repositoryRoot, program.moduleDir);
  const digest = await sourceDigest(program, moduleDir);
  const path = join(cacheDirectory(), `${program.name}-${digest}`, program.name);
  if (existsSync(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  const building = `${path}.${process.pid}.${Date.now()}`;
  try {
    await goBuild(program, moduleDir, building);
    await rename(building, path);
  } finally {
    await rm(building, { force: true });
  }
  return path;
}

/**
 * The same for all programs: packages that two of them have in one version are compiled once. What debuggers read is
 * left out when compiling, not only when linking: a fifth of the work, and no part of a stack trace.
 */
export const GO_FLAGS: readonly string[] = ['-trimpath', '-gcflags=all=-dwarf=false'];

function buildFlags(program: GoProgram): string[] {
  return [...GO_FLAGS, '-ldflags', ['-s', '-w', ...(program.ldflags ?? [])].join(' ')];
}

function modFiles({ modFile }: GoProgram): string[] {
  if (modFile === undefined) return [];
  const path = resolve(repositoryRoot, modFile);
  return [path, path.replace(/\.mod$/, '.sum')];
}

async function sourceDigest(program: GoProgram, moduleDir: string): Promise<string> {
  const hash = createHash('sha256');
  const key = {
    platform: `${process.platform}/${process.arch}`,
    package: program.package ?? '.',
    flags: buildFlags(program),
    env: Object.entries(program.env ?? {}).sort(),
  };
  hash.update(JSON.stringify(key));
  const entries = await readdir(moduleDir, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('_test.go') && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/[/\\]testdata[/\\]/.test(file))
    .filter((file) => !file.endsWith('.ts'))
    .sort();
  for (const file of [...files, ...modFiles(program)]) {
    const text = await readFile(file);
    hash.update(`\0${file.slice(moduleDir.length)}\0${text.length}\0`).update(text);
  }
  return hash.digest('hex').slice(0, 16);
}

async function goBuild(program: GoProgram, moduleDir: string, output: string): Promise<void> {
  const progress = new Progress(program);
  const target = program.package ?? '.';
  const flags = modFiles(program)
    .slice(0, 1)
    .map((path) => `-modfile=${path}`);
  // The compiler collects its garbage less often: it lives for seconds.
  const env = { ...process.env, CGO_ENABLED: '0', GOGC: '300', ...program.env };
  const run = (args: readonly string[], onText: (text: string) => void) =>
    new Promise<number>((resolveRun, reject) => {
      const child = spawn('go', args, { cwd: moduleDir, env, stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout.on('data', (chunk: Buffer) => onText(chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => onText(chunk.toString()));
      child.on('error', (cause: NodeJS.ErrnoException) => {
        const isMissing = cause.code === 'ENOENT';
        const why = isMissing ? 'the go command was not found: install Go 1.26 or newer' : cause.message;
        reject(new Error(`build ${program.name}: ${why}`, { cause }));
      });
      child.on('close', (code) => resolveRun(code ?? -1));
    });
  try {
    let listed = '';
    await run(['list', ...flags, '-deps', target], (text) => {
      listed += text;
    });
    progress.total = listed.split('\n').length;
    let written = '';
    const code = await run(
      ['build', '-v', ...flags, ...buildFlags(program), '-o', output, target],
      (text) => {
        written = (written + text).slice(-20_000);
        progress.built += text.split('\n').length - 1;
      },
    );
    if (code !== 0) throw new Error(`build ${program.name}: go build ended with code ${code}:\n${written}`);
    progress.end(`built ${program.name}`);
  } finally {
    progress.stop();
  }
}

/** Tells on stderr how far a build is: in one line that moves on a terminal, elsewhere in a line now and then. */
class Progress {
  /** Packages that the program has, at most; those that are built already are not built again. */
  total = 0;
  built = 0;
  readonly #name: string;
  readonly #started = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #isTerminal = process.stderr.isTTY === true;

  constructor({ name, cost }: GoProgram) {
    this.#name = name;
    this.#line(`building${cost === undefined ? '' : `; ${cost}`}`);
    this.#timer = setInterval(() => this.#tell(), this.#isTerminal ? PROGRESS_MS.terminal : PROGRESS_MS.file);
  }

  end(what: string): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
    this.#line(`${what} (${this.#seconds()} s)`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    const text = `${this.built} of at most ${this.total} packages, ${this.#seconds()} s`;
    if (this.#isTerminal) process.stderr.write(`\r\x1b[K${this.#name}: ${text}`);
    else this.#line(text);
  }

  #line(text: string): void {
    process.stderr.write(`${this.#name}: ${text}\n`);
  }

  #seconds(): number {
    return Math.round((performance.now() - this.#started) / 1000);
  }
}
