import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pauseBinary } from '../programs.ts';
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

/** Writes an image to a file that containerd imports. */
export async function saveImage(tag: string, path: string): Promise<string> {
  await docker(['save', '--output', path, tag]);
  return path;
}
