/**
 * Makes what a later release would be of this working tree, for the test that upgrades to it: another version of chart,
 * operator, image and definitions, and the same of examples/notify.
 */
import { cpSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ANNOTATION_SCHEMA, ANNOTATION_VERSION } from '../../operator/api/v1alpha1/names.ts';
import { ourArchitecture } from '../architecture.ts';
import { bundleOperator } from '../build-operator.ts';
import { dockerBuild } from './docker.ts';

const root = join(import.meta.dirname, '../..');
const NOTIFY = join(root, 'examples/notify');

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const [major = 0, minor = 0] = version.split('.').map(Number);
export const NEXT_VERSION = `${major}.${minor + 1}.0`;
/** Its images have the tag of today's, and this. */
const NEXT = '-next';
/** What the definitions of the next release have in their spec, and today's lack. */
export const NEXT_FIELD = 'laterField';

interface Definition {
  metadata: { annotations?: Record<string, string> };
  spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: { properties: object } } } } }[] };
}

/** Tags of images, and the directories of charts. */
export interface Release {
  image: string;
  chart: string;
  notifyImage: string;
  notifyChart: string;
}

/** Where a release's charts are below the directory that it was built in, and its images by today's. */
export function nextRelease(directory: string, today: Pick<Release, 'image' | 'notifyImage'>): Release {
  return {
    image: `${today.image}${NEXT}`,
    chart: join(directory, 'next/chart'),
    notifyImage: `${today.notifyImage}${NEXT}`,
    notifyChart: join(directory, 'next/notify-chart'),
  };
}

/** Builds it on today's images, whose layers its own have. */
export async function buildNextRelease(
  directory: string,
  today: Pick<Release, 'image' | 'notifyImage'>,
): Promise<Release> {
  const next = nextRelease(directory, today);
  const definitions = writeChart(join(root, 'charts/towpath'), next.chart, {
    [ANNOTATION_VERSION]: NEXT_VERSION,
    [ANNOTATION_SCHEMA]: 'of-the-next-release',
  });
  const operator = join(directory, 'next/operator');
  await bundleOperator(sourcesWith(definitions, join(directory, 'next/sources')), join(operator, 'files'));
  await buildOn(today.image, operator, '/towpath/', next.image);

  writeChart(join(NOTIFY, 'chart'), next.notifyChart, {});
  const notify = join(directory, 'next/notify');
  mkdirSync(join(notify, 'files'), { recursive: true });
  const program = readFileSync(join(NOTIFY, 'notify.ts'), 'utf8');
  const changed = program.replace(
    '{ notice, application',
    `{ version: '${NEXT_VERSION}', notice, application`,
  );
  if (changed === program)
    throw new Error('examples/notify posts otherwise than it did: say the version here.');
  writeFileSync(join(notify, 'files/notify.ts'), changed);
  await buildOn(today.notifyImage, notify, '/notify/', next.notifyImage);
  return next;
}

/** A chart of the next version, and its definitions with another field. @returns these. */
function writeChart(from: string, to: string, annotations: Record<string, string>): Definition[] {
  cpSync(from, to, { recursive: true });
  const chart = join(to, 'Chart.yaml');
  writeFileSync(
    chart,
    readFileSync(chart, 'utf8').replace(/^(version|appVersion): .*$/gm, `$1: ${NEXT_VERSION}`),
  );
  return globSync(join(to, 'crds/*.yaml')).map((path) => {
    const definition = parse(readFileSync(path, 'utf8')) as Definition;
    definition.metadata.annotations = { ...definition.metadata.annotations, ...annotations };
    for (const { schema } of definition.spec.versions)
      Object.assign(schema.openAPIV3Schema.properties.spec.properties, {
        [NEXT_FIELD]: { type: 'string', description: `Since ${NEXT_VERSION}.` },
      });
    writeFileSync(path, stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false }));
    return definition;
  });
}

/** The operator's sources, with these definitions in them. */
function sourcesWith(definitions: readonly Definition[], to: string): string {
  cpSync(join(root, 'operator'), join(to, 'operator'), { recursive: true });
  for (const name of ['package.json', 'tsconfig.json']) cpSync(join(root, name), join(to, name));
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'));
  writeFileSync(join(to, 'operator/api/v1alpha1/definitions.json'), JSON.stringify(definitions));
  return to;
}

/** An image whose files in a folder are those of `<directory>/files`. */
async function buildOn(image: string, directory: string, folder: string, tag: string): Promise<void> {
  const label = `LABEL org.opencontainers.image.version="${NEXT_VERSION}"`;
  writeFileSync(
    join(directory, 'Dockerfile'),
    [`FROM ${image}`, `COPY files/ ${folder}`, label, ''].join('\n'),
  );
  await dockerBuild({ directory, platform: `linux/${ourArchitecture()}`, buildArgs: {}, tag });
}
