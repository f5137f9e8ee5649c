import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
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
    const texts = readdirSync(join(directory, folder)).filter((name) => /^(licen[cs]e|copying)/i.test(name));
    const [text] = texts;
    assert.ok(text !== undefined && statSync(join(directory, folder, text)).size > 0, folder);
  }
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) assert.ok(packages.includes(`npm/${name}`), name);
});
