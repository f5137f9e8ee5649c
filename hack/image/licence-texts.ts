/**
 * Collects the licence texts of all that others wrote and the image has in it: packages from npm, Go modules of the
 * engine, Go's own library.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { linkedModules } from '../licences.ts';

const root = join(import.meta.dirname, '../..');
const TEXT = /^(licen[cs]e|copying|notice|copyright)/i;

interface Package {
  version: string;
  license?: string;
}

/** Writes them to `npm/<package>` and `go/<module>` of a directory, which is emptied before. */
export function writeLicenceTexts(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  for (const path of installedPackages()) {
    const name = path.split('node_modules/').at(-1) ?? path;
    const to = join(directory, 'npm', name);
    if (copyTexts(join(root, path), to) > 0) continue;
    mkdirSync(to, { recursive: true });
    writeFileSync(join(to, 'LICENSE'), saidBy(name, path));
  }
  for (const { path, directory: from, files } of linkedModules(join(root, 'operator/render/engine'))) {
    const to = join(directory, 'go', path);
    // Code of yet others lies in a module with a licence of its own beside it.
    for (const folder of foldersOf(from, files)) copyTexts(join(from, folder), join(to, folder));
  }
  const go = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
  if (copyTexts(go, join(directory, 'go/std')) === 0) throw new Error(`There is no LICENSE in ${go}.`);
}

/** Paths in node_modules of what is installed with the operator on this platform; Node brings its own text. */
export function installedPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: true }>;
  };
  return Object.keys(packages).filter(
    (path) => path !== '' && packages[path]?.dev !== true && existsSync(join(root, path, 'package.json')),
  );
}

/** The folders from a module's own to those of its files. */
function foldersOf(module: string, files: readonly string[]): Set<string> {
  const folders = new Set(['']);
  for (const file of files) {
    let folder = relative(module, dirname(file));
    while (folder !== '' && folder !== '.') {
      folders.add(folder);
      folder = dirname(folder);
    }
  }
  return folders;
}

/** @returns how many there were. */
function copyTexts(from: string, to: string): number {
  const texts = readdirSync(from, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && TEXT.test(entry.name) && !/\.[cm]?[jt]s$|\.go$/.test(entry.name),
  );
  if (texts.length > 0) mkdirSync(to, { recursive: true });
  for (const { name } of texts) copyFileSync(join(from, name), join(to, name));
  return texts.length;
}

/** For a package that has no text of its own. */
function saidBy(name: string, path: string): string {
  const { version, license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Package;
  if (license === undefined) throw new Error(`${name} ${version} says nothing of its licence.`);
  return `${name} ${version} is licensed under ${license}, says its package.json; it has no text of it.\n`;
}
