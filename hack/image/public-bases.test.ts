import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
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

test('I4: the Dockerfile by itself takes no image that a registry has by a tag', () => {
  const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const defaults = [...dockerfile.matchAll(/^ARG (\w+_IMAGE)(?:=(\S+))?$/gm)].map(([, name, image]) => [
    name,
    image,
  ]);
  assert.deepEqual(defaults.map(([name]) => name).sort(), Object.keys(pinned).sort());
  for (const [name, image] of defaults) assert.match(String(image), /^by-digest\.invalid\//, name);
  const stages = [...dockerfile.matchAll(/^FROM (?:--platform=\S+ )?(\S+)/gm)].map(([, image]) => image);
  for (const image of stages) assert.match(String(image), /^(\$\{\w+\}|scratch)$/);
});
