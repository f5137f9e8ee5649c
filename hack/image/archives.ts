import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ourArchitecture } from '../architecture.ts';
import { pauseBinary } from '../programs.ts';
import { debianBases } from './debian-images.ts';
import { docker, dockerBuild } from './docker.ts';

/** Makes the image of what holds the namespaces of each Pod: one static program. @returns its tag. */
export async function buildPauseImage(): Promise<string> {
  const tag = 'towpath-pause:local';
  const root = mkdtempSync(join(tmpdir(), 'towpath-pause-'));
  try {
    mkdirSync(join(root, 'files'));
    copyFileSync(await pauseBinary(), join(root, 'files/pause'));
    const tar = spawn('tar', ['-C', join(root, 'files'), '-c', '.'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await docker(['import', '--change', 'ENTRYPOINT ["/pause"]', '-', tag], tar.stdout);
    return tag;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Makes the image of examples/notify. @returns its tag. */
export async function buildNotifyImage(version: string): Promise<string> {
  const tag = `towpath-notify:${version}`;
  await dockerBuild({
    directory: join(import.meta.dirname, '../../examples/notify'),
    platform: `linux/${ourArchitecture()}`,
    buildArgs: await debianBases(ourArchitecture()),
    tag,
  });
  return tag;
}

/** Writes images to a file that containerd imports; what they have in common is in it once. */
export async function saveImages(tags: readonly string[], path: string): Promise<void> {
  await docker(['save', '--output', path, ...tags]);
}
