import { type FlagValues, readFlags, usage, wantsHelp } from './flags.ts';
import { newLogger } from './observe/log.ts';
import { Operator } from './operator.ts';

const flags = flagsOrExit();
const log = newLogger(flags['log-level'], flags['log-format']);
const operator = newOperator();

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({ signal }, 'Stopping.');
    void operator.stop().then(
      () => process.exit(),
      (error: unknown) => {
        log.error(
          { error: error instanceof Error ? error.stack : String(error) },
          'Towpath stopped in disorder.',
        );
        process.exit(1);
      },
    );
  });
}
// What waited for the callback that threw would wait for ever: only a new process knows that nothing was lost.
process.on('uncaughtException', (error) => {
  log.fatal({ error: error.message, stack: error.stack }, 'A defect in Towpath: the process ends, in order.');
  process.exitCode = 1;
  void operator.stop().finally(() => process.exit());
});
// Nobody waited for that: it is told, and the work that it was part of is tried again.
process.on('unhandledRejection', (error) =>
  log.error({ error: error instanceof Error ? error.stack : String(error) }, 'A defect in Towpath.'),
);

await operator.start().catch(async (error: unknown) => {
  // Ended while it was still waiting for the API server: that is no failure (A7).
  if (operator.isStopping) await operator.stop().then(() => process.exit());
  giveUp(error);
});

function flagsOrExit(): FlagValues {
  const args = process.argv.slice(2);
  if (wantsHelp(args)) {
    process.stdout.write(usage());
    process.exit(0);
  }
  try {
    return readFlags(args, process.env);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message} --help lists all flags.\n`);
    process.exit(2);
  }
}

function newOperator(): Operator {
  try {
    return new Operator(flags, log, () => {
      process.exitCode = 1;
      void operator.stop().finally(() => process.exit());
    });
  } catch (error) {
    return giveUp(error);
  }
}

/** No cluster in reach, say, or a port that is taken: whoever started it reads why. */
function giveUp(error: unknown): never {
  log.fatal({ error: error instanceof Error ? error.message : String(error) }, 'Towpath cannot start.');
  process.exit(1);
}
