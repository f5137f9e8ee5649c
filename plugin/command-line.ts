import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { Command, CommandFlags } from './commands/command.ts';
import { CommandError, EXIT } from './exit-codes.ts';

type Option = NonNullable<ParseArgsConfig['options']>[string];

/** What kubectl reads itself, for every command. */
const KUBECTL_OPTIONS: Readonly<Record<string, Option>> = {
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  cluster: { type: 'string' },
  user: { type: 'string' },
  as: { type: 'string' },
  'as-group': { type: 'string', multiple: true },
  'as-uid': { type: 'string' },
  token: { type: 'string' },
  server: { type: 'string', short: 's' },
  'tls-server-name': { type: 'string' },
  'certificate-authority': { type: 'string' },
  'client-certificate': { type: 'string' },
  'client-key': { type: 'string' },
  'request-timeout': { type: 'string' },
  'cache-dir': { type: 'string' },
  'insecure-skip-tls-verify': { type: 'boolean' },
};

/** What is ours. */
const OWN_OPTIONS: Readonly<Record<keyof CommandFlags, Option>> = {
  output: { type: 'string', short: 'o' },
  watch: { type: 'boolean', short: 'w' },
  'all-namespaces': { type: 'boolean', short: 'A' },
  revision: { type: 'string' },
  candidate: { type: 'string' },
  for: { type: 'string' },
  timeout: { type: 'string' },
  time: { type: 'string' },
  rates: { type: 'boolean' },
  'operator-namespace': { type: 'string' },
  local: { type: 'string' },
  promotion: { type: 'string' },
  retry: { type: 'string' },
  reason: { type: 'string' },
  'skip-gates': { type: 'string' },
  to: { type: 'string' },
  until: { type: 'string' },
  all: { type: 'boolean' },
  'target-context': { type: 'string' },
};

export interface CommandLine {
  name: string | undefined;
  words: readonly string[];
  flags: CommandFlags;
  /** To be passed on, as `--flag=value`. */
  kubectlFlags: readonly string[];
  wantsHelp: boolean;
}

/** @throws CommandError with code Usage for a flag that nobody knows. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const options = { ...KUBECTL_OPTIONS, ...OWN_OPTIONS, help: { type: 'boolean', short: 'h' } } as const;
  const { values, positionals } = parsed(args, options);
  const kubectlFlags = Object.keys(KUBECTL_OPTIONS).flatMap((name) => {
    const value = values[name];
    if (value === undefined) return [];
    return [value].flat().map((one) => `--${name}=${String(one)}`);
  });
  const own = Object.keys(OWN_OPTIONS).filter((name) => values[name] !== undefined);
  const flags: CommandFlags = Object.fromEntries(own.map((name) => [name, values[name]]));
  const [name, ...words] = positionals;
  return { name, words, flags, kubectlFlags, wantsHelp: values['help'] === true };
}

/** @throws CommandError where the command does not take what the command line says. */
export function check(command: Command, { words, flags }: CommandLine): void {
  const [least, most] = command.words;
  const usage = `Usage: kubectl towpath ${command.usage}`;
  if (words.length < least)
    throw new CommandError(
      `The name of an ${words.length === 0 ? 'Application' : 'environment'} is missing. ${usage}`,
      EXIT.Usage,
    );
  if (words.length > most)
    throw new CommandError(`"${words[most]}" is one word too many. ${usage}`, EXIT.Usage);
  const unknown = Object.keys(flags).find((flag) => !(command.flags as readonly string[]).includes(flag));
  if (unknown !== undefined)
    throw new CommandError(`This command has no flag --${unknown}. ${usage}`, EXIT.Usage);
  if (flags.output !== undefined && flags.output !== 'json')
    throw new CommandError(
      `--output=${flags.output} is not known: leave it out, or write -o json.`,
      EXIT.Usage,
    );
}

function parsed(
  args: readonly string[],
  options: NonNullable<ParseArgsConfig['options']>,
): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CommandError(`${message.split('. ')[0]}. kubectl towpath --help lists the flags.`, EXIT.Usage);
  }
}
