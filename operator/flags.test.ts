import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAGS, readFlags, usage, wantsHelp } from './flags.ts';

/** With what has no default. */
function read(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  return readFlags([`--engine=${process.execPath}`, ...args], environment);
}

test('the command line wins over the environment, and that over the defaults', () => {
  const environment = { TOWPATH_NAMESPACE: 'from-env', TOWPATH_LOG_LEVEL: 'debug' };
  const flags = read(['--namespace=from-line'], environment);
  assert.equal(flags.namespace, 'from-line');
  assert.equal(flags['log-level'], 'debug');
  assert.equal(flags['lease-duration'], FLAGS['lease-duration'].default);
  assert.equal(
    read([], { TOWPATH_ALLOW_LOOPBACK_REPOSITORIES: 'true' })['allow-loopback-repositories'],
    true,
  );
});

test('a switch in the environment is true or false, and nothing that looks like it', () => {
  for (const given of ['1', 'True', 'yes', ''])
    assert.throws(
      () => read([], { TOWPATH_ALLOW_LOOPBACK_REPOSITORIES: given }),
      /--allow-loopback-repositories is ".*"; it must be true or false/,
    );
});

test('every default fits its own form', () => {
  for (const [name, { type, default: value }] of Object.entries(FLAGS))
    if (type === 'string' && value !== '') assert.doesNotThrow(() => read([`--${name}=${value}`]));
});

test('what the ledger keeps can be more than by default, up to a bound that is told', () => {
  for (const name of ['archive-size', 'gone-promotions', 'gone-archive-size'] as const) {
    for (const given of ['1', '101', '999']) assert.equal(read([`--${name}=${given}`])[name], given);
    for (const given of ['0', '1000', '1e2', ''])
      assert.throws(() => read([`--${name}=${given}`]), /it must be a whole number from 1 to 999/);
    assert.match(FLAGS[name].help, /1 to 999/);
  }
});

const wrong: [string, RegExp][] = [
  ['--render-processes=many', /--render-processes is "many"; it must be a whole number/],
  ['--lease-duration=15', /--lease-duration is "15"; it must be a duration/],
  ['--probe-address=::1:8081', /--probe-address is "::1:8081"; it must be an address with a port/],
  ['--metrics-address=here', /--metrics-address is "here"; it must be an address with a port/],
  ['--webhook-secret=A B', /--webhook-secret is "A B"; it must be the name of a Secret/],
  ['--webhook-host-aliases=a', /--webhook-host-aliases is "a"; it must be pairs of hosts/],
  ['--probe-address=8081', /--probe-address is "8081"; it must be an address with a port/],
  [
    '--managed-pod-security=strict',
    /--managed-pod-security is "strict"; it must be privileged, baseline or restricted, or empty for none/,
  ],
  ['--log-level=loud', /--log-level is "loud"; it must be trace/],
  ['--log-format=xml', /--log-format is "xml"; it must be json or text/],
  ['--namespace=No Namespace', /--namespace is "No Namespace"/],
  ['--watch-namespace=Shop', /--watch-namespace is "Shop"; it must be the name of a namespace/],
  ['--engine=/nowhere/engine', /--engine is "\/nowhere\/engine"; it must be the path of a program/],
  ['--engine=/', /--engine is "\/"; it must be the path of a program/],
  ['--renew-deadline=15s', /--renew-deadline is 15s and --lease-duration is 15s; the first must be shorter/],
  ['--retry-period=10s', /--retry-period is 10s and --renew-deadline is 10s; the first must be shorter/],
  ['--no-such-flag', /no-such-flag.*\.$/],
];
for (const [argument, message] of wrong)
  test(`${argument} is refused, with what to write`, () => {
    assert.throws(() => read([argument]), message);
  });

test('what must be given is asked for', () => {
  for (const environment of [{}, { TOWPATH_ENGINE: '' }])
    assert.throws(() => readFlags([], environment), /--engine is missing; it must be the path of a program/);
});

test('help names every flag with what it is for', () => {
  assert.ok(wantsHelp(['--help']) && wantsHelp(['--log-level=debug', '-h']) && !wantsHelp([]));
  for (const [name, { help }] of Object.entries(FLAGS)) {
    assert.ok(usage().includes(`--${name}`), name);
    assert.ok(usage().includes(help), name);
  }
});
