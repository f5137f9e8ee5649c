import assert from 'node:assert/strict';
import { test } from 'node:test';
import { areBasesPinned, type BasePin, basePinOf, withBasePins } from './base-pins.ts';

const pin = (ref: string, more: Partial<BasePin> = {}): BasePin => ({
  repository: 'https://git.example.com/acme/base',
  ref,
  commit: 'a1'.repeat(20),
  name: `refs/tags/${ref}`,
  ...more,
});

test('D14: a tag is found for any commit of the source, a branch for that for which it was looked up', () => {
  const branch = pin('main', { name: 'refs/heads/main', revision: 'one' });
  const pins = [pin('v1'), branch];
  const find = (repository: string, ref: string, revision: string) =>
    basePinOf(pins, { repository, ref }, revision);
  for (const url of [
    'https://git.example.com/acme/base',
    'https://git.example.com/acme/base.git',
    'HTTPS://Git.Example.com:443/acme/base/',
  ]) {
    assert.equal(find(url, 'v1', 'two'), pins[0], url);
    assert.equal(find(url, 'main', 'one'), branch, url);
    assert.equal(find(url, 'main', 'two'), undefined, url);
    assert.equal(find(url, '', 'one'), undefined, url);
  }
  assert.equal(find('https://git.example.com/acme/other', 'v1', 'one'), undefined);
});

test('those that are used are remembered before those of long ago', () => {
  let pins: readonly BasePin[] = [];
  for (let at = 0; at < 150; at += 1)
    pins = withBasePins(pins, [pin('v1'), pin('main', { revision: String(at) })]);
  assert.equal(pins.length, 100);
  assert.ok(areBasesPinned(pins, [pin('v1'), pin('main', { revision: '149' })]));
  assert.ok(!areBasesPinned(pins, [pin('main', { revision: '3' })]));
});
