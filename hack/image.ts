/**
 * Builds the operator's image and says how large it is and how long it took.
 *
 *   node hack/image.ts [--platform=linux/arm64] [--base=debian|public] [--tag=towpath:dev]
 *
 * `--base=public` builds from the public base images that GO_IMAGE, NODE_IMAGE and RUNTIME_IMAGE of the environment
 * name by their digests; `debian`, the default, from images that are made of the distribution's packages on this
 * machine, without a registry of images. Of the environment SOURCE_DATE_EPOCH and SOURCE_URL say when and of what it is
 * built, if not of this commit and as the chart says.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { ourArchitecture } from './architecture.ts';
import { buildEngineFor } from './build-engine.ts';
import { writeBaseSbom } from './image/base-packages.ts';
import { debianBases } from './image/debian-images.ts';
import { withoutDebian } from './image/debian-packages.ts';
import { dockerBuild, dockerSays, withoutDocker } from './image/docker.ts';
import { writeLicenceTexts } from './image/licence-texts.ts';
import { publicBases } from './image/public-bases.ts';
import { writeSboms } from './sbom.ts';

const root = join(import.meta.dirname, '..');
const OURS = `linux/${ourArchitecture()}`;

export interface ImageOptions {
  /** `linux/amd64` or `linux/arm64`; default this machine's. */
  platform?: string;
  base?: string;
  tag?: string;
}

/** Builds it. @returns its tag. @throws Error where Docker is missing or the build fails. */
export async function buildImage(options: ImageOptions = {}): Promise<string> {
  const missing = withoutDocker();
  if (missing !== undefined) throw new Error(missing);
  const { platform = OURS, tag = 'towpath:dev' } = options;
  const bases =
    options.base === 'public' ? publicBases(process.env) : await withoutRegistry(architectureOf(platform));
  writeLicenceTexts(join(root, 'dist/licenses'));
  await dockerBuild({ directory: root, platform, buildArgs: { ...bases, ...labels() }, tag });
  return tag;
}

/** What the image says of itself; the same from the same commit. */
export function labels(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const ofCommit = (format: string) =>
    execFileSync('git', ['show', '--no-patch', `--format=${format}`, 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
    }).trim();
  const seconds = Number(environment['SOURCE_DATE_EPOCH'] || ofCommit('%ct'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const { home } = parse(readFileSync(join(root, 'charts/towpath/Chart.yaml'), 'utf8')) as { home: string };
  return {
    VERSION: version,
    REVISION: ofCommit('%H'),
    CREATED: new Date(seconds * 1000).toISOString(),
    URL: home,
    // Not what git was told to fetch from, which may be a place of nobody else's.
    SOURCE: environment['SOURCE_URL'] || home,
  };
}

/** Under a tag that only this commit's image has: a node does not pull again what it has under a name. */
export function howToPush(tag: string, revision: string): string {
  const own = revision.slice(0, 12);
  return `Push it under a tag of its own: docker tag ${tag} REPOSITORY:${own} && docker push REPOSITORY:${own}, and give Helm --set-string image.tag=${own}`;
}

function architectureOf(platform: string): string {
  return platform.replace('linux/', '');
}

/** What takes the place of the public base images. */
async function withoutRegistry(architecture: string): Promise<Record<string, string>> {
  const missing = withoutDebian();
  if (missing !== undefined) throw new Error(missing);
  mkdirSync(join(root, 'dist'), { recursive: true });
  copyFileSync(await buildEngineFor(architecture), join(root, `dist/engine-${architecture}`));
  return { ...(await debianBases(architecture)), ENGINE: 'engine-given' };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { platform: { type: 'string' }, base: { type: 'string' }, tag: { type: 'string' } },
  });
  const started = Date.now();
  const tag = await buildImage(
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '')),
  );
  const bytes = Number(dockerSays('image', 'inspect', '--format', '{{.Size}}', tag));
  const seconds = Math.round((Date.now() - started) / 1000);
  const architecture = architectureOf(values.platform || OURS);
  const sboms = await writeSboms(architecture);
  sboms.push(writeBaseSbom(tag, join(root, `dist/sbom/base-${architecture}.cdx.json`)));
  console.log(
    `${tag}: ${Math.round(bytes / 2 ** 20)} MiB, built in ${seconds} s; made of: ${sboms.join(', ')}`,
  );
  console.log(howToPush(tag, labels()['REVISION'] ?? ''));
}
