import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { linkedModules } from '../licences.ts';
import { installedPackages, writeLicenceTexts } from './licence-texts.ts';

const root = join(import.meta.dirname, '../..');

test('I4: the image has the licence of every package from npm, every Go module and of Go itself', () => {
  const directory = temporaryDirectory('licences');
  writeLicenceTexts(directory);
  const packages = installedPackages().map((path) => `npm/${path.split('node_modules/').at(-1)}`);
  const modules = linkedModules(join(root, 'operator/render/engine')).map(({ path }) => `go/${path}`);
  assert.ok(packages.length > 20 && modules.length > 40);
  for (const folder of [...packages, ...modules, 'go/std']) {
    assert.ok(existsSync(join(directory, folder)), folder);
    const texts = readdirSync(join(directory, folder)).filter((name) =>
      /^((un)?licen[cs]e|copying)/i.test(name),
    );
    const [text] = texts;
    assert.ok(text !== undefined && statSync(join(directory, folder, text)).size > 0, folder);
  }
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) assert.ok(packages.includes(`npm/${name}`), name);
});

/** What a licence asks to be given on, or grants, by what such files are called. */
const TEXT = /(licen[cs]e|copying|notice|copyright|patents)/i;
const isText = (path: string) =>
  TEXT.test(path.split('/').at(-1) ?? '') && !/\.(go|[cm]?[jt]s|map|json|ya?ml)$/.test(path);

test('I4: no notice, licence or grant beside code that the image has is left out, however deep it lies', () => {
  const directory = temporaryDirectory('notices');
  writeLicenceTexts(directory);
  const expected: string[] = [];
  for (const path of installedPackages()) {
    const all = readdirSync(join(root, path), { recursive: true }).map(String);
    const texts = all.filter((each) => isText(each) && !each.split('/').includes('node_modules'));
    expected.push(...texts.map((text) => `npm/${path.split('node_modules/').at(-1)}/${text}`));
  }
  for (const { path, directory: module, files } of linkedModules(join(root, 'operator/render/engine')))
    for (const text of readdirSync(module, { recursive: true }).map(String).filter(isText)) {
      const beside = join(module, dirname(text));
      if (files.some((file) => !relative(beside, file).startsWith('..'))) expected.push(`go/${path}/${text}`);
    }
  assert.deepEqual(
    expected.filter((path) => !existsSync(join(directory, path))),
    [],
  );
  for (const known of ['NOTICE', 'PATENTS', 'UNLICENSE', 'lib/web/fetch/LICENSE'])
    assert.ok(
      expected.some((path) => path.endsWith(`/${known}`)),
      known,
    );
});
