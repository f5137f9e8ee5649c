import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { processorMs } from '../../../test/harness/processor-time.ts';
import { challengesOf } from './challenges.ts';

const plain = (...headers: string[]) =>
  challengesOf(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('what a server asks for', () => {
  test('is read as registries write it', () => {
    const parameters = {
      realm: 'https://auth.docker.io/token',
      service: 'registry.docker.io',
      scope: 'repository:acme/redis:pull,push',
    };
    const text = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
    assert.deepEqual(plain(`Bearer ${text.join(',')}`), [['bearer', parameters]]);
    assert.deepEqual(plain(`BEARER  ${text.join(' , ')}`), [['bearer', parameters]]);
    assert.deepEqual(plain('Basic realm=registry'), [['basic', { realm: 'registry' }]]);
    assert.deepEqual(plain('Basic Realm = "a \\"b\\", c"'), [['basic', { realm: 'a "b", c' }]]);
  });

  test('may be one of several things, in one header or more', () => {
    const expected = [
      ['negotiate', {}],
      ['bearer', { realm: 'https://x' }],
      ['basic', { realm: 'y' }],
    ];
    assert.deepEqual(plain('Negotiate YWJj==, Bearer realm="https://x", Basic realm="y"'), expected);
    assert.deepEqual(plain('Negotiate', 'Bearer realm="https://x"', 'Basic realm="y"'), expected);
  });

  test('S9: is nothing where it is no challenge, and is read in a time like its length', () => {
    assert.deepEqual(plain(), []);
    assert.deepEqual(plain('', ' ,, '), []);
    assert.deepEqual(plain('Bearer realm="never ends'), [['bearer', {}]]);
    assert.deepEqual(plain('Bearer realm="a", realm="b"'), [['bearer', { realm: 'a' }]]);
    const took = processorMs(() => {
      for (const hostile of ['"', '=', 'a=', 'a="', 'a ', ', ', '\\', 'a="\\', '~'])
        plain(`Bearer ${hostile.repeat(1_000_000)}`);
    });
    assert.ok(took < 1_000, `${took} ms`);
  });
});
