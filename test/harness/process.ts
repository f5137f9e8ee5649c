import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

/** A program that a test runs beside itself. */
export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** File that takes its stdout and stderr. */
  readonly logPath: string;
  /** Settles with a sentence on how it ended; undefined while it runs. */
  readonly ended: Promise<string>;
  readonly running: boolean;
  /** SIGSTOP: it keeps its sockets and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Ends it and waits: at once by SIGKILL, or by SIGTERM and after 12 s SIGKILL: the operator promises 10 s (A7). */
  stop(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** The last lines of its output, for messages of failed tests. */
  logTail(lines?: number): string;
}

export interface ProcessOptions {
  name: string;
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  logPath: string;
  /** It outlives this process; then nobody but a later `kill` ends it. */
  detached?: boolean;
}

/**
 * Starts a program in a process group of its own. Unless detached, the group ends with this process, however this
 * process ends: a kill -9 included, for which the warden is there.
 */
export function startProcess(options: ProcessOptions): RunningProcess {
  const log = openSync(options.logPath, 'a');
  const child = spawn(options.command, options.args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: options.env ?? process.env,
  });
  const logTail = (lines = 20) => tail(options.logPath, lines);
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`${options.name} could not be started: ${error.message}`));
    child.on('exit', (code, signal) => resolve(`${options.name} ended with ${signal ?? `code ${code}`}`));
  });
  // Does not keep this process alive: a test that forgets to stop it ends all the same, and so does it.
  child.unref();
  if (!options.detached) endWithThisProcess(child);
  const isRunning = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  const send = (signal: NodeJS.Signals) => {
    if (!isRunning()) return;
    // Who is killed cannot end what it started itself.
    if (signal === 'SIGKILL' && child.pid !== undefined) process.kill(-child.pid, signal);
    else child.kill(signal);
  };
  return {
    name: options.name,
    pid: child.pid ?? -1,
    logPath: options.logPath,
    ended,
    get running() {
      return isRunning();
    },
    pause: () => send('SIGSTOP'),
    resume: () => send('SIGCONT'),
    async stop(signal = 'SIGKILL') {
      send('SIGCONT');
      send(signal);
      const hard = setTimeout(() => send('SIGKILL'), 12_000);
      await ended;
      clearTimeout(hard);
    },
    logTail,
  };
}

function endWithThisProcess(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  tellWarden(`+ ${pid}`);
  const kill = () => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  };
  atExit(kill);
  child.on('exit', () => {
    process.off('exit', kill);
    // Its number may be given to another process.
    tellWarden(`- ${pid}`);
  });
}

/** Reads which process groups there are until who tells it is gone, and kills those that are left. */
const WARDEN = `
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups-$group " ;;
    -) groups="\${groups%% -$group *} \${groups#* -$group }" ;;
  esac
done
kill -9 $groups`;

let warden: Writable | undefined;

/** The warden is in a session of its own: what Ctrl-C or `timeout` sends to ours does not reach it. */
function tellWarden(line: string): void {
  if (warden === undefined) {
    const shell = spawn('sh', ['-c', WARDEN], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    shell.unref();
    // Somebody killed it: the next process to be started brings another. The exit handlers still do their work.
    const gone = () => {
      warden = undefined;
    };
    shell.on('error', gone);
    shell.stdin.on('error', gone);
    // In Node a pipe to a child is a socket, whose unref() lets this process end.
    if (shell.stdin instanceof Socket) shell.stdin.unref();
    warden = shell.stdin;
  }
  warden.write(`${line}\n`);
}

/** The last registered runs first: a process is killed before the directory it writes to goes. */
function atExit(work: () => void): void {
  process.setMaxListeners(process.getMaxListeners() + 1);
  process.prependListener('exit', work);
}

function tail(path: string, lines: number): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/** Systems take the ports of outgoing connections from above these. */
const PORTS = { first: 15_000, last: 29_999 };

/**
 * A TCP port on 127.0.0.1 that was free a moment ago, and that nobody is given by chance: one that the system
 * chooses could be that of an outgoing connection by the time a program listens on it.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(PORTS.first, PORTS.last + 1);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${PORTS.first} to ${PORTS.last}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

const directoryPrefix = 'towpath-test-';

/**
 * A new directory, in memory where the system has /dev/shm, removed when this process ends. What a killed
 * process left behind, the next call removes.
 */
export function temporaryDirectory(name: string): string {
  const root = temporaryRoot();
  removeLeftovers(root);
  const path = mkdtempSync(join(root, `${directoryPrefix}${process.pid}-${name}-`));
  atExit(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function temporaryRoot(): string {
  try {
    readdirSync('/dev/shm');
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

function removeLeftovers(root: string): void {
  for (const entry of readdirSync(root)) {
    if (!entry.startsWith(directoryPrefix)) continue;
    const owner = Number(entry.slice(directoryPrefix.length).split('-')[0]);
    if (Number.isInteger(owner) && !isRunning(owner)) {
      rmSync(join(root, entry), { recursive: true, force: true });
    }
  }
}

/** Whether a process with that id exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
