import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { describeObject, idOf } from '../../operator/manifest/manifest.ts';
import { keyOf } from '../application.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import { type Comparison, compare, type Difference } from '../local/compare.ts';
import { leftovers } from '../local/leftovers.ts';
import { placesOf, targetIdIn } from '../local/live.ts';
import { targetIdOf } from '../local/place.ts';
import { type LocalRender, renderLocally } from '../local/render.ts';
import { type LocalSession, withFiles } from '../local/session.ts';
import { shownSides } from '../local/shown.ts';
import { jsonText } from '../text/exact.ts';
import { wrap } from '../text/terminal.ts';
import { cloneJson, tellOf } from './clone-lines.ts';
import { type Command, type Context, isJson, printLines } from './command.ts';
import { differenceLines, SIGNS } from './difference-lines.ts';
import { operatorNamespace, warnIfNobodyLeads } from './nobody-leads.ts';

export const diff: Command = {
  usage: 'diff APP [ENV] [--local DIR]',
  words: [1, 2],
  flags: ['local', 'output', 'operator-namespace', 'target-context'],
  summary:
    'Shows what a sync would change, of the commit that is wanted or of the files of your clone before they are pushed: each object is tried with your rights.',
  notes: [
    'Without --local the commit is fetched with your own git into a directory that goes afterwards.',
    '--local: files that Git knows are read as they are on disk; what is new is read once it was added (git add).',
    'The API server is asked for a dry-run of the same server-side apply; nothing is written.',
    '--context: the cluster with the Application, as for kubectl. --target-context: the one of an Environment elsewhere.',
    'Values of Secrets are masked.',
    'Exit codes: 0 no difference, 5 the commit would be refused, 9 differences, 10 none that can be seen, but rights or the cluster do not tell all.',
  ],
  run: async (context) => {
    const found = await withFiles(context, (session) => lookAt(context, session));
    if (isJson(context)) printAsJson(context, found);
    else print(context, found);
    return codeOf(found);
  },
};

interface Found extends Comparison {
  session: LocalSession;
  rendered: LocalRender;
}

async function lookAt(context: Context, session: LocalSession): Promise<Found> {
  const { application, landing, target: server, served } = session;
  // What it says of commit and cluster comes from a status.
  await warnIfNobodyLeads(context);
  const { environment } = landing;
  refuseUnknown(session);
  const targetName = `${keyOf(application)}/${environment}`;
  let targetId = targetIdOf(application, environment, operatorNamespace(context));
  let rendered = await renderLocally(session, targetId);
  let places = await placesOf(server, served, rendered.objects);
  // What an installation of another name labels its objects with, they say themselves.
  const told = targetIdIn(places, targetName);
  if (told !== undefined && told !== targetId) {
    targetId = told;
    rendered = await renderLocally(session, targetId);
    places = await placesOf(server, served, rendered.objects);
  }
  const compared = { application, landing, server, targetId, targetName, places, hide: rendered.hide };
  const comparison = await compare(compared);
  const running = environmentOf(application.status, environment)?.objects;
  const left = await leftovers(compared, served, running);
  return {
    session,
    rendered,
    unchanged: comparison.unchanged,
    differences: [...comparison.differences, ...left.differences],
    unknown: [...rendered.unknown, ...comparison.unknown, ...left.unknown],
  };
}

/** Where the objects are must be known: in another place all would seem to be new. */
function refuseUnknown({ landing, isTargetAsked, unknown }: LocalSession): void {
  if (landing.isKnown && isTargetAsked) return;
  throw new CommandError([...landing.unknown, ...unknown].join(' '), EXIT.Unknown);
}

function codeOf({ differences, unknown }: Comparison): ExitCode {
  if (differences.some(({ change }) => change !== 'Kept')) return EXIT.Differs;
  return unknown.length === 0 ? EXIT.Done : EXIT.Unknown;
}

function hooksOf({ hooks }: LocalRender): string[] {
  return hooks.map((hook) => `${describeObject(hook)} (${hook.hook?.events.join(', ') ?? 'hook'})`);
}

function printAsJson({ out }: Context, { session, rendered, differences, unchanged, unknown }: Found): void {
  const { application, landing, clone } = session;
  const answer = {
    application: application.metadata.name,
    environment: landing.environment,
    namespace: landing.namespace,
    clone: cloneJson(clone),
    differences: differences.map(({ live, wanted, ...difference }) => ({
      ...difference,
      ...shownSides({ ...(live && { live }), ...(wanted && { wanted }) }, rendered.hide),
    })),
    unchanged,
    hooks: rendered.hooks.map((hook) => ({ ...idOf(hook), events: hook.hook?.events ?? [] })),
    warnings: rendered.warnings,
    unknown,
  };
  out.write(`${jsonText(answer, 2)}\n`);
}

function print(context: Context, { session, rendered, differences, unchanged, unknown }: Found): void {
  const { out } = context;
  tellOf(out, session.clone, { warnings: rendered.warnings, unknown });
  if (session.application.spec.suspend)
    printLines(
      context,
      wrap('The Application is suspended: nothing is synced before it is resumed.', out.width),
    );
  for (const difference of differences)
    printLines(context, differenceLines(difference, { out, hide: rendered.hide }));
  const hooks = hooksOf(rendered);
  if (hooks.length > 0)
    printLines(
      context,
      wrap(`Hooks run at their time, and are not compared: ${hooks.join(', ')}.`, out.width, '  '),
    );
  printLines(context, wrap(summaryOf(differences, unchanged, unknown), out.width));
}

function summaryOf(
  differences: readonly Difference[],
  unchanged: number,
  unknown: readonly string[],
): string {
  const counts = Object.keys(SIGNS).map((change) => ({
    change,
    count: differences.filter((difference) => difference.change === change).length,
  }));
  const parts = counts.filter(({ count }) => count > 0).map(({ change, count }) => `${count} ${change}`);
  const rest = `${unchanged} as ${unchanged === 1 ? 'it is' : 'they are'}`;
  const open = unknown.length === 0 ? '' : ` Not all is known: see Unknown above.`;
  return parts.length === 0 ? `No difference: ${rest}.${open}` : `${parts.join(', ')}, ${rest}.${open}`;
}
