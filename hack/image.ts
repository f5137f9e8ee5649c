/**
 * Builds the operator's image and says how large it is and how long it took.
 *
 *   node hack/image.ts [--platform=linux/arm64] [--base=debian|public] [--tag=towpath:dev]
 *
 * `--base=public` builds from public base images; `debian`, the default, from images that are made of the
 * distribution's packages on this machine, without a registry of images.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildEngineFor } from './build-engine.ts';
import { nodeImage, runtimeImage } from './image/debian-images.ts';
import { docker, dockerSays, withoutDocker } from './image/docker.ts';
import { writeSboms } from './sbom.ts';

const root = join(import.meta.dirname, '..');

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
  const { platform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`, tag = 'towpath:dev' } =
    options;
  const bases = options.base === 'public' ? {} : await withoutRegistry(platform.replace('linux/', ''));
  const revision = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const build = { ...bases, REVISION: revision };
  const args = Object.entries(build).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  // The host's network: a bridge's may lead nowhere, and nothing that runs in the build listens.
  await docker(['build', '--network=host', '--platform', platform, ...args, '--tag', tag, root]);
  return tag;
}

/** What takes the place of the public base images. */
async function withoutRegistry(architecture: string): Promise<Record<string, string>> {
  mkdirSync(join(root, 'dist'), { recursive: true });
  copyFileSync(await buildEngineFor(architecture), join(root, `dist/engine-${architecture}`));
  return {
    NODE_IMAGE: await nodeImage(),
    RUNTIME_IMAGE: await runtimeImage(architecture),
    ENGINE: 'engine-given',
  };
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
  const sboms = await writeSboms((values.platform || 'linux/amd64').replace('linux/', ''));
  console.log(
    `${tag}: ${Math.round(bytes / 2 ** 20)} MiB, built in ${seconds} s; made of: ${sboms.join(', ')}`,
  );
}
