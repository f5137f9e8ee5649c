import { ANNOTATION_OWNER, LABEL_TARGET } from '../../operator/api/v1alpha1/names.ts';
import type { Manifest } from '../../operator/manifest/manifest.ts';
import { readApplication } from '../application.ts';
import { withApiServer } from '../cluster/api-server.ts';
import { discover } from '../cluster/discovery.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import { type Clone, readClone } from '../local/clone.ts';
import { environmentMeant } from '../local/place.ts';
import { type LocalRender, renderLocally } from '../local/render.ts';
import { isObject, jsonText, parseJson } from '../text/exact.ts';
import { maskedSecret, withTexts } from '../text/masked.ts';
import { paint, plain, wrap } from '../text/terminal.ts';
import { yamlOf } from '../text/yaml.ts';
import { cloneJson, cloneLines } from './clone-lines.ts';
import { type Command, type Context, isJson } from './command.ts';

/** What stands for a value of a Secret. */
const MASK = '(masked)';

export const render: Command = {
  usage: 'render APP [ENV] --local DIR',
  words: [1, 2],
  flags: ['local', 'output'],
  summary:
    'Prints the manifests that the files of your clone make, uncommitted changes among them, before they are pushed.',
  notes: [
    'Files that Git knows are read as they are on disk; what is new is read once it was added (git add).',
    "The Application's path, values files and values are those of its spec; version and kinds are the cluster's.",
    'Values of Secrets are masked.',
    'Exit codes: 0 all is known, 5 the commit would be refused, 10 rights or the cluster do not tell all.',
  ],
  run: async (context) => {
    const { words, flags } = context;
    const [name = '', environmentName] = words;
    if (flags.local === undefined)
      throw new CommandError(
        `What is to be rendered? Name your clone of the repository: kubectl towpath render ${name} --local DIR.`,
        EXIT.Usage,
      );
    const application = await readApplication(context.kubectl, name);
    const environment = environmentMeant(application, environmentName);
    const clone = await readClone(flags.local);
    const rendered = await withApiServer(context, async (server) =>
      renderLocally({
        application,
        environment,
        clone,
        server,
        served: await discover(server),
        targetId: '',
        signal: context.signal,
      }),
    );
    if (isJson(context)) printJson(context, { application: name, environment, clone, rendered });
    else print(context, clone, rendered);
    return codeOf(rendered);
  },
};

function codeOf({ unknown }: LocalRender): ExitCode {
  return unknown.length === 0 ? EXIT.Done : EXIT.Unknown;
}

function printJson(
  { out }: Context,
  told: { application: string; environment: string; clone: Clone; rendered: LocalRender },
): void {
  const { application, environment, clone, rendered } = told;
  const { chart, objects, hooks, warnings, unknown } = rendered;
  const shown = (manifests: readonly Manifest[]) => manifests.map((one) => shownOf(one, rendered));
  const answer = {
    application,
    environment,
    clone: cloneJson(clone),
    ...(chart === undefined ? {} : { chart }),
    objects: shown(objects),
    hooks: shown(hooks),
    warnings,
    unknown,
  };
  out.write(`${jsonText(answer, 2)}\n`);
}

/** The manifests alone are the answer: they can be piped on. */
function print(context: Context, clone: Clone, rendered: LocalRender): void {
  const { out } = context;
  tellOf(context, clone, rendered);
  for (const manifest of [...rendered.objects, ...rendered.hooks]) {
    const comment = [
      ...(manifest.file === undefined ? [] : [`Source: ${manifest.file}`]),
      ...(manifest.hook === undefined ? [] : [`Hook: ${manifest.hook.events.join(', ')}`]),
    ];
    const lines = comment.map((line) => paint(out, 'dim', `# ${plain(line)}`));
    out.write(['---', ...lines, yamlOf(shownOf(manifest, rendered))].join('\n'));
  }
}

/** What was read, what is odd and what is not known, beside the answer. */
export function tellOf({ err }: Pick<Context, 'err'>, clone: Clone, rendered: LocalRender): void {
  const lines = cloneLines(clone).flatMap((line) => wrap(line, err.width, '    '));
  for (const text of rendered.warnings)
    lines.push(...wrap(`${paint(err, 'yellow', 'Warning:')} ${plain(text)}`, err.width, '  '));
  for (const text of rendered.unknown)
    lines.push(...wrap(`${paint(err, 'yellow', 'Unknown:')} ${plain(text)}`, err.width, '  '));
  err.write(lines.map((line) => `${line}\n`).join(''));
}

/** As it stands in Git, without what Towpath adds to know it by, and without values of Secrets. */
function shownOf({ text }: Manifest, { hide }: LocalRender): unknown {
  const object = parseJson(text);
  if (!isObject(object) || !isObject(object['metadata'])) return object;
  const metadata = { ...object['metadata'] };
  for (const [field, ours] of [
    ['labels', LABEL_TARGET],
    ['annotations', ANNOTATION_OWNER],
  ] as const) {
    const members = metadata[field];
    if (!isObject(members)) continue;
    const { [ours]: _, ...rest } = members;
    if (Object.keys(rest).length === 0) delete metadata[field];
    else metadata[field] = rest;
  }
  return withTexts(
    maskedSecret({ ...object, metadata }, () => MASK),
    hide,
  );
}
