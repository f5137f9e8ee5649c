import type { Application } from '../../operator/api/v1alpha1/application.ts';
import {
  environmentsOf,
  followApplications,
  keyOf,
  readApplication,
  readApplications,
  watchApplications,
} from '../application.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { applicationNode } from '../text/application-tree.ts';
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
  // Tells of a name that is not there.
  await read(context);
  await warnIfNobodyLeads(context);
  let shown: readonly Application[] = [];
  let isDue = false;
  const draw = () => {
    isDue = false;
    // Clears, from the top; what scrolled by stays above.
    if (out.width !== undefined) out.write('\u001b[H\u001b[2J');
    print(context, shown);
    if (out.width === undefined) out.write('\n');
  };
  for await (const applications of eachState(context)) {
    shown = applications;
    // Several changes may come at once: they are drawn once.
    if (!isDue) setImmediate(draw);
    isDue = true;
  }
  return EXIT.Done;
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
