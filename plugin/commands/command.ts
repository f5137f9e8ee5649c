import type { ExitCode } from '../exit-codes.ts';
import type { Kubectl } from '../kubectl.ts';
import type { Terminal } from '../text/terminal.ts';

/** What a command works with. */
export interface Context {
  kubectl: Kubectl;
  /** Of the answer. */
  out: Terminal;
  /** Of what goes on meanwhile, and of warnings. */
  err: Terminal;
  /** Positional arguments after the command's name. */
  words: readonly string[];
  flags: CommandFlags;
  now(): Date;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** Flags that are the plugin's own, as the command line says them. */
export interface CommandFlags {
  readonly output?: string;
  readonly watch?: boolean;
  readonly 'all-namespaces'?: boolean;
  readonly revision?: string;
  readonly candidate?: string;
  readonly for?: string;
  readonly timeout?: string;
  readonly time?: string;
  readonly rates?: boolean;
  readonly 'operator-namespace'?: string;
  readonly local?: string;
  readonly promotion?: string;
  readonly retry?: string;
  readonly reason?: string;
  readonly 'skip-gates'?: string;
  readonly to?: string;
  readonly until?: string;
  readonly all?: boolean;
  readonly 'target-context'?: string;
}

export interface Command {
  /** Behind `kubectl towpath`, with its arguments: `[ENV]` may be left out. */
  usage: string;
  /** How many arguments it takes: the least and the most. */
  words: readonly [least: number, most: number];
  /** What the first of them names, where that is no Application. */
  first?: 'Environment' | 'Promotion';
  flags: readonly (keyof CommandFlags)[];
  summary: string;
  /** What is not seen from the summary, line by line. */
  notes?: readonly string[];
  run(context: Context): Promise<ExitCode>;
}

export function isJson({ flags }: Pick<Context, 'flags'>): boolean {
  return flags.output === 'json';
}

export function printJson({ out }: Pick<Context, 'out'>, value: unknown): void {
  out.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLines({ out }: Pick<Context, 'out'>, lines: readonly string[]): void {
  out.write(lines.map((line) => `${line}\n`).join(''));
}
