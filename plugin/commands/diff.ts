import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { describeObject, idOf } from '../../operator/manifest/manifest.ts';
import { keyOf, readApplication } from '../application.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import { type Comparison, compare, type Difference } from '../local/compare.ts';
import { leftovers } from '../local/leftovers.ts';
import { placesOf, targetIdIn } from '../local/live.ts';
import { environmentMeant, targetIdOf } from '../local/place.ts';
import { type LocalRender, renderLocally } from '../local/render.ts';
import { type LocalSession, withClone } from '../local/session.ts';
import { shownSides } from '../local/shown.ts';
import { short } from '../text/application-tree.ts';
import { jsonText } from '../text/exact.ts';
import { type DiffLine, diffLines, hunksOf } from '../text/line-diff.ts';
import { type Colour, paint, plain, wrap } from '../text/terminal.ts';
import { yamlOf } from '../text/yaml.ts';
import { placeIn } from '../text/yaml-place.ts';
import { cloneJson, tellOf } from './clone-lines.ts';
import { type Command, type Context, isJson, printLines } from './command.ts';
import { operatorNamespace } from './nobody-leads.ts';

export const diff: Command = {
  usage: 'diff APP [ENV] --local DIR',
  words: [1, 2],
  flags: ['local', 'output', 'operator-namespace'],
  summary:
    'Shows what a sync of the files of your clone would change, before they are pushed: each object is tried with your rights.',
  notes: [
    'Files that Git knows are read as they are on disk; what is new is read once it was added (git add).',
    'The API server is asked for a dry-run of the same server-side apply; nothing is written.',
    '--context: the cluster, as for kubectl. Values of Secrets are masked.',
    'Exit codes: 0 no difference, 5 the commit would be refused, 9 differences, 10 none that can be seen, but rights or the cluster do not tell all.',
  ],
  run: async (context) => {
    const { flags } = context;
    if (flags.local === undefined) return withoutClone(context);
    const found = await withClone(context, flags.local, (session) => lookAt(context, session));
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
  const { application, environment, server, served } = session;
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
  const compared = { application, server, targetId, targetName, places, hide: rendered.hide };
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

function codeOf({ differences, unknown }: Comparison): ExitCode {
  if (differences.some(({ change }) => change !== 'Kept')) return EXIT.Differs;
  return unknown.length === 0 ? EXIT.Done : EXIT.Unknown;
}

/** Manifests stand in no status, and the Secrets that have them are the operator's alone. */
async function withoutClone({ kubectl, words }: Context): Promise<never> {
  const [name = '', environmentName] = words;
  const application = await readApplication(kubectl, name);
  const environment = environmentMeant(application, environmentName);
  const { desiredRevision, revision } = environmentOf(application.status, environment) ?? {};
  throw new CommandError(
    [
      `What a sync of ${keyOf(application)} would change takes the files of the commit: only the operator may read the manifests that it made of them.`,
      `Clone ${application.spec.source.repoURL}, ${commitIn(application, desiredRevision ?? revision)}, and run kubectl towpath diff ${name} --local DIR. What it waits for, and what others changed: kubectl towpath why ${name}.`,
    ].join(' '),
    EXIT.Usage,
  );
}

function commitIn({ status }: Application, revision: string | undefined): string {
  const wanted = revision ?? status?.source?.revision;
  return wanted === undefined ? 'check out the commit' : `check out ${short(wanted)}`;
}

function hooksOf({ hooks }: LocalRender): string[] {
  return hooks.map((hook) => `${describeObject(hook)} (${hook.hook?.events.join(', ') ?? 'hook'})`);
}

function printAsJson({ out }: Context, { session, rendered, differences, unchanged, unknown }: Found): void {
  const { application, environment, clone } = session;
  const answer = {
    application: application.metadata.name,
    environment,
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

const SIGNS: Readonly<Record<Difference['change'], readonly [sign: string, colour: Colour, words: string]>> =
  {
    Created: ['+', 'green', 'would be created'],
    Changed: ['~', 'yellow', 'would change'],
    Replaced: ['±', 'yellow', 'would be replaced'],
    Deleted: ['-', 'red', 'would be deleted'],
    Kept: ['=', 'dim', 'would stay, though it left Git'],
    Refused: ['!', 'red', 'would be refused'],
  };

/** Lines around each difference. */
const AROUND = 2;

function print(context: Context, { session, rendered, differences, unchanged, unknown }: Found): void {
  const { out } = context;
  tellOf(out, session.clone, { warnings: rendered.warnings, unknown });
  if (session.application.spec.suspend)
    printLines(
      context,
      wrap('The Application is suspended: nothing is synced before it is resumed.', out.width),
    );
  for (const difference of differences) printOne(context, difference, rendered);
  const hooks = hooksOf(rendered);
  if (hooks.length > 0)
    printLines(
      context,
      wrap(`Hooks run at their time, and are not compared: ${hooks.join(', ')}.`, out.width, '  '),
    );
  printLines(context, wrap(summaryOf(differences, unchanged, unknown), out.width));
}

function printOne(context: Context, difference: Difference, { hide }: LocalRender): void {
  const { out } = context;
  const { change, object, message, live, wanted } = difference;
  const [sign, colour, words] = SIGNS[change];
  const title = `${sign} ${plain(describeObject(object))} ${words}`;
  const lines = wrap(paint(out, colour, title), out.width, '  ');
  if (message !== undefined) lines.push(...wrap(`    ${plain(message)}`, out.width, '    '));
  const sides = shownSides({ ...(live && { live }), ...(wanted && { wanted }) }, hide);
  const texts = [sides.live, sides.wanted].map((side) => (side === undefined ? [] : linesOf(side)));
  const [before = [], after = []] = texts;
  const all = diffLines(before, after);
  const hunks = hunksOf(all, live === undefined ? Number.MAX_SAFE_INTEGER : AROUND);
  for (const hunk of hunks) {
    const place = placeIn(all, hunk);
    const title = wrap(`    … ${plain(place)}`.trimEnd(), out.width, '      ');
    if (all[0] !== hunk[0]) lines.push(...title.map((line) => paint(out, 'dim', line)));
    lines.push(...hunk.flatMap((line) => lineOf(line, context)));
  }
  if (change === 'Changed' && hunks.length === 0)
    lines.push('    Values of Secrets in it would change, which are not shown.');
  printLines(context, lines);
}

function linesOf(side: unknown): string[] {
  return yamlOf(side).trimEnd().split('\n');
}

const COLOURS = { ' ': undefined, '-': 'red', '+': 'green' } as const;

/** Broken where it is longer than the terminal is wide; each part with its sign. */
function lineOf({ sign, text }: DiffLine, { out }: Context): string[] {
  const colour = COLOURS[sign];
  const room = out.width === undefined ? Number.MAX_SAFE_INTEGER : out.width - 4;
  const letters = [...plain(text)];
  const parts: string[] = [];
  do parts.push(letters.splice(0, room).join(''));
  while (letters.length > 0);
  return parts.map((part) => {
    const line = `  ${sign} ${part}`;
    return colour === undefined ? line : paint(out, colour, line);
  });
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
