import { readFlags } from './flags.ts';
import { newLogger } from './observe/log.ts';
import { Operator } from './operator.ts';

const flags = readFlags(process.argv.slice(2), process.env);
const log = newLogger(flags['log-level']);
const operator = new Operator(flags, log);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({ signal }, 'Stopping.');
    void operator.stop().then(() => process.exit(0));
  });
}
// A defect must not take every Application down with it: it is told, and the work it was part of is tried again.
process.on('uncaughtException', (error) =>
  log.error({ error: error.message, stack: error.stack }, 'A defect in Towpath.'),
);
process.on('unhandledRejection', (error) =>
  log.error({ error: error instanceof Error ? error.stack : String(error) }, 'A defect in Towpath.'),
);

try {
  await operator.start();
} catch (error) {
  log.fatal({ error: error instanceof Error ? error.message : String(error) }, 'Towpath cannot start.');
  process.exit(1);
}
