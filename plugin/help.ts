import { COMMANDS } from './commands/all.ts';
import type { Command, CommandFlags } from './commands/command.ts';
import { wrap } from './text/terminal.ts';

const WIDTH = 80;

const FLAGS: Readonly<Record<keyof CommandFlags, string>> = {
  output: '-o, --output=json',
  watch: '-w, --watch',
  'all-namespaces': '-A, --all-namespaces',
  revision: '--revision=SHA',
  candidate: '--candidate=ID',
  for: '--for=synced|healthy|deployed|verified',
  timeout: '--timeout=10m',
  time: '--time=TIME',
  rates: '--rates',
  'operator-namespace': '--operator-namespace=towpath-system',
  local: '--local=DIR',
  promotion: '--promotion=NAME',
  retry: '--retry=NAME',
  reason: '--reason=TEXT',
  'skip-gates': '--skip-gates=GATE,…',
  to: '--to=ID',
  until: '--until=TIME',
  all: '--all',
  'target-context': '--target-context=CONTEXT',
};

/** What there is. */
export function help(): string {
  const lines = Object.values(COMMANDS).flatMap(({ usage, summary }) => [
    `  ${usage}`,
    ...wrap(`      ${summary}`, WIDTH, '      '),
  ]);
  return [
    'Usage: kubectl towpath COMMAND',
    '',
    ...lines,
    '',
    ...wrap(
      'All flags by which kubectl finds and enters a cluster (-n, --context, --kubeconfig, --as, …) are passed on to it. kubectl towpath COMMAND --help says more of one.',
      WIDTH,
    ),
    '',
  ].join('\n');
}

/** How one command is used. */
export function helpOf({ usage, summary, notes = [], flags }: Command): string {
  return [
    `Usage: kubectl towpath ${usage}`,
    '',
    ...wrap(summary, WIDTH),
    ...notes.flatMap((note) => wrap(note, WIDTH, '  ')),
    '',
    'Flags:',
    ...flags.map((flag) => `  ${FLAGS[flag]}`),
    '',
  ].join('\n');
}
