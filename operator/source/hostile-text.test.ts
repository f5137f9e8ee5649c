import { test } from 'node:test';
import { assertReadsFramedInLinearTime, assertReadsInLinearTime } from '../../test/harness/hostile-text.ts';
import { MOST_KNOWN_HOSTS, parseCredential, redact } from './credential.ts';
import { parseCommit } from './pack/object-store.ts';
import { refusalError } from './pack/packs.ts';
import { parseRange, parseVersion } from './semver.ts';
import { hasControlCharacter, printable } from './text.ts';
import { expectedHostKeys } from './transport/known-hosts.ts';
import { networkError } from './transport/network-error.ts';
import { RemoteRefusal } from './wire/advertisement.ts';

/** A key that is one: the names of any other line are not looked at. */
const KEY = `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.alloc(36)]).toString('base64')}`;
const oid = 'a'.repeat(40);

const readers: readonly (readonly [string, (text: string) => unknown])[] = [
  ['a text for a message', (text) => [printable(text), hasControlCharacter(text)]],
  [
    'what a Git server says',
    (text) => refusalError(new RemoteRefusal(text), 'h', 'w', { username: 'a', password: 'aaaa' }),
  ],
  ['an error of the network', (text) => networkError(new Error(text), 'h')],
  ['known_hosts', (text) => expectedHostKeys(text.slice(0, MOST_KNOWN_HOSTS), 'git.example.com', 22)],
  [
    'a name in known_hosts',
    (text) => expectedHostKeys(`${text.slice(0, MOST_KNOWN_HOSTS)} ${KEY}`, 'git.example.com', 22),
  ],
  [
    'names in known_hosts, against a host as long as may be',
    (text) => expectedHostKeys(`${text.slice(0, MOST_KNOWN_HOSTS)} ${KEY}`, 'a'.repeat(250), 22),
  ],
  ['a text with a credential in it', (text) => redact(text, { username: 'a', password: 'aaaa' })],
  ['a commit', (text) => parseCommit(Buffer.from(`tree ${oid}\nauthor ${text}\ncommitter a\n\nb`))],
  ['the message of a commit', (text) => parseCommit(Buffer.from(`tree ${oid}\n\n${text}`))],
  ['a commit without an end', (text) => parseCommit(Buffer.from(text))],
  ['a tag for a version', (text) => parseVersion(text)],
  ['the pre-release of a version', (text) => parseVersion(`1.2.3-${text}`)],
  ['the build of a version', (text) => parseVersion(`1.2.3+${text}`)],
  ['a range of versions', (text) => parseRange(text.slice(0, 256))],
];

for (const [what, read] of readers)
  test(`A15: what a Git server or a credential says is read in linear time: ${what}`, () => {
    assertReadsInLinearTime(read);
  });

/** A Secret's values come as bytes. */
const secrets: readonly (readonly [string, (bytes: Buffer) => unknown])[] = [
  ['a Secret', (bytes) => parseCredential({ 'ca.crt': bytes, password: bytes }, 'https')],
  ['a Secret for SSH', (bytes) => parseCredential({ identity: bytes, known_hosts: bytes }, 'ssh')],
];

for (const [what, read] of secrets)
  test(`A15: what a Git server or a credential says is read in linear time: ${what}`, () => {
    assertReadsFramedInLinearTime(read, (text) => Buffer.from(text));
  });
