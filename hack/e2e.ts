/**
 * Installs Towpath on a real node and uses it as its users do: builds the image and all programs here, and runs the
 * suite "installed", each file in network, mount and process namespaces of its own, of which nothing is left afterwards.
 *
 *   node hack/e2e.ts [--only=PART_OF_A_PATH] [--name=PATTERN] [--strict=1]
 *
 * Where the machine lacks what a node needs, the tests are skipped and say why.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { IMAGES_VARIABLE, TAG, WITHOUT_NODE_VARIABLE } from '../test/installed/variables.ts';
import { buildHelm } from './build-helm.ts';
import { buildNotifyImage, buildPauseImage, saveImages } from './image/archives.ts';
import { buildNextRelease } from './image/next-release.ts';
import { buildImage } from './image.ts';
import { clusterBinary, nodeBinary } from './programs.ts';
import { runInOwnNamespaces, withoutRealNode } from './test/own-namespaces.ts';
import { groupsOf } from './test/suites.ts';

/** A node is idle most of the time, so that two are not slower than one. */
const NODES_AT_ONCE = 2;

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
    process.exitCode = await runFiles();
  } finally {
    rmSync(archives, { recursive: true, force: true });
  }
}

/** @returns the first exit code that is not 0. */
async function runFiles(): Promise<number> {
  const only = { only: { type: 'string', default: '' } } as const;
  const { values } = parseArgs({ options: only, strict: false });
  process.chdir(join(import.meta.dirname, '..'));
  const files = groupsOf('installed', String(values.only)).flatMap((group) => group.files);
  // It says so itself.
  if (files.length === 0) return runInOwnNamespaces(process.execPath, suite);
  const codes: number[] = [];
  const work = async () => {
    for (let file = files.shift(); file !== undefined; file = files.shift())
      codes.push(await runInOwnNamespaces(process.execPath, [...suite, `--only=${file}`]));
  };
  await Promise.all(Array.from({ length: NODES_AT_ONCE }, work));
  return codes.find((code) => code !== 0) ?? 0;
}
