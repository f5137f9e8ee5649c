import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

/** A program built from a Go module of this repository. */
export interface GoProgram {
  /** Name of the binary and first part of its cache directory's name. */
  name: string;
  /** Directory of the module's go.mod; relative paths start at the repository's root. */
  moduleDir: string;
  /** Package to build, as `go build` takes it; default `.`. */
  package?: string;
  /** Linker flags, as in `go build -ldflags`; `-s -w` is always among them. */
  ldflags?: readonly string[];
  /** Added to the environment of `go build` (GOOS, GOARCH, GOTOOLCHAIN, …); part of the cache key. */
  env?: Readonly<Record<string, string>>;
  /** What a first build costs, told with the progress: `the first build takes 6 minutes on 2 cores`. */
  cost?: string;
}

const repositoryRoot = resolve(import.meta.dirname, '..');
const progressEveryMs = 10_000;

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

function buildFlags(program: GoProgram): string[] {
  return ['-trimpath', '-ldflags', ['-s', '-w', ...(program.ldflags ?? [])].join(' ')];
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
  for (const file of files) {
    const text = await readFile(file);
    hash.update(`\0${file.slice(moduleDir.length)}\0${text.length}\0`).update(text);
  }
  return hash.digest('hex').slice(0, 16);
}

function goBuild(program: GoProgram, moduleDir: string, output: string): Promise<void> {
  const started = Date.now();
  const say = (what: string) => {
    const seconds = Math.round((Date.now() - started) / 1000);
    process.stderr.write(`${basename(moduleDir)}: ${what} (${seconds} s)\n`);
  };
  return new Promise((resolveBuild, reject) => {
    const child = spawn('go', ['build', ...buildFlags(program), '-o', output, program.package ?? '.'], {
      cwd: moduleDir,
      env: { ...process.env, CGO_ENABLED: '0', ...program.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    say(`building ${program.name}${program.cost ? `; ${program.cost}` : ''}`);
    const progress = setInterval(() => say(`still building ${program.name}`), progressEveryMs);
    let written = '';
    const keep = (chunk: Buffer) => {
      written = (written + chunk.toString()).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (cause: NodeJS.ErrnoException) => {
      clearInterval(progress);
      const why =
        cause.code === 'ENOENT' ? 'the go command was not found: install Go 1.26 or newer' : cause.message;
      reject(new Error(`build ${program.name}: ${why}`, { cause }));
    });
    child.on('close', (code) => {
      clearInterval(progress);
      if (code === 0) {
        say(`built ${program.name}`);
        resolveBuild();
      } else {
        reject(new Error(`build ${program.name}: go build ended with code ${code}:\n${written}`));
      }
    });
  });
}
