import type { Application } from '../../operator/api/v1alpha1/application.ts';
import {
  environmentNames,
  environmentsOf,
  followApplications,
  keyOf,
  readApplication,
  readApplications,
  watchApplications,
} from '../application.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { applicationNode } from '../text/application-tree.ts';
import { wrap } from '../text/terminal.ts';
import { treeLines } from '../text/tree.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';

export const status: Command = {
  usage: 'status [APP [ENV]]',
  words: [0, 2],
  flags: ['output', 'watch', 'all-namespaces', 'operator-namespace'],
  summary: 'Shows Applications as a tree: environments, what runs there, its health, and what it waits for.',
  run: async (context) => {
    if (context.flags.watch) return watch(context);
    const applications = await read(context);
    await warnIfNobodyLeads(context);
    print(context, applications);
    return EXIT.Done;
  },
};

async function read(context: Context): Promise<readonly Application[]> {
  const { kubectl, words, flags } = context;
  const [name] = words;
  if (name !== undefined) return [await readApplication(kubectl, name)];
  return readApplications(kubectl, everywhere(flags));
}

function print(context: Context, applications: readonly Application[]): void {
  const { words, flags, out, err } = context;
  const [, environment] = words;
  if (isJson(context)) {
    const told = applications.map((application) => ({
      namespace: application.metadata.namespace,
      name: application.metadata.name,
      ...application.status,
      environments: environmentsOf(application, environment),
    }));
    printJson(context, words.length === 0 ? told : told[0]);
    return;
  }
  if (applications.length === 0) err.write('There are no Applications here: see all with -A.\n');
  for (const application of applications) {
    const title = flags['all-namespaces'] ? keyOf(application) : application.metadata.name;
    const environments = environmentsOf(application, environment);
    printLines(
      context,
      treeLines(applicationNode(application, title, context.now(), out, environments), out),
    );
  }
}

/** Prints anew whenever something changes, until Ctrl-C; on a terminal in place. */
async function watch(context: Context): Promise<ExitCode> {
  const { out } = context;
  // Tells of a name that is not there, of an environment too.
  for (const application of await read(context)) environmentsOf(application, context.words[1]);
  await warnIfNobodyLeads(context);
  const failing = new AbortController();
  const signal = AbortSignal.any([context.signal, failing.signal]);
  let shown: readonly Application[] = [];
  let isDue = false;
  const draw = () => {
    isDue = false;
    try {
      // Clears, from the top; what scrolled by stays above.
      if (out.width !== undefined) out.write('\u001b[H\u001b[2J');
      printStill(context, shown);
      if (out.width === undefined) out.write('\n');
    } catch (error) {
      failing.abort(error);
    }
  };
  for await (const applications of eachState({ ...context, signal })) {
    shown = applications;
    // Several changes may come at once: they are drawn once.
    if (!isDue) setImmediate(draw);
    isDue = true;
  }
  if (failing.signal.aborted) throw failing.signal.reason;
  return EXIT.Done;
}

/** What was there when the watch began may have gone since, and may come back. */
function printStill(context: Context, applications: readonly Application[]): void {
  const message = goneOf(context, applications);
  if (message === undefined) print(context, applications);
  else if (isJson(context)) printJson(context, { name: context.words[0], environments: [], message });
  else printLines(context, wrap(message, context.out.width));
}

function goneOf(
  { words: [name, environment] }: Context,
  [application]: readonly Application[],
): string | undefined {
  if (name === undefined) return undefined;
  if (application === undefined) return `Application ${name} was deleted.`;
  const names = environmentNames(application);
  if (environment === undefined || names.includes(environment)) return undefined;
  return `Application ${keyOf(application)} has no environment ${environment} any more; it has ${names.join(', ')}.`;
}

async function* eachState({
  kubectl,
  words,
  flags,
  signal,
}: Context): AsyncGenerator<readonly Application[]> {
  const [name] = words;
  if (name === undefined) {
    const namespace = flags['all-namespaces'] ? undefined : await kubectl.namespace();
    yield* followApplications(kubectl, { namespace }, signal);
    return;
  }
  for await (const { type, application } of watchApplications(kubectl, [name, ...everywhere(flags)], signal))
    yield type === 'DELETED' ? [] : [application];
}

function everywhere(flags: Context['flags']): string[] {
  return flags['all-namespaces'] ? ['--all-namespaces'] : [];
}
