import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { withoutDebian } from './debian-packages.ts';

test('make image says what it needs where the distribution is another one, and the other way to build', () => {
  const PATH = temporaryDirectory('programs');
  const add = (name: string) => {
    writeFileSync(join(PATH, name), '#!/bin/sh\n');
    chmodSync(join(PATH, name), 0o755);
  };
  assert.match(withoutDebian({ PATH }) ?? '', /apt-get and dpkg-deb are not here: .+ BASE=public/);
  add('dpkg-deb');
  assert.match(withoutDebian({ PATH }) ?? '', /packages, and apt-get is not here/);
  add('apt-get');
  assert.equal(withoutDebian({ PATH }), undefined);
});
