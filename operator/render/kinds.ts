import { posix } from 'node:path';
import { TowpathError } from '../api/errors.ts';
import type { TracedReads } from './inputs.ts';
import {
  describePath,
  type HelmValues,
  type RenderKind,
  type RenderRequest,
  type ValuesLayer,
} from './request.ts';
import type { ChartArchive } from './tree-with-charts.ts';
import { directoryOf, type EngineValues, readValuesFiles, repositoryPath, whatIsThere } from './values.ts';

/** Files that the engine may ask for as a whole, by what it keeps them under. */
export interface EngineFiles {
  /** Directory in the repository. */
  path: string;
  digest: string;
  /** They are one, the archive of a chart. */
  packed?: true;
  load(): Promise<{ path: string; data: Uint8Array }[]>;
}

/** What the engine is asked to render. */
export interface RenderSubject {
  path: string;
  kind: RenderKind;
  values: readonly EngineValues[];
  trees: readonly EngineFiles[];
}

export async function subjectOf(tree: TracedReads, request: RenderRequest): Promise<RenderSubject> {
  const base = repositoryPath('', request.path);
  const valuesOf = () => helmValues(tree, base, request.helm ?? { layers: [] });
  if (request.chart !== undefined) {
    const packed = packedChart(request.chart);
    return { path: packed.path, kind: 'Helm', values: await valuesOf(), trees: [packed] };
  }
  const kind = await detectKind(tree, base, request);
  const values = kind === 'Helm' ? await valuesOf() : [];
  const chart = kind === 'Helm' ? await chartFiles(tree, base) : undefined;
  const plain = kind === 'Plain' ? await manifestFiles(tree, base) : [];
  return { path: base, kind, values, trees: chart === undefined ? plain : [chart] };
}

/** A chart that was published, under the name that its file has: messages say by that which one is meant. */
export function packedChart({ name, version, digest, data }: ChartArchive): EngineFiles {
  const path = `${name}-${version}.tgz`;
  return { path, digest: `archive ${digest}`, packed: true, load: async () => [{ path, data }] };
}

/** What renders the path. */
async function detectKind(tree: TracedReads, path: string, request: RenderRequest): Promise<RenderKind> {
  const type = await tree.type(path);
  if (type === undefined) throw notFound(path, request, await whatIsThere(tree, directoryOf(path)));
  if (type === 'file') return 'Plain';
  const has = async (name: string) => (await tree.type(posix.join(path, name))) === 'file';
  if (await has('Chart.yaml')) return 'Helm';
  const wantsHelm = (request.helm?.layers ?? []).some(
    ({ valuesFiles = [], valuesFrom = [], values }) =>
      valuesFiles.length > 0 || valuesFrom.length > 0 || values !== undefined,
  );
  if (wantsHelm || ((await has('values.yaml')) && (await tree.type(posix.join(path, 'templates'))))) {
    throw new TowpathError(
      'Person',
      'ChartInvalid',
      `There is no Chart.yaml in ${describePath(path)}.${await whatIsThere(tree, path)} Set spec.source.path to the directory of a chart, or remove spec.helm.`,
      { details: [{ file: posix.join(path, 'Chart.yaml'), message: 'The file is missing.' }] },
    );
  }
  for (const name of ['kustomization.yaml', 'kustomization.yml', 'Kustomization']) {
    if (await has(name)) return 'Kustomize';
  }
  return 'Plain';
}

/** A path of one environment's own may come with a later commit: that is no matter of the others. */
function notFound(path: string, { pathField }: RenderRequest, whatIsThere: string): TowpathError {
  const missing = `There is no ${path} in the repository.${whatIsThere}`;
  if (pathField === undefined)
    return new TowpathError('Person', 'PathNotFound', `${missing} Set spec.source.path to one of them.`);
  return new TowpathError(
    'Person',
    'EnvironmentPathNotFound',
    `${missing} Push it: the first commit that has it is deployed there; other environments do not wait. Or set ${pathField} to one of them.`,
  );
}

/** All values of the request, later ones win. */
async function helmValues(
  tree: TracedReads,
  path: string,
  { defaults, layers }: HelmValues,
): Promise<EngineValues[]> {
  const all = defaults === undefined ? [] : [ofJson(defaults.name, defaults.text)];
  for (const layer of layers) all.push(...(await layerValues(tree, path, layer)));
  return all;
}

async function layerValues(
  tree: TracedReads,
  path: string,
  { name: field, valuesFiles = [], valuesFrom = [], values }: ValuesLayer,
): Promise<EngineValues[]> {
  return [
    ...(await readValuesFiles(tree, path, valuesFiles)),
    ...valuesFrom.map(
      ({ name, text, secret = false }): EngineValues => ({
        name,
        format: 'yaml',
        text: Buffer.from(text),
        secret,
      }),
    ),
    ...(values === undefined ? [] : [ofJson(`${field}.values`, values)]),
  ];
}

function ofJson(name: string, text: string): EngineValues {
  return { name, format: 'json', text: Buffer.from(text) };
}

/** The chart in a directory; undefined where there is none. */
export async function chartFiles(tree: TracedReads, path: string): Promise<EngineFiles | undefined> {
  if ((await tree.type(posix.join(path, 'Chart.yaml'))) !== 'file') return undefined;
  return {
    path,
    digest: await tree.digest(path),
    load: async () => (await tree.readAll(path)).files,
  };
}

/**
 * The manifests of a plain directory, subdirectories too, or of a single file: *.yaml, *.yml and *.json; what
 * begins with a dot, or is in a directory that does, is passed over.
 */
async function manifestFiles(tree: TracedReads, path: string): Promise<EngineFiles[]> {
  if ((await tree.type(path)) === 'file') {
    const load = async () => [{ path: posix.basename(path), data: await tree.read(path) }];
    return [
      { path: directoryOf(path), digest: `file ${await tree.oid(path)} ${posix.basename(path)}`, load },
    ];
  }
  // Only these are read: whatever else a repository has, however large, is no part of the render. One Kustomization
  // tells that its folder is none of manifests.
  const suffixes = ['.yaml', '.yml', '.json', 'Kustomization'];
  const load = async () => (await tree.readAll(path, { suffixes })).files;
  return [{ path, digest: `plain ${await tree.digest(path)}`, load }];
}
