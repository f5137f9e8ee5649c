import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isLfsPointer } from './lfs.ts';

it('a Git LFS pointer is told from a file', () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 12345\n`;
  assert.equal(isLfsPointer(Buffer.from(pointer)), true);
  for (const text of [
    '',
    'replicas: 1\n',
    pointer.slice(0, 60),
    pointer.padEnd(2_000, ' '),
    `# ${pointer}`,
  ]) {
    assert.equal(isLfsPointer(Buffer.from(text)), false, text.slice(0, 80));
  }
});
