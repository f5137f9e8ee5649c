import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { publicBases } from './public-bases.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const pinned = {
  GO_IMAGE: `docker.io/library/golang:1.26-bookworm@${digest}`,
  NODE_IMAGE: `registry.example.com:5000/node@${digest}`,
  RUNTIME_IMAGE: `gcr.io/distroless/cc-debian12@${digest}`,
};

test('I4: public base images are taken by their digest', () => {
  assert.deepEqual(publicBases({ ...pinned, HOME: '/' }), pinned);
});

for (const name of Object.keys(pinned))
  for (const image of [
    undefined,
    '',
    'node',
    'node:24',
    'node@sha256:0123',
    `node@${digest}0`,
    `node @${digest}`,
    digest,
  ])
    test(`I4: ${name}=${image ?? ' (not given)'} is refused, with the command that finds a digest`, () => {
      assert.throws(
        () => publicBases({ ...pinned, [name]: image }),
        new RegExp(`^Error: ${name}.*docker buildx imagetools inspect .*@sha256:`),
      );
    });

const root = join(import.meta.dirname, '../..');
for (const path of globSync('{Dockerfile,examples/*/Dockerfile}', { cwd: root }))
  test(`I4: ${path} by itself takes no image that a registry has by a tag`, () => {
    const dockerfile = readFileSync(join(root, path), 'utf8');
    const defaults = [...dockerfile.matchAll(/^ARG (\w+_IMAGE)(?:=(\S+))?$/gm)];
    assert.ok(defaults.length > 1);
    for (const [, name = '', image] of defaults) {
      assert.ok(name in pinned, name);
      assert.match(String(image), /^by-digest\.invalid\//, name);
    }
    const stages = [...dockerfile.matchAll(/^FROM (?:--platform=\S+ )?(\S+)/gm)].map(([, image]) => image);
    for (const image of stages) assert.match(String(image), /^(\$\{\w+\}|scratch)$/);
  });

test('I4: every base of the image can be given by its digest', () => {
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
  const names = [...dockerfile.matchAll(/^ARG (\w+_IMAGE)\b/gm)].map(([, name]) => name);
  assert.deepEqual(names.sort(), Object.keys(pinned).sort());
});
