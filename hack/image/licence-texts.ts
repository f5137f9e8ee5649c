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
const TEXT = /^((un)?licen[cs]e|copying|notice|copyright|patents)/i;

interface Package {
  version: string;
  license?: string;
}

/** Writes them to `npm/<package>` and `go/<module>` of a directory, which is emptied before. */
export function writeLicenceTexts(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  for (const path of installedPackages()) {
    const name = path.split('node_modules/').at(-1) ?? path;
    const [from, to] = [join(root, path), join(directory, 'npm', name)];
    if (copyTextsOf(from, to, foldersBelow(from)) > 0) continue;
    mkdirSync(to, { recursive: true });
    writeFileSync(join(to, 'LICENSE'), saidBy(name, path));
  }
  for (const { path, directory: from, files } of linkedModules(join(root, 'operator/render/engine'))) {
    const to = join(directory, 'go', path);
    copyTextsOf(from, to, foldersOf(from, files));
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

/** All folders of a package, those of the packages in it left out. */
function foldersBelow(directory: string): string[] {
  const folders = readdirSync(directory, { withFileTypes: true, recursive: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const paths = folders.map(({ parentPath, name }) => relative(directory, join(parentPath, name)));
  return ['', ...paths.filter((path) => !path.split('/').includes('node_modules'))];
}

/** Code of yet others lies in a package with a licence of its own beside it. @returns how many there were. */
function copyTextsOf(from: string, to: string, folders: Iterable<string>): number {
  let count = 0;
  for (const folder of folders) count += copyTexts(join(from, folder), join(to, folder));
  return count;
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
