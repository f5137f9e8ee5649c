import type { HistoryEntry } from '../../operator/api/v1alpha1/application.ts';
import { environmentsOf, readApplication } from '../application.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import { beganIn, isAllKnown, type Ledger, type Rate, rateOf } from '../ledger/at.ts';
import { refuseUnknown } from '../ledger/names.ts';
import { readLedger, tellUnreadable } from '../ledger/read.ts';
import type { Range } from '../ledger/times.ts';
import { short } from '../text/application-tree.ts';
import { tableLines } from '../text/table.ts';
import { plain } from '../text/terminal.ts';
import { relative, span } from '../text/times.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { operatorNamespace, warnIfNobodyLeads } from './nobody-leads.ts';
import { timesOf } from './times-of.ts';

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
    await warnIfNobodyLeads(context);
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
  const { kubectl, flags, signal } = context;
  const times = flags.time === undefined ? undefined : await timesOf(context, flags.time);
  if (times instanceof Date) throw new CommandError('--time needs two times: FROM..UNTIL.', EXIT.Usage);
  const namespace = await kubectl.namespace();
  const ownNamespace = operatorNamespace(context);
  const ledger = await readLedger(kubectl, { namespace, operatorNamespace: ownNamespace, signal });
  refuseUnknown(ledger, { namespace, application, environment, operatorNamespace: ownNamespace });
  const unreadable = tellUnreadable(ledger);
  const counted = ratesIn(ledger, { application, environment, times });
  // It is not known of which.
  const rates = unreadable === undefined ? counted : counted.map((one) => ({ ...one, complete: false }));
  if (isJson(context)) printJson(context, rates);
  else printRates(context, rates);
  if (unreadable !== undefined) {
    context.err.write(`${unreadable}\n`);
    return EXIT.Unknown;
  }
  const unknown = rates.filter(({ complete }) => !complete).map((one) => one.environment);
  if (unknown.length === 0 && (rates.length > 0 || ledger.reach === 'Whole')) return EXIT.Done;
  tellUnknown(context, unknown, ledger);
  return EXIT.Unknown;
}

interface KnownRate extends Rate {
  /** Nothing is missing of what there was in that time. */
  readonly complete: boolean;
}

/** By environment, each deployment once, however many records it has. */
export function ratesIn(
  ledger: Ledger,
  {
    application,
    environment,
    times,
  }: { application: string; environment: string | undefined; times: Range | undefined },
): KnownRate[] {
  return [...beganIn(ledger)].sort().flatMap(([target, deployments]) => {
    const [app, env = ''] = target.split('/');
    if (app !== application || (environment ?? env) !== env) return [];
    const its = deployments.filter((one) => one.isUnrecorded !== true && isIn(times, one.startedAt));
    return [{ ...rateOf(env, its), complete: isAllKnown(deployments, times, ledger.reach) }];
  });
}

function printRates(context: Context, rates: readonly KnownRate[]): void {
  const rows = rates.map(({ environment, deployments, failed, failureRate }) => [
    plain(environment),
    String(deployments),
    String(failed),
    failureRate === undefined ? '' : `${Math.round(failureRate * 100)} %`,
  ]);
  printLines(context, tableLines([['ENV', 'DEPLOYMENTS', 'FAILED', 'RATE'], ...rows], context.out));
}

function tellUnknown(
  context: Context,
  environments: readonly string[],
  { seesArchive }: { seesArchive: boolean },
): void {
  const where = environments.length === 0 ? '' : ` of ${environments.map(plain).join(', ')}`;
  const why = seesArchive
    ? 'the ledger does not reach so far, or has a gap there'
    : `the archive in namespace ${operatorNamespace(context)} cannot be read with your rights, and what is older than the last Promotions is there alone`;
  context.err.write(
    `Not all deployments${where} of that time are known, and the rest is not counted: ${why}.\n`,
  );
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
