import type { Manifest } from '../../operator/manifest/manifest.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Clone } from '../local/clone.ts';
import { type LocalRender, renderLocally } from '../local/render.ts';
import { type LocalSession, withFiles } from '../local/session.ts';
import { shownOf } from '../local/shown.ts';
import { jsonText, parseJson } from '../text/exact.ts';
import { paint, plain } from '../text/terminal.ts';
import { yamlOf } from '../text/yaml.ts';
import { cloneJson, tellOf } from './clone-lines.ts';
import { type Command, type Context, isJson } from './command.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';

export const render: Command = {
  usage: 'render APP [ENV] [--local DIR]',
  words: [1, 2],
  flags: ['local', 'output', 'operator-namespace', 'target-context'],
  summary:
    'Prints the manifests of the commit that is wanted, or of the files of your clone, uncommitted changes among them, before they are pushed.',
  notes: [
    'Without --local the commit is fetched with your own git into a directory that goes afterwards.',
    '--local: files that Git knows are read as they are on disk; what is new is read once it was added (git add).',
    "Path, values files and values are those of the Application's spec and of its Environment; version and kinds are the cluster's.",
    '--target-context: the context of your kubeconfig for an Environment in another cluster.',
    'Values of Secrets are masked.',
    'Exit codes: 0 all is known, 5 the commit would be refused, 10 rights or the cluster do not tell all.',
  ],
  run: async (context) => {
    const { rendered, ...session } = await withFiles(context, async (session) => {
      await warnIfNobodyLeads(context);
      return { ...session, rendered: await renderLocally(session, '') };
    });
    if (isJson(context)) printJson(context, session, rendered);
    else print(context, session.clone, rendered);
    return codeOf(rendered);
  },
};

function codeOf({ unknown }: LocalRender): ExitCode {
  return unknown.length === 0 ? EXIT.Done : EXIT.Unknown;
}

function printJson(
  { out }: Context,
  { application, landing, clone }: LocalSession,
  rendered: LocalRender,
): void {
  const { chart, objects, hooks, warnings, unknown } = rendered;
  const shown = (manifests: readonly Manifest[]) =>
    manifests.map((one) => shownOf(parseJson(one.text), rendered.hide));
  const answer = {
    application: application.metadata.name,
    environment: landing.environment,
    namespace: landing.namespace,
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
  tellOf(context.err, clone, rendered);
  for (const manifest of [...rendered.objects, ...rendered.hooks]) {
    const comment = [
      ...(manifest.file === undefined ? [] : [`Source: ${manifest.file}`]),
      ...(manifest.hook === undefined ? [] : [`Hook: ${manifest.hook.events.join(', ')}`]),
    ];
    const lines = comment.map((line) => paint(out, 'dim', `# ${plain(line)}`));
    out.write(['---', ...lines, yamlOf(shownOf(parseJson(manifest.text), rendered.hide))].join('\n'));
  }
}
