import { EXIT } from '../exit-codes.ts';
import { beganIn, type RanAt, ranAt, ranBetween } from '../ledger/at.ts';
import { type Names, refuseUnknown } from '../ledger/names.ts';
import { readLedger, tellUnreadable } from '../ledger/read.ts';
import { short } from '../text/application-tree.ts';
import { tableLines } from '../text/table.ts';
import { plain } from '../text/terminal.ts';
import { type Command, isJson, printJson, printLines } from './command.ts';
import { operatorNamespace } from './nobody-leads.ts';
import { timesOf } from './times-of.ts';

const TITLES = ['AT', 'APPLICATION', 'ENV', 'REVISION', 'CHART', 'PHASE', 'BY', 'PROMOTION'];

interface Answer {
  at: string;
  application: string;
  environment: string;
  ran: RanAt;
}

export const at: Command = {
  usage: 'at [APP] [ENV]',
  words: [0, 2],
  flags: ['output', 'time', 'operator-namespace'],
  summary: 'Says exactly what ran where at a moment, from the records of all deployments.',
  notes: [
    '--time=TIME        2026-11-29T14:00:00Z, or 2h for two hours ago; two of them, FROM..UNTIL, list each change',
    'Older records are in the archive in the namespace of the operator, which needs a right to read ConfigMaps there.',
  ],
  run: async (context) => {
    const { kubectl, words, flags, signal, out, err } = context;
    const [application, environment] = words;
    const times = await timesOf(context, flags.time ?? '0s');
    const namespace = await kubectl.namespace();
    const ownNamespace = operatorNamespace(context);
    const ledger = await readLedger(kubectl, { namespace, operatorNamespace: ownNamespace, signal });
    const { reach, seesArchive, names } = ledger;
    refuseUnknown(ledger, { namespace, application, environment, operatorNamespace: ownNamespace });
    const byTarget = beganIn(ledger);
    for (const target of unrecordedIn(names, [...byTarget.keys()], application, environment))
      byTarget.set(target, []);
    const answers = [...byTarget].sort().flatMap(([target, deployments]): Answer[] => {
      const [app = '', env = ''] = target.split('/');
      if ((application ?? app) !== app || (environment ?? env) !== env) return [];
      const ran =
        times instanceof Date
          ? [{ at: times, ran: ranAt(deployments, times, reach) }]
          : ranBetween(deployments, times, reach);
      return ran.map((one) => ({
        at: one.at.toISOString(),
        application: app,
        environment: env,
        ran: one.ran,
      }));
    });
    if (isJson(context)) printJson(context, answers.map(jsonOf));
    else printLines(context, tableLines([TITLES, ...answers.map(rowOf)], out));
    const unreadable = tellUnreadable(ledger);
    if (unreadable !== undefined) err.write(`${unreadable}\n`);
    const isUnknown = answers.length === 0 || answers.some(({ ran }) => ran.is === 'NotRecorded');
    if (answers.length === 0) err.write(`Nothing is recorded in namespace ${namespace}.\n`);
    if (isUnknown && !seesArchive)
      err.write(
        `The archive in namespace ${ownNamespace} cannot be read with your rights: what is older than the last Promotions is not shown.\n`,
      );
    return isUnknown || unreadable !== undefined ? EXIT.Unknown : EXIT.Done;
  },
};

/** What is named is answered about, also where nothing is recorded of it. */
function unrecordedIn(
  names: Names,
  recorded: readonly string[],
  application: string | undefined,
  environment: string | undefined,
): readonly string[] {
  if (application === undefined) return [];
  if (environment !== undefined)
    return recorded.includes(`${application}/${environment}`) ? [] : [`${application}/${environment}`];
  if (recorded.some((target) => target.startsWith(`${application}/`))) return [];
  return [...(names.get(application) ?? [])].map((one) => `${application}/${one}`);
}

function jsonOf({ ran, ...answer }: Answer) {
  if (ran.is !== 'Recorded') return { ...answer, ran: ran.is };
  return { ...answer, ran: ran.is, phase: ran.phase, record: ran.entry };
}

function rowOf({ at: time, application, environment, ran }: Answer): string[] {
  const place = [`${time.slice(0, 19)}Z`, plain(application), plain(environment)];
  if (ran.is === 'Nothing') return [...place, 'nothing yet'];
  if (ran.is === 'Removed') return [...place, 'removed'];
  if (ran.is === 'NotRecorded') return [...place, 'not recorded'];
  const { revision = '', shortRevision, chart = '', by, promotion } = ran.entry;
  return [
    ...place,
    plain(shortRevision ?? short(revision)),
    plain(chart),
    ran.phase,
    plain(by),
    plain(promotion),
  ];
}
