import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import ssh2 from 'ssh2';
import { TowpathError } from '../../api/errors.ts';
import { behindString, keyRounds } from './key-rounds.ts';

/** A private SSH key that nothing protects any more. */
export interface SshKey {
  /** `ssh-ed25519`, `ssh-rsa` and the like. */
  type: string;
  /** In SSH's wire form. */
  publicKey: Uint8Array;
  /** PEM. */
  privateKey: string;
}

/** Trying a passphrase takes 20 ms for each round. */
const MOST_ROUNDS = 128;
/** OpenSSH takes no larger ones. */
const MOST_RSA_BITS = 16_384;
/** ssh-keygen makes them with 65,537. */
const MOST_EXPONENT_BITS = 64;

/** What is signed with, where the server has no say in it (RFC 8332, RFC 5656, RFC 8709). */
export const HASHES: ReadonlyMap<string, string> = new Map([
  ['ssh-rsa', 'sha1'],
  ['ssh-dss', 'sha1'],
  ['ecdsa-sha2-nistp256', 'sha256'],
  ['ecdsa-sha2-nistp384', 'sha384'],
  ['ecdsa-sha2-nistp521', 'sha512'],
]);

/**
 * Reads a private key in OpenSSH or PEM form. How long that takes is up to whoever wrote it: rounds of bcrypt, texts
 * that ssh2's expressions read in quadratic time. It is work for a thread.
 *
 * @throws TowpathError CredentialInvalid
 */
export function readSshKey(identity: string, passphrase: string | undefined): SshKey {
  const rounds = keyRounds(identity);
  if (rounds > MOST_ROUNDS)
    throw invalid(
      `has an SSH key in its key "identity" whose passphrase takes ${rounds} rounds to try, and at most ${MOST_ROUNDS} are taken. Write the key anew with fewer: ssh-keygen -p -a 16 -f <key>.`,
    );
  const parsed = ssh2.utils.parseKey(identity, passphrase);
  if (parsed instanceof Error) {
    const isLocked = /encrypted|passphrase|bad decrypt|integrity check/i.test(parsed.message);
    throw invalid(
      isLocked
        ? 'has an SSH key with a passphrase in its key "identity", and its key "password" lacks that or has a wrong one.'
        : 'has no private SSH key that can be read in its key "identity". Put one in OpenSSH or PEM form there.',
    );
  }
  if (!parsed.isPrivateKey())
    throw invalid(
      'has the public half of an SSH key in its key "identity". Put the private one there: the file without .pub.',
    );
  const key = {
    type: parsed.type,
    publicKey: new Uint8Array(parsed.getPublicSSH()),
    privateKey: parsed.getPrivatePEM(),
  };
  requireSize(key);
  requireSignature(key);
  return key;
}

/** Signing takes eight times as long with twice the bits, and the largest key that ssh-keygen makes a second. */
function requireSize({ type, publicKey }: SshKey): void {
  // RFC 4253, 6.6: the type, then e and n.
  if (type !== 'ssh-rsa') return;
  const bytes = Buffer.from(publicKey);
  const exponent = stringAt(bytes, behindString(bytes, 0));
  const modulus = stringAt(bytes, behindString(bytes, behindString(bytes, 0)));
  if (bitsOf(modulus) > MOST_RSA_BITS)
    throw invalid(
      `has an RSA key of ${bitsOf(modulus)} bits in its key "identity", which takes long to sign with, and at most ${MOST_RSA_BITS} are taken. Make a smaller one, or better one of elliptic curves (ssh-keygen -t ed25519).`,
    );
  if (bitsOf(exponent) > MOST_EXPONENT_BITS)
    throw invalid(
      `has an RSA key with a public exponent of ${bitsOf(exponent)} bits in its key "identity", and at most ${MOST_EXPONENT_BITS} are taken. Make another one (ssh-keygen -t ed25519).`,
    );
}

/** What was read in one way may be no key for what signs with it. */
function requireSignature(key: SshKey): void {
  let isSigned: boolean;
  try {
    isSigned = signsForItself(key);
  } catch (error) {
    throw invalid(
      `has an SSH key of type ${key.type} in its key "identity" that cannot be signed with: it is damaged, or too small, or of a kind that OpenSSL does not take. Make another one (ssh-keygen -t ed25519).`,
      error,
    );
  }
  if (!isSigned)
    throw invalid(
      'has an SSH key in its key "identity" whose public and private halves do not belong together. Write the key there as ssh-keygen made it, or make another one.',
    );
}

function signsForItself({ type, publicKey, privateKey }: SshKey): boolean {
  // The most that a server may ask of it.
  const hash = type === 'ssh-rsa' ? 'sha512' : HASHES.get(type);
  const text = Buffer.from('towpath');
  const published = ssh2.utils.parseKey(`${type} ${Buffer.from(publicKey).toString('base64')}`);
  if (published instanceof Error) throw published;
  const signature = sign(hash, text, createPrivateKey(privateKey));
  return verify(hash, text, createPublicKey(published.getPublicPEM()), signature);
}

function stringAt(bytes: Buffer, at: number): Buffer {
  return bytes.subarray(at + 4, behindString(bytes, at));
}

/** Of an mpint (RFC 4251, 5). */
function bitsOf(number: Buffer): number {
  const first = number.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (number.length - first) * 8 - Math.clz32(number[first] ?? 0) + 24;
}

/** The thread gave up on it. */
export function unreadableKey(cause: unknown): TowpathError {
  return invalid(
    'has an SSH key in its key "identity" that takes too long to read. Write it anew: ssh-keygen -p -a 16 -f <key>.',
    cause,
  );
}

function invalid(what: string, cause?: unknown): TowpathError {
  return new TowpathError('Person', 'CredentialInvalid', `The Git credential ${what}`, { cause });
}
