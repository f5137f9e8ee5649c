import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pauseBinary } from '../programs.ts';
import { nodeImage, runtimeImage } from './debian-images.ts';
import { docker } from './docker.ts';

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
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const bases = { NODE_IMAGE: await nodeImage(), RUNTIME_IMAGE: await runtimeImage(architecture) };
  const args = Object.entries(bases).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const directory = join(import.meta.dirname, '../../examples/notify');
  await docker(['build', '--network=host', ...args, '--tag', tag, directory]);
  return tag;
}

/** Writes an image to a file that containerd imports. */
export async function saveImage(tag: string, path: string): Promise<string> {
  await docker(['save', '--output', path, tag]);
  return path;
}
