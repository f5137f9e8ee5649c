/**
 * Bundles the kubectl plugin: dist/plugin/kubectl-towpath, one JavaScript file for Node 20 or newer, and beside it the
 * program that kubectl asks for completions, and the one that renders.
 *
 *   node hack/build-plugin.ts
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildEngine } from './build-engine.ts';

const root = join(import.meta.dirname, '..');
const directory = join(root, 'dist/plugin');
/** As kubectl names what completes for `kubectl towpath`. */
const COMPLETION = '#!/bin/sh\nexec kubectl-towpath __complete "$@"\n';

/** @returns the path of kubectl-towpath, built first. */
export async function buildPlugin(): Promise<string> {
  const { outputFiles } = await bundled();
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error('esbuild built nothing');
  mkdirSync(directory, { recursive: true });
  // Here the files stand below a package of ES modules; where a user puts them, no package says anything.
  write('package.json', '{"type":"commonjs"}\n');
  write('kubectl_complete-towpath', COMPLETION);
  link(await buildEngine(), 'towpath-engine');
  return write('kubectl-towpath', bundle.text);
}

/** At once: whoever runs it beside another build must not read half a file. */
function write(name: string, text: string): string {
  const path = join(directory, name);
  const written = `${path}.${process.pid}`;
  writeFileSync(written, text);
  chmodSync(written, 0o755);
  renameSync(written, path);
  return path;
}

function bundled() {
  return build({
    write: false,
    absWorkingDir: root,
    entryPoints: ['plugin/main.ts'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'inline',
    banner: { js: '#!/usr/bin/env node' },
    logLevel: 'warning',
    metafile: true,
  });
}

/** Paths of the packages from npm of which code is in the bundle, as package-lock.json names them. */
export async function packagesInPlugin(): Promise<string[]> {
  const { metafile } = await bundled();
  const ofPackages = Object.keys(metafile.inputs).map(
    (file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0],
  );
  return [...new Set(ofPackages.filter((path) => path !== undefined))].sort();
}

/** Our own sources of which code, not types alone, is in the bundle. */
export async function sourcesOfPlugin(): Promise<string[]> {
  const { metafile } = await bundled();
  return Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([file, { bytesInOutput }]) => bytesInOutput > 0 && !file.includes('node_modules/'))
    .map(([file]) => file);
}

/** Linked, where that can be: it is large. */
function link(from: string, name: string): void {
  const path = join(directory, name);
  const source = statSync(from);
  const there = existsSync(path) ? statSync(path) : undefined;
  if (there?.ino === source.ino && there.dev === source.dev) return;
  const linked = `${path}.${process.pid}`;
  try {
    linkSync(from, linked);
  } catch {
    // The cache is in another file system.
    copyFileSync(from, linked);
    chmodSync(linked, 0o755);
  }
  renameSync(linked, path);
}

if (import.meta.main) console.log(await buildPlugin());
