import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packagesInPlugin } from '../build-plugin.ts';
import { linkedModules, objectionTo } from '../licences.ts';

const root = join(import.meta.dirname, '../..');

interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  license?: string;
  dev?: true;
}

/** Licences whose code may be given away within a work under Apache-2.0. */
const COMPATIBLE = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
  'Zlib',
]);

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>;
};
const locked = Object.entries(packages).filter(([path]) => path !== '');

test('I4: each dependency is asked for in one version, and locked with its hash', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'])
    for (const [name, version] of Object.entries(manifest[kind] ?? {}))
      assert.match(version, /^\d{1,5}\.\d{1,5}\.\d{1,5}$/, name);
  assert.ok(locked.length > 100);
  for (const [path, { integrity = '' }] of locked) assert.match(integrity, /^sha512-/, path);
});

test('I4: what is installed with the operator is under a licence that Apache-2.0 goes with', () => {
  for (const [path, { dev, license }] of locked) {
    if (dev === true) continue;
    const said = license ?? licenceOf(path);
    assert.ok(COMPATIBLE.has(said), `${path}: ${said}`);
  }
});

test('I4: so is what is bundled into kubectl towpath', async () => {
  const bundled = await packagesInPlugin();
  assert.ok(bundled.includes('node_modules/isomorphic-git'), bundled.join());
  for (const path of bundled) {
    const said = packages[path]?.license ?? licenceOf(path);
    const all = said.replace(/[()]/g, '').split(' AND ');
    assert.ok(
      all.every((each) => COMPATIBLE.has(each)),
      `${path}: ${said}`,
    );
  }
});

test('I4: so is what is linked into the rendering engine', () => {
  const linked = linkedModules(join(root, 'operator/render/engine'));
  assert.ok(linked.length > 40, `${linked.length} modules`);
  assert.deepEqual(linked.map(objectionTo).filter(Boolean), []);
});

/** What an old package says in its own way, which the lockfile does not take over. */
function licenceOf(path: string): string {
  const file = join(root, path, 'package.json');
  if (!existsSync(file)) return 'none told';
  const { licenses = [] } = JSON.parse(readFileSync(file, 'utf8')) as { licenses?: { type: string }[] };
  return licenses.map(({ type }) => type).join(' and ');
}
