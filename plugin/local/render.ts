import { TowpathError } from '../../operator/api/errors.ts';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { LABEL_TARGET } from '../../operator/api/v1alpha1/names.ts';
import { hasInexactNumber } from '../../operator/api/v1alpha1/values-text.ts';
import { Redaction } from '../../operator/controller/candidate/secrecy/redaction.ts';
import type { Manifest } from '../../operator/manifest/manifest.ts';
import { withStringDataAsData } from '../../operator/manifest/secret.ts';
import type { Rendered } from '../../operator/render/renderer.ts';
import { keyOf, RESOURCE } from '../application.ts';
import type { ApiServer } from '../cluster/api-server.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { isObject, jsonText, parseJson } from '../text/exact.ts';
import { type Clone, isOf } from './clone.ts';
import { enginePath, withRenderer } from './engine.ts';
import type { LocalSession } from './session.ts';
import { readValuesFrom, type ValuesFrom } from './values-from.ts';
import { WorkingTree } from './working-tree.ts';

/** What becomes of an Application in one environment with the files of a clone. */
export interface LocalRender {
  objects: readonly Manifest[];
  hooks: readonly Manifest[];
  chart: Rendered['chart'];
  /** What the engine found odd, and what a push would not bring. */
  warnings: readonly string[];
  /** What the user's rights, or the cluster, do not tell, in sentences. */
  unknown: readonly string[];
  /** Keeps values of Secrets that went into the render out of a line of text. */
  hide(line: string): string;
}

/**
 * @param targetId the label that the objects have.
 * @throws CommandError with code Quarantined where the operator would refuse such a commit.
 */
export async function renderLocally(session: LocalSession, targetId: string): Promise<LocalRender> {
  const { application, clone, served, server } = session;
  const { found, unknown } = await readValuesFrom(server, application);
  const hide = hiding(found.filter(({ secret }) => secret).map(({ text }) => text));
  const { objects, hooks, chart, warnings } = await render(session, targetId, found).catch(
    (error: unknown) => {
      throw error instanceof TowpathError ? inWords(error, { unknown, hide }) : error;
    },
  );
  return {
    objects: objects.map(withStringDataAsData),
    hooks,
    chart,
    warnings: [...warnings.map(hide), ...notPushed(clone, application)],
    unknown: [
      ...unknown,
      ...served.unknown.map(
        (version) =>
          `The API ${version} of this cluster does not answer: which kinds it has, and whether a chart finds them, is not known.`,
      ),
    ],
    hide,
  };
}

/** Any text; it is known of each whether Secrets can be looked for. */
const HARMLESS = 'x';

/** Where they are too large, or too unusual, to be looked for, no text is shown at all. */
function hiding(secrets: readonly string[]): LocalRender['hide'] {
  if (secrets.length === 0) return (line) => line;
  const redaction = new Redaction(secrets);
  if (redaction.text(HARMLESS) !== HARMLESS) return () => '(masked)';
  return (line) => redaction.text(line);
}

async function render(
  session: LocalSession,
  targetId: string,
  valuesFrom: readonly ValuesFrom[],
): Promise<Rendered> {
  const { application, environment, clone, served, server, signal } = session;
  const { spec, metadata } = application;
  const engine = enginePath(process.argv[1] ?? '', process.env);
  const values = await exactValues(server, application);
  return withRenderer(engine, (renderer) =>
    renderer.render(
      new WorkingTree(clone),
      {
        path: spec.source.path,
        namespace: metadata.namespace,
        releaseName: spec.helm?.releaseName ?? metadata.name,
        helm: {
          layers: [
            {
              name: 'spec.helm',
              valuesFiles: spec.helm?.valuesFiles ?? [],
              valuesFrom,
              ...(values === undefined ? {} : { values }),
            },
          ],
          ...(spec.helm?.skipSchemaValidation === true ? { skipSchemaValidation: true } : {}),
        },
        capabilities: { kubeVersion: served.kubeVersion, apiVersions: served.apiVersions },
        scopes: served.scopes,
        labels: { [LABEL_TARGET]: targetId },
        owner: `${keyOf(application)}/${environment}`,
      },
      signal,
    ),
  );
}

/** JSON text of spec.helm.values; large integers are read from the text that the API server sends. */
async function exactValues(
  server: ApiServer,
  { metadata, spec, apiVersion }: Application,
): Promise<string | undefined> {
  const values = spec.helm?.values;
  if (values === undefined) return undefined;
  if (!hasInexactNumber(values)) return JSON.stringify(values);
  const [plural] = RESOURCE.split('.');
  const { text } = await server.send(
    `/apis/${apiVersion}/namespaces/${metadata.namespace}/${plural}/${metadata.name}`,
  );
  const exact = ['spec', 'helm', 'values'].reduce<unknown>(
    (value, name) => (isObject(value) ? value[name] : undefined),
    parseJson(text),
  );
  return jsonText(exact ?? values);
}

function inWords(
  { remedy, message, details }: TowpathError,
  { unknown, hide }: Pick<LocalRender, 'unknown' | 'hide'>,
): CommandError {
  const more = details
    .filter((detail) => !message.includes(detail.message))
    .map(({ file, line, message }) =>
      [file === undefined ? '' : `${file}${line === undefined ? '' : `:${line}`}: `, message].join(''),
    );
  const lines = [message, ...more].flatMap((text) => text.split('\n')).map(hide);
  return new CommandError(
    [...lines, ...unknown].join('\n'),
    remedy === 'Person' ? EXIT.Quarantined : EXIT.Error,
  );
}

/** What is in the directory, and no push of it would bring. */
function notPushed(clone: Clone, { spec }: Application): string[] {
  const path = spec.source.path.replace(/^\.?\/?/, '');
  const left = clone.untracked.filter((file) => path === '' || file === path || file.startsWith(`${path}/`));
  const notes: string[] = [];
  if (left.length > 0)
    notes.push(
      `Git does not know ${left.length === 1 ? 'a file' : `${left.length} files`} there (${left.slice(0, 3).join(', ')}${left.length > 3 ? ', …' : ''}), so no push brings what is in it: git add it.`,
    );
  if (!isOf(clone, spec.source.repoURL))
    notes.push(
      `No remote of this clone is ${spec.source.repoURL}, which spec.source.repoURL names: is it the right one?`,
    );
  return notes;
}
