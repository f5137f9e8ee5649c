import type { HistoryEntry } from '../../operator/api/v1alpha1/application.ts';
import { environmentsOf, readApplication } from '../application.ts';
import { EXIT } from '../exit-codes.ts';
import { short } from '../text/application-tree.ts';
import { tableLines } from '../text/table.ts';
import { plain } from '../text/terminal.ts';
import { relative, span } from '../text/times.ts';
import { type Command, isJson, printJson, printLines } from './command.ts';

const TITLES = ['ENV', 'ID', 'REVISION', 'CHART', 'OUTCOME', 'TRIGGER', 'STARTED', 'TOOK', 'MESSAGE'];

export const history: Command = {
  usage: 'history APP [ENV]',
  words: [1, 2],
  flags: ['output'],
  summary: 'Lists which version was deployed when, in which environment, and how that ended.',
  run: async (context) => {
    const { kubectl, words, out, now } = context;
    const [name = '', environment] = words;
    const environments = environmentsOf(await readApplication(kubectl, name), environment);
    const entries = environments.flatMap(({ name, history = [] }) =>
      history.map((entry) => ({ environment: name, ...entry })),
    );
    if (isJson(context)) printJson(context, entries);
    else printLines(context, tableLines([TITLES, ...entries.map((entry) => rowOf(entry, now()))], out));
    return EXIT.Done;
  },
};

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
