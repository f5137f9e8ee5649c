import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer, command } from './terminal.ts';

const UNTIL_MS = 60_000;
const PAUSE_MS = 100;

/** Runs command lines as a user would type them. */
export interface Shell {
  /** Where commands run. */
  readonly directory: string;
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /** Prints the command line and its answer; returns the answer. Throws when it fails. */
  type(line: string, options?: RunOptions): Promise<string>;
  /** The same out of view. */
  ask(line: string, options?: RunOptions): Promise<string>;
  /** Asks out of view, again and again, until the answer is as it should be; @throws where it is not within a minute */
  until(line: string, holds: (answer: string) => boolean): Promise<void>;
  /** The same shell for the work of cleaning up, which no interrupt ends. */
  readonly unsignalled: Pick<Shell, 'ask'>;
}

interface RunOptions {
  /** Default: the shell's. */
  directory?: string;
}

interface ShellOptions {
  directory: string;
  environment: NodeJS.ProcessEnv;
  /** Ends what runs; then `type` and `ask` reject with its reason. */
  signal: AbortSignal;
}

export function newShell(options: ShellOptions): Shell {
  const askWith =
    (signal: AbortSignal) =>
    async (line: string, { directory = options.directory }: RunOptions = {}) => {
      const { code, text } = await run(line, { ...options, directory, signal });
      if (code !== 0) throw new Error(`This command failed with code ${code}: ${line}\n${text}`);
      return text;
    };
  const ask = askWith(options.signal);
  return {
    directory: options.directory,
    environment: options.environment,
    ask,
    unsignalled: { ask: askWith(new AbortController().signal) },
    async until(line, holds) {
      const started = performance.now();
      while (!holds(await ask(line))) {
        if (performance.now() - started > UNTIL_MS)
          throw new Error(`What this command answers is not as it should be for a minute: ${line}`);
        await sleep(PAUSE_MS);
      }
    },
    async type(line, runOptions) {
      command(line);
      const text = await ask(line, runOptions);
      answer(text);
      return text;
    },
  };
}

function run(line: string, options: ShellOptions): Promise<{ code: number; text: string }> {
  options.signal.throwIfAborted();
  const child = spawn('sh', ['-c', line], {
    cwd: options.directory,
    env: options.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    const kill = () => endGroup(child, 'SIGKILL');
    const abort = () => {
      kill();
      reject(options.signal.reason);
    };
    options.signal.addEventListener('abort', abort, { once: true });
    process.on('exit', kill);
    const done = () => {
      options.signal.removeEventListener('abort', abort);
      process.off('exit', kill);
    };
    child.on('error', (error) => {
      done();
      reject(error);
    });
    child.on('close', (code) => {
      done();
      resolve({ code: code ?? -1, text: Buffer.concat(chunks).toString().trimEnd() });
    });
  });
}

/** Sends a signal to a detached child and all that it started. */
export function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended by itself.
  }
}
