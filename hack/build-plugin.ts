/**
 * Bundles the kubectl plugin: dist/plugin/kubectl-towpath, one JavaScript file for Node 20 or newer, and beside it the
 * program that kubectl asks for completions.
 *
 *   node hack/build-plugin.ts
 */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const directory = join(root, 'dist/plugin');
/** As kubectl names what completes for `kubectl towpath`. */
const COMPLETION = '#!/bin/sh\nexec kubectl-towpath __complete "$@"\n';

/** @returns the path of kubectl-towpath, built first. */
export async function buildPlugin(): Promise<string> {
  const { outputFiles } = await build({
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
  });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error('esbuild built nothing');
  mkdirSync(directory, { recursive: true });
  // Here the files stand below a package of ES modules; where a user puts them, no package says anything.
  write('package.json', '{"type":"commonjs"}\n');
  write('kubectl_complete-towpath', COMPLETION);
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

if (import.meta.main) console.log(await buildPlugin());
