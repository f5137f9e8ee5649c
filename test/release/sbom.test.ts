import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ourArchitecture } from '../../hack/architecture.ts';
import { buildEngine } from '../../hack/build-engine.ts';
import { basePackages, textsIn, writeBaseSbom } from '../../hack/image/base-packages.ts';
import { writeSboms } from '../../hack/sbom.ts';
import { runProgram } from '../harness/cluster.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { scaled } from '../harness/slowness.ts';
import { BUILD_MS, operatorImage, skip } from '../image/container.ts';

const root = join(import.meta.dirname, '../..');

interface Component {
  group?: string;
  name: string;
  version: string;
  components?: Component[];
}

test('I4: the bills of material name every package and module that is installed, and nothing of this machine', async () => {
  const [operator = '', engine = ''] = await writeSboms(ourArchitecture(), temporaryDirectory('sbom'));
  const read = (path: string) => {
    const text = readFileSync(path, 'utf8');
    assert.ok(!text.includes(root), 'no path of this machine');
    const found = new Set<string>();
    const add = ({ group, name, version, components = [] }: Component) => {
      found.add(`${group === undefined ? '' : `${group}/`}${name}@${version}`);
      for (const one of components) add(one);
    };
    for (const one of (JSON.parse(text) as Pick<Component, 'components'>).components ?? []) add(one);
    return found;
  };
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; dev?: true }>;
  };
  const npm = read(operator);
  for (const [path, { version, dev }] of Object.entries(packages)) {
    const name = path.split('node_modules/').at(-1) ?? '';
    if (path !== '' && dev !== true) assert.ok(npm.has(`${name}@${version}`), `${name}@${version}`);
  }
  const go = read(engine);
  const { stdout } = await runProgram('go', ['version', '-m', await buildEngine()]);
  const modules = [...stdout.matchAll(/^\tdep\t(\S+)\t(\S+)/gm)];
  assert.notEqual(modules.length, 0);
  for (const [, name, version] of modules) assert.ok(go.has(`${name}@${version}`), `${name}@${version}`);
});

test("I4: the image has the licence of each of the distribution's packages, with what that refers to, and the bill of materials names it", {
  skip,
  timeout: scaled(BUILD_MS),
}, async () => {
  const image = await operatorImage();
  const packages = basePackages(image);
  assert.ok(['libc6', 'libgcc-s1', 'libstdc++6'].every((name) => packages.some((one) => one.name === name)));
  const referred = new Set<string>();
  for (const { name } of packages) {
    const text = textsIn(image, `/usr/share/doc/${name}/copyright`);
    assert.notEqual(text, '', name);
    for (const [path] of text.matchAll(/\/usr\/share\/common-licenses\/[A-Za-z0-9.-]{1,50}(?<![.-])/g))
      referred.add(path);
  }
  assert.ok(referred.size > 0);
  for (const path of referred) assert.notEqual(textsIn(image, path), '', path);
  const path = writeBaseSbom(image, join(temporaryDirectory('sbom'), 'base.cdx.json'));
  const { components } = JSON.parse(readFileSync(path, 'utf8')) as {
    components: (Component & { purl: string })[];
  };
  assert.deepEqual(
    components.map(({ name, version }) => `${name} ${version}`),
    packages.map(({ name, version }) => `${name} ${version}`),
  );
  for (const { purl } of components)
    assert.match(purl, /^pkg:deb\/\w+\/[^@/]+@\d[^@]*\?arch=(amd64|arm64|all)$/);
});
