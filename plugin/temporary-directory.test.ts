import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeForSocket } from './temporary-directory.ts';

test('a socket is made where its path is short enough for Linux and macOS', () => {
  const ofMacOS = `/var/folders/zz/${'z'.repeat(30)}/T`;
  for (const temporary of ['/tmp', ofMacOS, `/${'a'.repeat(83)}`])
    assert.equal(placeForSocket('api', temporary), temporary);
  for (const temporary of [`/${'a'.repeat(84)}`, `/${'ä'.repeat(42)}`])
    assert.equal(placeForSocket('api', temporary), '/tmp');
});
