import './node-20.ts';
import { check, readCommandLine } from './command-line.ts';
import { COMMANDS, commandOf } from './commands/all.ts';
import { complete } from './complete.ts';
import { CommandError, EXIT, type ExitCode } from './exit-codes.ts';
import { help, helpOf } from './help.ts';
import { Kubectl } from './kubectl.ts';
import { plain, type Terminal, terminalOf, wrap } from './text/terminal.ts';

/** First word by which kubectl_complete-towpath asks for completions. */
const COMPLETE = '__complete';

const out = terminalOf(process.stdout, process.env);
const err = terminalOf(process.stderr, process.env);
const interrupt = new AbortController();
// What kubectl does for us ends with us.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.on(signal, () => {
    interrupt.abort();
    process.exit(code);
  });
// The reader of a pipe is gone: nobody is told anything any more.
process.stdout.on('error', () => process.exit(EXIT.Error));
// What is done is done all the same where nobody reads the warnings.
process.stderr.on('error', () => undefined);

// CommonJS, which a file without an extension is, has no await here.
void run(process.argv.slice(2))
  .catch((error: unknown) => tellError(error, err))
  .then((code) => {
    process.exitCode = code;
  });

async function run(args: readonly string[]): Promise<ExitCode> {
  if (args[0] === COMPLETE) {
    out.write(await complete(args.slice(1), process.env));
    return EXIT.Done;
  }
  const line = readCommandLine(args);
  const { name } = line;
  if (name === undefined || name === 'help') {
    out.write(help());
    return name === undefined && !line.wantsHelp ? EXIT.Usage : EXIT.Done;
  }
  const command = commandOf(name);
  if (command === undefined)
    throw new CommandError(
      `There is no command ${name}; there are ${Object.keys(COMMANDS).join(', ')}.`,
      EXIT.Usage,
    );
  if (line.wantsHelp) {
    out.write(helpOf(command));
    return EXIT.Done;
  }
  check(command, line);
  return command.run({
    kubectl: new Kubectl(line.kubectlFlags, process.env),
    out,
    err,
    words: line.words,
    flags: line.flags,
    now: () => new Date(),
    signal: interrupt.signal,
  });
}

function tellError(error: unknown, to: Terminal): ExitCode {
  if (!(error instanceof CommandError)) {
    // Node would print the line of the bundle, too, which is all of it.
    to.write(`A defect of kubectl towpath: ${error instanceof Error ? error.stack : String(error)}\n`);
    return EXIT.Error;
  }
  for (const line of error.message.split('\n').flatMap((one) => wrap(plain(one), to.width)))
    to.write(`${line}\n`);
  return error.code;
}
