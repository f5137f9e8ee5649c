import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAGS, readFlags } from './flags.ts';

test('the command line wins over the environment, and that over the defaults', () => {
  const environment = { TOWPATH_NAMESPACE: 'from-env', TOWPATH_LOG_LEVEL: 'debug' };
  const flags = readFlags(['--namespace=from-line'], environment);
  assert.equal(flags.namespace, 'from-line');
  assert.equal(flags['log-level'], 'debug');
  assert.equal(flags['lease-duration'], FLAGS['lease-duration'].default);
  assert.equal(
    readFlags([], { TOWPATH_ALLOW_LOOPBACK_REPOSITORIES: 'true' })['allow-loopback-repositories'],
    true,
  );
});

test('a switch in the environment is true or false, and nothing that looks like it', () => {
  for (const given of ['1', 'True', 'yes', ''])
    assert.throws(
      () => readFlags([], { TOWPATH_ALLOW_LOOPBACK_REPOSITORIES: given }),
      /--allow-loopback-repositories is ".*"; it must be true or false/,
    );
});

test('every default fits its own form', () => {
  for (const [name, { type, default: value }] of Object.entries(FLAGS))
    if (type === 'string' && value !== '') assert.doesNotThrow(() => readFlags([`--${name}=${value}`], {}));
});

const wrong: [string, RegExp][] = [
  ['--render-processes=many', /--render-processes is "many"; it must be a whole number/],
  ['--lease-duration=15', /--lease-duration is "15"; it must be a duration/],
  ['--probe-address=8081', /--probe-address is "8081"; it must be an address with a port/],
  ['--log-level=loud', /--log-level is "loud"; it must be trace/],
  ['--namespace=No Namespace', /--namespace is "No Namespace"/],
  ['--watch-namespace=Shop', /--watch-namespace is "Shop"; it must be the name of a namespace/],
  ['--no-such-flag', /no-such-flag/],
];
for (const [argument, message] of wrong)
  test(`${argument} is refused, with what to write`, () => {
    assert.throws(() => readFlags([argument], {}), message);
  });
