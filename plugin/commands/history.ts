import type { HistoryEntry } from '../../operator/api/v1alpha1/application.ts';
import { environmentsOf, readApplication } from '../application.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import { ratesOf } from '../ledger/at.ts';
import { readLedger } from '../ledger/read.ts';
import { type Range, readTimes } from '../ledger/times.ts';
import { short } from '../text/application-tree.ts';
import { tableLines } from '../text/table.ts';
import { plain } from '../text/terminal.ts';
import { relative, span } from '../text/times.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { operatorNamespace } from './nobody-leads.ts';

const TITLES = ['ENV', 'ID', 'REVISION', 'CHART', 'OUTCOME', 'TRIGGER', 'STARTED', 'TOOK', 'MESSAGE'];

export const history: Command = {
  usage: 'history APP [ENV]',
  words: [1, 2],
  flags: ['output', 'rates', 'time', 'operator-namespace'],
  summary: 'Lists which version was deployed when, in which environment, and how that ended.',
  notes: [
    '--rates            how many deployments there were in each environment, and which share failed, as far as is recorded',
    '--time=FROM..UNTIL only those that began in that time: 30d.. for the last thirty days',
  ],
  run: async (context) => {
    const { kubectl, words, out, now } = context;
    const [name = '', environment] = words;
    if (context.flags.rates === true) return showRates(context, name, environment);
    if (context.flags.time !== undefined)
      throw new CommandError(
        '--time goes with --rates; what ran at a time says kubectl towpath at.',
        EXIT.Usage,
      );
    const environments = environmentsOf(await readApplication(kubectl, name), environment);
    const entries = environments.flatMap(({ name, history = [] }) =>
      history.map((entry) => ({ environment: name, ...entry })),
    );
    if (isJson(context)) printJson(context, entries);
    else printLines(context, tableLines([TITLES, ...entries.map((entry) => rowOf(entry, now()))], out));
    return EXIT.Done;
  },
};

/** From the records of all deployments, not from the status, which has the last ones alone. */
async function showRates(
  context: Context,
  application: string,
  environment: string | undefined,
): Promise<ExitCode> {
  const { kubectl, flags, now, signal, out } = context;
  const times = flags.time === undefined ? undefined : readTimes(flags.time, now());
  if (times instanceof Date) throw new CommandError('--time needs two times: FROM..UNTIL.', EXIT.Usage);
  const namespace = await kubectl.namespace();
  const { entries } = await readLedger(kubectl, {
    namespace,
    operatorNamespace: operatorNamespace(context),
    signal,
  });
  const rates = ratesOf(
    entries.filter(
      (entry) =>
        entry.application === application &&
        (environment ?? entry.environment) === entry.environment &&
        isIn(times, entry.startedAt),
    ),
  );
  if (isJson(context)) printJson(context, rates);
  else
    printLines(
      context,
      tableLines(
        [
          ['ENV', 'DEPLOYMENTS', 'FAILED', 'RATE'],
          ...rates.map(({ environment: name, deployments, failed, failureRate }) => [
            plain(name),
            String(deployments),
            String(failed),
            failureRate === undefined ? '' : `${Math.round(failureRate * 100)} %`,
          ]),
        ],
        out,
      ),
    );
  return EXIT.Done;
}

function isIn(times: Range | undefined, startedAt: string | undefined): boolean {
  if (times === undefined) return true;
  const at = Date.parse(startedAt ?? '');
  return at >= times.from.getTime() && at <= times.until.getTime();
}

function rowOf(entry: HistoryEntry & { environment: string }, now: Date): string[] {
  const { startedAt, finishedAt } = entry;
  const took = Date.parse(finishedAt ?? now.toISOString()) - Date.parse(startedAt);
  return [
    entry.environment,
    String(entry.id),
    short(entry.revision),
    plain(entry.chart ?? ''),
    entry.outcome ?? 'running',
    entry.trigger,
    relative(startedAt, now),
    span(took),
    plain(entry.message ?? ''),
  ];
}
