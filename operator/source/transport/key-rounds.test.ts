import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withoutKeygen } from '../../../test/harness/git-ssh.ts';
import { temporaryDirectory } from '../../../test/harness/process.ts';
import { keyRounds } from './key-rounds.ts';
import { readSshKey } from './ssh-key.ts';

function newKey(...options: string[]): string {
  const path = join(temporaryDirectory('key'), 'id');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-f', path, ...options]);
  return readFileSync(path, 'utf8');
}

test('the rounds that a key asks for are read from it', { skip: withoutKeygen() }, () => {
  assert.equal(keyRounds(newKey('-N', 'secret', '-a', '3')), 3);
  assert.equal(keyRounds(newKey('-N', 'secret', '-a', '129')), 129);
  assert.equal(keyRounds(newKey('-N', '')), 0);
  for (const text of [
    '',
    'no key',
    '-----BEGIN OPENSSH PRIVATE KEY-----',
    '-----BEGIN RSA PRIVATE KEY-----\nAAAA\n',
  ])
    assert.equal(keyRounds(text), 0, text);
  const cut = newKey('-N', 'secret', '-a', '3').split('\n');
  for (const line of [1, 2, 3]) keyRounds(cut.slice(0, line).join('\n'));
});

test('A15: a key whose passphrase takes long to try is refused, before it is tried', {
  skip: withoutKeygen(),
}, () => {
  const identity = newKey('-N', 'secret', '-a', '200');
  // Base64 as ssh2 reads it takes dashes for what it is: they end nothing.
  const lines = identity.split('\n');
  const dashed = [lines[0], `${lines[1]?.slice(0, 64)}-----${lines[1]?.slice(69)}`, ...lines.slice(2)].join(
    '\n',
  );
  for (const text of [identity, dashed]) {
    const before = process.threadCpuUsage();
    assert.throws(() => readSshKey(text, 'secret'), {
      reason: 'CredentialInvalid',
      message: /200 rounds.*at most 128.*ssh-keygen -p -a 16/,
    });
    assert.ok(process.threadCpuUsage(before).user < 200_000);
  }
});
