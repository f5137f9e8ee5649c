import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processorMs } from '../../../test/harness/processor-time.ts';
import { MOST_KNOWN_HOSTS } from '../credential.ts';
import { expectedHostKeys } from './known-hosts.ts';

const KEY = Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.alloc(36)]);
const line = (names: string) => `${names} ssh-ed25519 ${KEY.toString('base64')}\n`;

for (const [names, host, port, isKnown] of [
  ['git.example.com', 'git.example.com', 22, true],
  ['git.example.com', 'GIT.example.com', 22, true],
  ['git.example.com', 'gitxexample.com', 22, false],
  ['git.example.com', 'git.example.com.evil.net', 22, false],
  ['*.example.com', 'git.example.com', 22, true],
  ['*.example.com', 'example.com', 22, false],
  ['*.example.com,!git.example.com', 'git.example.com', 22, false],
  ['g?t.*.com', 'git.example.com', 22, true],
  ['g?t.*.com', 'gt.example.com', 22, false],
  ['*', 'git.example.com', 22, true],
  ['**t**', 'git', 22, true],
  ['g*t', 'git.example.com', 22, false],
  ['a*b*ab', 'axbab', 22, true],
  ['a*b*ab', 'axbb', 22, false],
  ['[git.example.com]:2222', 'git.example.com', 2222, true],
  ['[*.example.com]:2222', 'git.example.com', 2222, true],
  ['git.example.com', 'git.example.com', 2222, false],
  ['(git|hub).com', 'git.com', 22, false],
] as const) {
  test(`S10: ${names} ${isKnown ? 'is' : 'is not'} ${host}, port ${port}`, () => {
    assert.equal(expectedHostKeys(line(names), host, port).accepts(KEY), isKnown);
  });
}

test('A3: a pattern of many stars, which an expression would try for hours, is through at once', () => {
  const host = `${'a'.repeat(63)}.${'a'.repeat(63)}.${'a'.repeat(63)}.a.example.com`;
  const took = processorMs(() =>
    assert.equal(expectedHostKeys(line(`${'*a'.repeat(30)}*b`), host, 22).accepts(KEY), false),
  );
  assert.ok(took < 500, `${took} ms`);
});

const slow = `*${'a'.repeat(120)}b`;
const salted = `|1|${'A'.repeat(27)}=|${'A'.repeat(27)}=`;
for (const [what, name, message] of [
  ['patterns that are compared for long', slow, /patterns with "\*"/],
  ['hashed names', salted, /more than 2000 hashed names/],
  ['hashed names without a hash', '|1||', /more than 2000 hashed names/],
] as const) {
  test(`A15: as many ${what} as known_hosts has room for are refused before they hold up anyone`, () => {
    const names = Array(Math.floor(MOST_KNOWN_HOSTS / (name.length + 1)))
      .fill(name)
      .join(',');
    const took = processorMs(() =>
      assert.throws(() => expectedHostKeys(line(names), 'a'.repeat(250), 22), {
        reason: 'CredentialInvalid',
        remedy: 'Person',
        message,
      }),
    );
    assert.ok(took < 150, `it took ${took} ms`);
  });
}

test('a file full of hosts, hashed or not, is read to its last line', () => {
  const hosts = (names: string) => line(names).repeat(Math.floor(MOST_KNOWN_HOSTS / line(names).length) - 1);
  for (const names of [salted, '*.example.org,!x.example.org,192.0.2.*']) {
    const text = hosts(names) + line('git.example.com');
    assert.ok(text.length <= MOST_KNOWN_HOSTS && expectedHostKeys(text, 'git.example.com', 22).accepts(KEY));
  }
});
