import { TowpathError } from '../../operator/api/errors.ts';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { LABEL_TARGET } from '../../operator/api/v1alpha1/names.ts';
import { Redaction } from '../../operator/controller/candidate/secrecy/redaction.ts';
import type { Manifest } from '../../operator/manifest/manifest.ts';
import { withStringDataAsData } from '../../operator/manifest/secret.ts';
import { MissingBases, MissingCharts, type Rendered } from '../../operator/render/renderer.ts';
import { keyOf } from '../application.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { type Clone, isOf } from './clone.ts';
import { enginePath, withRenderer } from './engine.ts';
import { inTheWay } from './in-the-way.ts';
import type { Landing, Layer } from './landing.ts';
import type { LocalSession } from './session.ts';
import { readValuesFrom, type ValuesFrom } from './values-from.ts';
import { WorkingTree } from './working-tree.ts';

/** What becomes of an Application in one environment with the files of a clone. */
export interface LocalRender {
  objects: readonly Manifest[];
  hooks: readonly Manifest[];
  chart: Rendered['chart'];
  /** What keeps a sync from it, what the engine found odd, and what a push would not bring. */
  warnings: readonly string[];
  /** What the user's rights, or the cluster, do not tell, in sentences. */
  unknown: readonly string[];
  /** Keeps values of Secrets that went into the render out of a line of text. */
  hide(line: string): string;
}

/** A layer with the texts that it names. */
interface ReadLayer extends Omit<Layer, 'valuesFrom'> {
  valuesFrom: readonly ValuesFrom[];
}

/**
 * @param targetId the label that the objects have.
 * @throws CommandError with code Quarantined where the operator would refuse such a commit, and Unknown where it would
 * fetch more than the clone has.
 */
export async function renderLocally(session: LocalSession, targetId: string): Promise<LocalRender> {
  const { application, clone, landing, served, server } = session;
  const layers: ReadLayer[] = [];
  const unknown = [...landing.unknown, ...session.unknown];
  for (const layer of landing.layers) {
    const read = await readValuesFrom(server, application.metadata.namespace, layer);
    layers.push({ ...layer, valuesFrom: read.found });
    unknown.push(...read.unknown);
  }
  const found = layers.flatMap(({ valuesFrom }) => valuesFrom);
  const hide = hiding(found.filter(({ secret }) => secret).map(({ text }) => text));
  const { objects, hooks, chart, warnings } = await render(session, targetId, layers).catch(
    (error: unknown) => {
      if (error instanceof MissingCharts) throw notFetched(chartsOf(error), { unknown, hide });
      if (error instanceof MissingBases) throw notFetched(basesOf(error), { unknown, hide });
      throw error instanceof TowpathError ? inWords(error, { unknown, hide }) : error;
    },
  );
  return {
    objects: objects.map(withStringDataAsData),
    hooks,
    chart,
    warnings: [
      ...inTheWay(application, landing),
      ...warnings.map(hide),
      ...otherRef(clone, landing),
      ...notPushed(clone, application, landing),
    ],
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

/** Of what is fetched, as much as a message lists. */
const MOST_SHOWN = 8;

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
  layers: readonly ReadLayer[],
): Promise<Rendered> {
  const { application, landing, clone, served, signal } = session;
  const { spec, metadata } = application;
  const engine = enginePath(process.argv[1] ?? '', process.env);
  return withRenderer(engine, (renderer) =>
    renderer.render(
      new WorkingTree(clone),
      {
        path: landing.path,
        ...(landing.pathField === undefined ? {} : { pathField: landing.pathField }),
        namespace: landing.namespace,
        releaseName: spec.helm?.releaseName ?? metadata.name,
        helm: {
          ...(landing.defaults === undefined ? {} : { defaults: landing.defaults }),
          layers: layers.map(({ field, ...layer }) => ({ name: field, ...layer })),
          ...(spec.helm?.skipSchemaValidation === true ? { skipSchemaValidation: true } : {}),
        },
        capabilities: { kubeVersion: served.kubeVersion, apiVersions: served.apiVersions },
        scopes: served.scopes,
        labels: { [LABEL_TARGET]: targetId },
        owner: `${keyOf(application)}/${landing.environment}`,
      },
      signal,
    ),
  );
}

/** The operator fetches them: what comes of them only it knows, and without them the objects would be others. */
function notFetched(
  { what, next }: { what: string; next: string },
  { unknown, hide }: Pick<LocalRender, 'unknown' | 'hide'>,
): CommandError {
  const message = `What becomes of these files is not known: the operator fetches what ${what}, and kubectl towpath does not. ${next}`;
  return new CommandError([hide(message), ...unknown].join('\n'), EXIT.Unknown);
}

function chartsOf({ charts, of }: MissingCharts): { what: string; next: string } {
  const all = charts.map(({ name, version, repository }) => `${name} ${version} from ${repository}`);
  return {
    what: `the chart or kustomization needs (${firstOf(all)})`,
    next:
      of === 'Kustomization'
        ? 'Unpack these charts in the chartHome of the kustomization and `git add -f` them there, committed or not, and ask again.'
        : 'Run `helm dependency build` in the chart and `git add -f charts` there, committed or not, and ask again.',
  };
}

function basesOf({ bases }: MissingBases): { what: string; next: string } {
  return {
    what: `the kustomization refers to in other repositories (${firstOf(bases.map(({ url }) => url))})`,
    next: 'Ask in a clone that has them, or push to where nothing depends on it.',
  };
}

function firstOf(all: readonly string[]): string {
  const more = all.length > MOST_SHOWN ? ` and ${all.length - MOST_SHOWN} more` : '';
  return `${all.slice(0, MOST_SHOWN).join(', ')}${more}`;
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

/** Which commit an environment follows is the operator's to find out: what the clone has is rendered. */
function otherRef({ branch }: Clone, { environment, ref }: Landing): string[] {
  const [kind, value] = Object.entries(ref ?? {})[0] ?? [];
  if (kind === undefined || (kind === 'branch' && value === branch)) return [];
  const at = branch === undefined ? 'at no branch' : `at branch ${branch}`;
  return [
    `${environment} follows ${kind} ${value}, and the clone is ${at}: what the clone has is rendered. Check out what is to be deployed there.`,
  ];
}

/** What is in the directory, and no push of it would bring. */
function notPushed(clone: Clone, { spec }: Application, landing: Landing): string[] {
  const path = landing.path.replace(/^\.?\/?/, '');
  const left = clone.untracked.filter((file) => path === '' || file === path || file.startsWith(`${path}/`));
  const notes: string[] = [];
  if (left.length > 0)
    notes.push(
      `Git does not know ${left.length === 1 ? 'a file' : `${left.length} files`} there (${left.slice(0, 3).join(', ')}${left.length > 3 ? ', …' : ''}), so no push brings what is in it: git add it.`,
    );
  const { repoURL } = spec.source ?? {};
  if (repoURL !== undefined && !isOf(clone, repoURL))
    notes.push(
      `No remote of this clone is ${repoURL}, which spec.source.repoURL names: is it the right one?`,
    );
  return notes;
}
