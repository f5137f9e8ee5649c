/**
 * Installs Towpath on a real node and uses it as its users do: builds the image and all programs here, and runs the
 * suite "installed" in network, mount and process namespaces of its own, of which nothing is left afterwards.
 *
 *   node hack/e2e.ts [--only=PART_OF_A_PATH] [--name=PATTERN] [--strict=1]
 *
 * Where the machine lacks what a node needs, the tests are skipped and say why.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMAGES_VARIABLE, TAG, WITHOUT_NODE_VARIABLE } from '../test/installed/variables.ts';
import { buildHelm } from './build-helm.ts';
import { buildNotifyImage, buildPauseImage, saveImages } from './image/archives.ts';
import { buildNextRelease } from './image/next-release.ts';
import { buildImage } from './image.ts';
import { clusterBinary, nodeBinary } from './programs.ts';
import { runInOwnNamespaces, withoutRealNode } from './test/own-namespaces.ts';

const suite = [join(import.meta.dirname, 'test.ts'), 'installed', ...process.argv.slice(2)];
const missing = withoutRealNode();
if (missing !== undefined) {
  process.env[WITHOUT_NODE_VARIABLE] = missing;
  process.argv = [process.execPath, ...suite];
  await import('./test.ts');
} else {
  const archives = mkdtempSync(join(tmpdir(), 'towpath-e2e-'));
  try {
    for (const build of [clusterBinary, nodeBinary, buildHelm]) await build();
    const image = await buildImage({ tag: `towpath:${TAG}` });
    const notifyImage = await buildNotifyImage(TAG);
    const next = await buildNextRelease(archives, { image, notifyImage });
    await saveImages([image, next.image], join(archives, 'towpath.tar'));
    await saveImages([notifyImage, next.notifyImage], join(archives, 'notify.tar'));
    await saveImages([await buildPauseImage()], join(archives, 'pause.tar'));
    process.env[IMAGES_VARIABLE] = archives;
    process.exitCode = await runInOwnNamespaces(process.execPath, suite);
  } finally {
    rmSync(archives, { recursive: true, force: true });
  }
}
